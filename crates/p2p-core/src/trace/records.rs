//! The lines of a trace: one table for both directions.

use alloc::vec::Vec;
use core::fmt;

use super::words::{Phrase, Words};
use super::{Act, Entry, Fault, ParseError, Start, TEXT_MAX, Trace};
use crate::io::Input;
use crate::limits::Limits;
use crate::node::Config;
use crate::time::{FileTime, Now, Tick};

const VERSION: &str = "p2p-trace 1";

/// Each row is a record's name, its words in order, and the call: read as a pattern when it is written, as an expression
/// when it is parsed. A call without a row does not compile.
macro_rules! records {
    ($($name:literal $($word:ident)* => { $($act:tt)* })*) => {
        impl fmt::Display for Act {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $($($act)* => {
                        f.write_str($name)?;
                        $(Phrase::write($word, f)?;)*
                    })*
                }
                Ok(())
            }
        }

        fn act(name: &str, words: &mut Words<'_>) -> Result<Act, Fault> {
            match name {
                $($name => {
                    $(let $word = words.read(stringify!($word))?;)*
                    Ok($($act)*)
                })*
                _ => Err(Fault::Record),
            }
        }
    };
}

records! {
    "timeout" => { Act::Input(Input::Timeout) }
    "listening" addresses => { Act::Input(Input::Listening { addresses }) }
    "link-up" link dial peer binding remote => {
        Act::Input(Input::LinkUp { link, dial, peer, binding, remote })
    }
    "dial-failed" dial cause => { Act::Input(Input::DialFailed { dial, cause }) }
    "link-down" link cause => { Act::Input(Input::LinkDown { link, cause }) }
    "accepted" link stream => { Act::Input(Input::Accepted { link, stream }) }
    "chunk" link stream bytes => { Act::Input(Input::Chunk { link, stream, bytes }) }
    "finished" link stream => { Act::Input(Input::Finished { link, stream }) }
    "reset" link stream code => { Act::Input(Input::Reset { link, stream, code }) }
    "sent" link stream bytes => { Act::Input(Input::Sent { link, stream, bytes }) }
    "stored" ticket result => { Act::Input(Input::Stored { ticket, result }) }
    "open-group" group own snapshot => { Act::OpenGroup(group, own, snapshot) }
    "connect" group addresses => { Act::Connect(group, addresses) }
    "close-group" group => { Act::CloseGroup(group) }
    "accept-direct" group on => { Act::Accept(group, on) }
    "open-direct" group peer address => { Act::Open(group, peer, address) }
    "close-direct" group id => { Act::Close(group, id) }
    "send" group id kind bytes => { Act::Send(group, id, kind, bytes) }
    "taken" group id what => { Act::Taken(group, id, what) }
    "publish" group kind bytes => { Act::Publish(group, kind, bytes) }
}

/// The fields of [`Limits`], all of them: one that is not listed does not compile.
macro_rules! limits {
    ($($field:ident)*) => {
        fn write_limits(limits: &Limits, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let usual = Limits::default();
            let Limits { $($field),* } = limits;
            $(if *$field != usual.$field {
                write!(f, "\nlimit {} {}", stringify!($field), $field)?;
            })*
            Ok(())
        }

        fn read_limit(limits: &mut Limits, words: &mut Words<'_>) -> Result<(), Fault> {
            match words.next().ok_or(Fault::Limit)? {
                $(stringify!($field) => limits.$field = words.read(stringify!($field))?,)*
                _ => return Err(Fault::Limit),
            }
            Ok(())
        }
    };
}

limits! {
    groups strangers_per_prefix strangers links_per_peer sessions_per_link proofs_per_link held_opens_per_link
    checks_per_prefix checks password_exchanges password_tries_per_prefix password_tries_per_peer password_tries password password_delay
    directs_per_peer directs_per_group message fragment send_queue receive_queue receive_per_peer neighbours dials
    addresses_per_peer referrals members revocations credentials object_bytes control_frames streams stream_window handshake proof refusal_delay welcome
    direct_open direct_linger direct_listed connect dial_pause maintain_alone maintain closing
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.start)?;
        self.entries.iter().try_for_each(|entry| writeln!(f, "{entry}"))
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Start { config: Config { limits, previous }, seed, now } = self;
        write!(f, "{VERSION}\nstart {} {}", now.tick.0, now.wall.0)?;
        seed.write(f)?;
        previous.write(f)?;
        write_limits(limits, f)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.now.tick.0, self.now.wall.0, self.act)
    }
}

pub(super) fn trace(text: &str) -> Result<Trace, ParseError> {
    if text.len() > TEXT_MAX {
        return Err(ParseError { line: 1, fault: Fault::TooLong });
    }
    let mut lines = text.lines().enumerate().map(|(n, line)| (n + 1, line));
    if lines.next().is_none_or(|(_, line)| line.trim_end() != VERSION) {
        return Err(ParseError { line: 1, fault: Fault::Version });
    }
    let (mut start, mut entries) = (None, Vec::new());
    let mut last = 1;
    for (n, line) in lines {
        last = n;
        if line.starts_with('#') {
            continue;
        }
        record(line, &mut start, &mut entries).map_err(|fault| ParseError { line: n, fault })?;
    }
    let start = start.ok_or(ParseError { line: last, fault: Fault::Start })?;
    Ok(Trace { start, entries })
}

fn record(line: &str, start: &mut Option<Start>, entries: &mut Vec<Entry>) -> Result<(), Fault> {
    let mut words = Words::of(line);
    match (words.peek(), start.as_mut()) {
        (None, _) => return Ok(()),
        (Some("start"), None) => {
            words.next();
            let now = moment(&mut words)?;
            let (seed, previous) = (words.read("seed")?, words.read("previous")?);
            let config = Config { limits: Limits::default(), previous };
            *start = Some(Start { config, seed, now });
        }
        (Some("limit"), Some(start)) if entries.is_empty() => {
            words.next();
            read_limit(&mut start.config.limits, &mut words)?;
        }
        (Some("start"), Some(_)) | (_, None) => return Err(Fault::Start),
        (Some(_), Some(_)) => {
            let now = moment(&mut words)?;
            let name = words.next().ok_or(Fault::Record)?;
            entries.push(Entry { now, act: act(name, &mut words)? });
        }
    }
    words.end()
}

fn moment(words: &mut Words<'_>) -> Result<Now, Fault> {
    Ok(Now { tick: Tick(words.read("tick")?), wall: FileTime(words.read("wall")?) })
}

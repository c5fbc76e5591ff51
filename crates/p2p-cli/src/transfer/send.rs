//! `p2p send`: a file to one member.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::pin::pin;

use p2p_group::{Code, Group, GroupError};
use ring::digest::{Context as Digest, SHA256};
use tokio::time::timeout;

use super::progress::Progress;
use super::way::Way;
use super::wire::{Decline, Offer, Reply, WireError};
use super::{CHUNK, DISK, GREETING, STANDSTILL, on_disk};
use crate::args::SendArgs;
use crate::exit::Failure;
use crate::group::{self, Membership};
use crate::lending::Wish;
use crate::print::Printer;
use crate::{Context, end, input};

pub(crate) async fn run(context: &Context, args: &SendArgs) -> Result<(), Failure> {
    // Before anybody is asked: it may not be there.
    let (file, offer) = on_disk(|| prepare(&args.file))?;
    let Membership { identity, group: info } = group::pick(&context.home, &args.place)?;
    let node = context.start(identity.clone())?;
    let opened = match Group::open(&node, &info.name) {
        Ok(group) => Some(group),
        // By `p2p listen`, most likely: it lends us a connection.
        Err(GroupError::InUse) => None,
        Err(error) => return Err(error.into()),
    };
    let wish = Wish {
        home: &context.home,
        identity: &identity,
        group: &info.name,
        peer: &args.peer,
        address: args.address,
    };
    let sending = async {
        let way = match &opened {
            Some(group) => Way::own(group, &wish).await?,
            None => Way::lent(&wish).await?.ok_or(GroupError::InUse)?,
        };
        send(context.out, way, file, &offer).await
    };
    let mut stop = pin!(input::interrupted());
    let result = tokio::select! {
        result = sending => result,
        stopped = &mut stop => stopped.and_then(|()| {
            let message = "interrupted; sending the file again goes on where it stopped";
            Err(Failure::code(message, Code::ERROR_CANCELLED))
        }),
    };
    match &opened {
        Some(group) => end(group, &node).await,
        None => node.shutdown().await,
    }
    result
}

/// The file, and what is said of it. It is read once to know its hash.
fn prepare(path: &Path) -> Result<(File, Offer), Failure> {
    let shown = path.to_string_lossy();
    let unreadable = |error: io::Error| input::unreadable(&shown, &error);
    let mut file = File::open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(Failure::code(format!("{shown}: only a file can be sent"), Code::E_INVALIDARG));
    }
    let (mut digest, mut size, mut chunk) = (Digest::new(&SHA256), 0, vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk).map_err(unreadable)? {
            0 => break,
            n => {
                digest.update(&chunk[..n]);
                size += n as u64;
            }
        }
    }
    let hash = digest.finish().as_ref().try_into().expect("SHA-256 has 32 bytes");
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok((file, Offer { size, hash, name: name.unwrap_or_else(|| "file".to_owned()) }))
}

async fn send(out: Printer, mut way: Way, file: File, offer: &Offer) -> Result<(), Failure> {
    let from = match agree(&mut way, offer).await {
        Ok(from) => from,
        Err(trouble) => return Err(explain(&way, trouble).await),
    };
    let label = way.label();
    let mut progress = Progress::new(out, "out", way.far(), offer, &offer.name, from);
    let begun = match from {
        0 => format!("Sending {} to {label}: {} bytes.", offer.name, offer.size),
        _ => format!(
            "Going on with {} to {label}: {from} of {} bytes are there.",
            offer.name, offer.size
        ),
    };
    progress.begin(&begun)?;
    match content(&mut way, file, offer, from, &mut progress).await {
        Ok(()) => progress.done(&format!("{label} has {}, whole.", offer.name), None),
        Err(trouble) => {
            progress.clear();
            Err(explain(&way, trouble).await)
        }
    }
}

/// From which byte on the receiver wants the content.
async fn agree(way: &mut Way, offer: &Offer) -> Result<u64, Trouble> {
    way.write_all(&offer.encode()).await.map_err(WireError::Io)?;
    let mut patience = GREETING;
    loop {
        match timeout(patience, Reply::read(way.reader())).await {
            Ok(Ok(Reply::Checking)) if patience == GREETING => patience = DISK,
            Ok(Ok(Reply::From(offset))) if offset <= offer.size => return Ok(offset),
            Ok(Ok(Reply::Declined(why))) => return Err(Trouble::Declined(why)),
            Ok(Ok(_)) => return Err(WireError::Malformed("the answer does not fit").into()),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Err(Trouble::Silent),
        }
    }
}

/// The content from `from` on, and the receiver's last word.
async fn content(
    way: &mut Way,
    mut file: File,
    offer: &Offer,
    from: u64,
    progress: &mut Progress,
) -> Result<(), Trouble> {
    let (mut sent, mut chunk) = (from, vec![0; CHUNK]);
    on_disk(|| file.seek(SeekFrom::Start(from))).map_err(Trouble::File)?;
    while sent < offer.size {
        let n = (offer.size - sent).min(CHUNK as u64) as usize;
        on_disk(|| file.read_exact(&mut chunk[..n])).map_err(Trouble::File)?;
        let written = timeout(STANDSTILL, way.write_all(&chunk[..n])).await;
        // A receiver that has had enough says why before it closes.
        if written.map_err(|_| Trouble::Stalled)?.is_err() {
            break;
        }
        sent += n as u64;
        progress.at(sent)?;
    }
    if sent == offer.size {
        // If this fails, what the receiver said last tells why.
        let _ = way.end().await;
    }
    match timeout(DISK, Reply::read(way.reader())).await {
        Ok(Ok(Reply::Stored)) => Ok(()),
        Ok(Ok(Reply::Declined(why))) => Err(Trouble::Declined(why)),
        Ok(Ok(_)) => Err(WireError::Malformed("the answer does not fit").into()),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Trouble::Stalled),
    }
}

/// What went wrong on the way.
enum Trouble {
    Declined(Decline),
    /// Nothing came back at all.
    Silent,
    /// Nothing moved for a long time.
    Stalled,
    Wire(WireError),
    File(io::Error),
    Output(Failure),
}

impl From<WireError> for Trouble {
    fn from(error: WireError) -> Trouble {
        Trouble::Wire(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        Trouble::Output(failure)
    }
}

async fn explain(way: &Way, trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Declined(why) => declined(why),
        Trouble::Silent => Failure::code(
            "the peer does not answer: it takes files while it runs `p2p receive`, or `p2p listen --receive`",
            Code::PEER_E_TIMEOUT,
        ),
        Trouble::Stalled => Failure::code(
            "the peer takes nothing any more; sending the file again goes on where it stopped",
            Code::PEER_E_TIMEOUT,
        ),
        Trouble::Wire(WireError::Version) => declined(Decline::Version),
        Trouble::Wire(WireError::Malformed(what)) => {
            Failure::code(format!("the peer's answer: {what}"), Code::E_INVALIDARG)
        }
        Trouble::Wire(WireError::Io(error)) => {
            let message =
                "the file did not arrive whole; sending it again goes on where it stopped";
            let cause = match way.connection() {
                Some(connection) => timeout(STANDSTILL, connection.closed()).await.ok().flatten(),
                None => None,
            };
            match cause {
                Some(cause) if !cause.code().is_success() => Failure::cause(message, cause),
                _ => Failure::code(format!("{message}: {error}"), Code::PEER_E_CONNECTION_FAILED),
            }
        }
        Trouble::File(error) => Failure::code(
            format!("the file cannot be read to its end: {error}"),
            Code::ERROR_IO_DEVICE,
        ),
        Trouble::Output(failure) => failure,
    }
}

fn declined(why: Decline) -> Failure {
    let (message, code) = match why {
        Decline::Version => ("the peer speaks another version", Code::PEER_E_UNSUPPORTED_VERSION),
        Decline::Offer => ("the peer does not understand the offer", Code::E_INVALIDARG),
        Decline::Name => ("the peer cannot store a file with this name", Code::E_INVALIDARG),
        Decline::TooLarge => {
            ("the file is larger than the peer takes", Code::PEER_E_CONNECTION_REFUSED)
        }
        Decline::Busy => (
            "this file is arriving there already, or too many are unfinished",
            Code::PEER_E_CONNECTION_REFUSED,
        ),
        Decline::Unwelcome => {
            ("the peer takes files from others only", Code::PEER_E_CONNECTION_REFUSED)
        }
        Decline::Closed => (
            "the peer takes no files: it does while it runs `p2p receive`, or `p2p listen --receive`",
            Code::PEER_E_CONNECTION_REFUSED,
        ),
        Decline::DiskFull => ("the peer's disk is full", Code::PEER_E_DISK_FULL),
        Decline::NotStored => ("the peer could not store the file", Code::ERROR_IO_DEVICE),
        Decline::Hash => (
            "what arrived is not what was announced, and was thrown away: send it again, unchanged",
            Code::CRYPT_E_HASH_VALUE,
        ),
        Decline::Size => ("what arrived was not as long as announced", Code::E_INVALIDARG),
    };
    Failure::code(message, code)
}

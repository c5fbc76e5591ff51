//! Input: lines of standard input while other things happen, and texts from an argument, a file or standard input.

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read};
use std::thread;

use p2p_group::Code;
use tokio::sync::mpsc::{Receiver, channel};

use crate::exit::Failure;

/// Longest line: a message of 4 MiB and the command before it.
const LINE_MAX: u64 = (4 << 20) + 64;
/// Lines that are read ahead.
const LINES_AHEAD: usize = 16;
/// Longest identity or invitation that is read; both are shorter than 64 KiB, as XML.
const TEXT_MAX: u64 = 256 << 10;

/// A line of standard input, without its end.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Line {
    Bytes(Vec<u8>),
    /// Longer than 4 MiB; left out.
    TooLong,
}

/// The lines of standard input; the end of the channel is the end of input.
pub(crate) fn lines() -> Receiver<io::Result<Line>> {
    let (send, receive) = channel(LINES_AHEAD);
    // A thread of its own: it may wait in `read` when the process ends, which a runtime's thread must not.
    thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        loop {
            let line = read_line(&mut stdin, LINE_MAX).transpose();
            let Some(line) = line else { return };
            let broken = line.is_err();
            if send.blocking_send(line).is_err() || broken {
                return;
            }
        }
    });
    receive
}

/// Whether somebody sits at standard input.
pub(crate) fn is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Resolves when the user (Ctrl-C), the system (SIGTERM) or the end of the terminal (SIGHUP) wants the process to end.
pub(crate) async fn interrupted() -> Result<(), Failure> {
    signalled().await.map_err(|error| {
        Failure::code(format!("signals cannot be received: {error}"), Code::E_UNEXPECTED)
    })
}

#[cfg(unix)]
async fn signalled() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
        _ = hang_up.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signalled() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

fn read_line(from: &mut impl BufRead, max: u64) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    if from.by_ref().take(max + 1).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.ends_with(b"\n") {
        line.pop();
        if line.ends_with(b"\r") {
            line.pop();
        }
    } else if line.len() as u64 > max {
        from.skip_until(b'\n')?;
        return Ok(Some(Line::TooLong));
    }
    Ok(Some(Line::Bytes(line)))
}

/// The text that an argument is or names: itself if `is_text` says so, else a file's; `-` or nothing is standard input.
pub(crate) fn text(
    argument: Option<&str>,
    what: &str,
    is_text: impl Fn(&str) -> bool,
) -> Result<String, Failure> {
    match argument {
        Some(text) if is_text(text) => Ok(text.to_owned()),
        None | Some("-") if is_terminal() => {
            // A terminal cuts long lines off, so pasting would fail in a puzzling way.
            Err(Failure::usage(format!("no {what} given: name a file, or pipe it in")))
        }
        None | Some("-") => read_text(io::stdin().lock(), what, "standard input"),
        Some(path) => {
            let file = File::open(path).map_err(|error| unreadable(path, &error))?;
            read_text(file, what, path)
        }
    }
}

fn read_text(from: impl Read, what: &str, source: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    from.take(TEXT_MAX + 1).read_to_end(&mut bytes).map_err(|error| unreadable(source, &error))?;
    if bytes.len() as u64 > TEXT_MAX {
        return Err(Failure::code(format!("{source}: too long for {what}"), Code::E_INVALIDARG));
    }
    String::from_utf8(bytes).map_err(|_| {
        Failure::code(format!("{source}: not a text, so no {what}"), Code::E_INVALIDARG)
    })
}

pub(crate) fn unreadable(source: &str, error: &io::Error) -> Failure {
    let code = match error.kind() {
        io::ErrorKind::NotFound => Code::ERROR_FILE_NOT_FOUND,
        io::ErrorKind::PermissionDenied | io::ErrorKind::IsADirectory => Code::E_ACCESSDENIED,
        _ => Code::ERROR_IO_DEVICE,
    };
    Failure::code(format!("{source}: {error}"), code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_either_way_and_may_be_empty() {
        let mut input: &[u8] = b"one\r\n\ntwo\nlast";
        let mut next = || read_line(&mut input, 10).unwrap();
        for line in ["one", "", "two", "last"] {
            assert_eq!(next(), Some(Line::Bytes(line.into())));
        }
        assert_eq!(next(), None);
    }

    #[test]
    fn a_long_line_is_left_out_and_the_next_one_read() {
        let mut input: &[u8] = b"12345678901\n1234567890\nx";
        let mut next = || read_line(&mut input, 10).unwrap();
        assert_eq!(next(), Some(Line::TooLong));
        assert_eq!(next(), Some(Line::Bytes(b"1234567890".into())));
        assert_eq!(next(), Some(Line::Bytes(b"x".into())));
    }

    #[test]
    fn a_text_may_be_the_argument_itself() {
        let is_text = |text: &str| text.starts_with('<');
        assert_eq!(text(Some("<x/>"), "x", is_text).unwrap(), "<x/>");
        assert!(text(Some("no such file"), "x", is_text).unwrap_err().is_not_found());
    }

    #[test]
    fn a_text_is_bounded_and_is_text() {
        let long = vec![b'x'; TEXT_MAX as usize + 1];
        assert!(read_text(&long[..], "x", "y").is_err());
        assert!(read_text(&long[1..], "x", "y").is_ok());
        assert!(read_text(&[0xff][..], "x", "y").is_err());
    }
}

//! QR codes (ISO/IEC 18004) on a terminal: two modules above each other in one character.
//!
//! Which colours "foreground" and "background" are is the terminal's affair, so both are set: black on white, with the
//! four white modules around it that readers need.

use std::io::{self, IsTerminal};

use p2p_group::Code;
use qrcodegen::{DataTooLong, Mask, QrCode, QrCodeEcc, QrSegment, Version};

use crate::exit::Failure;

/// White modules on each side.
const QUIET: i32 = 4;
/// Black on white: places of the fixed palette of 256 colours, which themes leave alone.
const COLOURS: &str = "\x1b[38;5;16;48;5;231m";
const PLAIN: &str = "\x1b[0m";

/// The code of a text of digits, upper-case letters and ` $%*+-./:`, as lines for a terminal. If standard output is a
/// terminal, it must have room for them.
pub(crate) fn lines(text: &str) -> Result<Vec<String>, Failure> {
    let code = encode(text).map_err(|_| {
        let message = "too long for a QR code: leave --qr out, and send the text";
        Failure::code(message, Code::E_INVALIDARG)
    })?;
    let lines = draw(&code);
    let room = io::stdout().is_terminal().then(terminal_size::terminal_size).flatten();
    if let Some((width, height)) = room {
        check_room(&code, (usize::from(width.0), usize::from(height.0)))?;
    }
    Ok(lines)
}

fn encode(text: &str) -> Result<QrCode, DataTooLong> {
    let segments = [QrSegment::make_alphanumeric(text)];
    // The least of error correction: on a screen nothing is dirty, and smaller codes are read more easily.
    QrCode::encode_segments_advanced(
        &segments,
        QrCodeEcc::Low,
        Version::MIN,
        Version::MAX,
        None::<Mask>,
        true,
    )
}

/// Columns and lines.
fn extent(code: &QrCode) -> (usize, usize) {
    let modules = (code.size() + 2 * QUIET) as usize;
    (modules, modules.div_ceil(2))
}

fn check_room(code: &QrCode, (columns, lines): (usize, usize)) -> Result<(), Failure> {
    let needed = extent(code);
    // One line more, for the prompt that follows.
    if columns >= needed.0 && lines > needed.1 {
        return Ok(());
    }
    let message = format!(
        "the code needs {} columns and {} lines, this terminal has {columns} and {lines}: make the window larger or \
         the letters smaller, or leave --qr out",
        needed.0,
        needed.1 + 1
    );
    Err(Failure::code(message, Code::E_INVALIDARG))
}

fn draw(code: &QrCode) -> Vec<String> {
    let end = code.size() + QUIET;
    let line = |y: i32| {
        let mut line = COLOURS.to_owned();
        for x in -QUIET..end {
            // Outside of the code, and so around it, every module is white.
            line.push(match (code.get_module(x, y), code.get_module(x, y + 1)) {
                (false, false) => ' ',
                (true, false) => '▀',
                (false, true) => '▄',
                (true, true) => '█',
            });
        }
        line + PLAIN
    };
    (-QUIET..end).step_by(2).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_sets_and_resets_its_colours_and_has_one_width() {
        let code = encode("P2P:1:ABC").unwrap();
        let lines = draw(&code);
        let (columns, rows) = extent(&code);
        assert_eq!(lines.len(), rows);
        for line in &lines {
            let inner = line.strip_prefix(COLOURS).unwrap().strip_suffix(PLAIN).unwrap();
            assert_eq!(inner.chars().count(), columns);
            assert!(inner.starts_with("    ") && inner.ends_with("    "), "the quiet zone");
        }
        // Version 1, and four white modules, two lines, above the first black one.
        assert_eq!(columns, 21 + 8);
        let inner = |line: &str| line.replace(COLOURS, "").replace(PLAIN, "");
        assert!(inner(&lines[0]).trim().is_empty() && inner(&lines[1]).trim().is_empty());
        assert!(inner(&lines[2]).starts_with("    █▀▀▀▀▀█ "), "the corner that readers look for");
    }

    #[test]
    fn the_largest_code_is_the_end() {
        assert_eq!(encode(&"A".repeat(4_296)).unwrap().size(), 177);
        assert!(encode(&"A".repeat(4_297)).is_err());
        assert!(lines(&"A".repeat(4_297)).is_err());
    }

    #[test]
    fn a_window_that_is_too_small_is_told_how_large_it_must_be() {
        let code = encode(&"A".repeat(2_000)).unwrap();
        let (columns, lines) = extent(&code);
        assert!(check_room(&code, (columns, lines + 1)).is_ok());
        for room in [(columns - 1, 500), (500, lines)] {
            let Err(Failure::Code { message, .. }) = check_room(&code, room) else {
                panic!("{room:?} is too small");
            };
            assert!(message.contains(&format!("{columns} columns and {} lines", lines + 1)));
        }
    }
}

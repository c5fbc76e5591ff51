//! Output: for people, one line at a time, and for programs, one JSON object per line.
//!
//! Names and texts come from peers. Nothing of them may move a cursor, hide text or forge a line, so everything leaves
//! through [`Printer`]: lines for people through [`printable`], JSON as pure ASCII.

use std::fmt::Display;
use std::io::{self, Write};

use p2p_group::{Code, Member, Refusal, Roles, printable};
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::times;

/// Standard output, in the form that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    json: bool,
}

impl Printer {
    pub(crate) fn new(json: bool) -> Printer {
        Printer { json }
    }

    /// Whether programs read it.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// One thing to say: a line for people, or a record for programs.
    pub(crate) fn say(&self, line: impl Display, record: &Value) -> Result<(), Failure> {
        self.list([line.to_string()], record)
    }

    /// As [`say`](Self::say), in several lines for people.
    pub(crate) fn list(
        &self,
        lines: impl IntoIterator<Item = String>,
        record: &Value,
    ) -> Result<(), Failure> {
        if self.json {
            return put(&ascii(record));
        }
        lines.into_iter().try_for_each(|line| put(&escape(&line)))
    }

    /// A text of our own making that must come out as it is, or a record for programs.
    pub(crate) fn text(&self, text: &str, record: &Value) -> Result<(), Failure> {
        if self.json { put(&ascii(record)) } else { put(text) }
    }

    /// Something that people should know and programs learn otherwise: to standard error.
    pub(crate) fn note(&self, line: impl Display) {
        if !self.json {
            complain(&escape(&line.to_string()));
        }
    }
}

fn put(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Failure::Output)
}

/// A line to standard error. If that is closed, nobody is left to be told.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// A line for a terminal: control characters, line ends among them, and those that change the direction of writing are
/// escaped.
pub(crate) fn escape(line: &str) -> String {
    printable(line).to_string()
}

/// One line of JSON in ASCII: what is not becomes `\uXXXX`, which every reader turns back.
pub(crate) fn ascii(record: &Value) -> String {
    let plain = record.to_string();
    let mut out = String::with_capacity(plain.len());
    // Outside of strings JSON is ASCII, and within them serde_json has escaped what lies below the space.
    for c in plain.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// A name for people, with as much of the peer name as tells two bearers of it apart: `Ada (3fa9c1d2)`.
pub(crate) fn who(friendly_name: &str, name: &str) -> String {
    let short = name.get(..8).unwrap_or(name);
    if friendly_name.is_empty() || friendly_name == name {
        short.to_owned()
    } else {
        format!("{friendly_name} ({short})")
    }
}

/// `0x80632092`.
pub(crate) fn hex(code: Code) -> String {
    format!("{:#010X}", code.0 as u32)
}

/// The name of a code, or its value where it has none.
pub(crate) fn name(code: Code) -> String {
    code.name().map_or_else(|| hex(code), str::to_owned)
}

pub(crate) fn refusal(refusal: Refusal) -> Value {
    json!({
        "code": name(refusal.code),
        "value": hex(refusal.code),
        "detail": name(refusal.detail),
        "detail_value": hex(refusal.detail),
    })
}

/// The names of roles, highest first, as `--role` takes them.
pub(crate) fn roles(roles: Roles) -> Vec<&'static str> {
    let names = [
        (Roles::ADMIN, "admin"),
        (Roles::INVITING_MEMBER, "inviting-member"),
        (Roles::MEMBER, "member"),
    ];
    names.into_iter().filter(|(role, _)| roles.contains(*role)).map(|(_, name)| name).collect()
}

/// A membership for people: `admin, without end`.
pub(crate) fn standing(member: &Member) -> String {
    let mut words = roles(member.roles);
    if words.is_empty() {
        words.push("no role");
    }
    format!("{}, {}", words.join(" and "), times::end_for_people(member.not_after))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What must never reach a terminal: C0, DEL, C1, and the characters of UAX #9 that set a direction.
    const HOSTILE: &str = "\0\u{7}\u{8}\t\n\r\u{1b}[2J\u{7f}\u{85}\u{9b}31m\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\
                           \u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";

    fn is_harmless(text: &str) -> bool {
        text.chars().all(|c| {
            !c.is_control()
                && !matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        })
    }

    #[test]
    fn nothing_hostile_reaches_a_terminal() {
        assert!(!is_harmless(HOSTILE));
        assert!(is_harmless(&escape(HOSTILE)), "{}", escape(HOSTILE).escape_debug());
        assert_eq!(escape("Zoë \u{1b}[1m\u{202e}x"), "Zoë \\u{1b}[1m\\u{202e}x");
        assert_eq!(escape("two\nlines"), "two\\u{a}lines");
    }

    #[test]
    fn json_is_ascii_and_comes_back_whole() {
        let text = format!("Zoë 𝄞 \"quoted\" \\ {HOSTILE}");
        let line = ascii(&json!({ "type": "message", "text": text }));
        assert!(line.is_ascii() && is_harmless(&line), "{line}");
        let back: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(back["text"], text);
        assert!(line.starts_with(r#"{"type":"message","#), "fields keep their order: {line}");
    }

    #[test]
    fn two_bearers_of_a_name_can_be_told_apart() {
        assert_eq!(who("Ada", "3fa9c1d27a00.laptop"), "Ada (3fa9c1d2)");
        assert_eq!(who("", "3fa9c1d27a00."), "3fa9c1d2");
    }

    #[test]
    fn roles_have_the_names_of_the_command_line() {
        assert_eq!(roles(Roles::ADMIN.with(Roles::MEMBER)), ["admin", "member"]);
        assert!(roles(Roles::empty()).is_empty());
    }
}

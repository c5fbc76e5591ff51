//! As much of JSON (RFC 8259) as rustdoc writes: xtask has no dependencies, so that no command waits for any.

use std::iter::Peekable;
use std::str::Chars;

/// A value. Numbers are kept as they are written.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Deeper values are refused.
const DEPTH_MAX: usize = 256;

impl Json {
    pub(super) fn parse(text: &str) -> Option<Json> {
        let mut chars = text.chars().peekable();
        let value = value(&mut chars, 0)?;
        space(&mut chars);
        chars.next().is_none().then_some(value)
    }

    /// A field of an object; null if there is none.
    pub(super) fn get(&self, name: &str) -> &Json {
        let field = self.fields().iter().find(|(known, _)| known == name);
        field.map_or(&Json::Null, |(_, value)| value)
    }

    /// The fields of an object, in their order.
    pub(super) fn fields(&self) -> &[(String, Json)] {
        if let Json::Object(fields) = self { fields } else { &[] }
    }

    pub(super) fn list(&self) -> &[Json] {
        if let Json::List(values) = self { values } else { &[] }
    }

    /// A text, or a number as it is written.
    pub(super) fn text(&self) -> Option<&str> {
        if let Json::Text(text) | Json::Number(text) = self { Some(text) } else { None }
    }
}

fn space(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| matches!(c, ' ' | '\t' | '\n' | '\r')).is_some() {}
}

fn value(chars: &mut Peekable<Chars<'_>>, depth: usize) -> Option<Json> {
    if depth > DEPTH_MAX {
        return None;
    }
    space(chars);
    match chars.peek()? {
        '"' => text(chars).map(Json::Text),
        '[' => items(chars, ']', |chars| value(chars, depth + 1)).map(Json::List),
        '{' => items(chars, '}', |chars| {
            space(chars);
            let name = text(chars)?;
            space(chars);
            chars.next_if_eq(&':')?;
            Some((name, value(chars, depth + 1)?))
        })
        .map(Json::Object),
        _ => word(chars),
    }
}

/// What stands between brackets, separated by commas.
fn items<T>(
    chars: &mut Peekable<Chars<'_>>,
    end: char,
    mut item: impl FnMut(&mut Peekable<Chars<'_>>) -> Option<T>,
) -> Option<Vec<T>> {
    chars.next();
    space(chars);
    let mut found = Vec::new();
    if chars.next_if_eq(&end).is_some() {
        return Some(found);
    }
    loop {
        found.push(item(chars)?);
        space(chars);
        match chars.next()? {
            ',' => {}
            c if c == end => return Some(found),
            _ => return None,
        }
    }
}

fn text(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    chars.next_if_eq(&'"')?;
    let mut text = String::new();
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' => text.push(match chars.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => {
                    let digits: String = chars.by_ref().take(4).collect();
                    // Halves of pairs are of no interest here.
                    char::from_u32(u32::from_str_radix(&digits, 16).ok()?).unwrap_or('\u{fffd}')
                }
                c => c,
            }),
            c => text.push(c),
        }
    }
}

fn word(chars: &mut Peekable<Chars<'_>>) -> Option<Json> {
    let mut word = String::new();
    while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || "+-.".contains(*c)) {
        word.push(c);
    }
    match word.as_str() {
        "null" => Some(Json::Null),
        "true" => Some(Json::Bool(true)),
        "false" => Some(Json::Bool(false)),
        number if number.parse::<f64>().is_ok() => Some(Json::Number(word)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        let json = Json::parse(r#" {"a": [1, -2.5e3, true, null], "b": "x\"\n\u00e9", "c": {}} "#);
        let json = json.unwrap();
        assert_eq!(json.get("a").list()[1].text(), Some("-2.5e3"));
        assert_eq!(json.get("b").text(), Some("x\"\né"));
        assert!(json.get("c").fields().is_empty() && *json.get("d") == Json::Null);
        assert_eq!(Json::parse("[]"), Some(Json::List(Vec::new())));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let deep = "[".repeat(DEPTH_MAX + 2);
        for text in ["", "{", "[1,]", "{\"a\" 1}", "\"", "nul", "1 2", "{1: 2}", &deep] {
            assert_eq!(Json::parse(text), None, "{text}");
        }
    }
}

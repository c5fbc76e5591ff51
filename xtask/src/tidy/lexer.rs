//! As much of Rust's grammar as it takes to tell code from comments and strings, and one block from the next.

use std::ops::Range;

/// The source with comments, strings and characters blanked out, line for line and byte for byte.
pub(super) fn code(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => line_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => comment_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' | b'b' | b'c' if !preceded_by_word(bytes, at) => prefixed_end(bytes, at),
            b'\'' => character_end(source, at),
            _ => at,
        };
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// [`code`] with everything under `#[cfg(test)]` blanked out too.
pub(super) fn product_code(source: &str) -> String {
    let mut text = code(source).into_bytes();
    let mark = b"#[cfg(test)]";
    let mut from = 0;
    while let Some(found) = text[from..].windows(mark.len()).position(|window| window == mark) {
        let start = from + found;
        let Some(open) =
            text[start..].iter().position(|byte| matches!(byte, b'{' | b';')).map(|n| start + n)
        else {
            break;
        };
        let end = if text[open] == b';' { open + 1 } else { block_end(&text, open) };
        text[start..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        from = end;
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The modules in files of their own that are declared under `#[cfg(test)]`.
pub(super) fn test_modules(source: &str) -> Vec<String> {
    let code = code(source);
    let declared = code.split("#[cfg(test)]").skip(1).filter_map(|rest| {
        let declaration = rest.split_once(';')?.0.trim();
        let name = declaration.split_once("mod ").map(|parts| parts.1.trim())?;
        let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_');
        is_name.then(|| name.to_owned())
    });
    declared.collect()
}

/// Names and line ranges (from 1, both ends included) of the functions that have a body.
pub(super) fn functions(code: &str) -> Vec<(String, Range<usize>)> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let name: String =
            code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() || preceded_by_word(bytes, at) {
            continue;
        }
        let mut depth = 0;
        let body = (at..bytes.len()).find(|n| match bytes[*n] {
            b'(' | b'[' => {
                depth += 1;
                false
            }
            b')' | b']' => {
                depth -= 1;
                false
            }
            b'{' | b';' => depth == 0,
            _ => false,
        });
        if let Some(open) = body.filter(|open| bytes[*open] == b'{') {
            found.push((name, line_of(code, at)..line_of(code, block_end(bytes, open) - 1) + 1));
        }
    }
    found
}

/// The lines (from 1) on which `word` stands as a word of its own.
pub(super) fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .filter(|(at, _)| {
            let before = code[..*at].chars().next_back().is_some_and(is_word);
            let after = code[at + word.len()..].chars().next().is_some_and(is_word);
            !(before && word.starts_with(is_word) || after && word.ends_with(is_word))
        })
        .map(|(at, _)| line_of(code, at))
        .collect()
}

/// The line, from 1, of a byte.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

fn preceded_by_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |n| at + n)
}

/// Block comments nest.
fn comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string_end(bytes: &[u8], quote: usize) -> usize {
    let mut at = quote + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Strings that begin with `r`, `b`, `c` and the like; anything else is left as it is.
fn prefixed_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while at < bytes.len() && at < start + 2 && matches!(bytes[at], b'r' | b'b' | b'c') {
        at += 1;
    }
    let raw = bytes[at - 1] == b'r';
    let hashes = bytes[at..].iter().take_while(|byte| **byte == b'#').count();
    match bytes.get(at + hashes) {
        Some(b'"') if raw => {
            let close: Vec<u8> =
                std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
            let body = at + hashes + 1;
            let end = bytes[body..].windows(close.len()).position(|window| window == close);
            end.map_or(bytes.len(), |n| body + n + close.len())
        }
        Some(b'"') if hashes == 0 => string_end(bytes, at),
        _ => start,
    }
}

/// A character literal; a lifetime is left as it is.
fn character_end(source: &str, at: usize) -> usize {
    let mut rest = source[at + 1..].char_indices();
    match rest.next() {
        Some((_, '\\')) => source[at + 3..].find('\'').map_or(source.len(), |n| at + 3 + n + 1),
        Some((_, c)) if source[at + 1 + c.len_utf8()..].starts_with('\'') => {
            at + 1 + c.len_utf8() + 1
        }
        _ => at,
    }
}

/// Just behind the brace that closes the one at `open`.
fn block_end(bytes: &[u8], open: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in bytes.iter().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_characters_are_no_code() {
        let source = "let a = \"x { \\\" \"; // {\nlet b = '{'; /* { /* { */ } */ let c: &'a str = r#\"{\"# ;let d='\\'';{";
        let code = code(source);
        assert_eq!(code.len(), source.len());
        assert_eq!(code.matches('{').count(), 1, "{code}");
        assert!(code.contains("&'a str") && code.contains("let d="));
    }

    #[test]
    fn raw_and_byte_strings_end_where_they_end() {
        for (source, left) in [
            ("r\"\\\" fn", "fn"),
            ("br##\"a\"# \"## fn", "fn"),
            ("b\"\\\"\" fn", "fn"),
            ("r#fn fn", "r#fn fn"),
            ("car\"x\" fn", "car    fn"),
        ] {
            assert_eq!(code(source).trim(), left, "{source}");
        }
    }

    #[test]
    fn what_is_only_for_tests_is_no_product() {
        let source = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { if x {} } }\nfn c() {}\n#[cfg(test)] mod d;\nfn e() {}";
        let product = product_code(source);
        assert!(["fn a", "fn c", "fn e"].iter().all(|name| product.contains(name)));
        assert!(!product.contains("fn b") && !product.contains("mod d"));
        assert_eq!(product.lines().count(), source.lines().count());
    }

    #[test]
    fn functions_are_found_with_their_lines() {
        let source = "trait T { fn none(&self); }\nfn one(a: [u8; 3]) -> u8 {\n 1\n}\ntype F = fn (u8);\nfn two() { }\n";
        let found = functions(&code(source));
        assert_eq!(found, [("one".to_owned(), 2..5), ("two".to_owned(), 6..7)]);
    }

    #[test]
    fn a_word_is_not_a_part_of_one() {
        assert_eq!(lines_with("std::x\nno_std::y\n::std::z", "std::"), [1, 3]);
        assert_eq!(lines_with("Instant\nInstants\nInstant::now", "Instant"), [1, 3]);
    }
}

//! The texts of all codes as a Windows message table: what `FormatMessage` looks up in `p2p.dll`.
//!
//! A message table is a list of blocks, each for codes that follow one another, and then the texts:
//!
//! ```text
//! u32 number of blocks
//! per block:  u32 first code   u32 last code   u32 where its first entry lies
//! per entry:  u16 its length with this   u16 1 (UTF-16)   text, zeros up to a multiple of 4
//! ```

/// The table of codes, from the project's root.
pub(super) const SOURCE: &str = "crates/p2p-core/src/code.rs";

const UTF16: u16 = 1;

/// The table for the codes in this source text.
pub(super) fn table(source: &str) -> Result<Vec<u8>, String> {
    let codes = codes(source)?;
    let blocks = blocks(&codes);
    let mut head = (blocks.len() as u32).to_le_bytes().to_vec();
    let mut entries = Vec::new();
    let entries_begin = 4 + 12 * blocks.len();
    for block in blocks {
        let (first, last) = (block[0].0, block[block.len() - 1].0);
        for number in [first, last, (entries_begin + entries.len()) as u32] {
            head.extend(number.to_le_bytes());
        }
        for (code, text) in block {
            entries.extend(entry(text).ok_or_else(|| format!("{code:#010X}: a text too long"))?);
        }
    }
    head.extend(entries);
    Ok(head)
}

/// Codes and their meanings, by code. Of several names of one code the first counts.
fn codes(source: &str) -> Result<Vec<(u32, String)>, String> {
    let (_, rows) = source.split_once("codes! {").ok_or("no table of codes")?;
    let mut codes: Vec<(u32, String)> = Vec::new();
    for row in rows.lines().map(str::trim).take_while(|line| *line != "}") {
        let Some((_, rest)) = row.split_once(" = 0x") else { continue };
        let (code, text) = rest.split_once(", \"").ok_or_else(|| format!("no meaning: {row}"))?;
        let text = text.strip_suffix("\";").ok_or_else(|| format!("no end: {row}"))?;
        let code = u32::from_str_radix(&code.replace('_', ""), 16)
            .map_err(|error| format!("{row}: {error}"))?;
        if !codes.iter().any(|known| known.0 == code) {
            codes.push((code, text.replace("\\\"", "\"")));
        }
    }
    codes.sort_by_key(|row| row.0);
    if codes.is_empty() { Err("no codes".to_owned()) } else { Ok(codes) }
}

/// Runs of codes without a gap.
fn blocks(codes: &[(u32, String)]) -> Vec<&[(u32, String)]> {
    codes.chunk_by(|a, b| a.0.checked_add(1) == Some(b.0)).collect()
}

/// One text, as a line; a percent sign would begin an insertion, so it is doubled.
fn entry(text: &str) -> Option<Vec<u8>> {
    let line = text.replace('%', "%%") + "\r\n\0";
    let mut bytes: Vec<u8> = line.encode_utf16().flat_map(u16::to_le_bytes).collect();
    while !bytes.len().is_multiple_of(4) {
        bytes.push(0);
    }
    let length = u16::try_from(bytes.len() + 4).ok()?;
    Some([&length.to_le_bytes()[..], &UTF16.to_le_bytes(), &bytes].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::read;
    use crate::shell::root;

    /// Looks a code up as the system does.
    fn look_up(table: &[u8], code: u32) -> Option<String> {
        let word = |at: usize| u32::from_le_bytes(table[at..at + 4].try_into().unwrap());
        let half = |at: usize| u16::from_le_bytes(table[at..at + 2].try_into().unwrap());
        for block in 0..word(0) as usize {
            let at = 4 + 12 * block;
            if !(word(at)..=word(at + 4)).contains(&code) {
                continue;
            }
            let mut entry = word(at + 8) as usize;
            for _ in word(at)..code {
                entry += usize::from(half(entry));
            }
            assert_eq!(half(entry + 2), UTF16);
            let units = (entry + 4..entry + usize::from(half(entry))).step_by(2).map(half);
            return String::from_utf16(&units.take_while(|unit| *unit != 0).collect::<Vec<_>>())
                .ok();
        }
        None
    }

    const SOURCE_TEXT: &str = "codes! {\n    S_OK = 0x0000_0000, \"Success.\";\n    \
        E_B = 0x8063_0002, \"Second, \\\"quoted\\\".\";\n    E_A = 0x8063_0001, \"100 % first.\";\n    \
        ALIAS = 0x8063_0001, \"Another name.\";\n    E_C = 0x8063_0010, \"Third.\";\n}\n";

    #[test]
    fn every_code_is_found_in_its_block() {
        let table = table(SOURCE_TEXT).unwrap();
        assert_eq!(u32::from_le_bytes(table[..4].try_into().unwrap()), 3);
        assert_eq!(look_up(&table, 0).as_deref(), Some("Success.\r\n"));
        assert_eq!(look_up(&table, 0x8063_0001).as_deref(), Some("100 %% first.\r\n"));
        assert_eq!(look_up(&table, 0x8063_0002).as_deref(), Some("Second, \"quoted\".\r\n"));
        assert_eq!(look_up(&table, 0x8063_0010).as_deref(), Some("Third.\r\n"));
        assert_eq!(look_up(&table, 0x8063_0003), None);
    }

    #[test]
    fn the_projects_own_table_has_a_text_for_every_row() {
        let source = read(&root().join(SOURCE)).unwrap();
        let table = table(&source).unwrap();
        let rows = codes(&source).unwrap();
        assert!(rows.len() > 140, "{}", rows.len());
        for (code, text) in rows {
            let found = look_up(&table, code).unwrap();
            assert_eq!(found.trim_end().replace("%%", "%"), text);
        }
    }

    #[test]
    fn a_row_that_cannot_be_read_is_an_error() {
        assert!(table("codes! {\n    S_OK = 0x0, nothing;\n}").is_err());
        assert!(table("nothing").is_err());
    }
}

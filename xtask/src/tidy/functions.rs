//! The page of the C functions is what the table and the header make of the tests that it names.

use super::{File, Problem};
use crate::contract::{self, HEADER, PAGE, TABLE};

pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let find = |path: &str| files.iter().find(|file| file.path == path);
    let Some(header) = find(HEADER) else { return Vec::new() };
    let (Some(table), Some(page)) = (find(TABLE), find(PAGE)) else {
        return vec![Problem::new(header, 0, format!("{TABLE} or {PAGE} is missing"))];
    };
    match contract::check_page(&table.text, &header.text, &page.text) {
        Ok(()) => Vec::new(),
        Err(why) => vec![Problem::new(page, 0, why)],
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::project;
    use super::*;

    #[test]
    fn a_page_that_lags_is_found() {
        let header = (HEADER, "#define S_OK ((HRESULT)0x00000000)\nHRESULT WINAPI PeerX(void);\n");
        let table = (TABLE, "== Area\nPeerX\n  documented S_OK\n");
        assert_eq!(check(&project(&[header, table])).len(), 1, "no page");
        let found = check(&project(&[header, table, (PAGE, "# Nothing\n")]));
        assert!(found[0].what.contains("neither a test"), "{found:?}");
        let other = (TABLE, "== Area\nPeerY\n  documented S_OK\n");
        let found = check(&project(&[header, other, (PAGE, "")]));
        assert!(found[0].what.contains("lacks PeerX"), "{found:?}");
        assert!(check(&project(&[])).is_empty());
    }
}

//! The functions that `p2p.h` declares: what the libraries export, no more and no less.

use std::collections::BTreeSet;

/// The header, from the project's root.
pub(super) const PATH: &str = "crates/p2p-ffi/include/p2p.h";

/// The names of all functions in the text of the header.
pub(super) fn functions(text: &str) -> BTreeSet<String> {
    let declarations = text.lines().filter(|line| line.contains("WINAPI ") && line.contains('('));
    let names = declarations.filter_map(|line| line.split('(').next()?.rsplit([' ', '*']).next());
    names.map(str::to_owned).collect()
}

/// What differs between the functions declared and the symbols found: nothing, or every name that is too few or too many.
pub(super) fn compare(
    functions: &BTreeSet<String>,
    found: &BTreeSet<String>,
    file: &str,
) -> Result<(), String> {
    let absent: Vec<_> = functions.difference(found).map(String::as_str).collect();
    let stray: Vec<_> = found.difference(functions).map(String::as_str).collect();
    match (absent.is_empty(), stray.is_empty()) {
        (true, true) => Ok(()),
        (false, true) => Err(format!("{file} lacks {}", absent.join(", "))),
        (true, false) => {
            Err(format!("{file} exports what p2p.h does not declare: {}", stray.join(", ")))
        }
        (false, false) => {
            Err(format!("{file} lacks {} and exports {}", absent.join(", "), stray.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::read;
    use crate::shell::root;

    #[test]
    fn declarations_over_several_lines_and_with_pointers_are_found() {
        let text = "HRESULT WINAPI PeerA(PCWSTR a,\n    PCWSTR b);\nvoid *WINAPI PeerB(void);\n\
                    /* WINAPI is empty */\nvoid WINAPI PeerC(LPCVOID p);\n";
        let names: Vec<String> = functions(text).into_iter().collect();
        assert_eq!(names, ["PeerA", "PeerB", "PeerC"]);
    }

    #[test]
    fn the_header_declares_functions() {
        let found = functions(&read(&root().join(PATH)).unwrap());
        assert!(found.contains("PeerGroupCloseDirectConnection") && found.len() > 50, "{found:?}");
    }

    #[test]
    fn a_symbol_too_few_or_too_many_is_named() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(compare(&set(&["A"]), &set(&["A"]), "lib"), Ok(()));
        let why = compare(&set(&["A", "B"]), &set(&["A", "ring_core"]), "lib").unwrap_err();
        assert!(why.contains("lacks B") && why.contains("ring_core"), "{why}");
    }
}

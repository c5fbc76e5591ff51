//! Which codes a function may return: what `p2p-ffi/tests/contract.txt` says of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use p2p_core::Code;

const TEXT: &str = include_str!("../../../crates/p2p-ffi/tests/contract.txt");

type Codes = BTreeMap<&'static str, BTreeSet<u32>>;

/// Whether the contract says something of a function's codes.
pub(crate) fn knows(function: &str) -> bool {
    codes().get(function).is_some_and(|codes| !codes.is_empty())
}

/// Whether a function may return this code.
pub(crate) fn allows(function: &str, code: u32) -> bool {
    codes().get(function).is_some_and(|codes| codes.contains(&code))
}

/// Whether a function says that the library has to be started.
pub(crate) fn needs_startup(function: &str) -> bool {
    allows(function, Code::PEER_E_NOT_INITIALIZED.0 as u32) && function != "PeerGroupStartup"
}

/// A function's name stands alone in its line; below it, lines that begin with what is said of a code.
fn codes() -> &'static Codes {
    static CODES: OnceLock<Codes> = OnceLock::new();
    CODES.get_or_init(|| {
        let mut all = Codes::new();
        let mut function = "";
        for line in TEXT.lines() {
            let mut words = line.split_whitespace();
            match (line.starts_with("  "), words.next(), words.next()) {
                (false, Some(name), None) => {
                    function = name;
                    all.insert(name, BTreeSet::new());
                }
                (true, Some("documented" | "ours" | "unseen"), Some(code)) => {
                    let codes = all.get_mut(function).expect("codes stand below a function");
                    codes.insert(value(code));
                }
                _ => {}
            }
        }
        all
    })
}

fn value(name: &str) -> u32 {
    if name == "S_FALSE" {
        // A success of the event objects, which no other crate has.
        return 1;
    }
    let found = Code::all().find(|code| code.name() == Some(name));
    found.unwrap_or_else(|| panic!("{name} is no code")).0 as u32
}

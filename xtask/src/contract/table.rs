//! The table of codes: which function may give which.
//!
//! ```text
//! == Starting and ending
//! PeerGroupStartup
//!   documented S_OK
//!   documented E_OUTOFMEMORY
//!   ours PEER_E_CERT_STORE_CORRUPTED A stored identity is damaged.
//!   never ERROR_SERVICE_DEPENDENCY_FAIL The library needs no service of the system.
//!   unseen PEER_E_IPV6_NOT_INSTALLED Every machine that runs the tests has IPv6.
//!   note A version 1.x is granted.
//! PeerGroupAddRecord
//!   absent Records are not built.
//! ```

use std::collections::BTreeMap;

use super::{HEADER, TABLE};

/// All functions, and the names of codes.
pub(super) struct Table {
    pub(super) functions: Vec<Function>,
    pub(super) values: BTreeMap<String, u32>,
}

pub(super) struct Function {
    pub(super) area: String,
    pub(super) name: String,
    pub(super) codes: Vec<Code>,
    pub(super) notes: Vec<String>,
    /// Why it is not in the library.
    pub(super) absent: Option<String>,
}

pub(super) struct Code {
    pub(super) name: String,
    pub(super) value: u32,
    pub(super) kind: Kind,
    pub(super) why: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Documented,
    Ours,
    Never,
    Unseen,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Documented, Kind::Ours, Kind::Never, Kind::Unseen];

    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Documented => "documented",
            Kind::Ours => "ours",
            Kind::Never => "never",
            Kind::Unseen => "unseen",
        }
    }

    /// Whether a test must show it.
    pub(super) fn is_due(self) -> bool {
        matches!(self, Kind::Documented | Kind::Ours)
    }
}

impl Table {
    /// Reads the table, and holds it to the header: its functions and its codes.
    ///
    /// # Errors
    /// A line that is none, a code that the header does not have or a function twice, a function of the header without a
    /// place here.
    pub(super) fn read(text: &str, header: &str) -> Result<Table, String> {
        let mut table = Table { functions: Vec::new(), values: values(header) };
        let mut area = "";
        for (line, number) in text.lines().zip(1..) {
            let wrong = |what: &str| format!("{TABLE}:{number}: {what}: {}", line.trim());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix("== ") {
                area = name;
            } else if let Some(entry) = line.strip_prefix("  ") {
                let function = table.functions.last_mut().ok_or_else(|| wrong("no function"))?;
                function.add(entry, &table.values).map_err(|what| wrong(&what))?;
            } else if table.functions.iter().any(|function| function.name == line) {
                return Err(wrong("twice"));
            } else {
                table.functions.push(Function {
                    area: area.to_owned(),
                    name: line.to_owned(),
                    codes: Vec::new(),
                    notes: Vec::new(),
                    absent: None,
                });
            }
        }
        table.compare(&declared(header))?;
        Ok(table)
    }

    /// A code as the header calls it.
    pub(super) fn name(&self, code: u32) -> String {
        let found = self.values.iter().find(|(_, value)| **value == code);
        found.map_or_else(|| format!("0x{code:08X}"), |(name, _)| name.clone())
    }

    fn compare(&self, declared: &[(&str, bool)]) -> Result<(), String> {
        for (name, has_code) in declared {
            let function = self.functions.iter().find(|function| function.name == *name);
            let function = function.ok_or_else(|| format!("{TABLE} lacks {name}"))?;
            if function.absent.is_some() {
                return Err(format!("{TABLE}: {name} is in {HEADER}"));
            }
            if function.codes.is_empty() == *has_code {
                return Err(format!("{TABLE}: {name} returns a code, or none, unlike {HEADER}"));
            }
        }
        for function in self.functions.iter().filter(|function| function.absent.is_none()) {
            if !declared.iter().any(|(name, _)| function.name == *name) {
                return Err(format!("{TABLE}: {} is not in {HEADER}", function.name));
            }
        }
        Ok(())
    }
}

impl Function {
    fn add(&mut self, entry: &str, values: &BTreeMap<String, u32>) -> Result<(), String> {
        let (word, rest) = entry.split_once(' ').ok_or("nothing is said")?;
        match word {
            "note" => self.notes.push(rest.to_owned()),
            "absent" => self.absent = Some(rest.to_owned()),
            _ => {
                let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word);
                let kind = kind.ok_or("not a word of this table")?;
                let (name, why) = match rest.split_once(' ') {
                    Some((name, why)) => (name, Some(why.to_owned())),
                    None => (rest, None),
                };
                if why.is_none() != (kind == Kind::Documented) {
                    return Err("a reason is due for all but what is documented".to_owned());
                }
                let value = *values.get(name).ok_or("no such code")?;
                if self.codes.iter().any(|code| code.value == value) {
                    return Err("a code twice".to_owned());
                }
                self.codes.push(Code { name: name.to_owned(), value, kind, why });
            }
        }
        if self.absent.is_some() && !self.codes.is_empty() {
            return Err("what is not in the library gives no codes".to_owned());
        }
        Ok(())
    }
}

/// The codes of the header. Those that Windows has as bare numbers are what functions return of them.
fn values(header: &str) -> BTreeMap<String, u32> {
    let mut values = BTreeMap::new();
    for line in header.lines() {
        let words: Vec<&str> = line.split_whitespace().take(3).collect();
        let ["#define", name, value] = words[..] else { continue };
        let result = value.strip_prefix("((HRESULT)0x").and_then(|hex| hex.strip_suffix(')'));
        let result = result.and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let bare = || name.starts_with("ERROR_").then(|| value.parse::<u32>().ok()).flatten();
        if let Some(value) = result.or_else(|| bare().map(|number| 0x8007_0000 | number)) {
            values.insert(name.to_owned(), value);
        }
    }
    values
}

/// Functions that the header declares, and whether what they return is a code of their own.
fn declared(header: &str) -> Vec<(&str, bool)> {
    let lines = header.lines().filter(|line| line.contains(" WINAPI ") && line.contains('('));
    lines
        .filter_map(|line| {
            let (result, rest) = line.split_once(" WINAPI ")?;
            let name = rest.split('(').next()?;
            // What these two return is the code of something else.
            let tells = ["P2PGetLastErrorDetail", "P2PGetEventDetail"].contains(&name);
            Some((name, result == "HRESULT" && !tells))
        })
        .collect()
}

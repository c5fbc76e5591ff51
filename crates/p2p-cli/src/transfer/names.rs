//! Names of files that arrive. What the sender calls a file is a wish: it chooses no folder, hides nothing, and replaces
//! nothing.

use p2p_group::printable;

use super::{cut, digits};

/// Longest name that is given, in bytes, so that a part's name and a numbered one stay below 255.
const MAX: usize = 160;
/// Longest ending that is kept when a name is cut.
const ENDING_MAX: usize = 20;

/// The name under which a file is stored: the last part of `wish` with everything replaced that is no plain letter in a
/// name; `None` if nothing is left.
pub(super) fn safe(wish: &str) -> Option<String> {
    safe_on(wish, cfg!(windows))
}

fn safe_on(wish: &str, windows: bool) -> Option<String> {
    let base = wish.rsplit(['/', '\\']).next().unwrap_or_default();
    let bad = |c: char| {
        printable(c.encode_utf8(&mut [0; 4])).to_string().len() != c.len_utf8()
            || windows && "<>:\"|?*".contains(c)
    };
    let mut name: String = base.chars().map(|c| if bad(c) { '_' } else { c }).collect();
    if windows {
        name.truncate(name.trim_end_matches(['.', ' ']).len());
    }
    if name.trim().is_empty() || name.chars().all(|c| c == '.') {
        return None;
    }
    // Nothing arrives hidden: neither a program's settings nor what looks like a part.
    if name.starts_with('.') {
        name.replace_range(..1, "_");
    }
    if windows && is_device(&name) {
        name.insert(0, '_');
    }
    Some(shorten(name))
}

/// Names that Windows takes for devices, whatever their ending.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |word: &str| {
        stem.strip_prefix(word).is_some_and(|n| {
            n.chars().count() == 1 && n.chars().all(|c| "0123456789¹²³".contains(c))
        })
    };
    ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str()) || numbered("COM") || numbered("LPT")
}

fn shorten(name: String) -> String {
    if name.len() <= MAX {
        return name;
    }
    let (stem, ending) = match split(&name) {
        (_, ending) if ending.len() > ENDING_MAX => (&name[..], ""),
        parts => parts,
    };
    let stem = cut(stem, MAX - ending.len());
    format!("{stem}{ending}")
}

/// The name and its ending, dot included; one of the two may be empty.
fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 => name.split_at(dot),
        _ => (name, ""),
    }
}

/// The name for the `n`th file that would have it: `notes.txt`, `notes (1).txt`.
pub(super) fn numbered(name: &str, n: u32) -> String {
    let (stem, ending) = split(name);
    if n == 0 { name.to_owned() } else { format!("{stem} ({n}){ending}") }
}

/// The name of what is there of a file that is not whole.
pub(super) fn part(name: &str, hash: &[u8; 32]) -> String {
    format!(".{name}.{}.part", digits(hash))
}

/// Whether a file is such a part.
pub(super) fn is_part(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".part")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_part_of_a_path_counts() {
        for wish in [
            "x.txt",
            "/etc/x.txt",
            "../../x.txt",
            "a/../x.txt",
            "..\\..\\x.txt",
            "C:\\Windows\\x.txt",
            "\\\\server\\share\\x.txt",
        ] {
            assert_eq!(safe(wish).as_deref(), Some("x.txt"), "{wish}");
        }
        for wish in ["", "/", "..", ".", "...", "a/..", "a\\", " ", "x/ "] {
            assert_eq!(safe(wish), None, "{wish:?}");
        }
    }

    #[test]
    fn nothing_hides_and_nothing_moves_a_cursor() {
        for (wish, name) in [
            (".bashrc", "_bashrc"),
            ("..x", "_.x"),
            ("a\u{1b}[2J\nb", "a_[2J_b"),
            ("cod\u{202e}txt.exe", "cod_txt.exe"),
            ("nul\0x", "nul_x"),
            ("Zoë 𝄞.ogg", "Zoë 𝄞.ogg"),
        ] {
            assert_eq!(safe_on(wish, false).as_deref(), Some(name), "{wish:?}");
        }
    }

    #[test]
    fn what_means_something_else_on_windows_is_replaced_there() {
        for (wish, name) in [
            ("con", "_con"),
            ("NUL.txt", "_NUL.txt"),
            ("com1 .x", "_com1 .x"),
            ("LPT².log", "_LPT².log"),
            ("a:b", "a_b"),
            ("x. .", "x"),
            ("common", "common"),
        ] {
            assert_eq!(safe_on(wish, true).as_deref(), Some(name), "{wish:?}");
        }
        assert_eq!(safe_on("con", false).as_deref(), Some("con"));
    }

    #[test]
    fn a_name_is_short_enough_for_every_use() {
        for wish in
            ["ë".repeat(500), format!("{}.txt", "ë".repeat(500)), format!("x.{}", "y".repeat(500))]
        {
            let name = safe(&wish).unwrap();
            assert!(name.len() <= MAX && name.len() > MAX - 2, "{}", name.len());
            assert!(part(&name, &[0xff; 32]).len() < 255 && numbered(&name, u32::MAX).len() < 255);
        }
        assert!(safe(&format!("{}.txt", "x".repeat(500))).unwrap().ends_with("x.txt"));
    }

    #[test]
    fn numbers_come_before_the_ending() {
        assert_eq!(numbered("notes.txt", 0), "notes.txt");
        assert_eq!(numbered("notes.txt", 2), "notes (2).txt");
        assert_eq!(numbered("notes", 1), "notes (1)");
        let hidden = part("notes.txt", &[0xab; 32]);
        assert!(hidden.starts_with(".notes.txt.abab") && is_part(&hidden));
        assert!(!is_part("notes.part") && safe(&hidden).is_some_and(|name| !is_part(&name)));
    }
}

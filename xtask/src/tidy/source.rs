//! Sizes, space, and words that betray unfinished work.

use super::lexer::{functions, lines_with, product_code};
use super::{File, Problem};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// Cut in two, so that this file does not hold what it looks for.
const WORDS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
    concat!("WI", "P"),
    concat!("todo", "!"),
    concat!("unimplemented", "!"),
    concat!("dbg", "!("),
    concat!("#[ig", "nore"),
    concat!("for ", "now"),
    concat!("place", "holder"),
    concat!("simpli", "fied"),
    concat!("not yet ", "implemented"),
    concat!("not implemented ", "yet"),
    concat!("in a real ", "implementation"),
    // Paths of one machine.
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
];

pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files {
        space(file, &mut problems);
        words(file, &mut problems);
        if file.is_rust() && !file.is_test() {
            sizes(file, &mut problems);
        }
    }
    problems
}

fn space(file: &File, problems: &mut Vec<Problem>) {
    for (n, line) in file.text.lines().enumerate() {
        if line.ends_with([' ', '\t', '\r']) {
            problems.push(Problem::new(file, n + 1, "trailing space"));
        }
    }
    if !file.text.ends_with('\n') || file.text.ends_with("\n\n") {
        problems.push(Problem::new(file, 0, "must end with one line feed"));
    }
}

fn words(file: &File, problems: &mut Vec<Problem>) {
    for word in WORDS {
        // Upper-case words as they stand, the others in any case.
        let found = if word.chars().any(char::is_lowercase) {
            lines_with(&file.text.to_ascii_lowercase(), word)
        } else {
            lines_with(&file.text, word)
        };
        problems.extend(found.iter().map(|line| Problem::new(file, *line, format!("`{word}`"))));
    }
}

fn sizes(file: &File, problems: &mut Vec<Problem>) {
    let product = product_code(&file.text);
    let all = file.text.lines().count();
    let tests = file
        .text
        .lines()
        .zip(product.lines())
        .filter(|(line, left)| is_blanked(line, left))
        .count();
    if all - tests > FILE_LINES_MAX {
        problems.push(Problem::new(
            file,
            0,
            format!("{} lines without tests, at most {FILE_LINES_MAX}", all - tests),
        ));
    }
    for (name, lines) in functions(&product) {
        if lines.len() > FUNCTION_LINES_MAX {
            let what = format!("`{name}` has {} lines, at most {FUNCTION_LINES_MAX}", lines.len());
            problems.push(Problem::new(file, lines.start, what));
        }
    }
}

/// Whether a line holds code, but none for the product.
fn is_blanked(line: &str, product: &str) -> bool {
    product.trim().is_empty() && !line.trim().is_empty() && !line.trim_start().starts_with("//")
}

#[cfg(test)]
mod tests {
    use super::super::tests::project;
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        check(&project(&[(path, text)])).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn unfinished_work_is_found_in_any_file() {
        for word in WORDS {
            assert_eq!(problems("docs/a.md", &format!("It is\n- {word} so.\n")).len(), 1, "{word}");
        }
        assert!(problems("a.rs", "//! A hackney cab, foreknown.\n").is_empty());
    }

    #[test]
    fn space_at_the_end_is_found() {
        assert_eq!(problems("a.toml", "a = 1 \n"), ["a.toml:1: trailing space"]);
        assert_eq!(problems("a.toml", "a = 1").len(), 1);
        assert_eq!(problems("a.toml", "a = 1\n\n").len(), 1);
    }

    #[test]
    fn a_long_function_is_found_but_not_a_long_test() {
        let long = format!("fn long() {{\n{}}}\n", "    work();\n".repeat(FUNCTION_LINES_MAX));
        assert_eq!(problems("a.rs", &long), ["a.rs:1: `long` has 72 lines, at most 70"]);
        assert!(problems("a.rs", &format!("#[cfg(test)]\nmod tests {{\n{long}}}\n")).is_empty());
        assert!(problems("crates/x/tests/a.rs", &long).is_empty());
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let lines = "const A: u8 = 1;\n".repeat(FILE_LINES_MAX);
        assert!(problems("a.rs", &lines).is_empty());
        assert_eq!(problems("a.rs", &format!("{lines}// more\n")).len(), 1);
        let tests = format!("{lines}#[cfg(test)]\nmod tests {{\n{lines}}}\n");
        assert!(problems("a.rs", &tests).is_empty());
    }
}

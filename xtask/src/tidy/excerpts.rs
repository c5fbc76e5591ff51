//! Code that a document shows is code that runs: an excerpt is compared with the file it is taken from.
//!
//! A fenced block below the line `<!-- excerpt of PATH -->` must stand in that file, line after line; indentation and
//! empty lines apart.

use super::{File, Problem};

const MARK: &str = "<!-- excerpt of ";

pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.is_document()) {
        for (line, path, block) in excerpts(&file.text) {
            let Some(source) = files.iter().find(|file| file.path == path) else {
                problems.push(Problem::new(
                    file,
                    line,
                    format!("excerpt of `{path}`, which does not exist"),
                ));
                continue;
            };
            let lines = lines(&source.text);
            if block.is_empty() || !lines.windows(block.len()).any(|window| window == block) {
                problems.push(Problem::new(file, line, format!("this is not in `{path}`")));
            }
        }
    }
    problems
}

/// Line, file and lines of every marked block.
fn excerpts(text: &str) -> Vec<(usize, String, Vec<&str>)> {
    let all: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (n, line) in all.iter().enumerate() {
        let Some(path) = line.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(" -->")) else {
            continue;
        };
        let block = all[n + 1..].iter().skip(1).take_while(|line| !line.starts_with("```"));
        let block = block.map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
        found.push((n + 1, path.to_owned(), block));
    }
    found
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::project;
    use super::*;

    fn problems(block: &str) -> usize {
        let page = format!("Text.\n<!-- excerpt of a.rs -->\n```rust\n{block}```\n");
        check(&project(&[
            ("README.md", &page),
            ("a.rs", "fn a() {\n    one();\n\n    two();\n    three();\n}\n"),
        ]))
        .len()
    }

    #[test]
    fn an_excerpt_is_compared_line_by_line() {
        assert_eq!(problems("one();\ntwo();\n"), 0);
        assert_eq!(problems("one();\nthree();\n"), 1);
        assert_eq!(problems(""), 1);
    }

    #[test]
    fn the_file_must_exist() {
        assert_eq!(
            check(&project(&[("README.md", "<!-- excerpt of b.rs -->\n```\nx\n```\n")])).len(),
            1
        );
    }
}

//! What the documentation points at exists: links, anchors, files by name, tests by name.

use std::collections::BTreeSet;

use super::{File, Problem};

pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let tests = test_names(files);
    for file in files {
        if file.is_document() {
            for (line, target) in links(&file.text) {
                if let Some(what) = dead(file, &target, files) {
                    problems.push(Problem::new(file, line, what));
                }
            }
            for (line, name) in named_tests(&file.text) {
                if !tests.contains(name.as_str()) {
                    problems.push(Problem::new(file, line, format!("no test is called `{name}`")));
                }
            }
        }
        // Manifests and the comments of sources name documents too.
        for (line, name) in named_documents(&file.text) {
            let is_comment = file
                .text
                .lines()
                .nth(line - 1)
                .is_some_and(|text| text.trim_start().starts_with("//"));
            if (is_comment || !file.is_rust()) && !exists(file, &name, files) {
                problems.push(Problem::new(file, line, format!("there is no `{name}`")));
            }
        }
    }
    problems
}

/// Lines outside of code fences, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(n, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((n + 1, line))
    })
}

/// Targets of `[text](target)` and `[name]: target`, without those of the web.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (n, line) in prose(text) {
        let plain = without_code(line);
        for part in plain.split("](").skip(1) {
            found.push((n, part.split([')', ' ']).next().unwrap_or_default().to_owned()));
        }
        if let Some((_, target)) =
            plain.trim_start().strip_prefix('[').and_then(|rest| rest.split_once("]: "))
        {
            found.push((n, target.trim().to_owned()));
        }
    }
    found.retain(|(_, target)| !target.contains("://") && !target.starts_with("mailto:"));
    found
}

/// A line with what stands between backticks taken out.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// What is wrong with a link, if anything.
fn dead(file: &File, target: &str, files: &[File]) -> Option<String> {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let Some(resolved) = resolve(&file.path, path) else {
        return Some(format!("link to `{target}` leaves the project"));
    };
    let known = |wanted: &str| files.iter().find(|file| file.path == wanted);
    let is_folder = files
        .iter()
        .any(|file| file.path.starts_with(&format!("{}/", resolved.trim_end_matches('/'))));
    let page = if path.is_empty() { Some(file) } else { known(&resolved) };
    match page {
        None if is_folder || crate::shell::root().join(&resolved).is_file() => None,
        None => Some(format!("dead link `{target}`")),
        Some(page) if !anchor.is_empty() && !anchors(&page.text).contains(anchor) => {
            Some(format!("no heading `#{anchor}` in {}", page.path))
        }
        Some(_) => None,
    }
}

/// `target` as seen from the folder of `from`; `None` if that is outside the project.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    if target.starts_with('/') {
        return None;
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The anchors that a page's headings make: lower case, no punctuation, hyphens for spaces, numbered when repeated.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, line) in prose(text) {
        let Some(heading) = line.strip_prefix('#').map(|rest| rest.trim_start_matches('#').trim())
        else {
            continue;
        };
        let slug: String = heading
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let mut unique = slug.clone();
        for n in 1.. {
            if found.insert(unique.clone()) {
                break;
            }
            unique = format!("{slug}-{n}");
        }
    }
    found
}

/// Names that end in `.md`, in prose, comments or code.
fn named_documents(text: &str) -> Vec<(usize, String)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let mut found = Vec::new();
    for (n, line) in text.lines().enumerate() {
        for word in line.split(|c| !is_part(c)).map(|word| word.trim_end_matches('.')) {
            let is_web = line.contains(&format!("//{}", word.trim_start_matches('/')));
            if word.ends_with(".md") && word != ".md" && !is_web {
                found.push((n + 1, word.to_owned()));
            }
        }
    }
    found
}

/// Whether a document's name fits a file: beside, in the crate, in the project, or in its docs.
fn exists(file: &File, name: &str, files: &[File]) -> bool {
    let home = file.path.split('/').take(2).collect::<Vec<_>>().join("/");
    let places = [
        resolve(&file.path, name),
        resolve(&format!("{home}/x"), name),
        resolve("x", name),
        resolve("docs/x", name),
    ];
    places.iter().flatten().any(|place| files.iter().any(|file| file.path == *place))
}

/// Names of five words or more between backticks: only a test's name is that long.
fn named_tests(text: &str) -> Vec<(usize, String)> {
    let is_name = |word: &&str| {
        word.matches('_').count() >= 4
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    prose(text)
        .flat_map(|(n, line)| {
            let words = line.split('`').skip(1).step_by(2).filter(is_name);
            words.map(|word| (n, word.to_owned())).collect::<Vec<_>>()
        })
        .collect()
}

fn test_names(files: &[File]) -> BTreeSet<&str> {
    let names =
        files.iter().filter(|file| file.is_rust()).flat_map(|file| file.text.split("fn ").skip(1));
    names.filter_map(|rest| rest.split(['(', '<']).next()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::project;
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let files = project(&[
            ("docs/a.md", text),
            ("docs/b.md", "# One & two\n## Two `x`\n## Two `x`\n"),
            ("crates/x/src/a.rs", "fn a_test_that_really_exists() {}"),
        ]);
        check(&files).into_iter().map(|problem| problem.what).collect()
    }

    #[test]
    fn living_links_are_left_alone() {
        let text = "# Here\n[a](b.md) [b](b.md#one--two) [c](#here) [d](../crates/x/src/a.rs) [e](../crates/x)\n\
                    [f](b.md#two-x-1) [g](https://example.org/no.md) `[h](no)`\n```\n[i](no)\n```\n[j]: b.md\n";
        assert_eq!(problems(text), [""; 0]);
    }

    #[test]
    fn dead_links_and_anchors_are_found() {
        for text in
            ["[a](c.md)", "[a](b.md#three)", "[a](#nowhere)", "[a]: ../crates/y", "[a](../../b.md)"]
        {
            assert!(!problems(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_document_that_is_only_named_must_exist() {
        assert_eq!(problems("See b.md, `docs/b.md` and plan.md."), ["there is no `plan.md`"]);
    }

    #[test]
    fn a_test_that_is_named_must_exist() {
        assert!(problems("`a_test_that_really_exists`").is_empty());
        assert_eq!(
            problems("`a_test_that_never_was`"),
            ["no test is called `a_test_that_never_was`"]
        );
    }
}

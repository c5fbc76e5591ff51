//! What crates.io and docs.rs show, and what a reader of a README looks for.

use super::{Finding, Options, Published, published, section};

/// What stands in `[package]`, here or for the whole workspace.
const FIELDS: [&str; 9] = [
    "description",
    "version",
    "edition",
    "rust-version",
    "license",
    "repository",
    "readme",
    "keywords",
    "categories",
];
/// Headings of every README.
const HEADINGS: [&str; 4] = ["## Features", "## Limits", "## Versions", "## Licence"];
/// crates.io takes no more keywords or categories.
const WORDS_MAX: usize = 5;
/// Longest keyword.
const WORD_MAX: usize = 20;

pub(super) fn check(_: &Options) -> Result<Finding, String> {
    let mut problems = Vec::new();
    let crates = published()?;
    for one in &crates {
        let texts = ["LICENSE-MIT", "LICENSE-APACHE"].map(|file| (file, one.read(file)));
        problems.extend(problems_of(one, &one.read("README.md"), &texts));
    }
    match problems.len() {
        0 => Ok(Finding::Passed(format!("{} crates", crates.len()))),
        count => Err(format!("{count} to put right\n{}", problems.join("\n"))),
    }
}

fn problems_of(one: &Published, readme: &str, licences: &[(&str, String)]) -> Vec<String> {
    let mut problems = Vec::new();
    let package = section(&one.manifest, "package");
    let value = |field: &str| {
        package.iter().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            (name.trim().split('.').next() == Some(field)).then(|| value.trim())
        })
    };
    let mut say = |what: String| problems.push(format!("{}: {what}", one.name));
    for field in FIELDS.iter().filter(|field| value(field).is_none()) {
        say(format!("no `{field}` in the manifest"));
    }
    for field in ["keywords", "categories"] {
        let words: Vec<&str> =
            value(field).unwrap_or_default().split('"').skip(1).step_by(2).collect();
        if words.is_empty() || words.len() > WORDS_MAX {
            say(format!("1 to {WORDS_MAX} `{field}`, not {}", words.len()));
        }
        if field == "keywords" && words.iter().any(|word| word.len() > WORD_MAX) {
            say(format!("a keyword of more than {WORD_MAX} letters"));
        }
    }
    if value("include").or(value("exclude")).is_none() {
        say("no `include` or `exclude`: what is packaged is left to chance".to_owned());
    }
    if one.is_library() && section(&one.manifest, "package.metadata.docs.rs").is_empty() {
        say("no `[package.metadata.docs.rs]`".to_owned());
    }
    for heading in HEADINGS.iter().filter(|heading| !readme.lines().any(|line| line == **heading)) {
        say(format!("no `{heading}` in README.md"));
    }
    let features = readme.split("## Features").nth(1).unwrap_or_default();
    let features = features.split("\n## ").next().unwrap_or_default();
    for name in one.features().iter().filter(|name| !features.contains(&format!("`{name}`"))) {
        say(format!("the feature `{name}` is not in README.md"));
    }
    for (file, _) in licences.iter().filter(|(_, text)| text.is_empty()) {
        say(format!("no {file}, so none in the package"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"p2p-core\"\ndescription = \"x\"\nversion.workspace = true\n\
        edition.workspace = true\nrust-version.workspace = true\nlicense.workspace = true\n\
        repository.workspace = true\nreadme = \"README.md\"\nkeywords = [\"a\", \"b\"]\ncategories = [\"c\"]\n\
        include = [\"/src\"]\n[package.metadata.docs.rs]\nall-features = true\n[features]\nextra = []\n";
    const README: &str = "# x\n## Features\n`extra`: more.\n## Limits\n## Versions\n## Licence\n";

    fn problems(manifest: &str, readme: &str, licence: &str) -> usize {
        let one = Published { name: "p2p-core".to_owned(), manifest: manifest.to_owned() };
        problems_of(&one, readme, &[("LICENSE-MIT", licence.to_owned())]).len()
    }

    #[test]
    fn each_thing_that_is_missing_is_found() {
        assert_eq!(problems(GOOD, README, "text"), 0);
        assert_eq!(problems(GOOD, README, ""), 1);
        for line in GOOD.lines().filter(|line| line.contains('=') && !line.starts_with("name")) {
            let known = line.starts_with("extra");
            let found = problems(&GOOD.replace(&format!("{line}\n"), ""), README, "text");
            assert_eq!(found == 0, known, "{line}");
        }
        for line in README.lines().skip(1) {
            assert_ne!(problems(GOOD, &README.replace(line, ""), "text"), 0, "{line}");
        }
        let many = GOOD.replace("[\"a\", \"b\"]", "[\"a\", \"b\", \"c\", \"d\", \"e\", \"f\"]");
        assert_eq!(problems(&many, README, "text"), 1);
        assert_eq!(
            problems(&GOOD.replace("\"a\"", "\"a-keyword-that-is-too-long\""), README, "text"),
            1
        );
    }
}

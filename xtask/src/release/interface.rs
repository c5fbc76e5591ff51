//! Which types of other crates the public interface of each library shows: their versions become ours, so there are few,
//! and they are written down here.
//!
//! rustdoc says it in JSON, which is not a stable format: a compiler that writes it otherwise makes this check fail rather
//! than pass, since what is written down must be found.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::json::Json;
use super::{Finding, Options, published};
use crate::shell::{self, cargo, root};

/// By library, the other projects' crates whose types it shows. Ours are free to show each other.
const SHOWN: &[(&str, &[&str])] = &[
    // Payloads.
    ("p2p-core", &["bytes"]),
    // Chains; secrets that are wiped.
    ("p2p-crypto", &["bytes", "zeroize"]),
    ("p2p-store", &["bytes", "zeroize"]),
    // A runtime to run on, tokio's or another; what is wrong with an identity.
    ("p2p-transport", &["quinn", "rustls", "tokio"]),
    // Messages; a runtime; streams of events and of bytes.
    ("p2p-group", &["bytes", "futures_core", "tokio"]),
    // C knows none.
    ("p2p-ffi", &[]),
];

/// A folder of its own: the variable that makes rustdoc write JSON would have everything built anew each time.
const TARGET: &str = "target/release-check";

pub(super) fn check(_: &Options) -> Result<Finding, String> {
    let mut problems = Vec::new();
    let libraries: Vec<_> = published()?.into_iter().filter(|one| one.is_library()).collect();
    for one in &libraries {
        let expected = SHOWN.iter().find(|row| row.0 == one.name);
        let expected = expected.ok_or_else(|| format!("`{}` has no row in SHOWN", one.name))?.1;
        let mut command =
            cargo(&["rustdoc", "-p", &one.name, "--lib", "--all-features", "--quiet"]);
        command.args([
            "--target-dir",
            TARGET,
            "--",
            "-Zunstable-options",
            "--output-format",
            "json",
        ]);
        shell::run(command.env("RUSTC_BOOTSTRAP", "1"))?;
        let name =
            if one.name == "p2p-ffi" { "peergroup".to_owned() } else { one.name.replace('-', "_") };
        let path = root().join(TARGET).join("doc").join(format!("{name}.json"));
        let text =
            fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let docs = Json::parse(&text).ok_or_else(|| format!("{}: no JSON", path.display()))?;
        problems.extend(compare(&one.name, expected, &shown(&docs)));
    }
    match problems.len() {
        0 => {
            Ok(Finding::Passed(format!("{} libraries show what is written down", libraries.len())))
        }
        count => Err(format!("{count} to put right\n{}", problems.join("\n"))),
    }
}

fn compare(
    name: &str,
    expected: &[&str],
    found: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let mut problems = Vec::new();
    for (other, paths) in found.iter().filter(|(other, _)| !expected.contains(&other.as_str())) {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        problems.push(format!("{name} shows {other}: {}", paths.join(", ")));
    }
    for other in expected.iter().filter(|other| !found.contains_key(**other)) {
        problems.push(format!("{name} shows nothing of {other}, or rustdoc's JSON is a new one"));
    }
    problems
}

/// By foreign crate, the paths of what is shown of it, without std and our own crates.
fn shown(docs: &Json) -> BTreeMap<String, BTreeSet<String>> {
    let named = |part: &str| -> BTreeMap<&str, &Json> {
        docs.get(part).fields().iter().map(|(id, item)| (id.as_str(), item)).collect()
    };
    let (paths, crates, index) = (named("paths"), named("external_crates"), named("index"));
    let mut used = BTreeSet::new();
    for item in index.values().filter(|item| item.get("crate_id").text() == Some("0")) {
        references(item.get("inner"), &mut used);
    }
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in used.into_iter().filter_map(|id| paths.get(id)) {
        let external = path.get("crate_id").text().and_then(|id| crates.get(id));
        let Some(name) = external.and_then(|one| one.get("name").text()) else { continue };
        let is_std = ["std", "core", "alloc"].contains(&name);
        if !is_std && !name.starts_with("p2p_") {
            let parts: Vec<&str> = path.get("path").list().iter().filter_map(Json::text).collect();
            found.entry(name.to_owned()).or_default().insert(parts.join("::"));
        }
    }
    found
}

/// The ids of the types and traits that an item names. What the compiler derives for every type is not its interface.
fn references<'a>(json: &'a Json, used: &mut BTreeSet<&'a str>) {
    let implementation = json.get("impl");
    if *implementation.get("blanket_impl") != Json::Null && !implementation.fields().is_empty()
        || *implementation.get("is_synthetic") == Json::Bool(true)
    {
        return;
    }
    let is_path = *json.get("path") != Json::Null || *json.get("source") != Json::Null;
    if let (true, Some(id)) = (is_path, json.get("id").text()) {
        used.insert(id);
    }
    json.fields().iter().for_each(|(_, value)| references(value, used));
    json.list().iter().for_each(|value| references(value, used));
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCS: &str = r#"{
        "index": {
            "1": {"crate_id": 0, "inner": {"function": {"inputs": [["x", {"resolved_path": {"path": "Bytes", "id": 10}}]]}}},
            "2": {"crate_id": 0, "inner": {"impl": {"trait": {"path": "Any", "id": 11}, "blanket_impl": {"generic": "T"}, "is_synthetic": false}}},
            "3": {"crate_id": 0, "inner": {"use": {"source": "tokio::runtime::Handle", "id": 12}}},
            "4": {"crate_id": 7, "inner": {"function": {"output": {"resolved_path": {"path": "Own", "id": 13}}}}},
            "5": {"crate_id": 0, "inner": {"impl": {"trait": {"path": "Clone", "id": 14}, "blanket_impl": null, "is_synthetic": false}}}
        },
        "paths": {
            "10": {"crate_id": 5, "path": ["bytes", "bytes", "Bytes"]},
            "11": {"crate_id": 6, "path": ["tracing", "Any"]},
            "12": {"crate_id": 7, "path": ["tokio", "runtime", "Handle"]},
            "13": {"crate_id": 6, "path": ["tracing", "Own"]},
            "14": {"crate_id": 1, "path": ["core", "clone", "Clone"]}
        },
        "external_crates": {"1": {"name": "core"}, "5": {"name": "bytes"}, "6": {"name": "tracing"}, "7": {"name": "tokio"}}
    }"#;

    #[test]
    fn foreign_types_are_found_where_they_are_shown() {
        let found = shown(&Json::parse(DOCS).unwrap());
        assert_eq!(found.keys().collect::<Vec<_>>(), ["bytes", "tokio"]);
        assert!(found["bytes"].contains("bytes::bytes::Bytes"));
        assert!(compare("x", &["bytes", "tokio"], &found).is_empty());
        assert_eq!(compare("x", &["bytes"], &found), ["x shows tokio: tokio::runtime::Handle"]);
        assert_eq!(compare("x", &["bytes", "tokio", "zeroize"], &found).len(), 1);
        assert_eq!(compare("x", &["bytes"], &BTreeMap::new()).len(), 1, "a new format is noticed");
    }
}

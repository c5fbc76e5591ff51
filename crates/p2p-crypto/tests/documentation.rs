//! What the README says is what the code does.

use p2p_crypto::Cause;

#[test]
fn the_table_of_refusals_is_the_one_in_the_readme() {
    let readme = include_str!("../README.md");
    let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with("| `")).collect();
    let table: Vec<String> = Cause::all()
        .map(|cause| {
            let refusal = cause.refusal();
            let (code, detail) = (refusal.code.name().unwrap(), refusal.detail.name().unwrap());
            format!("| `{cause:?}` | `{code}` | `{detail}` |")
        })
        .collect();
    assert_eq!(rows, table);
}

use super::*;

const A_HEADER: &str = "#define S_OK           ((HRESULT)0x00000000)\n\
    #define E_INVALIDARG  ((HRESULT)0x80070057)\n#define E_UNEXPECTED ((HRESULT)0x8000FFFF)\n\
    #define ERROR_BUSY 170\n#define PEER_E_OURS ((HRESULT)0x80632093)\n#define MAX 5\n\
    HRESULT WINAPI PeerOne(PCWSTR pwzText,\n                        ULONG cText);\n\
    HRESULT WINAPI PeerTwo(void);\nvoid WINAPI PeerFree(LPCVOID pvData);\n";
const A_TABLE: &str = "# What may be.\n== First\n\nPeerOne\n  note A note.\n  documented S_OK\n  \
    documented E_INVALIDARG\n  ours PEER_E_OURS It is ours.\n  never ERROR_BUSY It is not.\n\
    PeerTwo\n  documented S_OK\n  unseen E_UNEXPECTED It may be.\n== Second\nPeerFree\n\
    PeerGone\n  absent It is not built.\n";

fn table() -> Table {
    Table::read(A_TABLE, A_HEADER).unwrap()
}

fn seen(rows: &[(&str, u32, &str)]) -> Seen {
    rows.iter().map(|(name, code, test)| ((*name).to_owned(), *code, (*test).to_owned())).collect()
}

/// All that is due, in three tests.
fn all() -> Seen {
    seen(&[
        ("PeerOne", 0, "a::all"),
        ("PeerOne", 0, "b::one"),
        ("PeerOne", 0x8007_0057, "a::all"),
        ("PeerOne", 0x8063_2093, "a::all"),
        ("PeerTwo", 0, "a::all"),
        ("PeerTwo", 0, "c::two"),
    ])
}

#[test]
fn a_page_names_the_narrowest_test_and_keeps_what_it_named() {
    let table = table();
    let claims_of = |old: &Claims| choose(&table, old, &all());
    let first = claims_of(&Claims::new());
    assert_eq!(first[&("PeerOne".to_owned(), 0)], "b::one");
    assert_eq!(first[&("PeerOne".to_owned(), 0x8007_0057)], "a::all");
    let mut old = first.clone();
    old.insert(("PeerOne".to_owned(), 0), "a::all".to_owned());
    old.insert(("PeerTwo".to_owned(), 0), "gone::test".to_owned());
    let second = claims_of(&old);
    assert_eq!(second[&("PeerOne".to_owned(), 0)], "a::all");
    assert_eq!(second[&("PeerTwo".to_owned(), 0)], "c::two");
}

#[test]
fn what_a_page_claims_is_read_back_from_it() {
    let table = table();
    let chosen = choose(&table, &Claims::new(), &all());
    let page = render(&table, &chosen);
    assert_eq!(claims(&table, &page), chosen);
    assert_eq!(check_page(A_TABLE, A_HEADER, &page), Ok(()));
    for line in [
        "| [`PeerOne`](#peerone) | 3 | 2 | 1 | 1 |",
        "| `PeerGone` | not in the library | | | |",
        "| `PEER_E_OURS` | `0x80632093` | ours: It is ours. | `a::all` |",
        "| `ERROR_BUSY` | `0x800700AA` | never: It is not. | – |",
        "Not in the library. It is not built.",
        "- A note.",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
}

#[test]
fn a_page_that_lags_or_lacks_a_test_is_refused() {
    let table = table();
    let chosen = choose(&table, &Claims::new(), &all());
    let page = render(&table, &chosen);
    let altered = page.replace("It is ours", "It was ours");
    assert!(check_page(A_TABLE, A_HEADER, &altered).unwrap_err().contains("lags"));
    let mut less = chosen.clone();
    less.remove(&("PeerTwo".to_owned(), 0));
    let why = check_page(A_TABLE, A_HEADER, &render(&table, &less)).unwrap_err();
    assert!(why.contains("PeerTwo: S_OK"), "{why}");
    // A test for what never is, or is not due.
    let mut more = chosen;
    more.insert(("PeerTwo".to_owned(), 0x8000_FFFF), "a::all".to_owned());
    let why = check_page(A_TABLE, A_HEADER, &render(&table, &more)).unwrap_err();
    assert!(why.contains("PeerTwo: E_UNEXPECTED"), "{why}");
}

#[test]
fn a_claim_that_was_not_seen_in_its_test_is_refused() {
    let table = table();
    let chosen = choose(&table, &Claims::new(), &all());
    assert_eq!(hold(&table, &chosen, &all()), Ok(()));
    let mut seen = all();
    seen.remove(&("PeerOne".to_owned(), 0, "b::one".to_owned()));
    // Another test has seen it, but not the one that is named.
    let why = hold(&table, &chosen, &seen).unwrap_err();
    assert!(why.ends_with("PeerOne: S_OK in b::one"), "{why}");
}

#[test]
fn what_was_seen_and_is_not_due_is_refused() {
    assert_eq!(unknown(&table(), &all()), Ok(()));
    for (function, code, name) in [
        ("PeerOne", 0x8007_00AA, "ERROR_BUSY"),
        ("PeerTwo", 0x8000_FFFF, "E_UNEXPECTED"),
        ("PeerTwo", 0x8063_2093, "PEER_E_OURS"),
        ("PeerTwo", 0x8063_0001, "0x80630001"),
        ("PeerThree", 0, "S_OK"),
    ] {
        let why = unknown(&table(), &seen(&[(function, code, "a::all")])).unwrap_err();
        assert!(why.contains(&format!("{function}: {name} in a::all")), "{why}");
    }
}

#[test]
fn a_table_that_does_not_fit_the_header_is_refused() {
    for (table, what) in [
        (A_TABLE.replace("PeerTwo", "PeerThree"), "lacks PeerTwo"),
        (format!("{A_TABLE}PeerMore\n  documented S_OK\n"), "PeerMore is not in"),
        (format!("{A_TABLE}PeerOne\n"), "twice"),
        (A_TABLE.replace("PeerGone", "PeerGone\n  documented S_OK"), "gives no codes"),
        (A_TABLE.replace("documented E_INVALIDARG", "documented E_NONE"), "no such code"),
        (A_TABLE.replace("documented E_INVALIDARG", "documented S_OK"), "a code twice"),
        (A_TABLE.replace("ours PEER_E_OURS It is ours.", "ours PEER_E_OURS"), "a reason"),
        (A_TABLE.replace("documented E_INVALIDARG", "sometimes E_INVALIDARG"), "not a word"),
        (A_TABLE.replace("PeerFree", "PeerFree\n  documented S_OK"), "PeerFree returns"),
        (A_TABLE.replace("  documented S_OK\n  unseen E_UNEXPECTED It may be.\n", ""), "PeerTwo"),
    ] {
        let why = Table::read(&table, A_HEADER).err().unwrap_or_default();
        assert!(why.contains(what), "{what}: {why}");
    }
}

#[test]
fn the_real_table_fits_the_real_header() {
    let table = Table::read(&read(TABLE).unwrap(), &read(HEADER).unwrap()).unwrap();
    assert!(table.functions.len() > 60);
}

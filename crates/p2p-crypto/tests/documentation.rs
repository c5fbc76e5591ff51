//! What the README says is what the code does.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use p2p_core::Code;
use p2p_crypto::{Cause, Surface};

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

const HEAD: &str = "\
# Refusals

Every reason for which a certificate, a chain, an invitation, a signed object or a key is turned down. Written from the table in
`crates/p2p-crypto/src/refusal.rs` by `WRITE_REFUSALS=1 cargo test -p p2p-crypto --test documentation`, which without that
variable fails when this page lags behind.

A refusal has two codes: one of the message's own kind (`CRYPT_E_*`) and a finer one, the detail. In Rust both are in
`Refusal`, the source of the error that a function returns. In C a function gives the code in the last columns, and
`P2PGetLastErrorDetail` (for an event `P2PGetEventDetail`) what is behind it: the first code where the function gave a
`PEER_E_*`, else the detail. A peer that is refused learns none of this.

## Where they surface
";

/// What is seen there, in Rust and in C.
fn seen(surface: Surface) -> &'static str {
    match surface {
        Surface::Tls => {
            "`verify_tls_certificate`, in a handshake: the connection ends; for a connection that was being opened the \
             reason is `PEER_E_CONNECTION_NOT_AUTHENTICATED`"
        }
        Surface::Chain => {
            "`verify_chain`, `verify_chain_with`, when a peer shows its membership: no session; a warning in the log with its key and the \
             code, and the reason `PEER_E_CONNECTION_NOT_AUTHENTICATED` for what was being opened"
        }
        Surface::Description => {
            "`IdentityInfo::from_xml`; `PeerGroupCreateInvitation`, `P2PGroupRevoke`, `P2PGroupDemote`: `E_INVALIDARG` \
             for broken XML or base64, else the code itself"
        }
        Surface::Invitation => {
            "`Invitation::parse`; `PeerGroupParseInvitation`, `PeerGroupJoin`, `PeerGroupPasswordJoin`: the code in the \
             column *taken in*"
        }
        Surface::Joining => {
            "`Invitation::check_for`; `PeerGroupJoin`: the code in the column *taken in*"
        }
        Surface::Issuing => {
            "`Invitation::issue`, `issue_membership`, `renew`, `revoke`, `GroupIdentity::issue_creator`; \
             `PeerGroupCreateInvitation`, `PeerGroupCreate`, `PeerGroupIssueCredentials`: the code in the column *issued*"
        }
        Surface::Loading => {
            "`Identity::from_parts`, `GroupIdentity::from_parts`: the code itself; for a stored identity \
             `PEER_E_CERT_STORE_CORRUPTED` with `CRYPT_E_FILE_ERROR` and the detail"
        }
        Surface::Importing => {
            "`Identity::import`, `Identity::from_pkcs8`, `P2PKeyImportPkcs8`: the code itself; `PeerIdentityImport`: \
             `E_INVALIDARG`; a wrong password cannot be told from an altered export"
        }
        Surface::Configuration => {
            "`GroupConfig::import`; `PeerGroupImportConfig`: `E_INVALIDARG` for broken XML or base64 and for a wrong \
             password, `PEER_E_IDENTITY_NOT_FOUND` for another identity, `PEER_E_CHAIN_TOO_LONG`, \
             `PEER_E_CIRCULAR_CHAIN_DETECTED`, `PEER_E_INVALID_TIME_PERIOD`, `PEER_E_NO_KEY_ACCESS` for a group's key \
             that cannot be read, else the code itself"
        }
        Surface::Password => {
            "`PasswordJoiner::confirm`: joining by password fails, with `PEER_E_NOT_AUTHORIZED`; `PasswordMember::check`: \
             the joiner is turned down like any stranger, and the log has a warning with its key and the code; \
             `PasswordVerifier::from_bytes`"
        }
        Surface::Object => {
            "`verify_object`: what the application publishes is not kept, and the code is its answer; a member that passes \
             such a thing on has violated the protocol, and loses its link after a few"
        }
        Surface::Store => {
            "the files of identities and memberships: `PEER_E_CERT_STORE_CORRUPTED`; a stored chain that is refused has \
             the code of its cause behind that"
        }
        other => panic!("what is seen of {other:?}?"),
    }
}

fn render() -> String {
    let mut surfaces: Vec<Surface> = Cause::all().flat_map(Cause::surfaces).copied().collect();
    surfaces.sort();
    surfaces.dedup();
    let mut page = HEAD.to_owned();
    page += "\n| where | seen as |\n| --- | --- |\n";
    for surface in surfaces {
        let _ = writeln!(page, "| {surface:?} | {} |", seen(surface));
    }
    page += "\n## The table\n\n| cause | code | detail | meaning | where | taken in | issued |\n";
    page += "| --- | --- | --- | --- | --- | --- | --- |\n";
    for cause in Cause::all() {
        let _ = writeln!(page, "{}", row(cause));
    }
    page
}

fn row(cause: Cause) -> String {
    let refusal = cause.refusal();
    let has = |places: &[Surface]| places.iter().any(|place| cause.surfaces().contains(place));
    let column = |shown: bool, code: Code| match shown {
        true => format!("`{}`", code.name().unwrap()),
        false => "–".to_owned(),
    };
    let places: Vec<String> = cause.surfaces().iter().map(|place| format!("{place:?}")).collect();
    format!(
        "| `{cause:?}` | `{}` | `{}` | {} | {} | {} | {} |",
        refusal.code.name().unwrap(),
        refusal.detail.name().unwrap(),
        cause.meaning(),
        places.join(", "),
        column(has(&[Surface::Invitation, Surface::Joining]), cause.incoming_code()),
        column(has(&[Surface::Issuing]), cause.issuing_code()),
    )
}

#[test]
fn the_page_of_refusals_is_the_table() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/refusals.md");
    let table = render();
    if std::env::var_os("WRITE_REFUSALS").is_some() {
        fs::write(&path, &table).unwrap();
    }
    let page = fs::read_to_string(&path).unwrap();
    assert!(
        page == table,
        "docs/refusals.md lags: WRITE_REFUSALS=1 cargo test -p p2p-crypto --test documentation"
    );
}

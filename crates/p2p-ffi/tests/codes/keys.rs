//! Key pairs behind handles.

use super::*;

/// RFC 8410 §10.3: an Ed25519 key.
const PKCS8: [u8; 48] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
    0xd4, 0xee, 0x72, 0xdb, 0xf9, 0x13, 0x58, 0x4a, 0xd5, 0xb6, 0xd8, 0xf1, 0xf7, 0x69, 0xf8, 0xad,
    0x3a, 0xfe, 0x7c, 0x28, 0xcb, 0xf1, 0xd4, 0xfb, 0xe0, 0x97, 0xa8, 0x8f, 0x44, 0x75, 0x58, 0x42,
];

fn import(bytes: &[u8]) -> (HRESULT, HCRYPTPROV) {
    let mut key = 77;
    // SAFETY: ours.
    let code = unsafe { P2PKeyImportPkcs8(bytes.as_ptr(), bytes.len() as u32, &mut key) };
    (code, key)
}

fn create(key: HCRYPTPROV) -> (HRESULT, Option<String>) {
    let mut name = ptr::dangling_mut();
    // SAFETY: ours.
    let code = unsafe { PeerIdentityCreate(wide("again").ptr(), ptr::null(), key, &mut name) };
    (code, if name.is_null() { None } else { Some(take(name)) })
}

#[test]
fn an_identity_is_made_of_a_key_once() {
    let _session = Session::new();
    let (mut key, mut own) = (0, 0);
    // SAFETY: ours.
    is(Code::S_OK, unsafe { P2PKeyGenerate(&mut key) });
    let (code, first) = create(key);
    is(Code::S_OK, code);
    let first = first.unwrap();
    assert!(first.ends_with(".again"));
    is(Code::PEER_E_ALREADY_EXISTS, create(key).0);
    // The identity has the same key as the handle, and gives out another handle on it.
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerIdentityGetCryptKey(wide(&first).ptr(), &mut own) });
    assert_ne!(key, own);
    is(Code::PEER_E_ALREADY_EXISTS, create(own).0);
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerIdentityDelete(wide(&first).ptr()) });
    assert_eq!(create(own), (0, Some(first)));
    for key in [key, own] {
        is(Code::S_OK, P2PKeyRelease(key));
        is(Code::ERROR_INVALID_HANDLE, P2PKeyRelease(key));
        is(Code::ERROR_INVALID_HANDLE, create(key).0);
    }
    is(Code::ERROR_INVALID_HANDLE, P2PKeyRelease(0));
}

#[test]
fn a_key_comes_in_as_pkcs8() {
    let _session = Session::new();
    let (code, key) = import(&PKCS8);
    is(Code::S_OK, code);
    // SHA-256 of its SubjectPublicKeyInfo, as OpenSSL computes it.
    assert_eq!(create(key).1.unwrap(), "a1e9156054e04fac899ae9f275132cdc07a5dbc4.again");
    is(Code::S_OK, P2PKeyRelease(key));
    let missing = (Code::CRYPT_E_NO_KEY_PROPERTY, Code::NTE_NO_KEY);
    let unreadable = (Code::CRYPT_E_NO_KEY_PROPERTY, Code::NTE_PERM);
    for (bytes, (expected, detail)) in [
        (&[][..], missing),
        (&PKCS8[..47], unreadable),
        (&[0; 1_024], unreadable),
        (&[0; 1_025], (Code::E_INVALIDARG, Code::S_OK)),
    ] {
        assert_eq!(import(bytes), (expected.0, 0), "{} bytes", bytes.len());
        is(detail, P2PGetLastErrorDetail());
    }
    let mut key = 77;
    // SAFETY: ours, or null.
    unsafe {
        is(Code::E_INVALIDARG, P2PKeyImportPkcs8(ptr::null(), 48, &mut key));
        is(Code::E_INVALIDARG, P2PKeyImportPkcs8(PKCS8.as_ptr(), 48, ptr::null_mut()));
        is(Code::E_INVALIDARG, P2PKeyGenerate(ptr::null_mut()));
    }
    assert_eq!(key, 0);
}

#[test]
fn the_key_of_an_identity_needs_its_name() {
    let _session = Session::new();
    let ann = identity("Ann");
    let stranger = format!("{}.", "0".repeat(40));
    for (name, expected) in [("Ann", Code::E_INVALIDARG), (&stranger, Code::PEER_E_NOT_FOUND)] {
        let mut key = 77;
        // SAFETY: ours.
        is(expected, unsafe { PeerIdentityGetCryptKey(wide(name).ptr(), &mut key) });
        assert_eq!(key, 0);
    }
    let mut key = 77;
    // SAFETY: ours, or null.
    unsafe {
        is(Code::E_INVALIDARG, PeerIdentityGetCryptKey(ptr::null(), &mut key));
        is(Code::E_INVALIDARG, PeerIdentityGetCryptKey(wide(&ann).ptr(), ptr::null_mut()));
    }
}

#[test]
fn keys_run_out_and_come_back() {
    let _session = Session::new();
    let mut keys = Vec::new();
    let code = loop {
        match import(&PKCS8) {
            (0, key) => keys.push(key),
            (code, key) => break (code, key),
        }
    };
    assert_eq!(code, (Code::E_OUTOFMEMORY.0, 0));
    assert_eq!(keys.len(), 1_024);
    let mut key = 77;
    // SAFETY: ours.
    is(Code::E_OUTOFMEMORY, unsafe { P2PKeyGenerate(&mut key) });
    let ann = identity("Ann");
    // SAFETY: ours.
    is(Code::E_OUTOFMEMORY, unsafe { PeerIdentityGetCryptKey(wide(&ann).ptr(), &mut key) });
    keys.into_iter().for_each(|key| is(Code::S_OK, P2PKeyRelease(key)));
    // SAFETY: ours.
    is(Code::S_OK, unsafe { PeerIdentityGetCryptKey(wide(&ann).ptr(), &mut key) });
    is(Code::S_OK, P2PKeyRelease(key));
}

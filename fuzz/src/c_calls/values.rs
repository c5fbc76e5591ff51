//! What a program passes: texts, structures and numbers, good and bad. All of it lives as long as the run.

use peergroup::layout::{
    CERT_PUBLIC_KEY_INFO, CRYPT_ALGORITHM_IDENTIFIER, CRYPT_BIT_BLOB, CRYPT_OBJID_BLOB, FILETIME,
    GUID, PEER_ADDRESS, PEER_CREDENTIAL_INFO, PEER_GROUP_EVENT_REGISTRATION, PEER_GROUP_PROPERTIES,
};

use crate::calls::{self, Kind};

/// One unit more than are ever read (64 Ki), and no end.
const ENDLESS: usize = 65_537;
/// Texts of one kind that are remembered.
const REMEMBERED_MAX: usize = 24;
/// `P2P_AF_INET6`.
const FAMILY: u16 = 23;
const MEMBER: GUID = guid(0xf12d_c4c7, 0x0857, 0x4ca0, 0x93fc_b1bb_19a3_d8c2);

const fn guid(data1: u32, data2: u16, data3: u16, data4: u64) -> GUID {
    GUID { Data1: data1, Data2: data2, Data3: data3, Data4: data4.to_be_bytes() }
}

pub(crate) struct Values {
    /// Those of every run; the places of some are known below.
    texts: Vec<Vec<u16>>,
    pub(crate) names: Vec<Vec<u16>>,
    xmls: Vec<Vec<u16>>,
    invitations: Vec<Vec<u16>>,
    addresses: Vec<[PEER_ADDRESS; 2]>,
    properties: Vec<PEER_GROUP_PROPERTIES>,
    credentials: Vec<PEER_CREDENTIAL_INFO>,
    /// What the credentials point to.
    _key: Box<CERT_PUBLIC_KEY_INFO>,
    roles: Vec<[GUID; 2]>,
    times: Vec<FILETIME>,
    entries: Vec<[PEER_GROUP_EVENT_REGISTRATION; 2]>,
    bytes: Box<[u8; 64]>,
}

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

fn address_of<T: ?Sized>(value: &T) -> u64 {
    core::ptr::from_ref(value).cast::<u8>().expose_provenance() as u64
}

/// The texts of every run. Broken ones come first.
const BROKEN: usize = 3;
const SHORT: usize = 4;

fn texts() -> Vec<Vec<u16>> {
    let mut texts = vec![vec![0xd83e, 0x61, 0], vec![0x61, 0xdd80, 0], vec![0x78; ENDLESS]];
    for text in ["", "short", "x", "Ann", "chess", "a\nb", "0.chess", "<", "Global_", "other"] {
        texts.push(units(text));
    }
    for length in [149, 150, 191, 255, 256, 1_025] {
        texts.push(units(&"x".repeat(length)));
    }
    texts
}

impl Values {
    pub(crate) fn new() -> Values {
        let texts = texts();
        let text = |place: usize| texts[place].as_ptr().cast_mut();
        let none = core::ptr::null_mut();
        let plain = PEER_GROUP_PROPERTIES {
            dwSize: size_of::<PEER_GROUP_PROPERTIES>() as u32,
            dwFlags: 0,
            pwzCloud: none,
            pwzClassifier: none,
            pwzGroupPeerName: none,
            pwzCreatorPeerName: none,
            pwzFriendlyName: none,
            pwzComment: none,
            ulMemberDataLifetime: 0,
            ulPresenceLifetime: 0,
            dwAuthenticationSchemes: 0,
            pwzGroupPassword: none,
            groupPasswordRole: MEMBER,
        };
        let old = PEER_GROUP_PROPERTIES::OLD_SIZE as u32;
        // Texts one by one: broken, too long, fitting.
        let with = |place: usize| {
            let text = text(place);
            [
                PEER_GROUP_PROPERTIES { pwzCloud: text, ..plain },
                PEER_GROUP_PROPERTIES { pwzClassifier: text, ..plain },
                PEER_GROUP_PROPERTIES { pwzGroupPeerName: text, ..plain },
                PEER_GROUP_PROPERTIES { pwzCreatorPeerName: text, ..plain },
                PEER_GROUP_PROPERTIES { pwzFriendlyName: text, ..plain },
                PEER_GROUP_PROPERTIES { pwzComment: text, ..plain },
                PEER_GROUP_PROPERTIES { pwzGroupPassword: text, ..plain },
            ]
        };
        let mut properties = vec![
            plain,
            PEER_GROUP_PROPERTIES { dwSize: old, ..plain },
            PEER_GROUP_PROPERTIES { dwSize: 0, ..plain },
            PEER_GROUP_PROPERTIES { dwSize: plain.dwSize - 1, ..plain },
            PEER_GROUP_PROPERTIES { dwFlags: 2, ulPresenceLifetime: 600, ..plain },
            PEER_GROUP_PROPERTIES { dwFlags: 8, ..plain },
            PEER_GROUP_PROPERTIES { ulMemberDataLifetime: 1, ..plain },
            PEER_GROUP_PROPERTIES { ulPresenceLifetime: 1, ..plain },
            PEER_GROUP_PROPERTIES { dwAuthenticationSchemes: 2, ..plain },
            PEER_GROUP_PROPERTIES { dwAuthenticationSchemes: 4, ..plain },
            // Refused before it is stretched, which takes long.
            PEER_GROUP_PROPERTIES {
                dwAuthenticationSchemes: 3,
                pwzGroupPassword: text(SHORT),
                ..plain
            },
            PEER_GROUP_PROPERTIES {
                dwAuthenticationSchemes: 3,
                pwzGroupPassword: text(SHORT),
                groupPasswordRole: GUID::default(),
                ..plain
            },
        ];
        for place in [0, BROKEN - 1, SHORT, BROKEN + 5, texts.len() - 2] {
            properties.extend(with(place));
        }
        let (key, credentials) = credentials(text(0), text(SHORT));
        Values {
            addresses: addresses(),
            properties,
            credentials,
            _key: key,
            roles: vec![[MEMBER; 2], [MEMBER, GUID::default()], [GUID::default(); 2]],
            times: [0, 1, u32::MAX]
                .map(|high| FILETIME { dwLowDateTime: 1, dwHighDateTime: high })
                .into(),
            entries: entries(),
            bytes: Box::new(key_pair()),
            texts,
            names: Vec::new(),
            xmls: Vec::new(),
            invitations: Vec::new(),
        }
    }

    /// Memory that is ours, where a handle is due.
    pub(crate) fn memory(&self) -> u64 {
        address_of(&*self.bytes)
    }

    pub(crate) fn good_properties(&self) -> u64 {
        address_of(&self.properties[0])
    }

    pub(crate) fn good_entries(&self) -> u64 {
        address_of(&self.entries[0])
    }

    pub(crate) fn newest_name(&self) -> u64 {
        self.names.last().map_or(0, |name| address_of(&name[..]))
    }

    pub(crate) fn newest_xml(&self) -> u64 {
        self.xmls.last().map_or(0, |xml| address_of(&xml[..]))
    }

    /// An argument that is no handle and is not written to.
    pub(crate) fn choose(&self, kind: Kind, choice: u8, of_bytes: bool) -> u64 {
        const TOO_MANY: u64 = (16 << 20) + 1;
        let none: &[Vec<u16>] = &[];
        match kind {
            Kind::Name | Kind::NameOrNone => self.text(&self.names, choice),
            Kind::Text | Kind::Cloud | Kind::Password => self.text(none, choice),
            // Empty, or broken, or none.
            Kind::BadPassword => match usize::from(choice) % (BROKEN + 2) {
                0 => 0,
                place => address_of(&self.texts[place - 1][..]),
            },
            Kind::Xml => self.text(&self.xmls, choice),
            Kind::Invitation => self.text(&self.invitations, choice),
            // Seldom one that can be dialled: nobody is there, and whoever shuts down waits a moment for that.
            Kind::Address if choice == 7 => address_of(&self.addresses[0]),
            Kind::Address if choice != 0 => pick(&self.addresses[1..], choice),
            Kind::Address => 0,
            Kind::Properties => pick(&self.properties, choice),
            Kind::Credential => pick(&self.credentials, choice),
            Kind::Roles => pick(&self.roles, choice),
            Kind::Time => pick(&self.times, choice),
            Kind::Type => pick(&self.roles, choice),
            Kind::Entries => pick(&self.entries, choice),
            Kind::Bytes if choice == 0 => 0,
            Kind::Bytes => self.memory(),
            // No more than there are, or more than there may be.
            Kind::Count if of_bytes => {
                number(&[48, 0, 1, 47, 64, TOO_MANY, u64::from(u32::MAX)], choice)
            }
            Kind::Count => number(&[1, 2, 0, TOO_MANY, u64::from(u32::MAX)], choice),
            Kind::Number => number(&[0, 1, 2, 3, 4, 9, 0x8000_0000, u64::from(u32::MAX)], choice),
            Kind::Version => number(&[0x0101, 0x0001, 0x0201, 0, 2, 0xffff], choice),
            Kind::Milliseconds => number(&[0, 1], choice),
            kind => panic!("{kind:?} is chosen elsewhere"),
        }
    }

    /// None, one of those that were learnt (mostly, and the newest first), or one of those of every run.
    fn text(&self, learnt: &[Vec<u16>], choice: u8) -> u64 {
        let Some(place) = usize::from(choice).checked_sub(1) else { return 0 };
        match place.checked_sub(self.texts.len()) {
            Some(age) if !learnt.is_empty() => {
                address_of(&learnt[learnt.len() - 1 - age % learnt.len()][..])
            }
            _ => address_of(&self.texts[place % self.texts.len()][..]),
        }
    }

    /// Remembers what a function gave out.
    pub(crate) fn learn(&mut self, function: &str, block: u64) {
        let list = match function {
            "PeerIdentityCreate" | "PeerIdentityGetDefault" | "PeerCreatePeerName" => {
                &mut self.names
            }
            "PeerIdentityGetXML" => &mut self.xmls,
            "PeerGroupCreateInvitation" | "PeerGroupIssueCredentials" => &mut self.invitations,
            _ => return,
        };
        if list.len() >= REMEMBERED_MAX {
            return;
        }
        let text = calls::text(block);
        let mut damaged = text.clone();
        damaged[text.len() / 2] ^= 1;
        if function.contains("Invitation") || function.contains("Credentials") {
            list.push(damaged);
        }
        list.push(text);
    }
}

fn pick<T>(list: &[T], choice: u8) -> u64 {
    match usize::from(choice) {
        0 => 0,
        choice => address_of(&list[(choice - 1) % list.len()]),
    }
}

fn number(list: &[u64], choice: u8) -> u64 {
    list[usize::from(choice) % list.len()]
}

/// This machine's own, where nobody is.
fn addresses() -> Vec<[PEER_ADDRESS; 2]> {
    let mut good = PEER_ADDRESS { dwSize: size_of::<PEER_ADDRESS>() as u32, ..Default::default() };
    good.sin6.sin6_family = FAMILY;
    good.sin6.sin6_port = 9_u16.to_be();
    good.sin6.sin6_addr[15] = 1;
    let (mut family, mut port, mut size) = (good, good, good);
    family.sin6.sin6_family = 2;
    port.sin6.sin6_port = 0;
    size.dwSize -= 1;
    vec![[good; 2], [good, size], [size, good], [family; 2], [port; 2]]
}

fn entries() -> Vec<[PEER_GROUP_EVENT_REGISTRATION; 2]> {
    let none = core::ptr::null();
    [[1, 4], [6, 6], [11, 1], [2, 3], [5, 8], [10, 7], [0, 1], [-1, 12]]
        .map(|pair| pair.map(|kind| PEER_GROUP_EVENT_REGISTRATION { eventType: kind, pType: none }))
        .into()
}

/// None of them is good: what is in a good one, no careless program makes up.
fn credentials(
    broken: *mut u16,
    fine: *mut u16,
) -> (Box<CERT_PUBLIC_KEY_INFO>, Vec<PEER_CREDENTIAL_INFO>) {
    let nothing = CRYPT_OBJID_BLOB { cbData: 0, pbData: core::ptr::null_mut() };
    let key = Box::new(CERT_PUBLIC_KEY_INFO {
        Algorithm: CRYPT_ALGORITHM_IDENTIFIER {
            pszObjId: core::ptr::null_mut(),
            Parameters: nothing,
        },
        PublicKey: CRYPT_BIT_BLOB { cbData: 0, pbData: core::ptr::null_mut(), cUnusedBits: 0 },
    });
    let plain = PEER_CREDENTIAL_INFO {
        dwSize: size_of::<PEER_CREDENTIAL_INFO>() as u32,
        dwFlags: 0,
        pwzFriendlyName: fine,
        pPublicKey: (&raw const *key).cast_mut(),
        pwzIssuerPeerName: core::ptr::null_mut(),
        pwzIssuerFriendlyName: core::ptr::null_mut(),
        ftValidityStart: FILETIME::default(),
        ftValidityEnd: FILETIME::default(),
        cRoles: 0,
        pRoles: core::ptr::null_mut(),
    };
    let list = vec![
        plain,
        PEER_CREDENTIAL_INFO { dwSize: 0, ..plain },
        PEER_CREDENTIAL_INFO { dwFlags: 1, ..plain },
        PEER_CREDENTIAL_INFO { pPublicKey: core::ptr::null_mut(), ..plain },
        PEER_CREDENTIAL_INFO { pwzFriendlyName: broken, ..plain },
        PEER_CREDENTIAL_INFO { cRoles: 1, ..plain },
    ];
    (key, list)
}

/// An Ed25519 key in PKCS#8 (RFC 8410), which has 48 bytes, and some more.
fn key_pair() -> [u8; 64] {
    let mut bytes = [9; 64];
    let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    bytes[..16].copy_from_slice(&head);
    bytes
}

//! Every exported function as a row: its name, what its parameters are, and how it is called with numbers.
//!
//! For the fuzz target `c_calls`, which chooses the numbers. This is the part of it that cannot be said without `unsafe`;
//! a test of `p2p-fuzz` compares the names with the header.

use core::ffi::c_void;

use peergroup::layout::PEER_GROUP_PROPERTIES;

/// What a parameter is: which values it may get.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    /// Handles. Their order is that of the tables below.
    Group,
    Queue,
    Snapshot,
    Event,
    Key,
    /// The same where 0 is nothing.
    KeyOrNone,
    /// Peer names; `OrNone`: null is a value.
    Name,
    NameOrNone,
    /// Texts.
    Text,
    Cloud,
    Password,
    /// One that is good takes 64 MiB and long, so none is.
    BadPassword,
    Xml,
    Invitation,
    /// What is read.
    Address,
    Properties,
    Credential,
    Roles,
    Time,
    Type,
    Bytes,
    Entries,
    /// Looked up, never followed.
    EventData,
    /// A block that is out, or null.
    Block,
    /// Numbers. The first is how many lie behind the pointer that follows or comes before.
    Count,
    Number,
    Version,
    Milliseconds,
    Id,
    /// What is written: where to.
    OutBlock,
    OutBlockOrNone,
    OutGroup,
    OutQueue,
    OutSnapshot,
    OutKey,
    OutNumber,
    /// A number that is read, too.
    InOutNumber,
    OutTime,
}

/// One exported function.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) parameters: &'static [Kind],
    call: fn(&[u64]) -> u64,
}

impl Row {
    /// Calls it: one number for each parameter, a pointer as its address. The answer as a number: a code as 32 bits.
    pub(crate) fn call(&self, words: &[u64]) -> u64 {
        assert_eq!(words.len(), self.parameters.len(), "{}", self.name);
        (self.call)(words)
    }
}

/// A number as a parameter.
trait Parameter {
    fn of(word: u64) -> Self;
}

/// A result as a number.
trait Answer {
    fn word(self) -> u64;
}

macro_rules! numbers {
    ($($type:ty)*) => { $(impl Parameter for $type {
        fn of(word: u64) -> Self { word as $type }
    })* };
}

numbers!(u16 u32 i32 u64 usize);

impl<T> Parameter for *const T {
    fn of(word: u64) -> Self {
        core::ptr::with_exposed_provenance(word as usize)
    }
}

impl<T> Parameter for *mut T {
    fn of(word: u64) -> Self {
        core::ptr::with_exposed_provenance_mut(word as usize)
    }
}

impl Answer for i32 {
    fn word(self) -> u64 {
        u64::from(self as u32)
    }
}

impl Answer for () {
    fn word(self) -> u64 {
        0
    }
}

impl Answer for *mut c_void {
    fn word(self) -> u64 {
        self.addr() as u64
    }
}

macro_rules! rows {
    (@word $words:ident $kind:ident) => { Parameter::of(*$words.next().expect("one for each parameter")) };
    ($($name:ident($($kind:ident),*);)*) => { &[$(Row {
        name: stringify!($name),
        parameters: &[$(Kind::$kind),*],
        call: |words| {
            #[allow(unused_mut, unused_variables, reason = "some functions have no parameter")]
            let mut words = words.iter();
            #[allow(unused_unsafe, reason = "some functions are safe")]
            // SAFETY: pointers are null, or lead to memory of the target that is as large as the function is told, or are
            // of the kinds that are looked up and not followed.
            Answer::word(unsafe { peergroup::$name($(rows!(@word words $kind)),*) })
        },
    }),*] };
}

/// All of them. New ones come last: a corpus knows them by their place.
pub(crate) const ROWS: &[Row] = rows! {
    PeerGroupStartup(Version, OutNumber);
    PeerGroupShutdown();
    PeerIdentityCreate(Text, Text, KeyOrNone, OutBlock);
    PeerIdentityDelete(Name);
    PeerIdentityGetXML(NameOrNone, OutBlock);
    PeerIdentityGetFriendlyName(Name, OutBlock);
    PeerIdentitySetFriendlyName(Name, Text);
    PeerIdentityGetDefault(OutBlock);
    PeerIdentityGetCryptKey(Name, OutKey);
    PeerIdentityExport(Name, BadPassword, OutBlock);
    PeerIdentityImport(Xml, Password, OutBlock);
    PeerCreatePeerName(NameOrNone, Text, OutBlock);
    PeerEnumIdentities(OutSnapshot);
    PeerEnumGroups(Name, OutSnapshot);
    PeerGroupCreate(Properties, OutGroup);
    PeerGroupOpen(Name, Name, Cloud, OutGroup);
    PeerGroupJoin(NameOrNone, Invitation, Cloud, OutGroup);
    PeerGroupConnect(Group);
    PeerGroupConnectByAddress(Group, Count, Address);
    PeerGroupClose(Group);
    PeerGroupDelete(NameOrNone, Name);
    PeerGroupGetProperties(Group, OutBlock);
    PeerGroupSetProperties(Group, Properties);
    PeerGroupGetStatus(Group, OutNumber);
    PeerGroupCreateInvitation(Group, Xml, Time, Count, Roles, OutBlock);
    PeerGroupParseInvitation(Invitation, OutBlock);
    PeerGroupIssueCredentials(Group, Name, Credential, Number, OutBlockOrNone);
    P2PGroupRevoke(Group, Name, Number);
    P2PGroupDemote(Group, Name, Count, Roles);
    PeerGroupCreatePasswordInvitation(Group, OutBlock);
    PeerGroupPasswordJoin(NameOrNone, Invitation, Password, Cloud, OutGroup);
    PeerGroupResumePasswordAuthentication(Group, Queue);
    PeerGroupEnumMembers(Group, Number, NameOrNone, OutSnapshot);
    PeerGroupEnumConnections(Group, Number, OutSnapshot);
    PeerGroupOpenDirectConnection(Group, Name, Address, OutNumber);
    PeerGroupCloseDirectConnection(Group, Id);
    PeerGroupSendData(Group, Id, Type, Count, Bytes);
    PeerGroupRegisterEvent(Group, Event, Count, Entries, OutQueue);
    PeerGroupUnregisterEvent(Queue);
    PeerGroupGetEventData(Queue, OutBlock);
    PeerGetItemCount(Snapshot, OutNumber);
    PeerGetNextItem(Snapshot, InOutNumber, OutBlock);
    PeerEndEnumeration(Snapshot);
    PeerFreeData(Block);
    P2PCreateEvent(Number, Number);
    P2PSetEvent(Event);
    P2PResetEvent(Event);
    P2PWaitEvent(Event, Milliseconds);
    P2PEventFd(Event);
    P2PCloseEvent(Event);
    P2PGetStatistics(Group, OutBlock);
    P2PKeyGenerate(OutKey);
    P2PKeyImportPkcs8(Bytes, Count, OutKey);
    P2PKeyRelease(Key);
    P2PGetLastErrorDetail();
    P2PGetEventDetail(EventData);
    PeerGroupExportConfig(Group, BadPassword, OutBlock);
    PeerGroupImportConfig(Xml, Password, Number, OutBlock, OutBlock);
    PeerGroupPeerTimeToUniversalTime(Group, Time, OutTime);
    PeerGroupUniversalTimeToPeerTime(Group, Time, OutTime);
};

/// The text in a block of the library, with its end.
pub(crate) fn text(block: u64) -> Vec<u16> {
    let units: *const u16 = Parameter::of(block);
    // SAFETY: the target calls this for texts that the library has given out and that are not freed; they end in 0.
    let length = (0..).find(|index| unsafe { *units.add(*index) } == 0).expect("it ends");
    // SAFETY: so many were read.
    unsafe { core::slice::from_raw_parts(units, length + 1) }.to_vec()
}

/// The group's name in what `PeerGroupGetProperties` gave.
pub(crate) fn group_name(block: u64) -> Vec<u16> {
    let properties: *const PEER_GROUP_PROPERTIES = Parameter::of(block);
    // SAFETY: the target calls this for such a block, which is not freed.
    text(unsafe { (*properties).pwzGroupPeerName }.addr() as u64)
}

/// Tells the library of this process where its home is, and that it is to listen on a free port of this machine. Before
/// it is called for the first time.
#[allow(clippy::disallowed_methods, reason = "the C interface has no other way to be told")]
pub(crate) fn live_in(home: &std::path::Path) {
    // SAFETY: the target does so once, before the library has threads; the standard library's own readers take turns.
    unsafe {
        std::env::set_var("P2P_HOME", home);
        std::env::set_var("P2P_LISTEN", "[::1]:0");
        std::env::set_var("P2P_LOG", "off");
    }
}

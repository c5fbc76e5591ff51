//! The text of a recorded run: what is written is read back, and what is not a trace is told with its line.

use std::sync::Arc;

use bytes::Bytes;
use p2p_core::trace::{Act, Entry, Fault, ParseError, Start, TEXT_MAX, Trace};
use p2p_core::{
    Address, Code, Config, ConnectionId, DialId, DownCause, Expect, FileTime, GroupKey,
    GroupSnapshot, Guid, Input, InstanceId, KeyId, Limits, LinkId, Member, Now, ObjectKind,
    Refusal, Roles, Step, StreamId, Taken, Tick, Ticket,
};
use proptest::prelude::*;

fn key() -> impl Strategy<Value = KeyId> {
    any::<[u8; 32]>().prop_map(KeyId)
}

fn address() -> impl Strategy<Value = Address> {
    let scope = prop_oneof![Just(0), any::<u32>()];
    let v4 = any::<[u8; 4]>().prop_map(|v4| std::net::Ipv4Addr::from(v4).to_ipv6_mapped());
    let ip = prop_oneof![any::<u128>().prop_map(std::net::Ipv6Addr::from), v4];
    (ip, any::<u16>(), scope).prop_map(|(ip, port, scope)| Address { ip, port, scope })
}

fn addresses() -> impl Strategy<Value = Vec<Address>> {
    prop::collection::vec(address(), 0..4)
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn code() -> impl Strategy<Value = Code> {
    let known: Vec<Code> = Code::all().collect();
    prop_oneof![prop::sample::select(known), any::<i32>().prop_map(Code)]
}

fn member() -> impl Strategy<Value = Arc<Member>> {
    // Any characters: separators, line ends and other scripts among them.
    let text = || any::<String>();
    let texts = (text(), text(), text(), text());
    let roles = any::<[bool; 3]>().prop_map(|on| {
        let chosen = Roles::GUIDS.into_iter().zip(on).filter(|(_, on)| *on);
        chosen.fold(Roles::empty(), |roles, (row, _)| roles.with(row.0))
    });
    (key(), texts, roles, any::<(u8, u64, u64)>(), bytes()).prop_map(
        |(key, texts, roles, (depth, from, until), chain)| {
            Arc::new(Member {
                key,
                name: texts.0,
                friendly_name: texts.1,
                issuer_name: texts.2,
                issuer_friendly_name: texts.3,
                roles,
                depth,
                not_before: FileTime(from),
                not_after: FileTime(until),
                chain,
                path: (0..depth % 4).map(|n| Step { key, serial: [n; 16] }).collect(),
            })
        },
    )
}

fn kind() -> impl Strategy<Value = ObjectKind> {
    prop::sample::select(ObjectKind::ALL.to_vec())
}

fn snapshot() -> impl Strategy<Value = GroupSnapshot> {
    let known = prop::collection::vec((key(), addresses()), 0..3);
    let members = prop::collection::vec(member(), 0..3);
    let objects = prop::collection::vec((kind(), bytes()), 0..3);
    (any::<bool>(), known, members, objects).prop_map(
        |(synchronised, addresses, members, objects)| GroupSnapshot {
            synchronised,
            addresses,
            members,
            objects,
        },
    )
}

fn cause() -> impl Strategy<Value = DownCause> {
    prop_oneof![
        Just(DownCause::Timeout),
        Just(DownCause::Unreachable),
        any::<u8>().prop_map(DownCause::Tls),
        (code(), code()).prop_map(|(code, detail)| DownCause::Verdict(Refusal { code, detail })),
        Just(DownCause::Refused),
        any::<u64>().prop_map(DownCause::Peer),
        Just(DownCause::Local),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let link = || any::<u64>().prop_map(LinkId);
    let dial = || any::<u64>().prop_map(DialId);
    let stream = || any::<(u64, u64)>().prop_map(|(link, stream)| (LinkId(link), StreamId(stream)));
    prop_oneof![
        Just(Input::Timeout),
        addresses().prop_map(|a| Input::Listening { addresses: a.into() }),
        (link(), prop::option::of(dial()), key(), any::<[u8; 32]>(), address()).prop_map(
            |(link, dial, peer, binding, remote)| {
                Input::LinkUp { link, dial, peer, binding, remote }
            }
        ),
        (dial(), cause()).prop_map(|(dial, cause)| Input::DialFailed { dial, cause }),
        (link(), cause()).prop_map(|(link, cause)| Input::LinkDown { link, cause }),
        stream().prop_map(|(link, stream)| Input::Accepted { link, stream }),
        (stream(), bytes()).prop_map(|((link, stream), bytes)| Input::Chunk {
            link,
            stream,
            bytes
        }),
        stream().prop_map(|(link, stream)| Input::Finished { link, stream }),
        (stream(), any::<u64>()).prop_map(|((link, stream), code)| Input::Reset {
            link,
            stream,
            code
        }),
        (stream(), any::<u32>()).prop_map(|((link, stream), bytes)| Input::Sent {
            link,
            stream,
            bytes
        }),
        (any::<u64>(), prop::result::maybe_ok(Just(()), code()))
            .prop_map(|(ticket, result)| Input::Stored { ticket: Ticket(ticket), result }),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let group = || any::<u64>().prop_map(GroupKey);
    let id = || any::<u64>().prop_map(ConnectionId);
    let expect = prop_oneof![
        Just(Expect::Anyone),
        key().prop_map(Expect::Key),
        any::<[u8; 20]>().prop_map(Expect::Authority),
    ];
    let taken = prop_oneof![
        any::<usize>().prop_map(|bytes| Taken::Data { bytes }),
        Just(Taken::Disconnected),
    ];
    let guid = any::<[u8; 16]>().prop_map(Guid);
    prop_oneof![
        8 => input().prop_map(Act::Input),
        1 => (key(), member(), snapshot())
            .prop_map(|(group, own, snapshot)| Act::OpenGroup(group, own, snapshot.into())),
        1 => (group(), addresses()).prop_map(|(group, to)| Act::Connect(group, to)),
        1 => group().prop_map(Act::CloseGroup),
        1 => (group(), any::<bool>()).prop_map(|(group, on)| Act::Accept(group, on)),
        1 => (group(), expect, address()).prop_map(|(group, peer, at)| Act::Open(group, peer, at)),
        1 => (group(), id()).prop_map(|(group, id)| Act::Close(group, id)),
        1 => (group(), id(), guid, bytes())
            .prop_map(|(group, id, kind, bytes)| Act::Send(group, id, kind, bytes)),
        1 => (group(), id(), taken).prop_map(|(group, id, what)| Act::Taken(group, id, what)),
        1 => (group(), kind(), bytes())
            .prop_map(|(group, kind, bytes)| Act::Publish(group, kind, bytes)),
    ]
}

fn now() -> impl Strategy<Value = Now> {
    any::<(u64, u64)>().prop_map(|(tick, wall)| Now { tick: Tick(tick), wall: FileTime(wall) })
}

fn start() -> impl Strategy<Value = Start> {
    let previous = prop::option::of(any::<u64>().prop_map(InstanceId));
    let limits = any::<(usize, u16, u32, u64)>().prop_map(|(members, streams, checks, closing)| {
        Limits { members, streams, checks, closing, ..Limits::default() }
    });
    let limits = prop_oneof![Just(Limits::default()), limits];
    (limits, previous, any::<[u8; 32]>(), now()).prop_map(|(limits, previous, seed, now)| Start {
        config: Config { limits, previous },
        seed,
        now,
    })
}

fn trace() -> impl Strategy<Value = Trace> {
    let entry = (now(), act()).prop_map(|(now, act)| Entry { now, act });
    (start(), prop::collection::vec(entry, 0..12))
        .prop_map(|(start, entries)| Trace { start, entries })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back_one_record_a_line(trace in trace()) {
        let text = trace.to_string();
        prop_assert!(text.is_ascii());
        let changed = text.lines().filter(|line| line.starts_with("limit ")).count();
        prop_assert_eq!(text.lines().count(), 2 + changed + trace.entries.len());
        prop_assert_eq!(Trace::parse(&text), Ok(trace));
    }

    /// Whatever one changes in a trace, reading it ends: with an error, or with something that is written as it reads.
    #[test]
    fn a_damaged_text_is_refused_or_still_a_trace(
        trace in trace(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<char>()), 1..4),
    ) {
        let mut text: Vec<char> = trace.to_string().chars().collect();
        for (at, with) in cuts {
            let at = at.index(text.len());
            text[at] = with;
        }
        let text: String = text.into_iter().collect();
        match Trace::parse(&text) {
            Ok(read) => prop_assert_eq!(Trace::parse(&read.to_string()), Ok(read)),
            Err(error) => prop_assert!(error.line <= text.lines().count().max(1)),
        }
    }
}

const SEED: &str = "0101010101010101010101010101010101010101010101010101010101010101";

#[test]
fn the_text_of_version_1_stays_as_it_is() {
    let text = format!(
        "p2p-trace 1\n\
         start 0 134396000000000000 {SEED} 7\n\
         limit message 1024\n\
         0 134396000000000000 open-group {SEED} \
         {SEED},aa.b,A%20%2c%c3%a9,,,am,2,0,2650467743990000000,c0ffee synchronised at:{SEED},[::1]:3587\n\
         5 134396000000000000 link-up 1 - {SEED} {SEED} [fe80::1%3]:3587\n\
         9 134396000000000000 chunk 1 1 00ff\n\
         9 134396000000000000 chunk 1 1 -\n\
         9 134396000000000000 stored 3 PEER_E_DISK_FULL\n\
         9 134396000000000000 link-down 1 peer:512\n\
         10 134396000000000000 send 2 77 04387127-aa56-450a-8ce5-4f565c6790f4 68656c6c6f\n"
    );
    let trace = Trace::parse(&text).unwrap();
    assert_eq!(trace.start.config.limits, Limits { message: 1_024, ..Limits::default() });
    assert_eq!(trace.start.config.previous, Some(InstanceId(7)));
    let Act::OpenGroup(_, own, _) = &trace.entries[0].act else { panic!("open-group") };
    assert_eq!(own.friendly_name, "A ,é");
    assert_eq!(own.roles, Roles::ADMIN.with(Roles::MEMBER));
    assert_eq!(trace.to_string(), text);
}

#[test]
fn a_text_edited_by_hand_may_have_comments_and_empty_lines() {
    let text =
        format!("p2p-trace 1\r\n# why\r\n\r\nstart 0 0 {SEED} -\r\n# a pause\r\n7  0 timeout");
    let trace = Trace::parse(&text).unwrap();
    assert_eq!(trace.entries.len(), 1);
    assert_eq!(trace.to_string(), format!("p2p-trace 1\nstart 0 0 {SEED} -\n7 0 timeout\n"));
}

#[test]
fn what_is_no_trace_is_told_with_its_line() {
    let begin = format!("p2p-trace 1\nstart 0 0 {SEED} -\n");
    let after = |line: &str| Trace::parse(&format!("{begin}{line}\n")).unwrap_err();
    for (line, fault) in [
        ("0 0 dance", Fault::Record),
        ("0 0", Fault::Record),
        ("0 x timeout", Fault::Word("wall")),
        ("0 0 timeout 1", Fault::Surplus),
        ("0 0 sent 1 1 4294967296", Fault::Word("bytes")),
        ("0 0 chunk 1 1 0g", Fault::Word("bytes")),
        ("0 0 chunk 1 1 000", Fault::Word("bytes")),
        ("0 0 connect 1 127.0.0.1:1", Fault::Word("addresses")),
        ("0 0 stored 1 E_NOBODY", Fault::Word("result")),
        ("0 0 link-down 1 local:1", Fault::Word("cause")),
        ("limit wishes 3", Fault::Limit),
        ("limit streams 65536", Fault::Word("streams")),
        (begin.lines().nth(1).unwrap(), Fault::Start),
    ] {
        assert_eq!(after(line), ParseError { line: 3, fault }, "{line}");
    }
    let late = Trace::parse(&format!("{begin}0 0 timeout\nlimit groups 3\n")).unwrap_err();
    assert_eq!((late.line, late.to_string().is_empty()), (4, false));
    let fault = |text: &str| Trace::parse(text).unwrap_err().fault;
    assert_eq!(fault(""), Fault::Version);
    assert_eq!(fault("p2p-trace 2\n"), Fault::Version);
    assert_eq!(fault(&"\0".repeat(TEXT_MAX + 1)), Fault::TooLong);
    assert_eq!(fault("p2p-trace 1\n"), Fault::Start);
    assert_eq!(fault("p2p-trace 1\n0 0 timeout\n"), Fault::Start);
}

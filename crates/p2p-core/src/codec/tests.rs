use super::*;
use alloc::vec;
use proptest::prelude::*;

fn flat(frame: &Frame) -> Vec<u8> {
    let (head, body) = frame.encode();
    let mut out = head.as_slice().to_vec();
    body.pieces().iter().for_each(|piece| out.extend_from_slice(piece));
    out
}

fn decode_in(bytes: &[u8], sizes: &[usize]) -> Result<Vec<Frame>, FrameError> {
    let mut decoder = Decoder::default();
    let mut frames = Vec::new();
    let mut rest = Bytes::copy_from_slice(bytes);
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let n = (*sizes.next().unwrap_or(&1)).clamp(1, rest.len());
        decoder.push(rest.split_to(n));
        while let Some(frame) = decoder.next()? {
            frames.push(frame);
        }
    }
    Ok(frames)
}

fn address() -> impl Strategy<Value = Address> {
    (any::<[u8; 16]>(), any::<u16>()).prop_map(|(ip, port)| Address {
        ip: ip.into(),
        port,
        scope: 0,
    })
}

fn hello() -> impl Strategy<Value = Hello> {
    (0..9u64, 0..9u64, any::<[u8; 16]>(), any::<[u64; 3]>(), 0..1u64 << 62).prop_map(
        |(low, more, tag, ids, max)| Hello {
            minor: (low, low + more),
            tag,
            instance: InstanceId(ids[0]),
            previous: InstanceId(ids[1]),
            node: NodeId(ids[2]),
            message_max: max,
        },
    )
}

fn referrals() -> impl Strategy<Value = Vec<Referral>> {
    let one = (any::<[u8; 32]>(), any::<u64>(), prop::collection::vec(address(), 0..=4));
    prop::collection::vec(
        one.prop_map(|(key, node, addresses)| Referral {
            key: KeyId(key),
            node: NodeId(node),
            addresses,
        }),
        0..=32,
    )
}

fn ids(max: usize) -> impl Strategy<Value = Vec<ObjectId>> {
    prop::collection::vec(any::<[u8; 32]>().prop_map(ObjectId), 0..=max)
}

fn frame() -> impl Strategy<Value = Frame> {
    let number = || 0..1u64 << 62;
    let bytes = |max| prop::collection::vec(any::<u8>(), 0..max).prop_map(Bytes::from);
    prop_oneof![
        hello().prop_map(Frame::Hello),
        bytes(3000).prop_map(Frame::MemberProof),
        (hello(), bytes(3000)).prop_map(|(h, c)| Frame::SessionOk(h, c)),
        number().prop_map(|reason| Frame::NoSession { reason }),
        bytes(2_048).prop_map(Frame::PakeShare),
        bytes(2_048).prop_map(Frame::PakeAnswer),
        bytes(2_048).prop_map(Frame::PakeConfirm),
        bytes(3000).prop_map(Frame::YourGmc),
        referrals().prop_map(|mut list| {
            list.truncate(10);
            Frame::CannotIssue(list)
        }),
        Just(Frame::Connect),
        referrals().prop_map(Frame::Welcome),
        (number(), referrals()).prop_map(|(reason, referrals)| Frame::Refuse { reason, referrals }),
        number().prop_map(|reason| Frame::Disconnect { reason }),
        prop::collection::vec(address(), 0..=8).prop_map(Frame::AddrUpdate),
        ids(1_000).prop_map(Frame::ObjectIds),
        ids(64).prop_map(Frame::ObjectWant),
        (number(), any::<[u8; 32]>(), bytes(3000)).prop_map(|(kind, id, bytes)| Frame::Object {
            kind,
            id: ObjectId(id),
            bytes
        }),
        any::<[u8; 16]>().prop_map(|tag| Frame::DcOpen { tag }),
        Just(Frame::DcAccept),
        number().prop_map(|reason| Frame::DcRefuse { reason }),
        (any::<[u8; 16]>(), any::<bool>(), bytes(5000)).prop_map(|(kind, more, bytes)| {
            Frame::DcData { kind: Guid(kind), more, payload: Payload::One(bytes) }
        }),
        number().prop_map(|count| Frame::DcClose { count }),
        number().prop_map(|count| Frame::DcCloseAck { count }),
    ]
}

/// Frames compare by content, however the payload was cut.
fn joined(frame: Frame) -> Frame {
    match frame {
        Frame::DcData { kind, more, payload } => {
            Frame::DcData { kind, more, payload: Payload::One(payload.into_bytes()) }
        }
        other => other,
    }
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_itself_however_it_is_cut(
        frames in prop::collection::vec(frame(), 1..6),
        sizes in prop::collection::vec(1usize..700, 1..8),
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(flat).collect();
        let decoded: Vec<Frame> = decode_in(&bytes, &sizes).unwrap().into_iter().map(joined).collect();
        prop_assert_eq!(decoded, frames);
    }

    #[test]
    fn what_decodes_is_the_one_encoding(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut decoder = Decoder::default();
        decoder.push(Bytes::copy_from_slice(&bytes));
        if let Ok(Some(frame)) = decoder.next() {
            let again = flat(&frame);
            // A frame of an unknown, skippable type may stand before it.
            prop_assert!(bytes.windows(again.len()).any(|w| w == again));
        }
    }

    #[test]
    fn damaged_frames_never_panic(frame in frame(), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let mut bytes = flat(&frame);
        let at = at.index(bytes.len());
        bytes[at] ^= with;
        let _ = decode_in(&bytes, &[64]);
    }
}

#[test]
fn lengths_are_refused_before_the_body_comes() {
    // MEMBER_PROOF announcing 32,001 bytes, of which none is sent.
    assert_eq!(decode_in(&[0x02, 0x80, 0x00, 0x7d, 0x01], &[9]), Err(FrameError::Oversize));
    // DC_CLOSE of 65 bytes.
    assert_eq!(decode_in(&[0x40, 0x44, 0x40, 0x41], &[1]), Err(FrameError::Oversize));
}

#[test]
fn integers_have_one_form() {
    // DC_ACCEPT (0x41 needs two bytes) written in four; CONNECT with a length of 0 in two bytes.
    assert_eq!(decode_in(&[0x80, 0, 0, 0x41, 0], &[5]), Err(FrameError::Malformed));
    assert_eq!(decode_in(&[0x10, 0x40, 0x00], &[5]), Err(FrameError::Malformed));
}

#[test]
fn unknown_types_are_refused_below_0x4000_and_skipped_above() {
    assert_eq!(decode_in(&[0x0a, 0x00], &[2]), Err(FrameError::Unknown));
    let mut bytes = alloc::vec![0x80, 0x00, 0x40, 0x00, 3, 1, 2, 3];
    bytes.extend(flat(&Frame::Connect));
    assert_eq!(decode_in(&bytes, &[3]).unwrap(), [Frame::Connect]);
}

#[test]
fn trailing_bytes_and_reserved_bits_are_refused() {
    assert_eq!(decode_in(&[0x10, 0x01, 0x00], &[3]), Err(FrameError::Malformed));
    let mut data =
        flat(&Frame::DcData { kind: Guid::default(), more: false, payload: Payload::EMPTY });
    *data.last_mut().unwrap() = 2;
    assert_eq!(decode_in(&data, &[64]), Err(FrameError::Malformed));
}

#[test]
fn lists_longer_than_their_limit_are_refused() {
    let mut body = alloc::vec![9u8];
    body.resize(1 + 9 * 18, 1);
    let mut frame = alloc::vec![0x14, 0x40 | (body.len() >> 8) as u8, body.len() as u8];
    frame.append(&mut body);
    assert_eq!(decode_in(&frame, &[200]), Err(FrameError::Oversize));
}

#[test]
fn eleven_issuers_are_one_too_many() {
    let one = Referral { key: KeyId([1; 32]), node: NodeId(2), addresses: Vec::new() };
    let frames = decode_in(&flat(&Frame::CannotIssue(vec![one.clone(); 11])), &[4096]).unwrap();
    assert_eq!(frames, [Frame::CannotIssue(vec![one.clone(); 10])]);
    let mut body = fields::referrals_to_bytes(Vec::new(), &vec![one; 11]);
    let mut frame = vec![0x09, 0x40 | (body.len() >> 8) as u8, body.len() as u8];
    frame.append(&mut body);
    assert_eq!(decode_in(&frame, &[512]), Err(FrameError::Oversize));
}

#[test]
fn the_largest_welcome_fits_its_frame() {
    let address = Address { ip: core::net::Ipv6Addr::LOCALHOST, port: 1, scope: 0 };
    let one = Referral { key: KeyId([1; 32]), node: NodeId(2), addresses: alloc::vec![address; 9] };
    let frames = decode_in(&flat(&Frame::Welcome(alloc::vec![one; 40])), &[4096]).unwrap();
    let [Frame::Welcome(list)] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!((list.len(), list[0].addresses.len()), (32, 4));
}

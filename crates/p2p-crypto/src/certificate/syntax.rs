//! The shapes of RFC 5280 and of our extension in DER, without any rule about their contents.
//!
//! `const-oid`, and with it `x509-cert`, holds arcs of 32 bits only; ours is a UUID of 128. Hence these few shapes.

use der::asn1::{
    AnyRef, BitStringRef, GeneralizedTime, OctetStringRef, SetOfVec, UintRef, UtcTime,
    Utf8StringRef,
};
use der::{
    Choice, DateTime, Decode, DecodeValue, Encode, EncodeValue, ErrorKind, FixedTag, Header,
    Length, Reader, Sequence, SliceReader, Tag, Tagged, Writer,
};
use p2p_core::FileTime;

use crate::key::KeyKind;
use crate::refusal::Cause;

/// id-Ed25519 (RFC 8410 §3).
pub(crate) const ED25519: Oid<'_> = Oid(&[0x2b, 0x65, 0x70]);
/// ecdsa-with-SHA256 (RFC 5758 §3.2).
pub(crate) const ECDSA_WITH_SHA256: Oid<'_> =
    Oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]);
/// id-ecPublicKey (RFC 5480 §2.1.1).
pub(crate) const EC_PUBLIC_KEY: Oid<'_> = Oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]);
/// secp256r1, which is P-256 (RFC 5480 §2.1.1.1).
pub(crate) const P256: Oid<'_> = Oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]);
/// id-at-commonName (RFC 5280 appendix A.1).
pub(crate) const COMMON_NAME: Oid<'_> = Oid(&[0x55, 0x04, 0x03]);
/// id-ce-basicConstraints (RFC 5280 §4.2.1.9).
pub(crate) const BASIC_CONSTRAINTS: Oid<'_> = Oid(&[0x55, 0x1d, 0x13]);
/// id-ce-keyUsage (RFC 5280 §4.2.1.3).
pub(crate) const KEY_USAGE: Oid<'_> = Oid(&[0x55, 0x1d, 0x0f]);
/// id-ce-extKeyUsage (RFC 5280 §4.2.1.12).
pub(crate) const EXTENDED_KEY_USAGE: Oid<'_> = Oid(&[0x55, 0x1d, 0x25]);
/// Our extension: 2.25.338937934004514887064444748114970184119, which is the UUID
/// fefd1256-ebb0-4ae8-b4c6-8afe76b289b7 (ITU-T X.667 §7), drawn once for this profile.
pub(crate) const PEER_GROUP: Oid<'_> = Oid(&[
    0x69, 0x83, 0xfd, 0xfd, 0x89, 0x95, 0xdd, 0xbb, 0x82, 0xab, 0xd1, 0xb4, 0xe3, 0xa2, 0xdf, 0xe7,
    0xb5, 0xca, 0x93, 0x37,
]);

/// The contents octets of an OBJECT IDENTIFIER, of any arc length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Oid<'a>(pub(crate) &'a [u8]);

impl FixedTag for Oid<'_> {
    const TAG: Tag = Tag::ObjectIdentifier;
}

impl<'a> DecodeValue<'a> for Oid<'a> {
    type Error = der::Error;

    fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> der::Result<Self> {
        let bytes = reader.read_slice(header.length())?;
        // X.690 §8.19.2: every arc ends with a clear top bit and has no leading zero septet.
        let mut starts = true;
        for byte in bytes {
            if starts && *byte == 0x80 {
                return Err(reader.error(ErrorKind::OidMalformed));
            }
            starts = byte & 0x80 == 0;
        }
        if bytes.is_empty() || !starts {
            Err(reader.error(ErrorKind::OidMalformed))
        } else {
            Ok(Oid(bytes))
        }
    }
}

impl EncodeValue for Oid<'_> {
    fn value_len(&self) -> der::Result<Length> {
        Length::try_from(self.0.len())
    }

    fn encode_value(&self, writer: &mut impl Writer) -> der::Result<()> {
        writer.write(self.0)
    }
}

/// AlgorithmIdentifier (RFC 5280 §4.1.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Sequence)]
pub(crate) struct Algorithm<'a> {
    pub(crate) oid: Oid<'a>,
    pub(crate) parameters: Option<AnyRef<'a>>,
}

/// How a key of this kind signs. Without parameters (RFC 8410 §3, RFC 5758 §3.2).
pub(crate) fn signature_algorithm(kind: KeyKind) -> Algorithm<'static> {
    let oid = match kind {
        KeyKind::Ed25519 => ED25519,
        KeyKind::EcdsaP256 => ECDSA_WITH_SHA256,
    };
    Algorithm { oid, parameters: None }
}

/// What a key of this kind is. Ed25519 has no parameters (RFC 8410 §3), P-256 has the curve's name (RFC 5480 §2.1.1).
pub(crate) fn key_algorithm(kind: KeyKind) -> der::Result<Algorithm<'static>> {
    Ok(match kind {
        KeyKind::Ed25519 => Algorithm { oid: ED25519, parameters: None },
        KeyKind::EcdsaP256 => {
            let curve = AnyRef::new(Tag::ObjectIdentifier, P256.0)?;
            Algorithm { oid: EC_PUBLIC_KEY, parameters: Some(curve) }
        }
    })
}

/// Certificate (RFC 5280 §4.1), its signed part still in bytes.
#[derive(Debug)]
pub(crate) struct Outer<'a> {
    pub(crate) tbs: &'a [u8],
    pub(crate) algorithm: Algorithm<'a>,
    pub(crate) signature: BitStringRef<'a>,
}

impl<'a> FixedTag for Outer<'a> {
    const TAG: Tag = Tag::Sequence;
}

impl<'a> DecodeValue<'a> for Outer<'a> {
    type Error = der::Error;

    fn decode_value<R: Reader<'a>>(reader: &mut R, _header: Header) -> der::Result<Self> {
        Ok(Outer {
            tbs: reader.tlv_bytes()?,
            algorithm: reader.decode()?,
            signature: reader.decode()?,
        })
    }
}

impl EncodeValue for Outer<'_> {
    fn value_len(&self) -> der::Result<Length> {
        Length::try_from(self.tbs.len())?
            + self.algorithm.encoded_len()?
            + self.signature.encoded_len()?
    }

    fn encode_value(&self, writer: &mut impl Writer) -> der::Result<()> {
        writer.write(self.tbs)?;
        self.algorithm.encode(writer)?;
        self.signature.encode(writer)
    }
}

/// TBSCertificate (RFC 5280 §4.1). Names stay in DER: the profile knows only one form of them.
#[derive(Debug, Sequence)]
pub(crate) struct Tbs<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) version: Option<UintRef<'a>>,
    pub(crate) serial: AnyRef<'a>,
    pub(crate) signature: Algorithm<'a>,
    pub(crate) issuer: AnyRef<'a>,
    pub(crate) validity: Validity,
    pub(crate) subject: AnyRef<'a>,
    pub(crate) key: Spki<'a>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) issuer_unique_id: Option<BitStringRef<'a>>,
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) subject_unique_id: Option<BitStringRef<'a>>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) extensions: Option<Vec<Extension<'a>>>,
}

/// SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
#[derive(Clone, Copy, Debug, Sequence)]
pub(crate) struct Spki<'a> {
    pub(crate) algorithm: Algorithm<'a>,
    pub(crate) key: BitStringRef<'a>,
}

/// Extension (RFC 5280 §4.2).
#[derive(Clone, Copy, Debug, Sequence)]
pub(crate) struct Extension<'a> {
    pub(crate) id: Oid<'a>,
    #[asn1(default = "Default::default")]
    pub(crate) critical: bool,
    pub(crate) value: &'a OctetStringRef,
}

/// Validity (RFC 5280 §4.1.2.5).
#[derive(Clone, Copy, Debug, Sequence)]
pub(crate) struct Validity {
    pub(crate) not_before: Time,
    pub(crate) not_after: Time,
}

/// Time (RFC 5280 §4.1.2.5): UTCTime up to 2049, GeneralizedTime from 2050.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Choice)]
pub(crate) enum Time {
    #[asn1(type = "UTCTime")]
    Utc(UtcTime),
    #[asn1(type = "GeneralizedTime")]
    General(GeneralizedTime),
}

impl Time {
    /// Whole seconds, rounded down, clamped to 1970 up to 9999.
    pub(crate) fn new(time: FileTime) -> Time {
        let seconds = time.to_unix().clamp(0, FileTime::NO_END.to_unix()).unsigned_abs();
        let date = DateTime::from_unix_duration(core::time::Duration::from_secs(seconds))
            .unwrap_or(DateTime::INFINITY);
        match UtcTime::from_date_time(date) {
            Ok(utc) => Time::Utc(utc),
            Err(_) => Time::General(GeneralizedTime::from_date_time(date)),
        }
    }

    pub(crate) fn to_file_time(self) -> FileTime {
        let duration = match self {
            Time::Utc(time) => time.to_unix_duration(),
            Time::General(time) => time.to_unix_duration(),
        };
        FileTime::UNIX_EPOCH.plus_seconds(duration.as_secs())
    }
}

/// Name (RFC 5280 §4.1.2.4) with a single attribute.
#[derive(Debug, Sequence)]
struct NameOfOne<'a> {
    rdn: SetOfVec<Attribute<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Sequence)]
struct Attribute<'a> {
    id: Oid<'a>,
    value: Utf8StringRef<'a>,
}

impl der::ValueOrd for Attribute<'_> {
    fn value_cmp(&self, other: &Self) -> der::Result<core::cmp::Ordering> {
        Ok((self.id.0, self.value.as_str()).cmp(&(other.id.0, other.value.as_str())))
    }
}

/// The DER of a name that is one common name in UTF-8.
pub(crate) fn name(common_name: &str) -> der::Result<Vec<u8>> {
    let value = Utf8StringRef::new(common_name)?;
    let mut rdn = SetOfVec::new();
    rdn.insert(Attribute { id: COMMON_NAME, value })?;
    NameOfOne { rdn }.to_der()
}

/// Whether `name` is what [`name`] makes of `authority`, 40 digits long: one comparison, as most names are right.
pub(crate) fn is_name(name: &AnyRef<'_>, authority: &str) -> bool {
    Tagged::tag(name) == Tag::Sequence
        && name.value().strip_prefix(&NAME_HEAD) == Some(authority.as_bytes())
}

/// What stands in a name, without its own head, before a common name of 40 bytes.
const NAME_HEAD: [u8; 11] = [0x31, 0x31, 0x30, 0x2f, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x28];

/// The common name of a name in exactly that form, else `None`.
pub(crate) fn common_name<'a>(name: &AnyRef<'a>) -> Option<&'a str> {
    let name: NameOfOne<'a> = name.decode_as().ok()?;
    match name.rdn.as_slice() {
        [attribute] if attribute.id == COMMON_NAME => Some(attribute.value.as_str()),
        _ => None,
    }
}

/// The contents of our extension. The optional fields tell each other apart by their tags.
#[derive(Debug, Sequence)]
pub(crate) struct PeerGroup<'a> {
    pub(crate) version: UintRef<'a>,
    pub(crate) kind: UintRef<'a>,
    pub(crate) name: Utf8StringRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) friendly_name: Option<Utf8StringRef<'a>>,
    #[asn1(optional = "true")]
    pub(crate) group: Option<Utf8StringRef<'a>>,
    #[asn1(optional = "true")]
    pub(crate) issuer: Option<&'a OctetStringRef>,
    #[asn1(optional = "true")]
    pub(crate) roles: Option<SetOfVec<&'a OctetStringRef>>,
    #[asn1(optional = "true")]
    pub(crate) classifiers: Option<Vec<Utf8StringRef<'a>>>,
    pub(crate) flags: UintRef<'a>,
}

/// Decodes `der` if it is the one canonical encoding of what it says.
pub(crate) fn decode<'a, T: Decode<'a, Error = der::Error> + Encode>(
    der: &'a [u8],
) -> Result<T, Cause> {
    let mut reader = SliceReader::new(der).map_err(|error| cause(&error))?;
    let value = reader
        .decode::<T>()
        .and_then(|value| reader.finish().map(|()| value))
        .map_err(|error| cause(&error))?;
    // The reader is strict about lengths, booleans and integers, but sorts a SET and completes a DEFAULT.
    let mut same = Same(der);
    match value.encode(&mut same) {
        Ok(()) if same.0.is_empty() => Ok(value),
        _ => Err(Cause::DerMalformed),
    }
}

/// Compares what is written with what is left here, and keeps nothing of it.
struct Same<'a>(&'a [u8]);

impl Writer for Same<'_> {
    fn write(&mut self, bytes: &[u8]) -> der::Result<()> {
        self.0 = self.0.strip_prefix(bytes).ok_or(ErrorKind::Noncanonical { tag: Tag::Null })?;
        Ok(())
    }
}

fn cause(error: &der::Error) -> Cause {
    match error.kind() {
        ErrorKind::Incomplete { .. } => Cause::DerEnds,
        ErrorKind::TagUnexpected { .. }
        | ErrorKind::TagUnknown { .. }
        | ErrorKind::TagModeUnknown
        | ErrorKind::TagNumberInvalid => Cause::DerTag,
        _ => Cause::DerMalformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_identifier_is_the_uuid_it_says() {
        // X.690 §8.19: septets, most significant first, after 2.25 as 2 * 40 + 25.
        let number = PEER_GROUP.0[1..]
            .iter()
            .fold(0u128, |number, byte| number << 7 | u128::from(byte & 0x7f));
        assert_eq!(number, 338_937_934_004_514_887_064_444_748_114_970_184_119);
        assert_eq!(number, 0xfefd1256_ebb0_4ae8_b4c6_8afe76b289b7);
        assert_eq!(PEER_GROUP.0[0], 2 * 40 + 25);
    }

    #[test]
    fn identifiers_have_one_encoding() {
        for good in [&[0x06, 3, 0x55, 4, 3][..], &[0x06, 2, 0x81, 0x01]] {
            assert_eq!(Oid::from_der(good).unwrap().0, &good[2..]);
        }
        for bad in
            [&[0x06, 0][..], &[0x06, 1, 0x81], &[0x06, 2, 0x80, 0x01], &[0x06, 3, 0x55, 0x80, 0x01]]
        {
            assert!(Oid::from_der(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn dates_change_their_form_in_2050() {
        let last = FileTime::from_unix(2_524_607_999);
        assert!(matches!(Time::new(last), Time::Utc(_)));
        assert!(matches!(Time::new(last.plus_seconds(1)), Time::General(_)));
        for time in [FileTime::UNIX_EPOCH, last, last.plus_seconds(1), FileTime::NO_END] {
            assert_eq!(Time::new(time).to_file_time(), time);
        }
    }

    #[test]
    fn dates_beyond_what_can_be_written_stop_at_the_ends() {
        assert_eq!(Time::new(FileTime(0)).to_file_time(), FileTime::UNIX_EPOCH);
        assert_eq!(Time::new(FileTime(u64::MAX)).to_file_time(), FileTime::NO_END);
        assert_eq!(
            Time::new(FileTime(FileTime::UNIX_EPOCH.0 + 9_999_999)).to_file_time(),
            FileTime::UNIX_EPOCH
        );
    }

    #[test]
    fn a_name_is_compared_as_it_is_made() {
        let authority = "0123456789abcdef0123456789abcdef01234567";
        let der = name(authority).unwrap();
        assert!(is_name(&AnyRef::from_der(&der).unwrap(), authority));
        for i in 0..der.len() {
            let mut other = der.clone();
            other[i] ^= 1;
            let same = AnyRef::from_der(&other).is_ok_and(|other| is_name(&other, authority));
            assert!(!same, "byte {i}");
        }
    }

    #[test]
    fn a_name_of_more_than_one_part_has_no_common_name() {
        let one = name("x").unwrap();
        assert_eq!(common_name(&AnyRef::from_der(&one).unwrap()), Some("x"));
        let two = [&[0x30, 2 * one[1]], &one[2..], &one[2..]].concat();
        assert_eq!(common_name(&AnyRef::from_der(&two).unwrap()), None);
    }
}

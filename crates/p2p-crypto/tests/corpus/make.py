"""Writes the corpus beside this file: certificates, chains, keys and texts made with the Python package `cryptography`.

    python3 make.py

Run by hand when the profile changes (made with cryptography 48.0.0); the tests read only what it wrote. Keys, serial
numbers and dates are fixed, Ed25519 signatures are deterministic and those with ECDSA are made so, so a second run writes
the same bytes.

The builder of `cryptography` writes every certificate that it can. What it refuses to write is made of its output: the
certificate is taken apart, one value replaced, and the rest signed again, so that only the one rule is broken.
"""

import base64
import datetime
import hashlib
import pathlib
import uuid

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose
from cryptography.x509.oid import NameOID

HERE = pathlib.Path(__file__).parent
NOW = 1_795_348_800
END = 253_402_300_799
OURS = x509.ObjectIdentifier("2.25.338937934004514887064444748114970184119")
ADMIN = uuid.UUID("04387127-aa56-450a-8ce5-4f565c6790f4").bytes
INVITING = uuid.UUID("4370fd89-dc18-4cfb-8dbf-9853a8a9f905").bytes
MEMBER = uuid.UUID("f12dc4c7-0857-4ca0-93fc-b1bb19a3d8c2").bytes
BIDI = "\u202e"


# DER

def tlv(tag, *contents):
    body = b"".join(contents)
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def seq(*parts):
    return tlv(0x30, *parts)


def octets(value):
    return tlv(0x04, value)


def integer(value):
    return tlv(0x02, bytes([value]))


def utf8(text):
    return tlv(0x0C, text.encode())


def bits(value, unused=0):
    return tlv(0x03, bytes([unused]), value)


def children(der):
    """The values inside a constructed one."""
    _, body, _ = split(der)
    found = []
    while body:
        head, inside, body = split(body)
        found.append(head + inside)
    return found


def split(der):
    """Tag and length, contents, what follows."""
    size, head = der[1], 2
    if size >= 0x80:
        head += size & 0x7F
        size = int.from_bytes(der[2:head], "big")
    return der[:head], der[head:head + size], der[head + size:]


# Keys and names

class Key:
    def __init__(self, name, private=None):
        self.private = private or ed25519.Ed25519PrivateKey.from_private_bytes(
            hashlib.sha256(b"corpus " + name.encode()).digest())
        self.public = self.private.public_key()
        der = serialization.Encoding.DER
        self.spki = self.public.public_bytes(der, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.id = hashlib.sha256(self.spki).digest()
        self.authority = self.id[:20].hex()
        self.serial = 0x5500_0000 << 96 | int.from_bytes(self.id[:12], "big")

    def peer_name(self, classifier=""):
        return f"{self.authority}.{classifier}"

    @property
    def hash(self):
        """Of P-256; nothing else signs rightly here with a hash."""
        on_curve = isinstance(getattr(self.private, "curve", None), ec.SECP256R1)
        return hashes.SHA256() if on_curve else None

    def sign(self, message):
        """As certificates hold it; of ECDSA's two values of s the smaller one."""
        if self.hash is None:
            return self.private.sign(message)
        return smaller(self.private.sign(message, ec.ECDSA(self.hash, deterministic_signing=True)))

    def sign_text(self, message):
        """As invitations hold it: 64 bytes."""
        if self.hash is None:
            return self.private.sign(message)
        return b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(self.sign(message)))


ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1


def number(value):
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def pair(r, s):
    return seq(number(r), number(s))


def smaller(sig):
    r, s = decode_dss_signature(sig)
    return pair(r, min(s, ORDER - s))


def larger(sig):
    r, s = decode_dss_signature(sig)
    return pair(r, max(s, ORDER - s))


def on_p256(name):
    secret = int.from_bytes(hashlib.sha256(b"corpus p256 " + name.encode()).digest(), "big") % ORDER
    return Key("", ec.derive_private_key(secret, ec.SECP256R1()))


ROOT, ADA, BOB, CID, EVE, OTHER = (Key(name) for name in ["root", "ada", "bob", "cid", "eve", "other"])
P_ROOT, P_ADA, P_BOB, P_EVE = (on_p256(name) for name in ["root", "ada", "bob", "eve"])
KEYS = {"root": ROOT, "ada": ADA, "bob": BOB, "cid": CID, "eve": EVE, "other": OTHER, "p-root": P_ROOT, "p-ada": P_ADA,
        "p-bob": P_BOB, "p-one": Key("", ec.derive_private_key(1, ec.SECP256R1()))}


def common_name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def when(seconds):
    return datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)


# Certificates

def roles(*guids):
    return tlv(0x31, *sorted(octets(guid) for guid in guids))


def classifiers(*texts):
    return seq(*(utf8(text) for text in texts))


def friendly(text):
    return tlv(0x80, text.encode())


def fields(kind, name, group=None, issuer=None, held=None, handed=None):
    """Our extension, field by field, in its order."""
    return {
        "version": integer(1),
        "kind": integer(kind),
        "name": utf8(name),
        "friendly": b"",
        "group": b"" if group is None else utf8(group),
        "issuer_key": b"" if issuer is None else octets(issuer),
        "roles": b"" if held is None else roles(*held),
        "classifiers": b"" if handed is None else classifiers(*handed),
        "flags": integer(0),
        "more": b"",
    }


def usage(*names):
    known = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{name: name in names for name in known})


SIGNS = (usage("digital_signature"), True)
SIGNS_CERTIFICATES = (usage("digital_signature", "key_cert_sign"), True)
CA = (x509.BasicConstraints(ca=True, path_length=None), True)
BOTH_ENDS = (x509.ExtendedKeyUsage([Purpose.SERVER_AUTH, Purpose.CLIENT_AUTH]), False)
ALT_NAME = (x509.SubjectAlternativeName([x509.DNSName("example.org")]), False)


class Plan:
    """A certificate before it is built: whatever is not changed keeps the profile."""

    def __init__(self, key, signer, body, extensions):
        self.key, self.signer, self.fields, self.extensions = key, signer, body, extensions
        self.subject, self.issuer = common_name(key.authority), common_name(signer.authority)
        self.serial, self.start, self.end = key.serial, NOW - 600, END
        self.hash = None
        self.ours = None
        self.edits, self.resigned = [], []

    def but(self, **changes):
        for name, value in changes.items():
            if name in self.fields:
                self.fields[name] = value
            else:
                assert hasattr(self, name), name
                setattr(self, name, value)
        return self

    def edit(self, change):
        """Later: `change` gets the values of the signed part and returns others; it is signed again."""
        self.edits.append(change)
        return self

    def after(self, change):
        """Later still: `change` gets the signed part, the algorithm and the signature and returns others."""
        self.resigned.append(change)
        return self

    def der(self):
        ours = seq(*self.fields.values())
        builder = (x509.CertificateBuilder().subject_name(self.subject).issuer_name(self.issuer)
                   .public_key(self.key.public).serial_number(self.serial)
                   .not_valid_before(when(self.start)).not_valid_after(when(self.end)))
        if self.ours is None:
            builder = builder.add_extension(x509.UnrecognizedExtension(OURS, ours), critical=True)
        for extension, critical in self.extensions:
            builder = builder.add_extension(extension, critical=critical)
        chosen = self.hash or self.signer.hash
        built = builder.sign(self.signer.private, chosen, ecdsa_deterministic=True if chosen else None)
        tbs, algorithm, signature = children(built.public_bytes(serialization.Encoding.DER))
        if self.signer.hash:
            signature = bits(smaller(signature[3:]))
        if self.edits:
            parts = children(tbs)
            for change in self.edits:
                parts = change(parts)
            tbs = seq(*parts)
            signature = bits(self.signer.sign(tbs))
        for change in self.resigned:
            tbs, algorithm, signature = change(tbs, algorithm, signature)
        return seq(tbs, algorithm, signature)


VERSION, SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT, SPKI, EXTENSIONS = range(8)


def put(index, value):
    """An edit: another value at this place."""
    return lambda parts: parts[:index] + [value] + parts[index + 1:]


def extensions(change):
    """An edit of the list of extensions."""
    def edit(parts):
        inside = children(children(parts[EXTENSIONS])[0])
        return parts[:EXTENSIONS] + [tlv(0xA3, seq(*change(inside)))]
    return edit


def criticality(index, value):
    """An edit: the BOOLEAN of an extension, or none."""
    def change(found):
        parts = [part for part in children(found[index]) if part[0] != 0x01]
        parts[1:1] = [] if value is None else [tlv(0x01, bytes([value]))]
        return found[:index] + [seq(*parts)] + found[index + 1:]
    return extensions(change)


def root(key=ROOT):
    name = key.peer_name("chess")
    return Plan(key, key, fields(2, name, group=name), [CA, SIGNS_CERTIFICATES])


def member(key, signer, held=(MEMBER,), handed=None, group=None):
    issues = ADMIN in held or INVITING in held
    if handed is None:
        handed = () if ADMIN in held else ("participant",)
    body = fields(1, key.peer_name(), group or ROOT.peer_name("chess"), signer.id, held, handed)
    return Plan(key, signer, body, [CA, SIGNS_CERTIFICATES] if issues else [SIGNS])


def identity(key, classifier=""):
    return Plan(key, key, fields(3, key.peer_name(classifier)), [SIGNS, BOTH_ENDS])


def ada():
    return member(ADA, ROOT, (ADMIN,))


def bob():
    return member(BOB, ADA)


def chain(*plans):
    ders = [plan if isinstance(plan, bytes) else plan.der() for plan in plans]
    return b"".join(len(der).to_bytes(2, "big") + der for der in ders)


# The index

ROWS = []


def write(door, name, content, code="ok", detail="ok", group="root", peer="bob", at=NOW):
    """Writes a file and its row. What the codes mean stands in the crate's README."""
    file = f"{name}.{ {'chain': 'chain', 'tls': 'der', 'key': 'p8'}.get(door, 'xml')}"
    assert all(row[0] != file for row in ROWS), file
    (HERE / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    ROWS.append((file, door, group, peer, str(at), code, detail))


def accepted(name, *plans, **where):
    write("chain", name, chain(*plans), **where)


def refused(code, detail):
    def row(name, *plans, **where):
        content = plans[0] if len(plans) == 1 and isinstance(plans[0], bytes) else chain(*plans)
        write("chain", name, content, code, detail, **where)
    return row


profile = refused("CRYPT_E_ASN1_CONSTRAINT", "CERT_E_MALFORMED")
corrupt = refused("CRYPT_E_ASN1_CORRUPT", "CERT_E_MALFORMED")
ends = refused("CRYPT_E_ASN1_EOD", "CERT_E_MALFORMED")
bad_tag = refused("CRYPT_E_ASN1_BADTAG", "CERT_E_MALFORMED")
too_large = refused("CRYPT_E_ASN1_LARGE", "CERT_E_MALFORMED")
unknown_extension = refused("CRYPT_E_ASN1_CONSTRAINT", "CERT_E_CRITICAL")
constraints = refused("CRYPT_E_ASN1_CONSTRAINT", "TRUST_E_BASIC_CONSTRAINTS")
wrong_usage = refused("CRYPT_E_ASN1_CONSTRAINT", "CERT_E_WRONG_USAGE")
unknown_role = refused("CRYPT_E_ASN1_CONSTRAINT", "CERT_E_INVALID_POLICY")
container = refused("CRYPT_E_BAD_MSG", "NTE_BAD_DATA")
unknown_algorithm = refused("CRYPT_E_UNKNOWN_ALGO", "NTE_BAD_ALGID")
weak = refused("CRYPT_E_UNKNOWN_ALGO", "NTE_BAD_PUBLIC_KEY")
signature = refused("CRYPT_E_HASH_VALUE", "TRUST_E_CERT_SIGNATURE")
links = refused("CRYPT_E_ISSUER_SERIALNUMBER", "CERT_E_ISSUERCHAINING")
other_root = refused("CRYPT_E_NO_TRUSTED_SIGNER", "CERT_E_UNTRUSTEDROOT")
no_root = refused("CRYPT_E_NO_TRUSTED_SIGNER", "CERT_E_CHAINING")
self_signed = refused("CRYPT_E_SELF_SIGNED", "CERT_E_PURPOSE")
too_long = refused("CRYPT_E_BAD_LEN", "CERT_E_PATHLENCONST")
other_identity = refused("CRYPT_E_NO_MATCH", "CERT_E_CN_NO_MATCH")
bad_name = refused("CRYPT_E_NO_MATCH", "CERT_E_INVALID_NAME")
expired = refused("CRYPT_E_SECURITY_SETTINGS", "CERT_E_EXPIRED")
nesting = refused("CRYPT_E_SECURITY_SETTINGS", "CERT_E_VALIDITYPERIODNESTING")
bad_role = refused("CRYPT_E_SECURITY_SETTINGS", "CERT_E_ROLE")
bad_classifier = refused("CRYPT_E_SECURITY_SETTINGS", "CERT_E_INVALID_POLICY")
twice = refused("CRYPT_E_SECURITY_SETTINGS", "CERT_E_CHAINING")


def line(count):
    """The root and `count` administrators below each other."""
    keys = [ROOT] + [Key(f"line {n}") for n in range(1, count)] + [BOB]
    return [root()] + [member(key, signer, (ADMIN,)) for signer, key in zip(keys, keys[1:])]


def valid():
    accepted("valid-creator", root(), ada(), peer="ada")
    accepted("valid-member", root(), ada(), bob())
    accepted("valid-three", root(), ada(), member(CID, ADA, (INVITING,)), member(BOB, CID))
    accepted("valid-24-members", *line(24))
    accepted("valid-named", root().but(friendly=friendly("Chess club")), ada().but(friendly=friendly("Ada \u2013 \u6771\u4eac")),
             bob().but(friendly=friendly("B")))
    accepted("valid-every-role", root(), ada(), member(BOB, ADA, (ADMIN, INVITING, MEMBER)))
    accepted("valid-four-classifiers", root(), ada(), member(BOB, ADA, handed=("a", "b", "c", "d")))
    accepted("valid-narrowed", root(), member(ADA, ROOT, (INVITING,), ("chess",)),
             member(BOB, ADA, (INVITING,), ("chess.blitz",)))
    accepted("valid-to-the-last-utctime", root(), ada(), bob().but(end=2_524_607_999))
    accepted("valid-to-the-first-generalizedtime", root(), ada(), bob().but(end=2_524_608_000))
    accepted("valid-just-before", root(), ada(), bob().but(start=NOW + 600))
    accepted("valid-just-after", root(), ada(), bob().but(end=NOW + 100), at=NOW + 700)


def broken_der():
    whole = ada().der()
    spare = bits(b"\x01" * 64, unused=0)
    ends("der-cut", root(), whole[:100], bob())
    ends("der-nothing", root(), b"", bob())
    ends("der-flags-missing", root(), ada().but(flags=b""), bob())
    corrupt("der-byte-behind", root(), whole + b"\0", bob())
    corrupt("der-indefinite-length", root(), whole[:1] + b"\x80" + whole[4:] + b"\0\0", bob())
    corrupt("der-longer-length", root(), whole[:1] + b"\x83\0" + whole[2:], bob())
    bad_tag("der-set-for-sequence", root(), b"\x31" + whole[1:], bob())
    bad_tag("der-tbs-is-a-set", root(), ada().after(lambda tbs, a, s: (b"\x31" + tbs[1:], a, s)), bob())
    bad_tag("der-serial-is-octets", root(), ada().edit(put(SERIAL, octets(b"\x55" * 16))), bob())
    bad_tag("der-signature-is-octets", root(), ada().after(lambda tbs, a, s: (tbs, a, octets(spare))), bob())
    corrupt("der-roles-unsorted", root(), ada().but(roles=tlv(0x31, octets(MEMBER), octets(ADMIN))), bob())
    corrupt("der-default-written", root(), ada().edit(criticality(2, 0x00)), bob())
    corrupt("der-other-true", root(), ada().edit(criticality(2, 0x01)), bob())
    corrupt("der-flags-padded", root(), ada().but(flags=tlv(0x02, b"\0\0")), bob())
    corrupt("der-serial-padded", root(), ada().edit(put(SERIAL, tlv(0x02, b"\0\x01" + b"\x55" * 14))), bob())
    corrupt("der-field-behind", root(), ada().but(more=integer(1)), bob())
    corrupt("der-name-not-utf8", root(), ada().but(friendly=tlv(0x80, b"\xff\xfe")), bob())
    corrupt("der-subject-longer-length", root(),
            ada().edit(lambda p: p[:SUBJECT] + [b"\x30\x81" + p[SUBJECT][1:]] + p[SUBJECT + 1:]), bob())
    corrupt("der-identifier-padded", root(), ada().edit(extensions(
        lambda found: found[:1] + [seq(tlv(0x06, b"\x80\x55\x1d\x13"), *children(found[1])[1:])] + found[2:])), bob())

    def dates(start, end):
        return put(VALIDITY, seq(start, end))
    utc, general = tlv(0x17, b"261122115000Z"), tlv(0x18, b"99991231235959Z")
    corrupt("date-thirteenth-month", root(), ada().edit(dates(utc, tlv(0x18, b"99991331235959Z"))), bob())
    corrupt("date-february-30th", root(), ada().edit(dates(tlv(0x17, b"260230000000Z"), general)), bob())
    corrupt("date-without-seconds", root(), ada().edit(dates(tlv(0x17, b"2611221150Z"), general)), bob())
    corrupt("date-with-offset", root(), ada().edit(dates(utc, tlv(0x18, b"99991231235959+0000"))), bob())
    corrupt("date-with-fraction", root(), ada().edit(dates(utc, tlv(0x18, b"99991231235959.5Z"))), bob())
    profile("date-generalizedtime-too-early", root(),
            ada().edit(dates(tlv(0x18, b"20261122115000Z"), general)), bob())
    profile("date-end-before-start", root(),
            ada().edit(dates(tlv(0x17, b"261122115000Z"), tlv(0x17, b"261122114959Z"))), bob())


def broken_profile():
    ecdsa = seq(tlv(0x06, bytes.fromhex("2a8648ce3d040302")))
    with_null = seq(tlv(0x06, b"\x2b\x65\x70"), tlv(0x05))
    profile("version-1", root(), ada().edit(lambda parts: parts[1:]), bob())
    profile("version-2", root(), ada().edit(put(VERSION, tlv(0xA0, integer(1)))), bob())
    profile("version-4", root(), ada().edit(put(VERSION, tlv(0xA0, integer(3)))), bob())
    profile("serial-of-4-bytes", root(), ada().but(serial=0x55AA55AA), bob())
    profile("serial-of-17-bytes", root(), ada().but(serial=0x55 << 128), bob())
    profile("serial-negative", root(), ada().edit(put(SERIAL, tlv(0x02, b"\x85" * 16))), bob())
    profile("algorithm-with-null", root(),
            ada().edit(put(ALGORITHM, with_null)).after(lambda tbs, a, s: (tbs, with_null, s)), bob())
    profile("outer-algorithm-with-null", root(), ada().after(lambda tbs, a, s: (tbs, with_null, s)), bob())
    profile("outer-algorithm-differs", root(), ada().after(lambda tbs, a, s: (tbs, ecdsa, s)), bob())
    profile("issuer-unique-id", root(),
            ada().edit(lambda parts: parts[:EXTENSIONS] + [tlv(0x81, b"\0\x01"), parts[EXTENSIONS]]), bob())
    profile("subject-unique-id", root(),
            ada().edit(lambda parts: parts[:EXTENSIONS] + [tlv(0x82, b"\0\x01"), parts[EXTENSIONS]]), bob())
    profile("no-extensions", root(), ada().edit(lambda parts: parts[:EXTENSIONS]), bob())
    profile("not-our-extension", root(), ada().but(ours=False), bob())
    profile("our-extension-not-critical", root(), ada().edit(criticality(0, None)), bob())
    profile("our-extension-twice", root(), ada().edit(extensions(lambda found: found[:1] + found)), bob())
    profile("extensions-in-another-order", root(), ada().edit(extensions(lambda found: found[::-1])), bob())
    profile("basic-constraints-not-critical", root(), ada().edit(criticality(1, None)), bob())
    profile("key-usage-not-critical", root(), ada().edit(criticality(2, None)), bob())
    profile("key-usage-twice", root(), ada().edit(extensions(lambda found: found + found[-1:])), bob())
    profile("signature-of-63-bytes", root(), ada().after(lambda tbs, a, s: (tbs, a, bits(s[3:66]))), bob())
    profile("signature-of-65-bytes", root(), ada().after(lambda tbs, a, s: (tbs, a, bits(s[3:] + b"\0"))), bob())
    profile("signature-of-511-bits", root(),
            ada().after(lambda tbs, a, s: (tbs, a, bits(s[3:66] + bytes([s[66] & 0xFE]), unused=1))), bob())
    attribute = x509.NameAttribute
    cn = attribute(NameOID.COMMON_NAME, ADA.authority)
    profile("subject-empty", root(), ada().but(subject=x509.Name([])), bob())
    profile("subject-organisation", root(),
            ada().but(subject=x509.Name([attribute(NameOID.ORGANIZATION_NAME, ADA.authority)])), bob())
    profile("subject-two-parts", root(),
            ada().but(subject=x509.Name([cn, attribute(NameOID.COUNTRY_NAME, "DE")])), bob())
    profile("subject-two-in-one", root(), ada().but(subject=x509.Name([x509.RelativeDistinguishedName(
        [cn, attribute(NameOID.ORGANIZATION_NAME, "x")])])), bob())
    printable = x509.name._ASN1Type.PrintableString
    profile("subject-printable", root(),
            ada().but(subject=x509.Name([attribute(NameOID.COMMON_NAME, ADA.authority, printable)])), bob())
    profile("issuer-printable", root(),
            ada().but(issuer=x509.Name([attribute(NameOID.COMMON_NAME, ROOT.authority, printable)])), bob())


def broken_fields():
    for name, changes in {
        "profile-version-2": {"version": integer(2)},
        "type-0": {"kind": integer(0)},
        "type-4": {"kind": integer(4)},
        "type-256": {"kind": tlv(0x02, b"\x01\0")},
        "flags-1": {"flags": integer(1)},
        "group-missing": {"group": b""},
        "group-not-a-name": {"group": utf8("0.chess")},
        "issuer-missing": {"issuer_key": b""},
        "issuer-of-31-bytes": {"issuer_key": octets(ROOT.id[:31])},
        "roles-missing": {"roles": b""},
        "roles-none": {"roles": roles()},
        "roles-of-15-bytes": {"roles": tlv(0x31, octets(ADMIN[:15]))},
        "roles-twice-the-same": {"roles": tlv(0x31, octets(ADMIN), octets(ADMIN))},
        "classifiers-missing": {"classifiers": b""},
        "classifiers-five": {"classifiers": classifiers("a", "b", "c", "d", "e")},
        "classifier-empty": {"classifiers": classifiers("")},
        "classifier-of-150": {"classifiers": classifiers("x" * 150)},
        "classifier-bidirectional": {"classifiers": classifiers("a" + BIDI)},
        "name-of-nobody": {"name": utf8("nobody")},
        "name-without-dot": {"name": utf8(ADA.authority)},
        "name-in-capitals": {"name": utf8(ADA.authority.upper() + ".")},
        "friendly-name-empty": {"friendly": friendly("")},
        "friendly-name-of-two-lines": {"friendly": friendly("a\nb")},
        "friendly-name-of-256": {"friendly": friendly("x" * 256)},
        "friendly-name-bidirectional": {"friendly": friendly("Ada" + BIDI)},
    }.items():
        profile(name, root(), ada().but(**changes), bob())
    profile("root-of-another-group", root().but(group=utf8(ROOT.peer_name("go"))), ada(), bob())
    profile("root-without-group", root().but(group=b""), ada(), bob())
    profile("root-with-roles", root().but(roles=roles(ADMIN)), ada(), bob())
    unknown_role("role-unknown", root(), ada().but(roles=roles(b"\x09" * 16)), bob())
    unknown_role("role-unknown-beside-known", root(), ada().but(roles=roles(ADMIN, b"\x09" * 16)), bob())


def broken_extensions():
    skid = (x509.SubjectKeyIdentifier.from_public_key(ADA.public), False)
    akid = (x509.AuthorityKeyIdentifier.from_issuer_public_key(ROOT.public), False)
    constrained = (x509.NameConstraints([x509.DNSName("example.org")], None), True)
    private = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\0"), True)
    for name, extra in {"alternative-name": ALT_NAME, "subject-key-id": skid, "authority-key-id": akid,
                        "name-constraints": constrained, "private-critical": private}.items():
        unknown_extension(f"extension-{name}", root(), ada().but(extensions=[CA, SIGNS_CERTIFICATES, extra]), bob())
    no_ca, short = (x509.BasicConstraints(False, None), True), (x509.BasicConstraints(True, 3), True)
    constraints("constraints-missing", root(), ada().but(extensions=[SIGNS_CERTIFICATES]), bob())
    constraints("constraints-missing-in-root", root().but(extensions=[SIGNS_CERTIFICATES]), ada(), bob())
    constraints("constraints-no-authority", root(), ada().but(extensions=[no_ca, SIGNS_CERTIFICATES]), bob())
    constraints("constraints-path-length", root(), ada().but(extensions=[short, SIGNS_CERTIFICATES]), bob())
    constraints("constraints-of-a-plain-member", root(), ada(), bob().but(extensions=[CA, SIGNS_CERTIFICATES]))
    only_certificates, agreement = (usage("key_cert_sign"), True), (usage("digital_signature", "key_cert_sign",
                                                                          "key_agreement"), True)
    wrong_usage("usage-no-certificates", root(), ada().but(extensions=[CA, SIGNS]), bob())
    wrong_usage("usage-only-certificates", root(), ada().but(extensions=[CA, only_certificates]), bob())
    wrong_usage("usage-one-more", root(), ada().but(extensions=[CA, agreement]), bob())
    wrong_usage("usage-missing", root(), ada().but(extensions=[CA]), bob())
    wrong_usage("usage-of-a-plain-member", root(), ada(), bob().but(extensions=[SIGNS_CERTIFICATES]))
    wrong_usage("usage-of-tls-in-a-member", root(), ada(), bob().but(extensions=[SIGNS, BOTH_ENDS]))


def broken_keys():
    curve = Key("", ec.derive_private_key(7, ec.SECP384R1()))
    goldilocks = Key("", ed448.Ed448PrivateKey.from_private_bytes(b"\x07" * 57))
    agreement = Key("", x25519.X25519PrivateKey.from_private_bytes(b"\x07" * 32))
    # 512 bits are enough to be refused, and are the same in every run: two fixed primes.
    p = 2**256 - 189
    q = 2**255 - 19
    d = pow(65537, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p),
                                    rsa.RSAPublicNumbers(65537, p * q))
    old = Key("", type("Stub", (), {"public_key": lambda self: numbers.public_numbers.public_key()})())
    weak("key-p384", root(), ada(), member(curve, ADA))
    unknown_algorithm("key-ed448", root(), ada(), member(goldilocks, ADA))
    unknown_algorithm("key-x25519", root(), ada().edit(put(SPKI, agreement.spki)), bob())
    unknown_algorithm("key-rsa", root(), ada().edit(put(SPKI, old.spki)), bob())
    unknown_algorithm("signed-by-p384", member(BOB, curve).but(hash=hashes.SHA384()))
    unknown_algorithm("signed-by-ed448", member(BOB, goldilocks))

    def key(point, unused=0):
        return put(SPKI, seq(seq(tlv(0x06, b"\x2b\x65\x70")), bits(point, unused)))
    weak("key-neutral-element", root(), ada().edit(key(b"\x01" + b"\0" * 31)), bob())
    weak("key-of-order-2", root(), ada().edit(key(b"\xec" + b"\xff" * 30 + b"\x7f")), bob())
    weak("key-of-order-4", root(), ada().edit(key(b"\0" * 32)), bob())
    weak("key-of-order-8", root(), ada().edit(key(bytes.fromhex(
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"))), bob())
    weak("key-in-another-encoding", root(), ada().edit(key(b"\xee" + b"\xff" * 30 + b"\x7f")), bob())
    weak("key-of-31-bytes", root(), ada().edit(key(b"\x09" * 31)), bob())
    weak("key-of-33-bytes", root(), ada().edit(key(b"\x09" * 33)), bob())
    weak("key-of-255-bits", root(), ada().edit(key(b"\x08" * 32, 1)), bob())


def uncompressed(key):
    return key.public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def compressed(key):
    return key.public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)


def on_curve(secret):
    return Key("", ec.derive_private_key(secret, ec.SECP256R1()))


EC_KEY, P256 = tlv(0x06, bytes.fromhex("2a8648ce3d0201")), tlv(0x06, bytes.fromhex("2a8648ce3d030107"))
P_CHESS = P_ROOT.peer_name("chess")


def p256_spki(point, *parameters, unused=0):
    return seq(seq(EC_KEY, *(parameters or (P256,))), bits(point, unused))


def p256():
    """Keys on P-256 and signatures with ECDSA, alone and beside Ed25519."""
    def p_ada():
        return member(P_ADA, P_ROOT, (ADMIN,), group=P_CHESS)

    def p_bob():
        return member(P_BOB, P_ADA, group=P_CHESS)
    whole, where = [root(P_ROOT), p_ada(), p_bob()], {"group": "p-root", "peer": "p-bob"}
    accepted("p256-throughout", *whole, **where)
    accepted("p256-below-ed25519", root(), ada(), member(P_BOB, ADA), peer="p-bob")
    accepted("p256-above-ed25519", root(P_ROOT), member(ADA, P_ROOT, (ADMIN,), group=P_CHESS),
             member(BOB, ADA, group=P_CHESS), group="p-root")
    accepted("p256-between-ed25519", root(), member(P_ADA, ROOT, (ADMIN,)), member(BOB, P_ADA))
    accepted("p256-named", root(P_ROOT).but(friendly=friendly("x" * 255)), p_ada().but(friendly=friendly("\u6771\u4eac")),
             p_bob().but(friendly=friendly("B" * 255)), **where)

    def forms(row, name, change):
        """The same fault in each certificate of a chain."""
        row(f"p256-{name}-root", root(P_ROOT).after(change), p_ada(), p_bob(), **where)
        row(f"p256-{name}-creator", root(P_ROOT), p_ada().after(change), p_bob(), **where)
        row(f"p256-{name}-member", root(P_ROOT), p_ada(), p_bob().after(change), **where)

    def numbers(change):
        return lambda tbs, a, s: (tbs, a, bits(pair(*change(*decode_dss_signature(s[3:])))))

    def encoded(change):
        return lambda tbs, a, s: (tbs, a, bits(change(s[3:])))
    forms(signature, "larger-s", encoded(larger))
    forms(signature, "signature-flipped", numbers(lambda r, s: (r ^ 1, s)))
    forms(signature, "signed-by-eve", lambda tbs, a, _: (tbs, a, bits(P_EVE.sign(tbs))))

    def leaf(row, name, change):
        row(f"p256-{name}", root(P_ROOT), p_ada(), p_bob().after(change), **where)
    leaf(signature, "signature-zero", numbers(lambda r, s: (0, 0)))
    leaf(signature, "signature-s-zero", numbers(lambda r, s: (r, 0)))
    leaf(signature, "signature-r-zero", numbers(lambda r, s: (0, s)))
    leaf(signature, "signature-one", numbers(lambda r, s: (1, 1)))
    leaf(signature, "signature-r-is-the-order", numbers(lambda r, s: (ORDER, s)))
    leaf(signature, "signature-r-is-the-prime", numbers(lambda r, s: (PRIME, s)))
    leaf(signature, "signature-swapped", numbers(lambda r, s: (s, r)))
    leaf(signature, "signature-of-the-certificate-above", lambda tbs, a, _: (tbs, a, children(p_ada().der())[2]))
    leaf(signature, "changed-after-signing", lambda tbs, a, s: (tbs.replace(b"participant", b"Participant"), a, s))
    leaf(profile, "signature-r-of-257-bits", numbers(lambda r, s: (r + 2**256, s)))
    leaf(profile, "signature-s-of-257-bits", numbers(lambda r, s: (r, s + ORDER + 2**256)))
    leaf(corrupt, "signature-padded", encoded(lambda sig: seq(
        tlv(0x02, b"\0" * 2 + children(sig)[0][2:].lstrip(b"\0")), children(sig)[1])))
    leaf(corrupt, "signature-negative", encoded(lambda sig: seq(tlv(0x02, b"\x80" + b"\x01" * 31), children(sig)[1])))
    leaf(corrupt, "signature-empty-number", encoded(lambda sig: seq(tlv(0x02), children(sig)[1])))
    leaf(corrupt, "signature-byte-behind", encoded(lambda sig: sig + b"\0"))
    leaf(corrupt, "signature-three-numbers", encoded(lambda sig: seq(*children(sig), integer(1))))
    leaf(corrupt, "signature-longer-length", encoded(lambda sig: b"\x30\x81" + sig[1:]))
    leaf(ends, "signature-cut", encoded(lambda sig: sig[:-1]))
    leaf(ends, "signature-one-number", encoded(lambda sig: seq(children(sig)[0])))
    leaf(bad_tag, "signature-of-octets", encoded(lambda sig: seq(octets(b"\x01"), children(sig)[1])))
    leaf(corrupt, "signature-in-64-bytes", lambda tbs, a, _: (tbs, a, bits(P_ADA.sign_text(tbs))))
    leaf(profile, "signature-of-odd-bits", lambda tbs, a, s: (tbs, a, bits(s[3:-1] + bytes([s[-1] & 0xFE]), unused=1)))

    ecdsa, ed = bytes.fromhex("2a8648ce3d040302"), b"\x2b\x65\x70"
    with_null, plain_ed, plain = seq(tlv(0x06, ecdsa), tlv(0x05)), seq(tlv(0x06, ed)), seq(tlv(0x06, ecdsa))
    sha384 = seq(tlv(0x06, bytes.fromhex("2a8648ce3d040303")))

    def says(plan, algorithm, change=lambda sig: sig):
        return plan.edit(put(ALGORITHM, algorithm)).after(lambda tbs, _, s: (tbs, algorithm, bits(change(s[3:]))))
    profile("p256-algorithm-with-null", root(P_ROOT), p_ada(), says(p_bob(), with_null), **where)
    profile("p256-outer-algorithm-differs", root(P_ROOT), p_ada(), p_bob().after(lambda t, _, s: (t, plain_ed, s)), **where)
    unknown_algorithm("p256-algorithm-with-sha384", root(P_ROOT), p_ada(), says(p_bob(), sha384), **where)
    unknown_algorithm("p256-algorithm-of-keys", root(P_ROOT), p_ada(), says(p_bob(), seq(EC_KEY, P256)), **where)
    fixed = p_bob().edit(put(ALGORITHM, plain_ed)).after(lambda tbs, _, s: (tbs, plain_ed, bits(P_ADA.sign_text(tbs))))
    signature("p256-says-ed25519", root(P_ROOT), p_ada(), fixed, **where)
    as_ecdsa = says(bob(), plain, lambda sig: pair(int.from_bytes(sig[:32], "big"), int.from_bytes(sig[32:], "big") >> 1))
    signature("p256-said-by-ed25519", root(), ada(), as_ecdsa)
    signature("p256-issuer-signed-by-ed25519", root(P_ROOT), p_ada(),
              p_bob().edit(put(ALGORITHM, plain_ed)).after(lambda tbs, _, s: (tbs, plain_ed, bits(ADA.private.sign(tbs)))),
              **where)
    signature("p256-signs-for-ed25519", root(), ada(),
              bob().edit(put(ALGORITHM, plain)).after(lambda tbs, _, s: (tbs, plain, bits(P_ADA.sign(tbs)))))

    point = uncompressed(P_BOB)

    def key(row, name, spki):
        row(f"p256-key-{name}", root(P_ROOT), p_ada(), p_bob().edit(put(SPKI, spki)), **where)
    y_of_zero = 0x66485C780E2F83D72433BD5D84A06BB6541C2AF31DAE871728BF856A174F93F4
    key(weak, "compressed", p256_spki(compressed(P_BOB)))
    key(weak, "hybrid", p256_spki(bytes([6 + (point[-1] & 1)]) + point[1:]))
    key(weak, "at-infinity", p256_spki(b"\0"))
    key(weak, "off-the-curve", p256_spki(point[:-1] + bytes([point[-1] ^ 1])))
    key(weak, "zero", p256_spki(b"\x04" + bytes(64)))
    key(weak, "beyond-the-prime", p256_spki(b"\x04" + PRIME.to_bytes(32, "big") + y_of_zero.to_bytes(32, "big")))
    key(weak, "with-a-byte-behind", p256_spki(point + b"\0"))
    key(weak, "without-its-form", p256_spki(point[1:]))
    key(weak, "of-odd-bits", p256_spki(point[:-1] + bytes([point[-1] & 0xFE]), unused=1))
    key(weak, "on-secp256k1", Key("", ec.derive_private_key(7, ec.SECP256K1())).spki)
    key(weak, "on-p521", Key("", ec.derive_private_key(7, ec.SECP521R1())).spki)
    key(weak, "with-null", p256_spki(point, tlv(0x05)))
    key(weak, "without-parameters", seq(seq(EC_KEY), bits(point)))
    explicit = seq(integer(1), seq(tlv(0x06, bytes.fromhex("2a8648ce3d0101")), number(PRIME)),
                   seq(octets(number(PRIME - 3)[3:]), octets(bytes(32))), octets(point), number(ORDER), integer(1))
    key(weak, "with-explicit-parameters", p256_spki(point, explicit))
    key(unknown_algorithm, "for-agreement", seq(seq(tlv(0x06, bytes.fromhex("2b8104010c")), P256), bits(point)))
    key(profile, "ed25519-with-a-curve", seq(seq(tlv(0x06, ed), P256), bits(point[1:33])))
    key(bad_name, "of-eve", P_EVE.spki)
    key(corrupt, "three-parameters", seq(seq(EC_KEY, P256, P256), bits(point)))
    small = on_curve(1)
    accepted("p256-key-of-secret-one", root(P_ROOT), p_ada(), member(small, P_ADA, group=P_CHESS).but(serial=P_BOB.serial),
             group="p-root", peer="p-one")


def broken_signatures():
    order = 2**252 + 27742317777372353535851937790883648493

    def other_form(tbs, algorithm, sig):
        s = int.from_bytes(sig[35:], "little") + order
        return tbs, algorithm, bits(sig[3:35] + s.to_bytes(32, "little"))

    def flip(tbs, algorithm, sig):
        return tbs, algorithm, sig[:-1] + bytes([sig[-1] ^ 1])
    for name, plans in {"root": lambda change: (root().after(change), ada(), bob()),
                        "creator": lambda change: (root(), ada().after(change), bob()),
                        "member": lambda change: (root(), ada(), bob().after(change))}.items():
        signature(f"signature-flipped-{name}", *plans(flip))
        signature(f"signature-by-eve-{name}",
                  *plans(lambda tbs, a, _: (tbs, a, bits(EVE.private.sign(tbs)))))
    signature("signature-second-form", root(), ada(), bob().after(other_form))
    signature("signature-zero", root(), ada(), bob().after(lambda tbs, a, _: (tbs, a, bits(b"\0" * 64))))
    signature("signature-of-the-certificate-above", root(), ada(),
              bob().after(lambda tbs, a, _: (tbs, a, children(ada().der())[2])))
    signature("changed-after-signing", root(), ada(),
              bob().after(lambda tbs, a, s: (tbs.replace(b"participant", b"Participant"), a, s)))
    longer = bob().but(end=NOW + 1)
    signature("prolonged-after-signing", root(), ada(),
              bob().after(lambda _, a, s: (children(longer.der())[0], a, children(bob().but(end=NOW).der())[2])))


def broken_links():
    links("issuer-name-of-another", root(), ada(), bob().but(issuer=common_name(OTHER.authority)))
    links("issuer-key-of-another", root(), ada(),
          bob().but(issuer=common_name(OTHER.authority), issuer_key=octets(OTHER.id)))
    links("group-of-another-root", root(), ada(), member(BOB, ADA, group=OTHER.peer_name("chess")))
    links("group-of-another-classifier", root(), ada(), member(BOB, ADA, group=ROOT.peer_name("go")))
    links("root-issued-by-another", root().but(issuer=common_name(OTHER.authority)), ada(), bob())
    links("link-left-out", root(), ada(), member(BOB, CID))
    links("links-swapped", root(), member(BOB, ADA, (ADMIN,)), ada(), peer="ada")
    foreign = Plan(OTHER, OTHER, fields(2, OTHER.peer_name("chess"), group=OTHER.peer_name("chess")),
                   [CA, SIGNS_CERTIFICATES])
    links("root-of-another-above", foreign, ada(), bob(), group="other")
    other_root("root-made-up", foreign, member(BOB, OTHER, (ADMIN,), group=OTHER.peer_name("chess")))
    other_root("group-unknown", root(), ada(), bob(), group="eve")
    bad_name("subject-of-another", root(), ada().but(subject=common_name(OTHER.authority)), bob())
    bad_name("name-of-another", root(), ada().but(name=utf8(OTHER.peer_name())), bob())
    bad_name("root-named-after-another", root().but(subject=common_name(OTHER.authority)), ada(), bob())
    no_root("root-missing", ada(), bob())
    no_root("identity-for-root", identity(ROOT, "chess"), ada(), bob())
    self_signed("only-a-root", root())
    self_signed("root-twice", root(), root())
    self_signed("identity-for-member", root(), ada(), identity(BOB))
    self_signed("member-by-itself", root(), ada(), member(BOB, BOB))
    too_long("25-members", *line(25))
    too_large("certificate-of-1281-bytes", root(), b"\x30\x82\x04\xfd" + b"\0" * 1277, bob())
    container("list-empty", b"")
    container("list-of-one-byte", b"\0")
    container("list-with-a-byte-behind", chain(root(), ada(), bob()) + b"\0")
    container("list-cut", chain(root(), ada(), bob())[:-1])
    other_identity("chain-of-another", root(), ada(), bob(), peer="ada")
    other_identity("chain-shown-by-a-stranger", root(), ada(), bob(), peer="eve")
    twice("root-as-member", root(), ada(), member(ROOT, ADA), peer="root")
    twice("creator-invited-again", root(), ada(), member(CID, ADA, (ADMIN,)), member(ADA, CID), peer="ada")


def broken_rights():
    inviting = member(CID, ADA, (INVITING,))
    bad_role("inviting-member-grants-admin", root(), ada(), inviting, member(BOB, CID, (ADMIN,), ("participant",)))
    bad_role("inviting-member-grants-both", root(), ada(), inviting,
             member(BOB, CID, (ADMIN, MEMBER), ("participant",)))
    bad_role("member-grants-member", root(), ada(), member(CID, ADA), member(BOB, CID))
    narrow = member(ADA, ROOT, (INVITING,), ("chess",))
    bad_classifier("classifier-widened", root(), narrow, member(BOB, ADA, handed=("go",)))
    bad_classifier("classifier-cut-short", root(), narrow, member(BOB, ADA, (INVITING,), ("ches",)))
    bad_classifier("classifier-all", root(), narrow, member(BOB, ADA, handed=()))
    bad_classifier("classifier-narrowed-by-plain-member", root(), narrow, member(BOB, ADA, handed=("chess.blitz",)))
    nesting("outlives-its-issuer", root(), ada().but(end=NOW + 100), bob().but(end=NOW + 101))
    nesting("begins-before-its-issuer", root(), ada(), bob().but(start=NOW - 601))
    nesting("creator-begins-before-the-root", root(), ada().but(start=NOW - 601), bob())
    expired("expired", root(), ada(), bob().but(end=NOW + 100), at=NOW + 701)
    expired("issuer-expired", root(), ada().but(end=NOW + 100), bob().but(end=NOW + 100), at=NOW + 701)
    expired("not-yet-valid", root(), ada(), bob().but(start=NOW + 601))


def tls():
    def row(name, content, code="ok", detail="ok"):
        write("tls", name, content if isinstance(content, bytes) else content.der(), code, detail)
    constraint = "CRYPT_E_ASN1_CONSTRAINT"
    row("tls-valid", identity(BOB))
    row("tls-of-another-century", identity(BOB).but(start=0, end=1))
    row("tls-with-classifier", identity(BOB, "home"), constraint, "CERT_E_MALFORMED")
    row("tls-with-friendly-name", identity(BOB).but(friendly=friendly("Bob")), constraint, "CERT_E_MALFORMED")
    row("tls-root", root(), constraint, "CERT_E_PURPOSE")
    row("tls-member", bob(), constraint, "CERT_E_PURPOSE")
    row("tls-without-purpose", identity(BOB).but(extensions=[SIGNS]), constraint, "CERT_E_WRONG_USAGE")
    one_end = (x509.ExtendedKeyUsage([Purpose.SERVER_AUTH]), False)
    row("tls-for-one-end", identity(BOB).but(extensions=[SIGNS, one_end]), constraint, "CERT_E_WRONG_USAGE")
    row("tls-of-the-web", identity(BOB).but(ours=False, extensions=[ALT_NAME, SIGNS, BOTH_ENDS]), constraint,
        "CERT_E_CRITICAL")
    row("tls-signed-by-eve", identity(BOB).after(lambda tbs, a, _: (tbs, a, bits(EVE.private.sign(tbs)))),
        "CRYPT_E_HASH_VALUE", "TRUST_E_CERT_SIGNATURE")
    row("tls-p256-larger-s", identity(P_BOB).after(lambda tbs, a, s: (tbs, a, bits(larger(s[3:])))), "CRYPT_E_HASH_VALUE",
        "TRUST_E_CERT_SIGNATURE")
    row("tls-p256-signed-by-eve", identity(P_BOB).after(lambda tbs, a, _: (tbs, a, bits(P_EVE.sign(tbs)))),
        "CRYPT_E_HASH_VALUE", "TRUST_E_CERT_SIGNATURE")
    row("tls-p256-compressed", identity(P_BOB).edit(put(SPKI, p256_spki(compressed(P_BOB)))), "CRYPT_E_UNKNOWN_ALGO",
        "NTE_BAD_PUBLIC_KEY")
    row("tls-p256-named-by-its-compressed-point", identity(P_BOB).but(
        subject=common_name(hashlib.sha256(p256_spki(compressed(P_BOB))).hexdigest()[:40])), "CRYPT_E_NO_MATCH",
        "CERT_E_INVALID_NAME")
    write("tls", "tls-p256-valid", identity(P_BOB).der(), peer="p-bob")
    row("tls-bare", identity(BOB).but(ours=False, extensions=[]), constraint, "CERT_E_MALFORMED")


DATA_TYPES = 'xmlns:dt="urn:schemas-microsoft-com:datatypes" dt:dt="bin.base64"'


def texts():
    def encode(content):
        return base64.b64encode(content).decode()

    def described(inside, version="1.0"):
        return f'<PEERIDENTITYINFO VERSION="{version}">{inside}</PEERIDENTITYINFO>'

    def idc(plan):
        return f"<IDC {DATA_TYPES}>{encode(plan.der())}</IDC>"
    bad = "CRYPT_E_BAD_MSG", "NTE_BAD_DATA"
    named = identity(BOB, "home").but(friendly=friendly("Bob"))
    write("identity", "identity-valid", described(idc(named)))
    write("identity", "identity-declared", '<?xml version="1.0" encoding="utf-8"?>\n' + described(idc(named)))
    write("identity", "identity-p256", described(idc(identity(P_BOB, "home"))), peer="p-bob")
    write("identity", "identity-twice", described(idc(named) * 2), *bad)
    write("identity", "identity-of-version-2", described(idc(named), "2.0"), *bad)
    write("identity", "identity-with-entities", '<!DOCTYPE a [<!ENTITY b "c">]>' + described(idc(named)), *bad)
    write("identity", "identity-in-pieces", described(idc(named).replace("M", "<!-- -->M", 1)), *bad)
    write("identity", "identity-base64", described(idc(named).replace("</IDC>", "*</IDC>")), "CRYPT_E_BAD_ENCODE",
          "NTE_BAD_DATA")
    write("identity", "identity-of-a-member", described(idc(bob())), "CRYPT_E_ASN1_CONSTRAINT", "CERT_E_PURPOSE")

    def invitation(content, signer, hint="[2001:db8::1]:3587", version="2.0", form=lambda signature: signature):
        text = (f'<PEERINVITATION VERSION="{version}"><CLOUDNAME>Global_</CLOUDNAME><SCOPE>GLOBAL</SCOPE>'
                f"<CLOUDFLAGS>0</CLOUDFLAGS><GMC {DATA_TYPES}>{encode(content)}</GMC>"
                f'<HINT KEY="{ADA.id.hex()}"><ADDRESS>{hint}</ADDRESS></HINT>')
        if signer is None:
            return text + "</PEERINVITATION>"
        signed = form(signer.sign_text(b"pgrp1/invitation" + bytes(1) + text.encode()))
        return text + f"<SIG>{encode(signed)}</SIG></PEERINVITATION>"
    whole = chain(root(), ada(), bob())
    wrong = "CRYPT_E_HASH_VALUE", "NTE_BAD_SIGNATURE"
    write("invitation", "invitation-valid", invitation(whole, ADA))
    write("invitation", "invitation-by-eve", invitation(whole, EVE), *wrong)
    write("invitation", "invitation-by-the-invited", invitation(whole, BOB), *wrong)
    write("invitation", "invitation-redirected", invitation(whole, ADA).replace("db8::1", "db8::2"), *wrong)
    write("invitation", "invitation-unsigned", invitation(whole, None), "CRYPT_E_NO_SIGNER", "TRUST_E_NOSIGNATURE")
    write("invitation", "invitation-by-the-root", invitation(chain(root(), ada()), ROOT), "CRYPT_E_SIGNER_NOT_FOUND",
          "CERT_E_CHAINING")
    write("invitation", "invitation-to-this-machine", invitation(whole, ADA, "[::1]:0"), *bad)
    write("invitation", "invitation-with-a-line-behind", invitation(whole, ADA) + "\n", *bad)
    write("invitation", "invitation-base64", invitation(whole, ADA).replace("</GMC>", "*</GMC>"), "CRYPT_E_BAD_ENCODE",
          "NTE_BAD_DATA")
    on_curve = chain(root(P_ROOT), member(P_ADA, P_ROOT, (ADMIN,), group=P_CHESS), member(P_BOB, P_ADA, group=P_CHESS))
    where = {"group": "p-root", "peer": "p-bob"}

    def other_s(signed):
        return signed[:32] + (ORDER - int.from_bytes(signed[32:], "big")).to_bytes(32, "big")

    def as_der(signed):
        return pair(int.from_bytes(signed[:32], "big"), int.from_bytes(signed[32:], "big"))
    write("invitation", "invitation-p256", invitation(on_curve, P_ADA), **where)
    write("invitation", "invitation-p256-larger-s", invitation(on_curve, P_ADA, form=other_s), *wrong, **where)
    write("invitation", "invitation-p256-in-der", invitation(on_curve, P_ADA, form=as_der), *wrong, **where)
    write("invitation", "invitation-p256-by-eve", invitation(on_curve, P_EVE), *wrong, **where)
    write("invitation", "invitation-p256-by-an-ed25519-key", invitation(on_curve, ADA), *wrong, **where)
    write("invitation", "invitation-expired-chain", invitation(chain(root(), ada().but(end=NOW), bob()), ADA),
          "CRYPT_E_SECURITY_SETTINGS", "CERT_E_VALIDITYPERIODNESTING")


def password_invitations():
    """They name no invited member: the chain is the issuer's."""
    def invitation(plans, signer, group, friendly_name, role=MEMBER, salt=b"sixteen bytes of", memory="65536", more="",
                   form=lambda signature: signature):
        def encode(content):
            return base64.b64encode(content).decode()
        role = "" if role is None else f"<ROLE>{uuid.UUID(bytes=role)}</ROLE>"
        text = ('<PEERINVITATION VERSION="2.0"><CLOUDNAME>Global_</CLOUDNAME><SCOPE>GLOBAL</SCOPE><CLOUDFLAGS>0</CLOUDFLAGS>'
                f"<GROUPPEERNAME>{group}</GROUPPEERNAME><GROUPFRIENDLYNAME>{friendly_name}</GROUPFRIENDLYNAME>{role}"
                f'<PASSWORD KDF="argon2id" MEMORY="{memory}" PASSES="3" LANES="1" {DATA_TYPES}>{encode(salt)}</PASSWORD>'
                f"<ISSUER {DATA_TYPES}>{encode(chain(*plans))}</ISSUER>{more}")
        signed = form(signer.sign_text(b"pgrp1/password invitation" + bytes(1) + text.encode()))
        return text + f"<SIG>{encode(signed)}</SIG></PEERINVITATION>"
    name, bad = ROOT.peer_name("chess"), ("CRYPT_E_BAD_MSG", "NTE_BAD_DATA")
    wrong, other_kind = ("CRYPT_E_HASH_VALUE", "NTE_BAD_SIGNATURE"), ("CRYPT_E_BAD_MSG", "CERT_E_PURPOSE")
    whole = [root(), ada()]
    whole_text = invitation(whole, ADA, name, name)
    on_p256 = [root(P_ROOT), member(P_ADA, P_ROOT, (ADMIN,), group=P_CHESS)]

    def other_s(signed):
        return signed[:32] + (ORDER - int.from_bytes(signed[32:], "big")).to_bytes(32, "big")

    def row(file, text, code="ok", detail="ok", group="root", peer="ada"):
        write("password-invitation", f"password-invitation-{file}", text, code, detail, group=group, peer=peer)
    row("valid", whole_text)
    row("p256", invitation(on_p256, P_ADA, P_CHESS, P_CHESS), group="p-root", peer="p-ada")
    row("by-eve", invitation(whole, EVE, name, name), *wrong)
    row("by-the-root", invitation(whole, ROOT, name, name), *wrong)
    row("p256-larger-s", invitation(on_p256, P_ADA, P_CHESS, P_CHESS, form=other_s), *wrong, group="p-root", peer="p-ada")
    row("altered", whole_text.replace("65536", "65537"), *wrong)
    row("of-another-group", invitation(whole, ADA, OTHER.peer_name("chess"), name), "CRYPT_E_ISSUER_SERIALNUMBER",
        "CERT_E_ISSUERCHAINING")
    row("of-another-name", invitation(whole, ADA, name, "Chess"), "CRYPT_E_ISSUER_SERIALNUMBER", "CERT_E_ISSUERCHAINING")
    row("without-role", invitation(whole, ADA, name, name, role=None), *bad)
    row("of-unknown-role", invitation(whole, ADA, name, name, role=b"\x09" * 16), "CRYPT_E_ASN1_CONSTRAINT",
        "CERT_E_INVALID_POLICY")
    row("by-a-plain-member", invitation([root(), ada(), bob()], BOB, name, name), "CRYPT_E_SECURITY_SETTINGS", "CERT_E_ROLE",
        peer="bob")
    row("of-4-gib", invitation(whole, ADA, name, name, memory="4194304"), *bad)
    row("of-a-padded-number", invitation(whole, ADA, name, name, memory="065536"), *bad)
    row("of-15-bytes-of-salt", invitation(whole, ADA, name, name, salt=b"fifteen bytes o"), *bad)
    row("with-a-member", invitation(whole, ADA, name, name, more=f"<GMC {DATA_TYPES}>AAAA</GMC>"), *other_kind)
    row("that-is-none", (HERE / "invitation-valid.xml").read_text(), *other_kind)
    write("invitation", "invitation-by-password", whole_text, *other_kind)


def keys():
    """Private keys in PKCS#8, as `cryptography` writes them."""
    def pkcs8(private, password=None):
        sealed = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        return private.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, sealed)
    unreadable = "CRYPT_E_NO_KEY_PROPERTY", "NTE_PERM"
    write("key", "key-valid", pkcs8(BOB.private))
    write("key", "key-of-p256", pkcs8(P_BOB.private), peer="p-bob")
    secret = P_BOB.private.private_numbers().private_value.to_bytes(32, "big")
    curve, point = tlv(0x06, bytes.fromhex("2a8648ce3d030107")), uncompressed(P_BOB)
    kind = seq(tlv(0x06, bytes.fromhex("2a8648ce3d0201")), curve)

    def by_hand(*inside, version=0, kind=kind, outside=b""):
        return seq(integer(version), kind, octets(seq(integer(1), *inside)), outside)
    inner = tlv(0xA1, bits(point))
    write("key", "key-of-p256-with-parameters", by_hand(octets(secret), tlv(0xA0, curve), inner), peer="p-bob")
    write("key", "key-of-p256-in-version-2", by_hand(octets(secret), version=1, outside=tlv(0x81, b"\0", point)), peer="p-bob")
    write("key", "key-of-p256-without-public-key", by_hand(octets(secret)), *unreadable)
    write("key", "key-of-p256-with-the-public-key-of-eve", by_hand(octets(secret), tlv(0xA1, bits(uncompressed(P_EVE)))),
          *unreadable)
    write("key", "key-of-p256-with-compressed-public-key", by_hand(octets(secret), tlv(0xA1, bits(compressed(P_BOB)))),
          *unreadable)
    write("key", "key-of-p256-with-other-parameters",
          by_hand(octets(secret), tlv(0xA0, tlv(0x06, bytes.fromhex("2b81040022"))), inner), *unreadable)
    write("key", "key-of-p256-zero", by_hand(octets(bytes(32)), inner), *unreadable)
    write("key", "key-of-p256-of-31-bytes", by_hand(octets(secret[1:]), inner), *unreadable)
    write("key", "key-of-p256-beyond-the-order",
          by_hand(octets((ORDER + 1).to_bytes(32, "big")), tlv(0xA1, bits(uncompressed(on_curve(1))))), *unreadable)
    write("key", "key-of-p256-with-a-byte-behind", pkcs8(P_BOB.private) + b"\0", *unreadable)
    write("key", "key-of-p256-cut", pkcs8(P_BOB.private)[:-1], *unreadable)
    write("key", "key-of-p256-without-pkcs8", P_BOB.private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()), *unreadable)
    write("key", "key-of-p384", pkcs8(ec.derive_private_key(7, ec.SECP384R1())), *unreadable)
    write("key", "key-of-secp256k1", pkcs8(ec.derive_private_key(7, ec.SECP256K1())), *unreadable)
    write("key", "key-of-ed448", pkcs8(ed448.Ed448PrivateKey.from_private_bytes(b"\x07" * 57)), *unreadable)
    write("key", "key-of-x25519", pkcs8(x25519.X25519PrivateKey.from_private_bytes(b"\x07" * 32)), *unreadable)
    write("key", "key-cut", pkcs8(BOB.private)[:-1], *unreadable)
    write("key", "key-with-a-byte-behind", pkcs8(BOB.private) + b"\0", *unreadable)
    write("key", "key-nothing", b"", "CRYPT_E_NO_KEY_PROPERTY", "NTE_NO_KEY")


def exports():
    """Identities under the password `correct horse`, cheap ones."""
    name = BOB.peer_name("home")

    def export(password="correct horse", key=BOB, memory=1_024, passes=1, lanes=2, said=name, spelling=("PEERNAME", "DATA"),
               tail=b"", whose=BOB):
        salt, nonce = b"sixteen bytes of", b"twelve bytes"
        head = bytes([1, 1]) + b"".join(n.to_bytes(4, "big") for n in (memory, passes, lanes)) + salt + nonce
        private = key.private.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                                            serialization.NoEncryption())
        content = len(private).to_bytes(2, "big") + private + identity(whose, "home").der() + tail
        # What must be refused unopened is sealed at a price that can be paid.
        bearable = memory == 1_024 and 1 <= passes <= 16 and 1 <= lanes <= 8
        stretched = Argon2id(salt=salt, length=32, iterations=passes if bearable else 1, lanes=lanes if bearable else 1,
                             memory_cost=1_024).derive(password.encode())
        authenticated = b"pgrp1/identity export\0" + head + whose.peer_name("home").encode()
        data = base64.b64encode(head + ChaCha20Poly1305(stretched).encrypt(nonce, content, authenticated)).decode()
        names, datas = spelling
        return (f'<PEERIDENTITYEXPORT VERSION="1.0"><{names}>{said}</{names}><{datas} {DATA_TYPES}>{data}</{datas}>'
                "</PEERIDENTITYEXPORT>")
    bad = "CRYPT_E_BAD_MSG", "NTE_BAD_DATA"
    write("export", "export-valid", export())
    write("export", "export-p256", export(key=P_BOB, whose=P_BOB, said=P_BOB.peer_name("home")), peer="p-bob")
    write("export", "export-p256-with-an-ed25519-key", export(whose=P_BOB, said=P_BOB.peer_name("home")),
          "CRYPT_E_NO_KEY_PROPERTY", "NTE_BAD_KEYSET", peer="p-bob")
    write("export", "export-in-the-other-spelling", export(spelling=("IDENTITY", "IDENTITYDATA")))
    write("export", "export-in-mixed-spelling", export(spelling=("PEERNAME", "IDENTITYDATA")), *bad)
    write("export", "export-under-another-password", export(password="correct house"), *bad)
    write("export", "export-under-another-name", export(said=EVE.peer_name("home")), *bad)
    write("export", "export-of-4-gib", export(memory=4 * 1_024 * 1_024), *bad)
    write("export", "export-of-512-kib", export(memory=512), *bad)
    write("export", "export-of-no-pass", export(passes=0), *bad)
    write("export", "export-of-a-million-passes", export(passes=1_000_000), *bad)
    write("export", "export-of-no-lane", export(lanes=0), *bad)
    write("export", "export-of-a-thousand-lanes", export(lanes=1_000), *bad)
    write("export", "export-base64", export().replace("</DATA>", "*</DATA>"), "CRYPT_E_BAD_ENCODE", "NTE_BAD_DATA")
    write("export", "export-with-the-key-of-eve", export(key=EVE), "CRYPT_E_NO_KEY_PROPERTY", "NTE_BAD_KEYSET")
    write("export", "export-with-a-byte-behind", export(tail=b"\0"), "CRYPT_E_ASN1_CORRUPT", "CERT_E_MALFORMED")


def main():
    for old in HERE.iterdir():
        if old.suffix in (".chain", ".der", ".p8", ".xml"):
            old.unlink()
    for part in (valid, broken_der, broken_profile, broken_fields, broken_extensions, broken_keys, broken_signatures, p256,
                 broken_links, broken_rights, tls, texts, password_invitations, keys, exports):
        part()
    lines = ["# Written by make.py: file, door, group, peer, seconds since 1970, code, detail. The keys:"]
    lines += [f"key {name} {key.id.hex()}" for name, key in KEYS.items()]
    lines += [" ".join(row) for row in ROWS]
    (HERE / "index.txt").write_text("\n".join(lines) + "\n")
    print(f"{len(ROWS)} files")


main()

//! Signing keys as Canton reads, normalises and names them, and encryption keys as far as topology carries them.
//!
//! Source: `topology-protocol` 1.6 and 2.4. A key keeps two readings: as it was written (its bytes in the transaction)
//! and as Canton keeps it (format SPKI, usages normalised). Equality is Canton's: the second.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

use crate::{
    id::Fingerprint,
    wire::{
        self, DecodeError, DecodeErrorKind, Node, Writer,
        schema::{Field, Kind, Schema},
    },
};

// Fields whose names end in `_retired` were written by releases of old and stand in MainNet's history; Canton ignores
// them today, the view shows them.
pub(crate) static SIGNING_PUBLIC_KEY: Schema = Schema {
    name: "SigningPublicKey",
    fields: &[
        Field::retired(1, "id_retired"),
        Field::one(2, "format", Kind::Enum(&KEY_FORMATS)),
        Field::one(3, "public_key", Kind::Bytes),
        Field::one(4, "scheme", Kind::Enum(&[(1, "ED25519"), (2, "EC_DSA_P256"), (3, "EC_DSA_P384")])),
        Field::many(5, "usage", Kind::Enum(&USAGES)),
        Field::one(6, "key_spec", Kind::Enum(&KEY_SPECS)),
    ],
};

pub(crate) static ENCRYPTION_PUBLIC_KEY: Schema = Schema {
    name: "EncryptionPublicKey",
    fields: &[
        Field::retired(1, "id_retired"),
        Field::one(2, "format", Kind::Enum(&KEY_FORMATS)),
        Field::one(3, "public_key", Kind::Bytes),
        Field::one(
            4,
            "scheme",
            Kind::Enum(&[(1, "ECIES_P256_AES128GCM"), (2, "ECIES_P256_AES128CBC"), (3, "RSA2048")]),
        ),
        Field::one(5, "key_spec", Kind::Enum(&[(1, "EC_P256"), (2, "RSA_2048")])),
    ],
};

static KEY_FORMATS: [(i32, &str); 5] = [
    (2, "DER"),
    (3, "RAW"),
    (4, "DER_X509_SUBJECT_PUBLIC_KEY_INFO"),
    (5, "DER_PKCS8_PRIVATE_KEY_INFO"),
    (10_000, "SYMBOLIC"),
];
static KEY_SPECS: [(i32, &str); 4] = [(1, "EC_CURVE25519"), (2, "EC_P256"), (3, "EC_P384"), (4, "EC_SECP256K1")];
static USAGES: [(i32, &str); 5] = [
    (1, "NAMESPACE"),
    (2, "IDENTITY_DELEGATION"),
    (3, "SEQUENCER_AUTHENTICATION"),
    (4, "PROTOCOL"),
    (5, "PROOF_OF_OWNERSHIP"),
];

/// The curve of a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum KeySpec {
    /// `EC_CURVE25519`
    Ed25519 = 1,
    /// `EC_P256`
    P256 = 2,
    /// `EC_P384`
    P384 = 3,
    /// `EC_SECP256K1`
    Secp256k1 = 4,
}

impl KeySpec {
    /// Canton's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "EC_CURVE25519",
            Self::P256 => "EC_P256",
            Self::P384 => "EC_P384",
            Self::Secp256k1 => "EC_SECP256K1",
        }
    }
}

/// How a key's bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyFormat {
    /// `DER` (2), of old releases.
    LegacyDer,
    /// `RAW` (3): the 32 bytes of an Ed25519 key.
    Raw,
    /// `DER_X509_SUBJECT_PUBLIC_KEY_INFO` (4).
    Spki,
    /// `SYMBOLIC` (10000), of Canton's own tests: read without any check, never verifies.
    Symbolic,
}

impl KeyFormat {
    fn number(self) -> i64 {
        match self {
            Self::LegacyDer => 2,
            Self::Raw => 3,
            Self::Spki => 4,
            Self::Symbolic => 10_000,
        }
    }
}

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum KeyUsage {
    /// Signs topology for a namespace.
    Namespace = 1,
    /// Authenticates at a sequencer.
    SequencerAuthentication = 3,
    /// Signs the protocol's messages; a party's key has it.
    Protocol = 4,
    /// Proves that its holder holds it.
    ProofOfOwnership = 5,
}

impl KeyUsage {
    /// Every usage.
    pub const ALL: [Self; 4] = [Self::Namespace, Self::SequencerAuthentication, Self::Protocol, Self::ProofOfOwnership];

    /// Canton's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Namespace => "NAMESPACE",
            Self::SequencerAuthentication => "SEQUENCER_AUTHENTICATION",
            Self::Protocol => "PROTOCOL",
            Self::ProofOfOwnership => "PROOF_OF_OWNERSHIP",
        }
    }
}

/// A key as it stood in the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyAsWritten {
    /// The format that was named.
    pub format: KeyFormat,
    /// The key's bytes.
    pub bytes: Vec<u8>,
    /// The deprecated scheme, 0 where it is not given.
    pub scheme: i32,
    /// The usages, in their order, as numbers (2 is a retired one that Canton drops).
    pub usage: Vec<i32>,
    /// The key spec, 0 where only the scheme is given.
    pub spec: i32,
}

/// A signing key.
#[derive(Clone)]
pub struct SigningPublicKey {
    spec: KeySpec,
    format: KeyFormat,
    bytes: Vec<u8>,
    usage: BTreeSet<KeyUsage>,
    fingerprint: Fingerprint,
    written: KeyAsWritten,
}

/// Why something is not a signing key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The bytes are not a key of that spec in that format.
    #[error("not a {spec} public key in this format: {reason}", spec = spec.name())]
    Bytes {
        /// The spec that was named.
        spec: KeySpec,
        /// Why not.
        reason: &'static str,
    },
    /// Canton has no such combination.
    #[error("usage PROOF_OF_OWNERSHIP alone or with NAMESPACE alone is not taken")]
    Usage,
    /// The message does not decode.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

const ED25519_SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The number of an Ed25519 key's `p - 2^255 + 19` bytes: a y coordinate at or above the field's prime is not canonical.
const FIELD_PRIME_LITTLE_ENDIAN: [u8; 32] = {
    let mut prime = [0xff; 32];
    prime[0] = 0xed;
    prime[31] = 0x7f;
    prime
};

impl SigningPublicKey {
    /// An Ed25519 key from its 32 bytes, written as SPKI as Canton writes it.
    ///
    /// # Errors
    /// [`KeyError`] where the bytes are not a point or the usages do not go together.
    pub fn ed25519(key: &[u8; 32], usage: &[KeyUsage]) -> Result<Self, KeyError> {
        Self::from_spki(KeySpec::Ed25519, &[ED25519_SPKI_PREFIX.as_slice(), key].concat(), usage)
    }

    /// A key from its SubjectPublicKeyInfo (DER).
    ///
    /// # Errors
    /// [`KeyError`] where the bytes are not such a key or the usages do not go together.
    pub fn from_spki(spec: KeySpec, der: &[u8], usage: &[KeyUsage]) -> Result<Self, KeyError> {
        let usage = usage.iter().map(|usage| *usage as i32).collect();
        let written =
            KeyAsWritten { format: KeyFormat::Spki, bytes: der.to_vec(), scheme: 0, usage, spec: spec as i32 };
        Self::normalise(written, spec)
    }

    /// Reads Canton's message `crypto.v30.SigningPublicKey`.
    ///
    /// # Errors
    /// The decoding error with its place.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut unshown = Vec::new();
        let message = wire::read(&SIGNING_PUBLIC_KEY, bytes, 0, "key", &mut unshown)?;
        Self::from_node(&Node::root(&message, "key"))
    }

    pub(crate) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let format = match node.int(2) {
            0 => return Err(node.error(2, DecodeErrorKind::FieldNotSet)),
            2 => KeyFormat::LegacyDer,
            3 => KeyFormat::Raw,
            4 => KeyFormat::Spki,
            // A private key's format: Canton knows the name and finds no public key in it.
            5 => return Err(node.error(2, DecodeErrorKind::Crypto("PKCS#8 is a private key's format".to_owned()))),
            10_000 => KeyFormat::Symbolic,
            other => return Err(node.error(2, DecodeErrorKind::UnrecognizedEnum(other))),
        };
        let spec = spec_from_node(node)?;
        let usage: Vec<i32> = node.ints(5).collect();
        for value in &usage {
            match value {
                0 => return Err(node.error(5, DecodeErrorKind::FieldNotSet)),
                1..=5 => {}
                other => return Err(node.error(5, DecodeErrorKind::UnrecognizedEnum(*other))),
            }
        }
        let written =
            KeyAsWritten { format, bytes: node.bytes(3).to_vec(), scheme: node.int(4), usage, spec: node.int(6) };
        Self::normalise(written, spec).map_err(|error| node.error(3, DecodeErrorKind::Crypto(error.to_string())))
    }

    /// Writes Canton's message `crypto.v30.SigningPublicKey`, as it was written before.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(2, self.written.format.number());
        if !self.written.bytes.is_empty() {
            writer.bytes(3, &self.written.bytes);
        }
        writer.number(4, i64::from(self.written.scheme));
        writer.packed(5, self.written.usage.iter().map(|usage| *usage as u64));
        writer.number(6, i64::from(self.written.spec));
        writer.finish()
    }

    fn normalise(written: KeyAsWritten, spec: KeySpec) -> Result<Self, KeyError> {
        let usage = normalised_usage(&written.usage)?;
        let (format, bytes) = normalised_bytes(&written, spec)?;
        let hashed = match (spec, format) {
            (KeySpec::Ed25519, KeyFormat::Spki) => &bytes[ED25519_SPKI_PREFIX.len()..],
            _ => bytes.as_slice(),
        };
        let fingerprint = Fingerprint::of_key_bytes(hashed);
        Ok(Self { spec, format, bytes, usage, fingerprint, written })
    }

    /// The name by which everybody calls this key.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint.clone()
    }

    /// The name, borrowed.
    pub fn fingerprint_ref(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// The curve.
    pub fn spec(&self) -> KeySpec {
        self.spec
    }

    /// The format in which Canton keeps it.
    pub fn format(&self) -> KeyFormat {
        self.format
    }

    /// The SubjectPublicKeyInfo (DER), where Canton keeps it so; the bytes as they are for a symbolic key.
    pub fn spki(&self) -> &[u8] {
        &self.bytes
    }

    /// The usages as Canton keeps them.
    pub fn usage(&self) -> &BTreeSet<KeyUsage> {
        &self.usage
    }

    /// The key as it stood in the bytes.
    pub fn as_written(&self) -> &KeyAsWritten {
        &self.written
    }
}

fn spec_from_node(node: &Node<'_>) -> Result<KeySpec, DecodeError> {
    match (node.int(6), node.int(4)) {
        (0, 0) => Err(node.error(6, DecodeErrorKind::FieldNotSet)),
        (1, _) | (0, 1) => Ok(KeySpec::Ed25519),
        (2, _) | (0, 2) => Ok(KeySpec::P256),
        (3, _) | (0, 3) => Ok(KeySpec::P384),
        (4, _) => Ok(KeySpec::Secp256k1),
        (0, other) => Err(node.error(4, DecodeErrorKind::UnrecognizedEnum(other))),
        (other, _) => Err(node.error(6, DecodeErrorKind::UnrecognizedEnum(other))),
    }
}

/// Canton's rule: the retired usage 2 is dropped, nothing left means everything, and PROOF_OF_OWNERSHIP is added to
/// every key but one whose only usage is NAMESPACE.
fn normalised_usage(written: &[i32]) -> Result<BTreeSet<KeyUsage>, KeyError> {
    let named: BTreeSet<KeyUsage> =
        KeyUsage::ALL.into_iter().filter(|usage| written.contains(&(*usage as i32))).collect();
    if named.is_empty() {
        return Ok(KeyUsage::ALL.into_iter().collect());
    }
    let proves = named.contains(&KeyUsage::ProofOfOwnership);
    let others = named.iter().any(|usage| !matches!(usage, KeyUsage::Namespace | KeyUsage::ProofOfOwnership));
    match (proves, others) {
        (true, false) => Err(KeyError::Usage),
        (false, false) => Ok(named),
        (_, true) => Ok(named.into_iter().chain([KeyUsage::ProofOfOwnership]).collect()),
    }
}

fn normalised_bytes(written: &KeyAsWritten, spec: KeySpec) -> Result<(KeyFormat, Vec<u8>), KeyError> {
    let bytes = &written.bytes;
    let refused = |reason| Err(KeyError::Bytes { spec, reason });
    match (spec, written.format) {
        (_, KeyFormat::Symbolic) => return Ok((KeyFormat::Symbolic, bytes.clone())),
        (KeySpec::Ed25519, KeyFormat::Raw) => {
            check_ed25519(bytes)?;
            return Ok((KeyFormat::Spki, [ED25519_SPKI_PREFIX.as_slice(), bytes].concat()));
        }
        (KeySpec::Ed25519, KeyFormat::Spki) => {
            let Some(raw) = bytes.strip_prefix(ED25519_SPKI_PREFIX.as_slice()) else {
                return refused("not the SubjectPublicKeyInfo of an Ed25519 key");
            };
            check_ed25519(raw)?;
        }
        (KeySpec::P256, KeyFormat::Spki | KeyFormat::LegacyDer) => {
            use p256::pkcs8::DecodePublicKey as _;
            if p256::PublicKey::from_public_key_der(bytes).is_err() {
                return refused("not the SubjectPublicKeyInfo of a point on P-256");
            }
        }
        (KeySpec::P384, KeyFormat::Spki | KeyFormat::LegacyDer) => {
            use p384::pkcs8::DecodePublicKey as _;
            if p384::PublicKey::from_public_key_der(bytes).is_err() {
                return refused("not the SubjectPublicKeyInfo of a point on P-384");
            }
        }
        (KeySpec::Secp256k1, KeyFormat::Spki) => {
            use k256::pkcs8::DecodePublicKey as _;
            if k256::PublicKey::from_public_key_der(bytes).is_err() {
                return refused("not the SubjectPublicKeyInfo of a point on secp256k1");
            }
        }
        (KeySpec::Ed25519, KeyFormat::LegacyDer) => return refused("legacy DER is not taken for Ed25519"),
        (KeySpec::Secp256k1, KeyFormat::LegacyDer) => return refused("legacy DER is not taken for secp256k1"),
        (KeySpec::P256 | KeySpec::P384 | KeySpec::Secp256k1, KeyFormat::Raw) => {
            return refused("RAW is only taken for Ed25519");
        }
    }
    Ok((KeyFormat::Spki, bytes.clone()))
}

fn check_ed25519(raw: &[u8]) -> Result<(), KeyError> {
    let refused = |reason| KeyError::Bytes { spec: KeySpec::Ed25519, reason };
    let key: &[u8; 32] = raw.try_into().map_err(|_| refused("not 32 bytes"))?;
    let mut y = *key;
    y[31] &= 0x7f;
    if y.iter().rev().ge(FIELD_PRIME_LITTLE_ENDIAN.iter().rev()) {
        return Err(refused("the point is not in its canonical form"));
    }
    let point = ed25519_dalek::VerifyingKey::from_bytes(key).map_err(|_| refused("not a point on the curve"))?;
    // Canton takes only points of the prime order: a key with a small component would verify forgeries of itself.
    if point.is_weak() || !point.to_edwards().is_torsion_free() {
        return Err(refused("not a point of the prime order"));
    }
    Ok(())
}

impl PartialEq for SigningPublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for SigningPublicKey {}

impl std::hash::Hash for SigningPublicKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl PartialOrd for SigningPublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SigningPublicKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.identity().cmp(&other.identity())
    }
}

impl SigningPublicKey {
    fn identity(&self) -> (&Fingerprint, KeySpec, KeyFormat, &[u8], &BTreeSet<KeyUsage>) {
        (&self.fingerprint, self.spec, self.format, &self.bytes, &self.usage)
    }
}

impl fmt::Debug for SigningPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningPublicKey({} {})", self.spec.name(), self.fingerprint)
    }
}

impl Serialize for SigningPublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&hex::encode(self.encode()))
        } else {
            self.encode().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for SigningPublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = if deserializer.is_human_readable() {
            hex::decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?
        } else {
            Vec::<u8>::deserialize(deserializer)?
        };
        Self::parse(&bytes).map_err(D::Error::custom)
    }
}

/// The fingerprint of a key's message; `None` where the message is none, or no key that Canton takes.
pub(crate) fn key_fingerprint(message: &wire::Message) -> Option<Fingerprint> {
    let node = Node::root(message, "key");
    match message.name() {
        "SigningPublicKey" => SigningPublicKey::from_node(&node).ok().map(|key| key.fingerprint),
        "EncryptionPublicKey" => EncryptionPublicKey::from_node(&node).ok().map(|key| key.fingerprint()),
        _ => None,
    }
}

/// An encryption key: carried by an owner-to-key mapping, never used here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EncryptionPublicKey {
    /// The format's number.
    pub format: i32,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The deprecated scheme, 0 where it is not given.
    pub scheme: i32,
    /// The key spec, 0 where only the scheme is given.
    pub spec: i32,
}

impl EncryptionPublicKey {
    pub(crate) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let key = Self { format: node.int(2), bytes: node.bytes(3).to_vec(), scheme: node.int(4), spec: node.int(5) };
        match key.format {
            0 => return Err(node.error(2, DecodeErrorKind::FieldNotSet)),
            2..=5 | 10_000 => {}
            other => return Err(node.error(2, DecodeErrorKind::UnrecognizedEnum(other))),
        }
        match (key.spec, key.scheme) {
            (0, 0) => return Err(node.error(5, DecodeErrorKind::FieldNotSet)),
            (1..=2, _) | (0, 1..=3) => {}
            (0, other) => return Err(node.error(4, DecodeErrorKind::UnrecognizedEnum(other))),
            (other, _) => return Err(node.error(5, DecodeErrorKind::UnrecognizedEnum(other))),
        }
        let is_p256 = key.spec == 1 || (key.spec == 0 && key.scheme != 3);
        if is_p256 && key.format != 10_000 {
            use p256::pkcs8::DecodePublicKey as _;
            let taken = matches!(key.format, 2 | 4) && p256::PublicKey::from_public_key_der(&key.bytes).is_ok();
            if !taken {
                let reason = "not the SubjectPublicKeyInfo of a point on P-256".to_owned();
                return Err(node.error(3, DecodeErrorKind::Crypto(reason)));
            }
        }
        Ok(key)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(2, i64::from(self.format));
        if !self.bytes.is_empty() {
            writer.bytes(3, &self.bytes);
        }
        writer.number(4, i64::from(self.scheme));
        writer.number(5, i64::from(self.spec));
        writer.finish()
    }

    /// Its name. Canton hashes an encryption key's bytes as they are.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_key_bytes(&self.bytes)
    }
}

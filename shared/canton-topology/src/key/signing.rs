//! A signing key: read, normalised, named, written.

use std::{collections::BTreeSet, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{
    KeyError, KeyFormat, KeySpec, KeyUsage, SIGNING_PUBLIC_KEY,
    normal::{normalised_bytes, normalised_usage},
    spki,
};
use crate::{
    id::Fingerprint,
    wire::{self, DecodeError, DecodeErrorKind, Node, Writer},
};

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

/// A signing key. Cloning costs a pointer.
#[derive(Clone)]
pub struct SigningPublicKey(Arc<Normal>);

#[derive(Clone)]
struct Normal {
    spec: KeySpec,
    format: KeyFormat,
    bytes: Vec<u8>,
    usage: BTreeSet<KeyUsage>,
    fingerprint: Fingerprint,
    written: KeyAsWritten,
}

impl SigningPublicKey {
    /// An Ed25519 key from its 32 bytes, written as SPKI as Canton writes it.
    ///
    /// # Errors
    /// [`KeyError`] where the bytes are not a point or the usages do not go together.
    pub fn ed25519(key: &[u8; 32], usage: &[KeyUsage]) -> Result<Self, KeyError> {
        Self::from_spki(KeySpec::Ed25519, &[spki::ED25519_PREFIX.as_slice(), key].concat(), usage)
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
        let message = wire::skim(&SIGNING_PUBLIC_KEY, bytes, 0, "key")?;
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
        Self::normalise(written, spec).map_err(|error| node.error(3, error.decoding_kind()))
    }

    /// Writes Canton's message `crypto.v30.SigningPublicKey`, as it was written before.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(2, self.0.written.format.number());
        if !self.0.written.bytes.is_empty() {
            writer.bytes(3, &self.0.written.bytes);
        }
        writer.number(4, i64::from(self.0.written.scheme));
        writer.packed(5, self.0.written.usage.iter().map(|usage| *usage as u64));
        writer.number(6, i64::from(self.0.written.spec));
        writer.finish()
    }

    fn normalise(written: KeyAsWritten, spec: KeySpec) -> Result<Self, KeyError> {
        let usage = normalised_usage(&written.usage)?;
        let (format, bytes) = normalised_bytes(&written, spec)?;
        let raw = if format == KeyFormat::Spki { spki::ed25519(&bytes) } else { None };
        let fingerprint = match (spec, raw) {
            (KeySpec::Ed25519, Some(raw)) => Fingerprint::of_key_bytes(&raw),
            _ => Fingerprint::of_key_bytes(&bytes),
        };
        Ok(Self(Arc::new(Normal { spec, format, bytes, usage, fingerprint, written })))
    }

    /// The name by which everybody calls this key.
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint.clone()
    }

    /// The name, borrowed.
    pub fn fingerprint_ref(&self) -> &Fingerprint {
        &self.0.fingerprint
    }

    /// The curve.
    pub fn spec(&self) -> KeySpec {
        self.0.spec
    }

    /// The format in which Canton keeps it.
    pub fn format(&self) -> KeyFormat {
        self.0.format
    }

    /// The SubjectPublicKeyInfo (DER), where Canton keeps it so; the bytes as they are for a symbolic key.
    pub fn spki(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The point: the 32 bytes of RFC 8032, or SEC 1's uncompressed form. `None` for a symbolic key.
    pub(crate) fn point(&self) -> Option<Vec<u8>> {
        match (self.0.format, self.0.spec) {
            (KeyFormat::Symbolic, _) => None,
            (_, KeySpec::Ed25519) => spki::ed25519(&self.0.bytes).map(|raw| raw.to_vec()),
            (_, spec) => spki::point(&self.0.bytes, spec).ok(),
        }
    }

    /// The usages as Canton keeps them.
    pub fn usage(&self) -> &BTreeSet<KeyUsage> {
        &self.0.usage
    }

    /// The same key as Canton itself would write it: as SPKI, without the deprecated scheme, the usages in the order in
    /// which they were first written, and those that Canton adds behind them.
    #[must_use]
    pub fn normalised(&self) -> Self {
        let named =
            self.0.written.usage.iter().filter(|number| self.0.usage.iter().any(|usage| *usage as i32 == **number));
        let mut usage: Vec<i32> = Vec::new();
        for number in named.copied().chain(self.0.usage.iter().map(|usage| *usage as i32)) {
            if !usage.contains(&number) {
                usage.push(number);
            }
        }
        let bytes = self.0.bytes.clone();
        let written = KeyAsWritten { format: self.0.format, bytes, scheme: 0, usage, spec: self.0.spec as i32 };
        Self(Arc::new(Normal { written, ..Normal::clone(&self.0) }))
    }

    /// The key as it stood in the bytes.
    pub fn as_written(&self) -> &KeyAsWritten {
        &self.0.written
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
        (&self.0.fingerprint, self.0.spec, self.0.format, &self.0.bytes, &self.0.usage)
    }
}

impl fmt::Debug for SigningPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningPublicKey({} {})", self.0.spec.name(), self.0.fingerprint)
    }
}

/// The message `crypto.v30.SigningPublicKey` in hex.
impl fmt::Display for SigningPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.encode()))
    }
}

impl FromStr for SigningPublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = hex::decode(text).map_err(|_| KeyError::NotHex)?;
        Ok(Self::parse(&bytes)?)
    }
}

impl Serialize for SigningPublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.encode().serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for SigningPublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
        } else {
            Self::parse(&Vec::<u8>::deserialize(deserializer)?).map_err(D::Error::custom)
        }
    }
}

//! Canton's signatures over topology: what they look like, what they sign, when they verify.
//!
//! Source: `topology-protocol` 2.7. The signed message is the 34 bytes of a hash; ECDSA hashes them again.

pub(crate) mod batch;
mod curve;
mod delegation;
mod edwards;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

pub(crate) use self::curve::CurveKey;
use crate::{
    id::{Fingerprint, IdError},
    key::{KeyFormat, KeySpec, SigningPublicKey},
    wire::{
        self, DecodeError, DecodeErrorKind, Node, Writer,
        schema::{Field, Kind, Schema},
    },
};

pub(crate) static SIGNATURE: Schema = Schema {
    name: "Signature",
    fields: &[
        Field::one(1, "format", Kind::Enum(&FORMATS)),
        Field::one(2, "signature", Kind::Bytes),
        Field::one(3, "signed_by", Kind::Text),
        Field::one(4, "signing_algorithm_spec", Kind::Enum(&ALGORITHMS)),
        Field::optional(5, "signature_delegation", Kind::Message(&delegation::SIGNATURE_DELEGATION)),
    ],
};

static FORMATS: [(i32, &str); 4] = [(1, "RAW"), (2, "DER"), (3, "CONCAT"), (10_000, "SYMBOLIC")];
static ALGORITHMS: [(i32, &str); 3] = [(1, "ED25519"), (2, "EC_DSA_SHA_256"), (3, "EC_DSA_SHA_384")];

/// How a signature's bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SignatureFormat {
    /// `RAW` (1), of old releases: DER for ECDSA, 64 bytes for Ed25519.
    LegacyRaw,
    /// `DER` (2): ASN.1 of r and s.
    Der,
    /// `CONCAT` (3): 64 bytes as RFC 8032 writes them.
    Concat,
    /// `SYMBOLIC` (10000): of Canton's own tests, never verifies.
    Symbolic,
}

impl SignatureFormat {
    fn from_node(node: &Node<'_>, number: u32) -> Result<Self, DecodeError> {
        match node.int(number) {
            0 => Err(node.error(number, DecodeErrorKind::FieldNotSet)),
            1 => Ok(Self::LegacyRaw),
            2 => Ok(Self::Der),
            3 => Ok(Self::Concat),
            10_000 => Ok(Self::Symbolic),
            other => Err(node.error(number, DecodeErrorKind::UnrecognizedEnum(other))),
        }
    }

    fn number(self) -> i64 {
        match self {
            Self::LegacyRaw => 1,
            Self::Der => 2,
            Self::Concat => 3,
            Self::Symbolic => 10_000,
        }
    }
}

/// An algorithm, as a signature names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum SignatureAlgorithm {
    /// `ED25519`
    Ed25519 = 1,
    /// `EC_DSA_SHA_256`: P-256 and secp256k1.
    EcdsaSha256 = 2,
    /// `EC_DSA_SHA_384`: P-384.
    EcdsaSha384 = 3,
}

impl SignatureAlgorithm {
    fn from_node(node: &Node<'_>, number: u32) -> Result<Option<Self>, DecodeError> {
        match node.int(number) {
            0 => Ok(None),
            1 => Ok(Some(Self::Ed25519)),
            2 => Ok(Some(Self::EcdsaSha256)),
            3 => Ok(Some(Self::EcdsaSha384)),
            other => Err(node.error(number, DecodeErrorKind::UnrecognizedEnum(other))),
        }
    }

    /// Canton's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ED25519",
            Self::EcdsaSha256 => "EC_DSA_SHA_256",
            Self::EcdsaSha384 => "EC_DSA_SHA_384",
        }
    }

    /// The algorithm of a key's curve.
    pub fn of(spec: KeySpec) -> Self {
        match spec {
            KeySpec::Ed25519 => Self::Ed25519,
            KeySpec::P256 | KeySpec::Secp256k1 => Self::EcdsaSha256,
            KeySpec::P384 => Self::EcdsaSha384,
        }
    }
}

/// A signature. `signed_by` is the fingerprint of the key that made it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signature {
    format: SignatureFormat,
    bytes: Vec<u8>,
    signed_by: Fingerprint,
    algorithm: Option<SignatureAlgorithm>,
    /// The word for a session key, which signed instead.
    delegation: Option<delegation::Delegation>,
}

/// Why a signature does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum SignatureError {
    /// Made by another key than the one it was held against.
    #[error("signed by another key")]
    WrongKey,
    /// Its format is not the one of the key's curve.
    #[error("the signature's format is not the one of this key's curve")]
    Format,
    /// Its algorithm is not the one of the key's curve.
    #[error("the signature's algorithm is not the one of this key's curve")]
    Algorithm,
    /// The key is in a form that cannot verify.
    #[error("the key cannot verify anything")]
    Key,
    /// Session keys may not sign topology.
    #[error("a session key's signature: topology takes none")]
    Delegated,
    /// The mathematics say no.
    #[error("the signature is not this key's over this message")]
    Invalid,
}

impl Signature {
    /// An Ed25519 signature.
    pub fn new_ed25519(bytes: [u8; 64], signed_by: Fingerprint) -> Self {
        Self {
            format: SignatureFormat::Concat,
            bytes: bytes.to_vec(),
            signed_by,
            algorithm: Some(SignatureAlgorithm::Ed25519),
            delegation: None,
        }
    }

    /// An ECDSA signature as ASN.1 (DER), by a key on `spec`'s curve.
    pub fn new_ecdsa_der(der: Vec<u8>, signed_by: Fingerprint, spec: KeySpec) -> Self {
        Self {
            format: SignatureFormat::Der,
            bytes: der,
            signed_by,
            algorithm: Some(SignatureAlgorithm::of(spec)),
            delegation: None,
        }
    }

    /// Reads Canton's message `crypto.v30.Signature`.
    ///
    /// # Errors
    /// The decoding error with its place.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let message = wire::skim(&SIGNATURE, bytes, 0, "signature")?;
        Self::from_node(&Node::root(&message, "signature"))
    }

    pub(crate) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let format = SignatureFormat::from_node(node, 1)?;
        let signed_by =
            node.text(3).parse().map_err(|error: IdError| node.error(3, crate::mapping::id_error_kind(&error)))?;
        let algorithm = SignatureAlgorithm::from_node(node, 4)?;
        let delegation = node.child(5).map(|delegation| delegation::read(&delegation)).transpose()?;
        Ok(Self { format, bytes: node.bytes(2).to_vec(), signed_by, algorithm, delegation })
    }

    /// Writes Canton's message `crypto.v30.Signature`.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(1, self.format.number());
        if !self.bytes.is_empty() {
            writer.bytes(2, &self.bytes);
        }
        writer.text(3, self.signed_by.as_str());
        writer.number(4, self.algorithm.map_or(0, |algorithm| algorithm as i64));
        if let Some(delegation) = &self.delegation {
            writer.bytes(5, &delegation.bytes);
        }
        writer.finish()
    }

    /// The fingerprint of the key that made it, as it says.
    pub fn signed_by(&self) -> &Fingerprint {
        &self.signed_by
    }

    /// The signature's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The algorithm that it names.
    pub fn algorithm(&self) -> Option<SignatureAlgorithm> {
        self.algorithm
    }

    /// The format in which Canton takes it: old `RAW` is read by the algorithm, or by the length where none is named.
    pub fn format(&self) -> SignatureFormat {
        match (self.format, self.algorithm) {
            (SignatureFormat::LegacyRaw, Some(SignatureAlgorithm::Ed25519)) => SignatureFormat::Concat,
            (SignatureFormat::LegacyRaw, Some(_)) => SignatureFormat::Der,
            (SignatureFormat::LegacyRaw, None) if self.bytes.len() == 64 => SignatureFormat::Concat,
            (SignatureFormat::LegacyRaw, None) => SignatureFormat::Der,
            (format, _) => format,
        }
    }

    /// Whether a session key made it on the signer's behalf. A word of a key for itself changes nothing.
    pub fn is_delegated(&self) -> bool {
        self.delegation.as_ref().is_some_and(|delegation| delegation.session_key != self.signed_by)
    }

    /// Whether it is `key`'s signature over `message`.
    ///
    /// # Errors
    /// Why not: see [`SignatureError`].
    pub fn verify(&self, key: &SigningPublicKey, message: &[u8]) -> Result<(), SignatureError> {
        self.verify_with(key, CurveKey::of(key).as_ref(), message)
    }

    /// The same with a point that was computed before: `curve` is [`CurveKey::of`] the key.
    pub(crate) fn verify_with(
        &self,
        key: &SigningPublicKey,
        curve: Option<&CurveKey>,
        message: &[u8],
    ) -> Result<(), SignatureError> {
        self.check_form(key)?;
        let is_valid = curve.is_some_and(|curve| curve.verifies(message, &self.bytes));
        if is_valid { Ok(()) } else { Err(SignatureError::Invalid) }
    }

    /// Everything but the mathematics.
    pub(crate) fn check_form(&self, key: &SigningPublicKey) -> Result<(), SignatureError> {
        if self.is_delegated() {
            return Err(SignatureError::Delegated);
        }
        if self.signed_by != *key.fingerprint_ref() {
            return Err(SignatureError::WrongKey);
        }
        if key.format() != KeyFormat::Spki {
            return Err(SignatureError::Key);
        }
        if self.algorithm.is_some_and(|algorithm| algorithm != SignatureAlgorithm::of(key.spec())) {
            return Err(SignatureError::Algorithm);
        }
        let expected = match key.spec() {
            KeySpec::Ed25519 => SignatureFormat::Concat,
            KeySpec::P256 | KeySpec::P384 | KeySpec::Secp256k1 => SignatureFormat::Der,
        };
        if self.format() == expected { Ok(()) } else { Err(SignatureError::Format) }
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature(by {})", self.signed_by)
    }
}

/// The text is not a signature.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotASignature {
    /// Not even hex digits.
    #[error("not a signature: expected the hex digits of Canton's message Signature")]
    NotHex,
    /// The message does not decode.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// The message `crypto.v30.Signature` in hex.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.encode()))
    }
}

impl FromStr for Signature {
    type Err = NotASignature;

    fn from_str(text: &str) -> Result<Self, NotASignature> {
        let bytes = hex::decode(text).map_err(|_| NotASignature::NotHex)?;
        Ok(Self::parse(&bytes)?)
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.encode().serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
        } else {
            Self::parse(&Vec::<u8>::deserialize(deserializer)?).map_err(D::Error::custom)
        }
    }
}

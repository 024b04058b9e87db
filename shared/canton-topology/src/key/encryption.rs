//! An encryption key, as far as topology carries it.

use super::{
    KeySpec,
    rsa::is_rsa_2048,
    spki::{self, NotAPoint},
};
use crate::{
    id::Fingerprint,
    wire::{DecodeError, DecodeErrorKind, Exception, Node, Writer},
};

/// An encryption key: carried by an owner-to-key mapping, never used here. Equality is Canton's: the old format DER is
/// the same as SPKI, and a scheme stands for its spec.
#[derive(Clone, Debug)]
pub struct EncryptionPublicKey {
    /// The format's number, as written.
    pub format: i32,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The deprecated scheme, 0 where it is not given.
    pub scheme: i32,
    /// The key spec, 0 where only the scheme is given.
    pub spec: i32,
}

/// What an encryption key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum EncryptionKeySpec {
    /// `EC_P256`
    P256 = 1,
    /// `RSA_2048`
    Rsa2048 = 2,
}

const LEGACY_DER: i32 = 2;
const SPKI: i32 = 4;
const SYMBOLIC: i32 = 10_000;
const EC_P256: i32 = 1;
const RSA_2048: i32 = 2;
const SCHEME_RSA_2048: i32 = 3;

impl EncryptionPublicKey {
    pub(crate) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let key = Self { format: node.int(2), bytes: node.bytes(3).to_vec(), scheme: node.int(4), spec: node.int(5) };
        match key.format {
            0 => return Err(node.error(2, DecodeErrorKind::FieldNotSet)),
            LEGACY_DER..=5 | SYMBOLIC => {}
            other => return Err(node.error(2, DecodeErrorKind::UnrecognizedEnum(other))),
        }
        match (key.spec, key.scheme) {
            (0, 0) => return Err(node.error(5, DecodeErrorKind::FieldNotSet)),
            (EC_P256..=RSA_2048, _) | (0, 1..=SCHEME_RSA_2048) => {}
            (0, other) => return Err(node.error(4, DecodeErrorKind::UnrecognizedEnum(other))),
            (other, _) => return Err(node.error(5, DecodeErrorKind::UnrecognizedEnum(other))),
        }
        match key.fault() {
            None => Ok(key),
            Some(kind) => Err(node.error(3, kind)),
        }
    }

    fn fault(&self) -> Option<DecodeErrorKind> {
        let refused = |reason: &str| Some(DecodeErrorKind::Crypto(reason.to_owned()));
        match (self.kept_format(), self.kept_spec()) {
            (SYMBOLIC, _) => None,
            (SPKI, EC_P256) => match spki::point(&self.bytes, KeySpec::P256) {
                Ok(_) => None,
                Err(NotAPoint::NoKey) => refused("not the SubjectPublicKeyInfo of a point on P-256"),
                Err(NotAPoint::BeyondTheField) => Some(DecodeErrorKind::Thrown(Exception::IllegalArgument)),
            },
            (SPKI, _) if is_rsa_2048(&self.bytes) => None,
            (SPKI, _) => refused("not the SubjectPublicKeyInfo of an RSA key of 2048 bits that can be one"),
            _ => refused("neither DER nor SubjectPublicKeyInfo, the formats of a public key"),
        }
    }

    /// What it is for.
    pub fn key_spec(&self) -> EncryptionKeySpec {
        if self.kept_spec() == RSA_2048 { EncryptionKeySpec::Rsa2048 } else { EncryptionKeySpec::P256 }
    }

    /// The same key as Canton itself would write it.
    #[must_use]
    pub fn normalised(&self) -> Self {
        Self { format: self.kept_format(), bytes: self.bytes.clone(), scheme: 0, spec: self.kept_spec() }
    }

    fn kept_format(&self) -> i32 {
        if self.format == LEGACY_DER { SPKI } else { self.format }
    }

    fn kept_spec(&self) -> i32 {
        match (self.spec, self.scheme) {
            (0, SCHEME_RSA_2048) => RSA_2048,
            (0, _) => EC_P256,
            (spec, _) => spec,
        }
    }

    fn identity(&self) -> (i32, i32, &[u8]) {
        (self.kept_format(), self.kept_spec(), &self.bytes)
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

impl PartialEq for EncryptionPublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for EncryptionPublicKey {}

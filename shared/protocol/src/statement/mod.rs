//! Signed statements: the memory of the product. Kept and forwarded as the bytes received.
//!
//! A statement is a kind, a payload (version byte and postcard), the identity key that made it and that key's
//! signature over the kind's prefix and the payload. Reading one verifies the signature; whether the signer may make
//! such a statement is decided by the case that it belongs to.

mod approval;
mod attestation;
mod case_end;
mod offer;

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use thiserror::Error;

pub use self::{
    approval::{Approval, Checkpoint, Contribution, EncodedSignature},
    attestation::{Attestation, Backup, Claim, Question, Snapshot},
    case_end::{Decline, Outcome, Result as OutcomeResult, Withdrawal},
    offer::{BaseRow, Offer},
};
use crate::{
    encoding::{self, EncodingError},
    identity::IdentityPublicKey,
    intent::{CaseId, Intent},
    registry::Kind,
};

/// SHA-256 of a statement's bytes: its name everywhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StatementHash([u8; 32]);

impl StatementHash {
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From 32 bytes, as read from a store.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The first 12 hex digits, for people.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..6])
    }
}

impl fmt::Display for StatementHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for StatementHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatementHash({})", self.short())
    }
}

impl std::str::FromStr for StatementHash {
    type Err = NotAStatementHash;

    fn from_str(text: &str) -> Result<Self, NotAStatementHash> {
        hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NotAStatementHash)
    }
}

/// The text is not a statement hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a statement hash: expected 64 hex digits")]
pub struct NotAStatementHash;

/// Something that an identity key can sign with. Implemented by custody, by the coordinator and by tests.
pub trait SignStatements {
    /// The public half.
    fn identity(&self) -> IdentityPublicKey;

    /// The Ed25519 signature over `message`.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

impl SignStatements for ed25519_dalek::SigningKey {
    fn identity(&self) -> IdentityPublicKey {
        IdentityPublicKey::try_from(self.verifying_key().to_bytes()).expect("a key made from a seed is never weak")
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        ed25519_dalek::Signer::sign(self, message).to_bytes()
    }
}

/// What a body of each kind must tell.
pub trait Body: Serialize + DeserializeOwned {
    /// Its kind.
    const KIND: Kind;
}

/// A body that belongs to a case. An introduction belongs to none.
pub trait InCase: Body {
    /// The case that it belongs to.
    fn case(&self) -> CaseId;
}

/// A verified statement and its exact bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Statement {
    bytes: Vec<u8>,
    hash: StatementHash,
    kind: Kind,
    payload: Vec<u8>,
    signer: IdentityPublicKey,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    kind: Kind,
    payload: Vec<u8>,
    signer: IdentityPublicKey,
    signature: Vec<u8>,
}

/// Why bytes are not a statement.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StatementError {
    /// The bytes do not decode.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// The signature is not the named signer's over this kind and payload.
    #[error("statement: the signature is not {signer}'s over this {kind}", kind = kind.name())]
    NotSigned {
        /// The signer that the statement names.
        signer: IdentityPublicKey,
        /// The kind that the statement claims to be.
        kind: Kind,
    },
    /// A statement of another kind was expected.
    #[error("statement: a {expected} was expected, this is a {found}", expected = expected.name(), found = found.name())]
    WrongKind {
        /// The kind that was asked for.
        expected: Kind,
        /// The kind that it is.
        found: Kind,
    },
}

impl Statement {
    /// Signs a body.
    pub fn sign<B: Body>(body: &B, signer: &dyn SignStatements) -> Self {
        let payload = encoding::encode(body);
        let message =
            B::KIND.message(&payload).expect("every body holds a case id or a key, and is longer than 34 bytes");
        let signature = signer.sign(&message).to_vec();
        let signer = signer.identity();
        let bytes = encoding::encode(&Wire { kind: B::KIND, payload: payload.clone(), signer, signature });
        Self { hash: hash_of(&bytes), bytes, kind: B::KIND, payload, signer }
    }

    /// Reads a statement and verifies its signature.
    ///
    /// # Errors
    /// See [`StatementError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        let wire: Wire = encoding::decode("statement", bytes)?;
        let not_signed = StatementError::NotSigned { signer: wire.signer, kind: wire.kind };
        let message = wire.kind.message(&wire.payload).ok_or_else(|| not_signed.clone())?;
        if !wire.signer.verifies(&message, &wire.signature) {
            return Err(not_signed);
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            hash: hash_of(bytes),
            kind: wire.kind,
            payload: wire.payload,
            signer: wire.signer,
        })
    }

    /// The body, where the statement is of its kind.
    ///
    /// # Errors
    /// [`StatementError::WrongKind`], or the payload's own decoding error.
    pub fn open<B: Body>(&self) -> Result<B, StatementError> {
        if self.kind != B::KIND {
            return Err(StatementError::WrongKind { expected: B::KIND, found: self.kind });
        }
        Ok(encoding::decode(B::KIND.name(), &self.payload)?)
    }

    /// The case that the statement belongs to.
    ///
    /// # Errors
    /// Where the payload does not decode, or the kind belongs to no case.
    pub fn case(&self) -> Result<CaseId, StatementError> {
        Ok(match self.kind {
            Kind::Intent => self.open::<Intent>()?.case(),
            Kind::Offer => self.open::<Offer>()?.case(),
            Kind::Approval => self.open::<Approval>()?.case(),
            Kind::Contribution => self.open::<Contribution>()?.case(),
            Kind::Decline => self.open::<Decline>()?.case(),
            Kind::Withdrawal => self.open::<Withdrawal>()?.case(),
            Kind::Outcome => self.open::<Outcome>()?.case(),
            Kind::Attestation => self.open::<Attestation>()?.case(),
            Kind::Question => self.open::<Question>()?.case(),
            found @ (Kind::Identity | Kind::Card | Kind::Possession | Kind::Drill) => {
                return Err(StatementError::WrongKind { expected: Kind::Intent, found });
            }
        })
    }

    /// The statement as it is sent and stored.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its name.
    pub fn hash(&self) -> StatementHash {
        self.hash
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The identity key that made it.
    pub fn signer(&self) -> IdentityPublicKey {
        self.signer
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Statement({} {} by {})", self.kind.name(), self.hash.short(), self.signer)
    }
}

fn hash_of(bytes: &[u8]) -> StatementHash {
    StatementHash(Sha256::digest(bytes).into())
}

impl Body for Intent {
    const KIND: Kind = Kind::Intent;
}

impl InCase for Intent {
    fn case(&self) -> CaseId {
        self.case
    }
}

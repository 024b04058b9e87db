//! Parcels: files that travel sealed from one owner's agent to another's, through the coordinator or by hand.
//!
//! What a parcel is called and to whom it is sealed. The sealing itself (the age format, age-encryption.org/v1) is the
//! agent's, and so is the decision whom to believe: a recipient counts only where it stands in the sender's own book.

use std::{fmt, str::FromStr};

use bech32::{FromBase32 as _, ToBase32 as _, Variant};
use curve25519_dalek::MontgomeryPoint;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The human-readable part of an age recipient.
const RECIPIENT_PREFIX: &str = "age";

/// The public half of an agent's parcel key: an X25519 public key of 32 bytes that is not of low order. Prints as an
/// age recipient, `age1…`, so that other implementations of age can seal to it too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "[u8; 32]", into = "[u8; 32]")]
pub struct Recipient([u8; 32]);

/// Why something is not a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotARecipient {
    /// The text is not one.
    #[error("not a recipient: expected `age1` and 58 more letters and digits; was the text cut?")]
    Text,
    /// The key is of low order: whatever is sealed to it, anybody can open.
    #[error("not a recipient: a key of low order, which seals nothing; its owner, or somebody in between, made it up")]
    LowOrder,
}

impl Recipient {
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<[u8; 32]> for Recipient {
    type Error = NotARecipient;

    fn try_from(bytes: [u8; 32]) -> Result<Self, NotARecipient> {
        // A clamped scalar is a multiple of eight, so it takes every point of low order, and no other, to zero.
        let shared = MontgomeryPoint(bytes).mul_clamped([1; 32]);
        if shared.0 == [0; 32] { Err(NotARecipient::LowOrder) } else { Ok(Self(bytes)) }
    }
}

impl From<Recipient> for [u8; 32] {
    fn from(recipient: Recipient) -> Self {
        recipient.0
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32::encode_to_fmt(f, RECIPIENT_PREFIX, self.0.to_base32(), Variant::Bech32).map_err(|_| fmt::Error)?
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({self})")
    }
}

impl FromStr for Recipient {
    type Err = NotARecipient;

    fn from_str(text: &str) -> Result<Self, NotARecipient> {
        let (prefix, words, variant) = bech32::decode(text).map_err(|_| NotARecipient::Text)?;
        let bytes = Vec::<u8>::from_base32(&words).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let recipient = Self::try_from(bytes.ok_or(NotARecipient::Text)?)?;
        let is_ours = prefix == RECIPIENT_PREFIX && variant == Variant::Bech32 && recipient.to_string() == text;
        if is_ours { Ok(recipient) } else { Err(NotARecipient::Text) }
    }
}

/// The SHA-256 of a file's bytes, which is also the name of a sealed file. Prints and reads as exactly 64 lower-case hex
/// digits: no other text of it exists, so none can point to another place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContentHash([u8; 32]);

/// The text is not a content hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a parcel's name: expected the 64 lower-case hex digits of a SHA-256")]
pub struct NotAContentHash;

impl ContentHash {
    /// From the 32 bytes of a SHA-256.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

impl FromStr for ContentHash {
    type Err = NotAContentHash;

    fn from_str(text: &str) -> Result<Self, NotAContentHash> {
        let is_lower_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let bytes = hex::decode(text).ok().filter(|_| is_lower_hex);
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NotAContentHash)
    }
}

/// A file by its content: what it hashes to and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Content {
    /// The SHA-256 of all its bytes.
    pub hash: ContentHash,
    /// Its length, in bytes.
    pub length: u64,
}

/// A sealed file and what is in it: what its sender must sign, for the receiver to know both before it opens anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sealed {
    /// The file that was sealed.
    pub plain: Content,
    /// The sealed file, as it travels.
    pub sealed: Content,
}

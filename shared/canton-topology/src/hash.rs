//! Canton's hashes: SHA-256 over a purpose and a content, written as a multihash of 34 bytes.
//!
//! Source: `topology-protocol` 2.1 to 2.6; purposes are Canton's `HashPurpose` ids.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// What a hash is for. The number is hashed in front of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// A topology transaction: its wrapped bytes.
    TopologyTransaction = 11,
    /// A public key's fingerprint.
    PublicKeyFingerprint = 12,
    /// A decentralized namespace: its first owners.
    DecentralizedNamespace = 37,
    /// A mapping's unique key.
    MappingUniqueKey = 43,
    /// Several topology transactions that one signature covers.
    MultiTransaction = 55,
}

/// `12 20` and SHA-256 over the purpose (four bytes, big endian) and the content.
pub fn canton_hash(purpose: Purpose, content: &[u8]) -> [u8; 34] {
    let mut hasher = Sha256::new();
    hasher.update((purpose as u32).to_be_bytes());
    hasher.update(content);
    let mut hash = [0; 34];
    hash[0] = 0x12;
    hash[1] = 0x20;
    hash[2..].copy_from_slice(&hasher.finalize());
    hash
}

/// The length of a text or hash in four big-endian bytes, then its bytes: how Canton puts fields into a hash.
pub(crate) fn length_prefixed(into: &mut Vec<u8>, bytes: &[u8]) {
    into.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    into.extend_from_slice(bytes);
}

/// The text is not a Canton hash.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a hash: expected 1220 and 64 hex digits")]
pub struct NotAHash(pub String);

macro_rules! hash_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 34]);

        impl $name {
            /// The 34 bytes, beginning with `12 20`.
            pub fn as_bytes(&self) -> &[u8; 34] {
                &self.0
            }

            /// The first eight hex digits after `1220`, for people.
            pub fn short(&self) -> String {
                hex::encode(&self.0[2..6])
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = NotAHash;

            fn try_from(bytes: &[u8]) -> Result<Self, NotAHash> {
                let hash: [u8; 34] = bytes.try_into().map_err(|_| NotAHash(hex::encode(bytes)))?;
                if hash[0] == 0x12 && hash[1] == 0x20 { Ok(Self(hash)) } else { Err(NotAHash(hex::encode(bytes))) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short())
            }
        }

        impl FromStr for $name {
            type Err = NotAHash;

            fn from_str(text: &str) -> Result<Self, NotAHash> {
                let bytes = hex::decode(text).map_err(|_| NotAHash(text.to_owned()))?;
                Self::try_from(bytes.as_slice())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0[2..].serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
                } else {
                    let tail = Vec::<u8>::deserialize(deserializer)?;
                    let mut hash = vec![0x12, 0x20];
                    hash.extend_from_slice(&tail);
                    Self::try_from(hash.as_slice()).map_err(D::Error::custom)
                }
            }
        }
    };
}

hash_type! {
    /// The hash of one topology transaction: what its signers sign.
    TransactionHash
}
hash_type! {
    /// The hash that names a mapping's chain of serials.
    UniqueKey
}
hash_type! {
    /// The hash of several transactions that one signature covers.
    MultiHash
}

impl TransactionHash {
    /// Of the wrapped bytes of a transaction.
    pub fn of(wrapped: &[u8]) -> Self {
        Self(canton_hash(Purpose::TopologyTransaction, wrapped))
    }
}

impl UniqueKey {
    /// Of a mapping's identifying fields and its code, which comes last.
    pub(crate) fn of(mut body: Vec<u8>, code: u32) -> Self {
        body.extend_from_slice(&code.to_be_bytes());
        Self(canton_hash(Purpose::MappingUniqueKey, &body))
    }
}

impl MultiHash {
    /// Of a set of transaction hashes; order and repetition do not count.
    pub fn of<'a>(hashes: impl IntoIterator<Item = &'a TransactionHash>) -> Self {
        let distinct: std::collections::BTreeSet<&TransactionHash> = hashes.into_iter().collect();
        let mut content = (distinct.len() as u32).to_be_bytes().to_vec();
        for hash in distinct {
            length_prefixed(&mut content, hash.as_bytes());
        }
        Self(canton_hash(Purpose::MultiTransaction, &content))
    }
}

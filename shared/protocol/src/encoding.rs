//! The one deterministic encoding of everything that is signed or stored: a version byte, then postcard.
//!
//! A decoder here accepts exactly the bytes that the encoder writes: what was read is written again and compared, so
//! no two byte strings mean the same statement. Unknown versions are refused.

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::limits;

/// The only version so far.
pub const VERSION: u8 = 1;

/// Why bytes are not an encoded value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncodingError {
    /// There are no bytes at all.
    #[error("{what}: empty; expected a version byte")]
    Empty {
        /// What was being read.
        what: &'static str,
    },
    /// The version byte is not one that this release knows.
    #[error(
        "{what}: version {found} at byte 0; this release reads version {VERSION}: upgrade it, or ask the sender for version {VERSION}"
    )]
    UnknownVersion {
        /// What was being read.
        what: &'static str,
        /// The version found.
        found: u8,
    },
    /// Longer than the limit.
    #[error("{what}: {found} bytes; the limit is {max}")]
    TooLong {
        /// What was being read.
        what: &'static str,
        /// Length found, in bytes.
        found: usize,
        /// Longest length allowed, in bytes.
        max: usize,
    },
    /// The bytes do not decode.
    #[error("{what}: cannot be read: {reason}")]
    Malformed {
        /// What was being read.
        what: &'static str,
        /// The decoder's reason.
        reason: String,
    },
    /// The bytes decode, but are not the ones that our encoder writes for that value.
    #[error("{what}: not in its canonical form")]
    NotCanonical {
        /// What was being read.
        what: &'static str,
    },
}

/// Encodes a value: the version byte, then postcard.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let body = postcard::to_allocvec(value).expect("writing into a growing vector cannot fail");
    let mut bytes = Vec::with_capacity(body.len() + 1);
    bytes.push(VERSION);
    bytes.extend_from_slice(&body);
    bytes
}

/// Decodes a value and makes sure that `bytes` are exactly what [`encode`] writes for it.
///
/// # Errors
/// Names `what` and the reason; see [`EncodingError`].
pub fn decode<T: Serialize + DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, EncodingError> {
    let max = limits::STATEMENT_BYTES_MAX;
    if bytes.len() > max {
        return Err(EncodingError::TooLong { what, found: bytes.len(), max });
    }
    let (version, body) = bytes.split_first().ok_or(EncodingError::Empty { what })?;
    if *version != VERSION {
        return Err(EncodingError::UnknownVersion { what, found: *version });
    }
    let value: T =
        postcard::from_bytes(body).map_err(|error| EncodingError::Malformed { what, reason: error.to_string() })?;
    if encode(&value) != bytes {
        return Err(EncodingError::NotCanonical { what });
    }
    Ok(value)
}

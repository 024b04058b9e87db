//! Nonces, and the mailbox of introductions.

use serde::{Deserialize, Serialize};

use super::Base64;

/// What keys answer in order to prove themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nonce {
    /// 32 bytes, good for one introduction.
    pub nonce: Base64,
    /// Until when, in microseconds since 1970.
    pub expires_at: i64,
}

/// An introduction is handed in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostIntroduction {
    /// The introduction's bytes, as a statement.
    pub introduction: Base64,
}

/// The introduction is stored durably, in the place of the owner's earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduced {
    /// Its hash, hex.
    pub introduction: String,
}

/// Some of the mailbox's introductions. A mailbox, not an authority: each agent verifies them, and believes its own book.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Introductions {
    /// The introductions' bytes, at most one of each owner.
    pub introductions: Vec<Base64>,
    /// What to ask with next; absent where there are no more.
    pub next: Option<String>,
}

//! Bodies of the coordinator's HTTP API: JSON, with statements as base64 of their exact bytes.
//!
//! | route | body | answer |
//! |---|---|---|
//! | `POST /v1/enroll` | [`EnrollRequest`] | [`EnrollResponse`] |
//! | `GET /v1/directory` | | [`Directory`] |
//! | `POST /v1/statements` | [`PostStatement`] | [`Posted`] |
//! | `POST /v1/nonces` | | [`Nonce`] |
//! | `POST /v1/introductions` | [`PostIntroduction`] | [`Introduced`] |
//! | `GET /v1/introductions?after=` | | [`Introductions`] |
//! | `POST /v1/cases` | [`HandOver`] | [`HandedOver`] |
//! | `GET /v1/inbox?after=&wait_ms=` | | [`Inbox`] |
//! | `GET /v1/cases`, `GET /v1/cases/{id}` | | [`CaseList`], [`CaseDetail`] |
//! | `GET /v1/cases/{id}/parcels/{sha256}` | | [`ParcelStatus`] |
//! | `PUT /v1/cases/{id}/parcels/{sha256}/bytes?to=&length=&offset=` | bytes | [`ParcelStatus`] |
//! | `GET /v1/cases/{id}/parcels/{sha256}/bytes?offset=&length=` | | bytes |
//! | `DELETE /v1/cases/{id}/parcels/{sha256}` | | nothing |
//!
//! Errors are RFC 9457 problem documents: [`Problem`].

mod introductions;

use std::{fmt, str::FromStr};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

pub use self::introductions::{Introduced, Introductions, Nonce, PostIntroduction};
use crate::{identity::IdentityPublicKey, intent::CaseId};

/// Bytes that stand as base64 in JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct Base64(pub Vec<u8>);

impl fmt::Debug for Base64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Base64({} bytes)", self.0.len())
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(&text).map(Self).map_err(|error| D::Error::custom(format!("expected base64: {error}")))
    }
}

/// An agent asks to be enrolled.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrollRequest {
    /// The single-use token of the invitation, base64url.
    pub token: String,
    /// A PKCS#10 request for the TLS client certificate, PEM.
    pub csr_pem: String,
    /// The owner's identity certificate: see [`crate::identity::IdentityCertificate::bytes`].
    pub certificate: Base64,
}

/// The agent is enrolled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EnrollResponse {
    /// The name that the invitation was made for.
    pub name: String,
    /// The TLS client certificate, PEM.
    pub client_certificate_pem: String,
    /// The key with which the coordinator signs its offers and outcomes.
    pub coordinator: IdentityPublicKey,
}

/// All enrolled owners. A mailbox, not an authority: each agent believes its own book.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Directory {
    /// The coordinator's own identity key.
    pub coordinator: IdentityPublicKey,
    /// One row for each enrolled owner.
    pub owners: Vec<DirectoryEntry>,
}

/// One enrolled owner.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DirectoryEntry {
    /// The name of the invitation.
    pub name: String,
    /// The identity certificate.
    pub certificate: Base64,
}

/// A statement is handed in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostStatement {
    /// The statement's bytes.
    pub statement: Base64,
}

/// The statement is stored durably.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// Its place in the coordinator's sequence.
    pub sequence: u64,
    /// Its case.
    pub case: String,
    /// Its place in the case.
    pub position: u64,
    /// The case's head after it, hex.
    pub head: String,
}

/// A case is handed over to another coordinator: all its statements, in their order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandOver {
    /// The statements' bytes.
    pub statements: Vec<Base64>,
}

/// The case is stored durably.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOver {
    /// The case.
    pub case: String,
    /// How many of its statements the answer is about: as many as were handed over.
    pub statements: u64,
    /// The case's head after them, hex.
    pub head: String,
}

/// What is new since a cursor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Inbox {
    /// The statements, in sequence.
    pub entries: Vec<InboxEntry>,
    /// The cursor to ask with next.
    pub next: u64,
    /// Whether the coordinator reads topology. Where it does not, agents offer and hand in at once what they would have
    /// left to it for a while; so nothing is gained by a lie.
    #[serde(default = "usually")]
    pub reads_topology: bool,
}

fn usually() -> bool {
    true
}

/// One statement of one case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InboxEntry {
    /// Its place in the coordinator's sequence.
    pub sequence: u64,
    /// Its case.
    pub case: String,
    /// Its place in the case.
    pub position: u64,
    /// Its bytes.
    pub statement: Base64,
}

/// Summaries of cases, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaseList {
    /// One row for each case.
    pub cases: Vec<CaseSummary>,
}

/// One case at a glance, as the coordinator sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaseSummary {
    /// Its id.
    pub case: String,
    /// The workflow's name.
    pub workflow: String,
    /// The proposer's namespace.
    pub proposer: String,
    /// The status's name.
    pub status: String,
    /// How many statements it has.
    pub statements: u64,
    /// How many given signatures Canton would still take.
    pub live: usize,
}

/// A case with all its statements.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaseDetail {
    /// At a glance.
    pub summary: CaseSummary,
    /// The case's head, hex.
    pub head: String,
    /// What is still missing, in words.
    pub missing: Vec<String>,
    /// The statements, in order.
    pub statements: Vec<Base64>,
}

/// How far a parcel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParcelState {
    /// The next piece is waited for.
    Receiving,
    /// All bytes are there and are being hashed.
    Checking,
    /// All bytes are there, and hash to the parcel's name: it can be fetched.
    Complete,
    /// The bytes that came hash to something else; they are gone, and may be sent anew from 0.
    Refused,
}

/// A parcel, as the coordinator sees it: a sealed file that it cannot open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParcelStatus {
    /// The SHA-256 of the sealed file, 64 hex digits.
    pub parcel: String,
    /// The namespace of the owner who sends it.
    pub from: String,
    /// The namespace of the owner who may fetch it.
    pub to: String,
    /// The sealed file's length, in bytes.
    pub length: u64,
    /// How many of them are there, durably; the offset of the next piece.
    pub received: u64,
    /// How far it is.
    pub state: ParcelState,
}

/// An RFC 9457 problem document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:countersign:problem:<slug>`; the slug is stable.
    #[serde(rename = "type")]
    pub kind: String,
    /// What went wrong, in a few words; the same for every occurrence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong this time, which field, and how to fix it.
    pub detail: String,
}

/// An invitation: everything that an agent needs in order to find and trust a coordinator, in one string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Host and port.
    pub address: String,
    /// The single-use token, base64url.
    pub token: String,
    /// SHA-256 of the CA's SubjectPublicKeyInfo.
    pub ca_key_hash: [u8; 32],
}

const INVITATION_PREFIX: &str = "countersign-enroll1";

/// Why a text is not an invitation.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvitationError {
    /// It does not have the four parts.
    #[error(
        "not an invitation: expected {INVITATION_PREFIX}/HOST:PORT/TOKEN/CA-KEY-HASH, as printed by `coordinator invite`"
    )]
    Shape,
    /// The address has no port.
    #[error("invitation: address {0:?} has no port")]
    Address(String),
    /// The token is not base64url of 32 bytes.
    #[error("invitation: the token is not 43 characters of base64url; was the line cut?")]
    Token,
    /// The hash is not 64 hex digits.
    #[error("invitation: the CA key hash is not 64 hex digits; was the line cut?")]
    CaKeyHash,
}

impl fmt::Display for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{INVITATION_PREFIX}/{}/{}/{}", self.address, self.token, hex::encode(self.ca_key_hash))
    }
}

impl FromStr for Invitation {
    type Err = InvitationError;

    fn from_str(text: &str) -> Result<Self, InvitationError> {
        let parts: Vec<&str> = text.trim().split('/').collect();
        let [INVITATION_PREFIX, address, token, hash] = parts.as_slice() else {
            return Err(InvitationError::Shape);
        };
        let has_port =
            address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !has_port {
            return Err(InvitationError::Address((*address).to_owned()));
        }
        if URL_SAFE_NO_PAD.decode(token).ok().is_none_or(|bytes| bytes.len() != 32) {
            return Err(InvitationError::Token);
        }
        let ca_key_hash =
            hex::decode(hash).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(InvitationError::CaKeyHash)?;
        Ok(Self { address: (*address).to_owned(), token: (*token).to_owned(), ca_key_hash })
    }
}

impl CaseSummary {
    /// The case id, where the text is one.
    ///
    /// # Errors
    /// Where it is not a UUID.
    pub fn id(&self) -> Result<CaseId, crate::intent::NotACaseId> {
        self.case.parse()
    }
}

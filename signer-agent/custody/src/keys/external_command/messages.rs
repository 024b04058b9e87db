//! What stands on the program's standard input and output: one JSON object each way. `deploy/custody/external-command.md`
//! says the same for those who write such programs, and the vectors beside it are held by a test.

use std::time::Duration;

use canton_topology::{
    key::SigningPublicKey,
    show::{self, Tree, escaped},
    signature::SignatureAlgorithm,
    transaction::Transaction,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::keys::{Purpose, to_sign::ToSign};

/// The version of what is said here.
const VERSION: u32 = 1;
/// Longest words of the program that are shown, in characters.
const WORDS_CHARS_MAX: usize = 300;
/// How soon a program may be asked again, in seconds, and how late.
const RETRY_AFTER_S: std::ops::RangeInclusive<u64> = 1..=3_600;
/// How soon it is asked again where it does not say.
const RETRY_AFTER_S_USUAL: u64 = 30;

/// What is asked.
#[derive(Serialize)]
pub(super) struct Request<'a> {
    version: u32,
    id: String,
    #[serde(flatten)]
    action: Action<'a>,
}

#[derive(Serialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
enum Action<'a> {
    Probe,
    Describe {
        reference: &'a str,
        purpose: Purpose,
    },
    Sign {
        reference: &'a str,
        key: &'a str,
        curve: &'static str,
        algorithm: &'static str,
        purpose: Purpose,
        kind: &'static str,
        message: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        transaction: Option<Box<Shown>>,
    },
}

/// A topology transaction in words, as `inspect` shows it.
#[derive(Serialize)]
struct Shown {
    hash: String,
    mapping: &'static str,
    subject: String,
    operation: &'static str,
    serial: u32,
    content: Tree,
    bytes: String,
}

impl<'a> Request<'a> {
    /// Whether it is there.
    pub(super) fn probe() -> Self {
        Self { version: VERSION, id: id(&[b"probe"]), action: Action::Probe }
    }

    /// Which public key it has.
    pub(super) fn describe(reference: &'a str, purpose: Purpose) -> Self {
        let id = id(&[b"describe", purpose.name().as_bytes(), reference.as_bytes()]);
        Self { version: VERSION, id, action: Action::Describe { reference, purpose } }
    }

    /// A signature.
    pub(super) fn sign(reference: &'a str, key: &'a SigningPublicKey, purpose: Purpose, wanted: &ToSign<'_>) -> Self {
        let fingerprint = key.fingerprint_ref().as_str();
        let action = Action::Sign {
            reference,
            key: fingerprint,
            curve: key.spec().name(),
            algorithm: SignatureAlgorithm::of(key.spec()).name(),
            purpose,
            kind: wanted.shape().name(),
            message: hex::encode(wanted.message()),
            transaction: wanted.signed_transaction().map(shown).map(Box::new),
        };
        Self { version: VERSION, id: id(&[b"sign", fingerprint.as_bytes(), wanted.message()]), action }
    }

    /// One line of JSON.
    pub(super) fn line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    /// Reads the answer to this.
    pub(super) fn read(&self, answer: &[u8]) -> Result<Answer, String> {
        let read: Read =
            serde_json::from_slice(answer).map_err(|error| format!("its answer does not read: {error}"))?;
        if read.id != self.id {
            return Err(format!("it answered another question: `id` is {:?}, asked was {}", words(&read.id), self.id));
        }
        let missing = |field: &str| format!("its answer has the status {:?} and no `{field}`", words(&read.status));
        let bytes = |field: &str, value: &Option<String>| {
            let text = value.as_deref().ok_or_else(|| missing(field))?;
            hex::decode(text).map_err(|error| format!("`{field}` of its answer is not hex: {error}"))
        };
        let said = |field: &str, value: &Option<String>| value.as_deref().map(words).ok_or_else(|| missing(field));
        match (read.status.as_str(), &self.action) {
            ("ready", Action::Probe) => Ok(Answer::Ready(said("note", &read.note)?)),
            ("described", Action::Describe { .. }) => Ok(Answer::Described(bytes("public_key", &read.public_key)?)),
            ("signed", Action::Sign { .. }) => Ok(Answer::Signed(bytes("signature", &read.signature)?)),
            ("pending", Action::Sign { .. }) => {
                let seconds = read.retry_after_s.unwrap_or(RETRY_AFTER_S_USUAL);
                let seconds = seconds.clamp(*RETRY_AFTER_S.start(), *RETRY_AFTER_S.end());
                Ok(Answer::Pending { note: said("note", &read.note)?, retry_after: Duration::from_secs(seconds) })
            }
            ("refused", _) => Ok(Answer::Refused(said("reason", &read.reason)?)),
            (other, _) => {
                Err(format!("`status` of its answer is {:?}, which answers nothing that was asked", words(other)))
            }
        }
    }
}

/// The request's name: the same question has the same one, whenever it is asked.
fn id(parts: &[&[u8]]) -> String {
    hex::encode(Sha256::digest(parts.join(&b'\n')))
}

fn shown(transaction: &Transaction) -> Shown {
    Shown {
        hash: transaction.hash().to_string(),
        mapping: transaction.mapping().code().name(),
        subject: protocol::naming::subject(transaction.mapping()),
        operation: transaction.operation().name(),
        serial: transaction.serial().get(),
        content: show::transaction_tree(transaction),
        bytes: hex::encode(transaction.bytes()),
    }
}

/// Words of the program's, short and harmless wherever they are shown.
fn words(text: &str) -> String {
    escaped(&text.chars().take(WORDS_CHARS_MAX).collect::<String>())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    id: String,
    status: String,
    public_key: Option<String>,
    signature: Option<String>,
    note: Option<String>,
    retry_after_s: Option<u64>,
    reason: Option<String>,
}

/// What was answered.
pub(super) enum Answer {
    /// It is there, and says who it is.
    Ready(String),
    /// The public key, as SPKI.
    Described(Vec<u8>),
    /// The signature's bytes.
    Signed(Vec<u8>),
    /// Not yet.
    Pending {
        /// What it says of it.
        note: String,
        /// When to ask again.
        retry_after: Duration,
    },
    /// No, and why.
    Refused(String),
}

//! The book: an owner's local list of names, keys and hosts, entered from outside the coordinator.
//!
//! A card is what one owner hands to another by any path; its code is read aloud over a second path. Only an entry
//! whose code was confirmed stands in the book.

use canton_topology::{
    id::{Fingerprint, Namespace, ParticipantId},
    key::SigningPublicKey,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{
    encoding::{self, EncodingError},
    identity::IdentityPublicKey,
    limits,
    parcel::Recipient,
};

/// What one owner tells the others about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The name that the owner proposes for itself; the reader may enter another.
    pub name: String,
    /// The owner's namespace key.
    pub namespace_key: SigningPublicKey,
    /// The owner's identity key.
    pub identity: IdentityPublicKey,
    /// The owner's own participant, where it has one.
    pub host: Option<ParticipantId>,
    /// The owner's key for inline party signing keys, where it has one.
    pub party_key: Option<SigningPublicKey>,
    /// To whom parcels for the owner's agent are sealed, where it takes any. The sender believes its own book alone: a
    /// recipient from anywhere else could be the reader in between.
    pub parcel_key: Option<Recipient>,
}

const CARD_PREFIX: &str = "countersign-card2:";

/// Why a text is not a card.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CardError {
    /// It does not begin as a card does.
    #[error("not a card: expected a text that begins with {CARD_PREFIX}")]
    Prefix,
    /// The part after the prefix is not base64url.
    #[error("card: the part after {CARD_PREFIX} is not base64url; was it cut short?")]
    Base64,
    /// The content does not decode.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// The name is empty, too long or has characters that could mislead.
    #[error("card: name {0:?}: use 1 to {max} letters, digits, '-', '_' or '.'", max = limits::NAME_CHARS_MAX)]
    Name(String),
}

impl Card {
    /// The card as one line of text.
    pub fn text(&self) -> String {
        use base64::Engine as _;
        format!("{CARD_PREFIX}{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(encoding::encode(self)))
    }

    /// Reads a card.
    ///
    /// # Errors
    /// See [`CardError`].
    pub fn parse(text: &str) -> Result<Self, CardError> {
        use base64::Engine as _;
        let body = text.trim().strip_prefix(CARD_PREFIX).ok_or(CardError::Prefix)?;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(body).map_err(|_| CardError::Base64)?;
        let card: Self = encoding::decode("card", &bytes)?;
        if !is_plain_name(&card.name) {
            return Err(CardError::Name(card.name));
        }
        Ok(card)
    }

    /// The code to be compared over a second path: 80 bits of SHA-256 over the card, as five groups of four hex
    /// digits each. Long enough that nobody makes a second card with the same code.
    pub fn code(&self) -> String {
        grouped(&self.digest())
    }

    /// The code where the owner has keys beside those of the card: it covers them too. Without any it is the card's own.
    pub fn code_with(&self, more: &[SigningPublicKey]) -> String {
        if more.is_empty() {
            return self.code();
        }
        let mut hasher = Sha256::new();
        hasher.update(b"countersign/cards-and-keys-code/v1\n");
        hasher.update(encoding::encode(&(self, more)));
        grouped(&hasher.finalize().into())
    }

    /// SHA-256 over the card.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(b"countersign/card-code/v1\n");
        hasher.update(encoding::encode(self));
        hasher.finalize().into()
    }

    /// The owner: its namespace.
    pub fn owner(&self) -> Namespace {
        Namespace::from(self.namespace_key.fingerprint())
    }
}

fn grouped(digest: &[u8; 32]) -> String {
    digest[..10].chunks(2).map(hex::encode).collect::<Vec<_>>().join("-")
}

/// Whether a name is short, visible and ASCII, so that it cannot pass for another.
pub fn is_plain_name(name: &str) -> bool {
    (1..=limits::NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// One confirmed entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name under which this owner knows it. Unique in the book.
    pub name: String,
    /// What was confirmed.
    pub card: Card,
    /// Keys beside those of the card that were confirmed with it.
    #[serde(default)]
    pub more_keys: Vec<SigningPublicKey>,
}

impl Entry {
    /// The code that was confirmed.
    pub fn code(&self) -> String {
        self.card.code_with(&self.more_keys)
    }

    /// Every key of the owner that is known.
    pub fn keys(&self) -> impl Iterator<Item = &SigningPublicKey> {
        [&self.card.namespace_key].into_iter().chain(&self.card.party_key).chain(&self.more_keys)
    }
}

/// An owner to whom something may be sealed, because its parcel key stands in the book. Only [`Book::addressee`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee {
    owner: Namespace,
    recipient: Recipient,
}

impl Addressee {
    /// The owner.
    pub fn owner(&self) -> &Namespace {
        &self.owner
    }

    /// The owner's parcel key.
    pub fn recipient(&self) -> &Recipient {
        &self.recipient
    }
}

/// Why nothing can be sealed to an owner.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoAddressee {
    /// Nobody has introduced it.
    #[error(
        "{0} is not in the book; nothing is sealed to somebody who was not introduced: add its card with `book add`"
    )]
    Unknown(Namespace),
    /// Its card has no parcel key.
    #[error("the card of {name} has no parcel key; ask its owner for a new card")]
    NoKey {
        /// Its name in the book.
        name: String,
    },
}

/// An owner's book.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    entries: Vec<Entry>,
}

/// Why an entry cannot stand in the book.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BookError {
    /// The name is taken by somebody else.
    #[error("the name {0:?} is taken by another entry; remove it first or choose another name with --name")]
    NameTaken(String),
    /// The namespace stands there under another name.
    #[error("{namespace} is already in the book, as {name:?}")]
    AlreadyThere {
        /// The namespace.
        namespace: Namespace,
        /// The name under which it stands.
        name: String,
    },
    /// The name could mislead.
    #[error("name {0:?}: use 1 to {max} letters, digits, '-', '_' or '.'", max = limits::NAME_CHARS_MAX)]
    Name(String),
}

impl Book {
    /// Adds an entry, or leaves an equal one as it is.
    ///
    /// # Errors
    /// See [`BookError`].
    pub fn add(&mut self, entry: Entry) -> Result<(), BookError> {
        if !is_plain_name(&entry.name) {
            return Err(BookError::Name(entry.name));
        }
        if self.entries.contains(&entry) {
            return Ok(());
        }
        if self.entries.iter().any(|other| other.name == entry.name) {
            return Err(BookError::NameTaken(entry.name));
        }
        if let Some(other) = self.by_namespace(&entry.card.owner()) {
            return Err(BookError::AlreadyThere { namespace: entry.card.owner(), name: other.name.clone() });
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Puts an entry in the place of the one that the same owner has, whatever its name was.
    ///
    /// # Errors
    /// See [`BookError`]; the book is as it was then.
    pub fn replace(&mut self, entry: Entry) -> Result<(), BookError> {
        let mut next = self.clone();
        next.entries.retain(|other| other.card.owner() != entry.card.owner());
        next.add(entry)?;
        *self = next;
        Ok(())
    }

    /// Removes the entry of that name; `false` where there is none.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.name != name);
        self.entries.len() != before
    }

    /// All entries, in the order of their entering.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of that name.
    pub fn by_name(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The entry of that owner.
    pub fn by_namespace(&self, namespace: &Namespace) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.card.owner() == *namespace)
    }

    /// The entry whose identity key this is.
    pub fn by_identity(&self, identity: &IdentityPublicKey) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.card.identity == *identity)
    }

    /// The entry whose own host this is.
    pub fn by_host(&self, host: &ParticipantId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.card.host.as_ref() == Some(host))
    }

    /// The owner as somebody to whom something may be sealed.
    ///
    /// # Errors
    /// See [`NoAddressee`].
    pub fn addressee(&self, owner: &Namespace) -> Result<Addressee, NoAddressee> {
        let entry = self.by_namespace(owner).ok_or_else(|| NoAddressee::Unknown(owner.clone()))?;
        let recipient = entry.card.parcel_key.ok_or_else(|| NoAddressee::NoKey { name: entry.name.clone() })?;
        Ok(Addressee { owner: owner.clone(), recipient })
    }

    /// The entry that holds the key with this fingerprint, whatever for.
    pub fn by_key(&self, fingerprint: &Fingerprint) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.keys().any(|key| key.fingerprint_ref() == fingerprint))
    }

    /// The key with this fingerprint.
    pub fn key(&self, fingerprint: &Fingerprint) -> Option<&SigningPublicKey> {
        self.entries.iter().flat_map(Entry::keys).find(|key| key.fingerprint_ref() == fingerprint)
    }
}

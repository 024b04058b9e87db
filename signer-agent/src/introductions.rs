//! Introductions as this owner reads them: everything is verified again, and held against the owner's own book. Nothing
//! here enters anything.

use canton_topology::id::Namespace;
use protocol::{
    api::Base64,
    book::{Book, Entry},
    introduction::{Expected, Introduction, IntroductionError},
};

/// What the mailbox holds of one owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mail {
    /// Nobody can tell whose it is.
    Junk(IntroductionError),
    /// It was made by whoever holds its identity key.
    Read(Box<ReadMail>),
}

/// An introduction that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadMail {
    /// What it says.
    pub introduction: Introduction,
    /// Whether it is for this mailbox, and every key is proved.
    pub verdict: Result<(), IntroductionError>,
    /// How it stands to the book.
    pub standing: Standing,
}

/// How an introduction stands to the owner's own book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is the owner's own.
    Own,
    /// Nobody of that name and none of that owner is in the book.
    New,
    /// It stands there.
    Same {
        /// Under this name.
        name: String,
    },
    /// The owner stands there with something else.
    Changed {
        /// Under this name.
        name: String,
        /// What differs: what the book has, and what the introduction says.
        what: Vec<String>,
    },
    /// Its name is another owner's in the book: the namespace key changed, or somebody poses as that owner.
    OtherOwner {
        /// The name.
        name: String,
        /// Whom the book knows under it.
        known: Namespace,
    },
}

impl Standing {
    /// Whether somebody must look before anything else.
    pub fn is_alarming(&self) -> bool {
        matches!(self, Self::Changed { .. } | Self::OtherOwner { .. })
    }

    /// In words.
    pub fn words(&self) -> String {
        match self {
            Self::Own => "your own".to_owned(),
            Self::New => "not in the book".to_owned(),
            Self::Same { name } => format!("the same stands in the book, as {name}"),
            Self::Changed { name, what } => {
                format!("CHANGED: {name} stands in the book with something else: {}", what.join("; "))
            }
            Self::OtherOwner { name, known } => format!(
                "CHANGED: {name} stands in the book as owner {known}: either it has a new namespace key, or somebody poses as {name}"
            ),
        }
    }
}

/// Reads a mailbox.
pub fn read(mailbox: &[Base64], expected: &Expected, book: &Book, own: &Namespace) -> Vec<Mail> {
    mailbox
        .iter()
        .map(|one| match Introduction::open(&one.0) {
            Err(error) => Mail::Junk(error),
            Ok(introduction) => {
                let verdict = introduction.check(expected);
                let standing = standing(&introduction, book, own);
                Mail::Read(Box::new(ReadMail { introduction, verdict, standing }))
            }
        })
        .collect()
}

fn standing(introduction: &Introduction, book: &Book, own: &Namespace) -> Standing {
    let owner = introduction.owner();
    if owner == *own {
        return Standing::Own;
    }
    if let Some(entry) = book.by_namespace(&owner) {
        let what = differences(entry, &introduction.entry(&entry.name));
        let name = entry.name.clone();
        return if what.is_empty() { Standing::Same { name } } else { Standing::Changed { name, what } };
    }
    match book.by_name(&introduction.card.name) {
        Some(entry) => Standing::OtherOwner { name: entry.name.clone(), known: entry.card.owner() },
        None => Standing::New,
    }
}

fn differences(before: &Entry, after: &Entry) -> Vec<String> {
    let fields = |entry: &Entry| {
        let card = &entry.card;
        let more: Vec<String> = entry.more_keys.iter().map(|key| key.fingerprint().to_string()).collect();
        [
            ("name on the card", card.name.clone()),
            ("identity key", card.identity.to_string()),
            ("participant", card.host.as_ref().map_or("none".to_owned(), ToString::to_string)),
            ("party key", card.party_key.as_ref().map_or("none".to_owned(), |key| key.fingerprint().to_string())),
            ("parcel key", card.parcel_key.as_ref().map_or("none".to_owned(), ToString::to_string)),
            ("more keys", if more.is_empty() { "none".to_owned() } else { more.join(", ") }),
        ]
    };
    let pairs = fields(before).into_iter().zip(fields(after));
    let mut what: Vec<String> = pairs
        .filter(|(before, after)| before != after)
        .map(|((field, before), (_, after))| format!("{field} {before}, now {after}"))
        .collect();
    if what.is_empty() && before != after {
        // The same fingerprints with other usages.
        what.push("usages of its keys".to_owned());
    }
    what
}

//! An owner's data folder: configuration, keys, journal, book, enrolment, and the statements seen so far. Nobody else may
//! enter it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use canton_client::access::Access;
use canton_topology::id::SynchronizerId;
use protocol::{
    api::Base64,
    book::{Book, Card},
    intent::CaseId,
    statement::Statement,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::{hosting::held::Held, lines::Lines, outgoing::Outgoing};

/// Why the folder cannot be used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// The disk refuses.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Others may enter.
    #[error("{path}: its mode is {mode:o}, others may enter; run `chmod 700 {path}`")]
    TooOpen {
        /// Which folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file does not read.
    #[error("{path}: {reason}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// Something has not been done yet.
    #[error("{path} is missing; run `signer-agent {command}` first")]
    Missing {
        /// Which file.
        path: PathBuf,
        /// What makes it.
        command: &'static str,
    },
}

/// `agent.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The owner's own name, as it stands on its card.
    pub name: String,
    /// The one logical synchronizer that the keys are pinned to.
    pub synchronizer: SynchronizerId,
    /// The admin API of the owner's participant, such as `http://127.0.0.1:5002`.
    pub participant: String,
    /// How that participant lets the agent in.
    #[serde(default, skip_serializing_if = "is_open")]
    pub participant_access: Access,
    /// The Ledger API of the same participant, such as `http://127.0.0.1:5001`; needed for hosting parties.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<String>,
    /// How the Ledger API lets the agent in.
    #[serde(default, skip_serializing_if = "is_open")]
    pub ledger_access: Access,
    /// A command that backs the participant's database up, and its arguments; it runs with an empty environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backup_command: Vec<String>,
}

fn is_open(access: &Access) -> bool {
    *access == Access::default()
}

/// What enrolment left behind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enrolment {
    /// Host and port of the coordinator.
    pub address: String,
    /// The coordinator's certificate authority, PEM.
    pub ca_pem: String,
    /// The key with which the coordinator signs.
    pub coordinator: protocol::identity::IdentityPublicKey,
    /// The TLS client certificate, PEM.
    pub client_certificate_pem: String,
    /// Its private key, PEM.
    pub client_key_pem: String,
}

/// A statement of the coordinator's inbox, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// Its place in the coordinator's sequence.
    pub sequence: u64,
    /// Its place in its case.
    pub position: u64,
    /// Its bytes.
    pub statement: Base64,
}

/// A data folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Opens the folder, or makes it with mode 0700.
    ///
    /// # Errors
    /// Where it cannot be made, or others may enter it.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let failed = |error| FolderError::Io { path: path.to_owned(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let mode = fs::metadata(path).map_err(failed)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(FolderError::TooOpen { path: path.to_owned(), mode });
        }
        Ok(Self(path.to_owned()))
    }

    /// The file of the keys.
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// The file of the journal.
    pub fn journal(&self) -> PathBuf {
        self.0.join("journal.redb")
    }

    /// The folder for parcels, sealed and opened, made where it is missing. Nobody else may enter it.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn parcels(&self) -> Result<PathBuf, FolderError> {
        let path = self.0.join("parcels");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map(|()| path.clone()).map_err(|error| FolderError::Io { path, error })
    }

    /// The socket by which commands reach the running agent.
    pub fn socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    /// The configuration.
    ///
    /// # Errors
    /// Names the field and the line.
    pub fn config(&self) -> Result<Config, FolderError> {
        let path = self.0.join("agent.toml");
        let text = self.read(&path, "init")?;
        toml::from_str(&text).map_err(|error| FolderError::Malformed { path, reason: error.to_string() })
    }

    /// Writes the configuration.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn set_config(&self, config: &Config) -> Result<(), FolderError> {
        let path = self.0.join("agent.toml");
        let text = toml::to_string(config)
            .map_err(|error| FolderError::Malformed { path: path.clone(), reason: error.to_string() })?;
        self.write(&path, text.as_bytes())
    }

    /// The owner's own card.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn card(&self) -> Result<Card, FolderError> {
        let path = self.0.join("card");
        let text = self.read(&path, "init")?;
        Card::parse(&text).map_err(|error| FolderError::Malformed { path, reason: error.to_string() })
    }

    /// Keeps the owner's own card.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn set_card(&self, card: &Card) -> Result<(), FolderError> {
        self.write(&self.0.join("card"), card.text().as_bytes())
    }

    /// The book; an empty one where there is none yet.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn book(&self) -> Result<Book, FolderError> {
        let path = self.0.join("book.json");
        if path.exists() { self.read_json(&path, "book add") } else { Ok(Book::default()) }
    }

    /// Keeps the book.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn set_book(&self, book: &Book) -> Result<(), FolderError> {
        self.write_json(&self.0.join("book.json"), book)
    }

    /// What is remembered of a hosting; nothing where nothing is.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn held(&self, case: &CaseId) -> Result<Held, FolderError> {
        let path = self.hosting_file(case, "held.json");
        if path.exists() { self.read_json(&path, "workflow run") } else { Ok(Held::default()) }
    }

    /// Remembers it, durably.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn set_held(&self, case: &CaseId, held: &Held) -> Result<(), FolderError> {
        let folder = self.0.join("hosting");
        let failed = |error| FolderError::Io { path: folder.clone(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
        self.write_json(&self.hosting_file(case, "held.json"), held)
    }

    /// Where a file of a hosting stands.
    pub fn hosting_file(&self, case: &CaseId, name: &str) -> PathBuf {
        self.0.join("hosting").join(format!("{case}.{name}"))
    }

    /// Where the node's ledger ended after the last hosting on it: it never ends before that again.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn ledger_floor(&self) -> Result<Option<u64>, FolderError> {
        let path = self.0.join("ledger-floor.json");
        if path.exists() { self.read_json(&path, "workflow run").map(Some) } else { Ok(None) }
    }

    /// Remembers where it ended.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn set_ledger_floor(&self, floor: u64) -> Result<(), FolderError> {
        self.write_json(&self.0.join("ledger-floor.json"), &floor)
    }

    /// What enrolment left behind.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn enrolment(&self) -> Result<Enrolment, FolderError> {
        self.read_json(&self.0.join("enrolment.json"), "enroll")
    }

    /// Keeps what enrolment leaves behind.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn set_enrolment(&self, enrolment: &Enrolment) -> Result<(), FolderError> {
        self.write_json(&self.0.join("enrolment.json"), enrolment)
    }

    /// Every statement that was seen, in order, and the file that keeps the next ones. The coordinator sends again what a
    /// crash cut short. Only the process that holds the journal may open it.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn seen(&self) -> Result<(Lines<Seen>, Vec<Seen>), FolderError> {
        Lines::open(&self.0.join("statements.jsonl"))
    }

    /// Everything that the owner has said, and the file that keeps what is said next. Only the process that holds the
    /// journal may open it.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn outgoing(&self) -> Result<(Outgoing, Vec<Statement>), FolderError> {
        Outgoing::open(&self.0.join("outgoing.jsonl"))
    }

    fn read(&self, path: &Path, command: &'static str) -> Result<String, FolderError> {
        fs::read_to_string(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => FolderError::Missing { path: path.to_owned(), command },
            _ => FolderError::Io { path: path.to_owned(), error },
        })
    }

    fn read_json<T: DeserializeOwned>(&self, path: &Path, command: &'static str) -> Result<T, FolderError> {
        let text = self.read(path, command)?;
        serde_json::from_str(&text)
            .map_err(|error| FolderError::Malformed { path: path.to_owned(), reason: error.to_string() })
    }

    fn write_json<T: Serialize>(&self, path: &Path, value: &T) -> Result<(), FolderError> {
        let text = serde_json::to_vec_pretty(value)
            .map_err(|error| FolderError::Malformed { path: path.to_owned(), reason: error.to_string() })?;
        self.write(path, &text)
    }

    /// Whole or not at all: a new file takes the old one's place.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
        let failed = |error| FolderError::Io { path: path.to_owned(), error };
        let beside = path.with_extension("new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside).map_err(failed)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&beside, path).map_err(failed)?;
        let folder = path.parent().unwrap_or(&self.0);
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

//! An owner's data folder: configuration, keys, journal, book, enrolment, and the statements seen so far. Nobody else may
//! enter it.

mod kept;

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use canton_topology::{Timestamp, id::Fingerprint};
use custody::keys::PinnedKey;
use protocol::{
    api::Base64,
    book::{Book, Card},
    drill::Drill,
    intent::CaseId,
    statement::Statement,
};
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

pub use self::kept::{Config, Enrolment, Proving, Remembered, Seen};
use crate::{
    finish::Record,
    hosting::{fork::LedgerMark, held::Held},
    lines::Lines,
    outgoing::Outgoing,
};

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
    /// There is no such folder.
    #[error("there is no data folder {path}; name the owner's with --data, or make one with `signer-agent init`")]
    NoFolder {
        /// Which.
        path: PathBuf,
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
        Self::existing(path)
    }

    /// Opens a folder that is there.
    ///
    /// # Errors
    /// Where it is not, or others may enter it.
    pub fn existing(path: &Path) -> Result<Self, FolderError> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => FolderError::NoFolder { path: path.to_owned() },
            _ => FolderError::Io { path: path.to_owned(), error },
        };
        let mode = fs::metadata(path).map_err(failed)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(FolderError::TooOpen { path: path.to_owned(), mode });
        }
        Ok(Self(path.to_owned()))
    }

    /// A file of the folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The file of the keys.
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// The file of the journal.
    pub fn journal(&self) -> PathBuf {
        self.0.join("journal.redb")
    }

    /// The keys as they were pinned; none where there are none yet.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn pinned_keys(&self) -> Result<Vec<PinnedKey>, FolderError> {
        let path = self.0.join("keyring.json");
        if path.exists() { self.read_json(&path, "init") } else { Ok(Vec::new()) }
    }

    /// Keeps them.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn set_pinned_keys(&self, keys: &[PinnedKey]) -> Result<(), FolderError> {
        self.write_json(&self.0.join("keyring.json"), &keys)
    }

    /// Remembers that a key was tried.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn drilled(&self, key: &Fingerprint, at: Timestamp) -> Result<(), FolderError> {
        let _alone = self.hold_keys()?;
        let mut keys = self.pinned_keys()?;
        for pinned in keys.iter_mut().filter(|pinned| pinned.fingerprint() == key) {
            pinned.drilled_at = Some(at);
        }
        self.set_pinned_keys(&keys)
    }

    /// The drill that a key was asked for and has not signed.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn open_drill(&self, key: &Fingerprint) -> Result<Option<Drill>, FolderError> {
        Ok(self.open_drills()?.remove(key))
    }

    /// Keeps it, or forgets it.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn set_open_drill(&self, key: &Fingerprint, drill: Option<&Drill>) -> Result<(), FolderError> {
        let mut all = self.open_drills()?;
        match drill {
            Some(drill) => drop(all.insert(key.clone(), drill.clone())),
            None if all.remove(key).is_none() => return Ok(()),
            None => {}
        }
        self.write_json(&self.0.join("drills.json"), &all)
    }

    fn open_drills(&self) -> Result<BTreeMap<Fingerprint, Drill>, FolderError> {
        let path = self.0.join("drills.json");
        if path.exists() { self.read_json(&path, "keys drill") } else { Ok(BTreeMap::new()) }
    }

    /// Waits until nobody else changes keys, and lets nobody else for as long as what is returned lives.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn hold_keys(&self) -> Result<File, FolderError> {
        let path = self.0.join("keyring.lock");
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let held = opened.and_then(|file| file.lock().map(|()| file));
        held.map_err(|error| FolderError::Io { path, error })
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

    /// The nonce whose answers are being collected, where there is one.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn proving(&self) -> Result<Option<Proving>, FolderError> {
        let path = self.0.join("proving.json");
        if path.exists() { self.read_json(&path, "keys prove") } else { Ok(None) }
    }

    /// Keeps it, or forgets it.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn set_proving(&self, proving: Option<&Proving>) -> Result<(), FolderError> {
        let path = self.0.join("proving.json");
        match (proving, path.exists()) {
            (Some(proving), _) => self.write_json(&path, proving),
            (None, true) => fs::remove_file(&path).map_err(|error| FolderError::Io { path, error }),
            (None, false) => Ok(()),
        }
    }

    /// The owner's last introduction.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn introduction(&self) -> Result<Base64, FolderError> {
        self.read_json(&self.0.join("introduction.json"), "keys prove")
    }

    /// Keeps it.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn set_introduction(&self, introduction: &Base64) -> Result<(), FolderError> {
        self.write_json(&self.0.join("introduction.json"), introduction)
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

    /// What is remembered of the other hostings.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn held_elsewhere(&self, case: &CaseId) -> Result<Vec<(CaseId, Held)>, FolderError> {
        let path = self.0.join("hosting");
        let failed = |error| FolderError::Io { path: path.clone(), error };
        if !path.exists() {
            return Ok(Vec::new());
        }
        let mut all = Vec::new();
        for file in fs::read_dir(&path).map_err(failed)? {
            let name = file.map_err(failed)?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".held.json")?.parse::<CaseId>().ok());
            if let Some(id) = id.filter(|id| id != case) {
                all.push((id, self.held(&id)?));
            }
        }
        Ok(all)
    }

    /// The topology that the owner's participant showed last before it was disconnected, and when.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn topology(&self) -> Result<Option<Remembered>, FolderError> {
        let path = self.0.join("topology.json");
        if path.exists() { self.read_json(&path, "workflow run").map(Some) } else { Ok(None) }
    }

    /// Remembers it: a disconnected participant shows none, and the agent may be started anew meanwhile.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn set_topology(&self, topology: &Remembered) -> Result<(), FolderError> {
        self.write_json(&self.0.join("topology.json"), topology)
    }

    /// Where a file of a hosting stands.
    pub fn hosting_file(&self, case: &CaseId, name: &str) -> PathBuf {
        self.0.join("hosting").join(format!("{case}.{name}"))
    }

    /// By what the node's ledger is known again after the last hosting on it.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn ledger_mark(&self) -> Result<Option<LedgerMark>, FolderError> {
        let path = self.0.join("ledger-mark.json");
        if path.exists() { self.read_json(&path, "workflow run").map(Some) } else { Ok(None) }
    }

    /// Remembers it.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn set_ledger_mark(&self, mark: &LedgerMark) -> Result<(), FolderError> {
        self.write_json(&self.0.join("ledger-mark.json"), mark)
    }

    /// When the certificate that is being asked for says it was issued; now, where none is. Whoever holds the namespace key
    /// and takes time is asked for the same one every time.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn certificate_asked_for(&self, now: Timestamp) -> Result<Timestamp, FolderError> {
        let path = self.file("certificate.json");
        if path.exists() {
            return self.read_json(&path, "enroll");
        }
        self.write_json(&path, &now)?;
        Ok(now)
    }

    /// The certificate is there: the next one is another one.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn certificate_came(&self) -> Result<(), FolderError> {
        let path = self.file("certificate.json");
        fs::remove_file(&path).map_err(|error| FolderError::Io { path, error })
    }

    /// What enrolment left behind.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn enrolment(&self) -> Result<Enrolment, FolderError> {
        self.read_json(&self.0.join("enrolment.json"), "enroll")
    }

    /// Whether the owner was enrolled from this folder.
    pub fn is_enrolled(&self) -> bool {
        self.0.join("enrolment.json").exists()
    }

    /// Keeps what enrolment leaves behind.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn set_enrolment(&self, enrolment: &Enrolment) -> Result<(), FolderError> {
        self.write_json(&self.0.join("enrolment.json"), enrolment)
    }

    /// The certificates of everybody who may speak, as far as any coordinator ever showed them.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn directory(&self) -> Result<Vec<Base64>, FolderError> {
        let path = self.0.join("directory.json");
        if path.exists() { self.read_json(&path, "run") } else { Ok(Vec::new()) }
    }

    /// Keeps them.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn set_directory(&self, certificates: &[Base64]) -> Result<(), FolderError> {
        self.write_json(&self.0.join("directory.json"), &certificates)
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

    /// What the agent handed in itself, in order, and the file that keeps the next ones.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn submissions(&self) -> Result<(Lines<Record>, Vec<Record>), FolderError> {
        Lines::open(&self.0.join("submissions.jsonl"))
    }

    fn read(&self, path: &Path, command: &'static str) -> Result<String, FolderError> {
        fs::read_to_string(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => FolderError::Missing { path: path.to_owned(), command },
            _ => FolderError::Io { path: path.to_owned(), error },
        })
    }

    pub(crate) fn read_json<T: DeserializeOwned>(&self, path: &Path, command: &'static str) -> Result<T, FolderError> {
        let text = self.read(path, command)?;
        serde_json::from_str(&text)
            .map_err(|error| FolderError::Malformed { path: path.to_owned(), reason: error.to_string() })
    }

    pub(crate) fn write_json<T: Serialize>(&self, path: &Path, value: &T) -> Result<(), FolderError> {
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

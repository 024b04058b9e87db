//! An owner's data folder: configuration, keys, journal, book, enrolment, and the statements seen so far. Nobody else may
//! enter it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use canton_client::access::Access;
use canton_topology::id::SynchronizerId;
use protocol::{
    api::Base64,
    book::{Book, Card},
    identity::IdentityPublicKey,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::finish::Record;

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
    pub coordinator: IdentityPublicKey,
    /// The keys of coordinators at which the owner was enrolled before.
    #[serde(default)]
    pub former: Vec<IdentityPublicKey>,
    /// The TLS client certificate, PEM.
    pub client_certificate_pem: String,
    /// Its private key, PEM.
    pub client_key_pem: String,
}

impl Enrolment {
    /// Remembers the coordinators before this one: what they said in the cases that are here stands.
    pub fn take_over_from(&mut self, before: &Self) {
        let earlier = before.former.iter().chain([&before.coordinator]);
        let others: Vec<IdentityPublicKey> = earlier.filter(|key| **key != self.coordinator).copied().collect();
        self.former.extend(others);
        self.former.sort();
        self.former.dedup();
    }
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
    /// Whose sequence it is: another coordinator counts anew.
    #[serde(default)]
    pub coordinator: Option<IdentityPublicKey>,
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

    /// What enrolment left behind.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn enrolment(&self) -> Result<Enrolment, FolderError> {
        self.read_json(&self.0.join("enrolment.json"), "enroll")
    }

    /// Whether the owner was enrolled anywhere.
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

    /// Every statement that was seen, in order. A last line that a crash cut short is dropped: the coordinator sends it
    /// again.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn seen(&self) -> Result<Vec<Seen>, FolderError> {
        self.lines("statements.jsonl")
    }

    /// Keeps one more statement, durably.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn keep_seen(&self, seen: &Seen) -> Result<(), FolderError> {
        self.keep_line("statements.jsonl", seen)
    }

    /// What the agent handed in itself, in order.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn submissions(&self) -> Result<Vec<Record>, FolderError> {
        self.lines("submissions.jsonl")
    }

    /// Keeps what the agent handed in, durably.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn keep_submission(&self, record: &Record) -> Result<(), FolderError> {
        self.keep_line("submissions.jsonl", record)
    }

    /// One value for each line. A last line that a crash cut short is dropped.
    fn lines<T: DeserializeOwned>(&self, name: &str) -> Result<Vec<T>, FolderError> {
        let path = self.0.join(name);
        let failed = |error| FolderError::Io { path: path.clone(), error };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let lines: Vec<String> = BufReader::new(file).lines().collect::<Result<_, _>>().map_err(failed)?;
        let mut all = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            match serde_json::from_str(line) {
                Ok(one) => all.push(one),
                Err(_) if index + 1 == lines.len() => {}
                Err(error) => {
                    let reason = format!("line {}: {error}", index + 1);
                    return Err(FolderError::Malformed { path, reason });
                }
            }
        }
        Ok(all)
    }

    fn keep_line<T: Serialize>(&self, name: &str, value: &T) -> Result<(), FolderError> {
        let path = self.0.join(name);
        let failed = |error| FolderError::Io { path: path.clone(), error };
        let mut line = serde_json::to_vec(value).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path).map_err(failed)?;
        drop_torn_line(&mut file).map_err(failed)?;
        file.write_all(&line).and_then(|()| file.sync_data()).map_err(failed)
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
        File::open(&self.0).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

/// A line that a crash cut short gives way to the next one, which would not read behind it.
fn drop_torn_line(file: &mut File) -> io::Result<()> {
    let length = file.metadata()?.len();
    let mut last = [0];
    if length == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == [b'\n'] {
        return Ok(());
    }
    let mut all = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut all)?;
    let whole = all.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    file.set_len(whole as u64)
}

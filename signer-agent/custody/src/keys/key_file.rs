//! The owner's file of secrets, encrypted under a passphrase: Argon2id for the key, XChaCha20-Poly1305 for the content.
//! It holds the identity key, the parcel key, and the keys of the backend `encrypted-file`.
//!
//! Layout: 8 bytes `CSKEYS2\n`, three little-endian u32 (memory in KiB, passes, lanes), 16 bytes salt, 24 bytes nonce, then
//! the ciphertext with its tag. Everything before the ciphertext is authenticated with it.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use argon2::{Algorithm, Argon2, Params, Version};
use canton_topology::{id::Fingerprint, key::KeySpec};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead as _, KeyInit as _, Payload},
};
use ed25519_dalek::SigningKey;
use protocol::{identity::IdentityPublicKey, statement::SignStatements};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use super::{Purpose, parcel_key::ParcelKey, secret_key::SecretKey};
use crate::{
    locked::{Locked, NotLocked, Secret32},
    random::{self, NotRandom},
};

const MAGIC: &[u8; 8] = b"CSKEYS2\n";
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;
const HEADER_BYTES: usize = 8 + 12 + SALT_BYTES + NONCE_BYTES;
/// What a new file costs to open: 64 MiB, three passes.
const COST: Cost = Cost { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
/// A file that is cheaper than this is refused: somebody weakened it.
const COST_MIN: Cost = Cost { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
/// A file that is dearer than this is refused: it would exhaust the machine.
const COST_MAX: Cost = Cost { memory_kib: 1024 * 1024, passes: 20, lanes: 16 };
/// A key file is small; a larger one is none.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// So many keys fit.
const KEYS_MAX: usize = 256;

#[derive(Clone, Copy)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Why a key file does not open.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error("key file {path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Others may read the file.
    #[error("key file {path}: its mode is {mode:o}, others may touch it; run `chmod 600 {path}`")]
    Mode {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is not a key file.
    #[error("key file {path}: {reason}")]
    Format {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// It does not decrypt.
    #[error("key file {path}: wrong passphrase, or the file was changed; the two cannot be told apart")]
    Passphrase {
        /// Which file.
        path: PathBuf,
    },
    /// There is one already.
    #[error("key file {path} exists; it is never overwritten")]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// The passphrase is too short.
    #[error("passphrase: {found} characters; at least {min} are needed")]
    TooShort {
        /// Its length.
        found: usize,
        /// The least length.
        min: usize,
    },
    /// No room.
    #[error("key file {path}: it holds {KEYS_MAX} keys, and takes no more")]
    Full {
        /// Which file.
        path: PathBuf,
    },
    /// The operating system's random numbers are not random.
    #[error(transparent)]
    Random(#[from] NotRandom),
    /// No memory for secrets.
    #[error(transparent)]
    Memory(#[from] NotLocked),
}

/// Least length of a passphrase, in characters.
pub const PASSPHRASE_CHARS_MIN: usize = 8;

#[derive(Serialize, Deserialize)]
struct StoredKey {
    purpose: Purpose,
    spec: KeySpec,
    secret: Vec<u8>,
}

impl Drop for StoredKey {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// How the file is encrypted: what a passphrase became.
struct Sealing {
    cost: Cost,
    salt: [u8; SALT_BYTES],
    key: Locked<Secret32>,
}

/// A software key of the file.
pub(super) struct FileKey {
    pub(super) purpose: Purpose,
    pub(super) secret: Locked<SecretKey>,
}

/// An opened key file.
pub struct KeyFile {
    path: PathBuf,
    sealing: Sealing,
    identity: Identity,
    parcel: ParcelKey,
    keys: Vec<FileKey>,
}

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyFile({} keys)", self.keys.len())
    }
}

impl KeyFile {
    /// Makes a fresh identity key and a fresh parcel key and writes them. Never overwrites.
    ///
    /// # Errors
    /// See [`KeyFileError`].
    pub fn create(path: &Path, passphrase: &SecretString) -> Result<Self, KeyFileError> {
        must_be_long(passphrase)?;
        let salt = *random::secret::<SALT_BYTES>()?;
        let key = derive(path, passphrase, COST, &salt)?;
        let file = Self {
            path: path.to_owned(),
            sealing: Sealing { cost: COST, salt, key },
            identity: Identity::new(&*random::secret::<32>()?)?,
            parcel: ParcelKey::from_secret(random::secret::<32>()?)?,
            keys: Vec::new(),
        };
        file.write_new(path)?;
        Ok(file)
    }

    /// Opens a file.
    ///
    /// # Errors
    /// See [`KeyFileError`].
    pub fn open(path: &Path, passphrase: &SecretString) -> Result<Self, KeyFileError> {
        let bytes = read(path)?;
        let (sealing, plain) = decrypt(path, passphrase, &bytes)?;
        let malformed = |reason| KeyFileError::Format { path: path.to_owned(), reason };
        let stored: Vec<StoredKey> =
            postcard::from_bytes(&plain).map_err(|_| malformed("its content does not decode"))?;
        let (mut identity, mut parcel, mut keys) = (None, None, Vec::new());
        for stored in &stored {
            let seed = || <[u8; 32]>::try_from(stored.secret.as_slice()).map(Zeroizing::new);
            let before = match stored.purpose {
                Purpose::Identity => identity.replace(seed().map_err(|_| malformed("its identity key is none"))?),
                Purpose::Parcel => parcel.replace(seed().map_err(|_| malformed("its parcel key is none"))?),
                purpose @ (Purpose::Namespace | Purpose::Party) => {
                    let secret = SecretKey::from_bytes(stored.spec, &stored.secret);
                    let secret = Locked::new(secret.map_err(|_| malformed("a key in it is none"))?)?;
                    keys.push(FileKey { purpose, secret });
                    None
                }
            };
            if before.is_some() {
                return Err(malformed("it holds two identity keys or two parcel keys: another release made it"));
            }
        }
        let (Some(identity), Some(parcel_secret)) = (identity, parcel) else {
            return Err(malformed("it does not hold an identity key and a parcel key: another release made it"));
        };
        let (identity, parcel) = (Identity::new(&identity)?, ParcelKey::from_secret(parcel_secret)?);
        Ok(Self { path: path.to_owned(), sealing, identity, parcel, keys })
    }

    /// The key that opens what others have sealed for this owner's agent.
    pub fn parcel_key(&self) -> &ParcelKey {
        &self.parcel
    }

    /// The identity key, which signs Countersign's own statements.
    pub fn identity(&self) -> Identity {
        self.identity.clone()
    }

    /// Takes a key that was made elsewhere; it is on the disk when this returns. The key's fingerprint comes back.
    ///
    /// # Errors
    /// See [`KeyFileError`].
    pub fn import(&mut self, purpose: Purpose, secret: SecretKey) -> Result<Fingerprint, KeyFileError> {
        let fingerprint = secret.public(purpose).fingerprint();
        if self.secret(&fingerprint).is_none() {
            self.add(FileKey { purpose, secret: Locked::new(secret)? })?;
        }
        Ok(fingerprint)
    }

    /// A key of the backend `encrypted-file`, to be written into a file of its own.
    pub fn secret(&self, fingerprint: &Fingerprint) -> Option<&SecretKey> {
        let found = self.keys.iter().find(|key| key.secret.public(key.purpose).fingerprint_ref() == fingerprint);
        found.map(|key| &*key.secret)
    }

    /// Puts the file under another passphrase; the old one opens it no more.
    ///
    /// # Errors
    /// See [`KeyFileError`]. The old one opens it still then.
    pub fn change_passphrase(&mut self, passphrase: &SecretString) -> Result<(), KeyFileError> {
        must_be_long(passphrase)?;
        let salt = *random::secret::<SALT_BYTES>()?;
        let key = derive(&self.path, passphrase, COST, &salt)?;
        let before = std::mem::replace(&mut self.sealing, Sealing { cost: COST, salt, key });
        let written = self.rewrite();
        if written.is_err() {
            self.sealing = before;
        }
        written
    }

    pub(super) fn keys(&self) -> &[FileKey] {
        &self.keys
    }

    /// Takes a key in, and is on the disk when it returns.
    pub(super) fn add(&mut self, key: FileKey) -> Result<(), KeyFileError> {
        if self.keys.len() >= KEYS_MAX {
            return Err(KeyFileError::Full { path: self.path.clone() });
        }
        self.keys.push(key);
        let written = self.rewrite();
        if written.is_err() {
            self.keys.pop();
        }
        written
    }

    fn rewrite(&self) -> Result<(), KeyFileError> {
        let beside = self.path.with_extension("new");
        let io = |error| KeyFileError::Io { path: self.path.clone(), error };
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
            Ok(()) | Err(_) => {}
        }
        self.write_new(&beside)?;
        fs::rename(&beside, &self.path).map_err(io)?;
        sync_folder(&self.path).map_err(io)
    }

    fn write_new(&self, path: &Path) -> Result<(), KeyFileError> {
        let mut nonce = [0; NONCE_BYTES];
        random::fill(&mut nonce)?;
        let header = header(&self.sealing, &nonce);
        let plain = Zeroizing::new(postcard::to_allocvec(&self.stored()).expect("keys always encode"));
        let cipher = XChaCha20Poly1305::new((&self.sealing.key.0).into());
        let payload = Payload { msg: &plain, aad: &header };
        let sealed = cipher.encrypt(XNonce::from_slice(&nonce), payload).expect("a few keys are never too long");
        let io = |error| KeyFileError::Io { path: path.to_owned(), error };
        let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = opened.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.to_owned() },
            _ => io(error),
        })?;
        file.write_all(&header).and_then(|()| file.write_all(&sealed)).and_then(|()| file.sync_all()).map_err(io)?;
        sync_folder(path).map_err(io)
    }

    fn stored(&self) -> Vec<StoredKey> {
        let own = |purpose, secret: &[u8; 32]| StoredKey { purpose, spec: KeySpec::Ed25519, secret: secret.to_vec() };
        let mut all = vec![
            own(Purpose::Identity, &Zeroizing::new(self.identity.0.to_bytes())),
            own(Purpose::Parcel, self.parcel.secret()),
        ];
        all.extend(self.keys.iter().map(|key| StoredKey {
            purpose: key.purpose,
            spec: key.secret.spec(),
            secret: key.secret.to_bytes().to_vec(),
        }));
        all
    }
}

/// An identity key.
#[derive(Clone)]
pub struct Identity(Arc<Locked<SigningKey>>);

impl Identity {
    fn new(seed: &[u8; 32]) -> Result<Self, NotLocked> {
        Ok(Self(Arc::new(Locked::new(SigningKey::from_bytes(seed))?)))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.identity())
    }
}

impl SignStatements for Identity {
    fn identity(&self) -> IdentityPublicKey {
        SignStatements::identity(&**self.0)
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        SignStatements::sign(&**self.0, message)
    }
}

fn must_be_long(passphrase: &SecretString) -> Result<(), KeyFileError> {
    let found = passphrase.expose_secret().chars().count();
    if found < PASSPHRASE_CHARS_MIN { Err(KeyFileError::TooShort { found, min: PASSPHRASE_CHARS_MIN }) } else { Ok(()) }
}

fn derive(path: &Path, passphrase: &SecretString, cost: Cost, salt: &[u8]) -> Result<Locked<Secret32>, KeyFileError> {
    let refused = || KeyFileError::Format { path: path.to_owned(), reason: "its cost parameters are not usable" };
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(|_| refused())?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose_secret().as_bytes(), salt, key.as_mut())
        .map_err(|_| refused())?;
    Ok(Locked::new(Secret32(*key))?)
}

fn header(sealing: &Sealing, nonce: &[u8; NONCE_BYTES]) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    for number in [sealing.cost.memory_kib, sealing.cost.passes, sealing.cost.lanes] {
        header.extend_from_slice(&number.to_le_bytes());
    }
    header.extend_from_slice(&sealing.salt);
    header.extend_from_slice(nonce);
    header
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder).and_then(|folder| folder.sync_all())
}

/// Reads the file through one descriptor: what was looked at is what is read.
fn read(path: &Path) -> Result<Vec<u8>, KeyFileError> {
    let io = |error| KeyFileError::Io { path: path.to_owned(), error };
    let file = fs::File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Mode { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

fn decrypt(
    path: &Path,
    passphrase: &SecretString,
    bytes: &[u8],
) -> Result<(Sealing, Zeroizing<Vec<u8>>), KeyFileError> {
    let format = |reason| KeyFileError::Format { path: path.to_owned(), reason };
    let (header, sealed) = bytes.split_at_checked(HEADER_BYTES).ok_or_else(|| format("too short for a key file"))?;
    let rest = header.strip_prefix(MAGIC).ok_or_else(|| format("not a key file of version 2"))?;
    let number = |index: usize| u32::from_le_bytes([rest[index], rest[index + 1], rest[index + 2], rest[index + 3]]);
    let cost = Cost { memory_kib: number(0), passes: number(4), lanes: number(8) };
    let too_low = cost.memory_kib < COST_MIN.memory_kib || cost.passes < COST_MIN.passes || cost.lanes < COST_MIN.lanes;
    let too_high =
        cost.memory_kib > COST_MAX.memory_kib || cost.passes > COST_MAX.passes || cost.lanes > COST_MAX.lanes;
    if too_low || too_high {
        return Err(format("its cost parameters are outside what this release takes: somebody changed them"));
    }
    let (salt, nonce) = rest[12..].split_at(SALT_BYTES);
    let key = derive(path, passphrase, cost, salt)?;
    let payload = Payload { msg: sealed, aad: header };
    let plain = XChaCha20Poly1305::new((&key.0).into()).decrypt(XNonce::from_slice(nonce), payload);
    let plain = plain.map(Zeroizing::new).map_err(|_| KeyFileError::Passphrase { path: path.to_owned() })?;
    let salt = salt.try_into().expect("it was split there");
    Ok((Sealing { cost, salt, key }, plain))
}

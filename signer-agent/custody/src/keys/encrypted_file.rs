//! Keys in one file, encrypted under a passphrase: Argon2id for the key, XChaCha20-Poly1305 for the content.
//!
//! Layout: 8 bytes `CSKEYS1\n`, three little-endian u32 (memory in KiB, passes, lanes), 16 bytes salt, 24 bytes nonce, then
//! the ciphertext with its tag. Everything before the ciphertext is authenticated with it.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use argon2::{Algorithm, Argon2, Params, Version};
use canton_topology::{
    id::Fingerprint,
    key::{KeyUsage, SigningPublicKey},
    signature::Signature,
};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead as _, KeyInit as _, Payload},
};
use ed25519_dalek::SigningKey;
use protocol::{
    identity::{IdentityCertificate, IdentityClaim, IdentityPublicKey},
    statement::SignStatements,
};
use rand_core::{OsRng, RngCore as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use super::{KeyBackend, KeyError, KeyInfo, Purpose, parcel_key::ParcelKey};
use crate::ladder::Recorded;

const MAGIC: &[u8; 8] = b"CSKEYS1\n";
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
    /// The operating system's random numbers are not random.
    #[error("the operating system's random numbers repeat; no key is made from them")]
    Random,
}

/// Least length of a passphrase, in characters.
pub const PASSPHRASE_CHARS_MIN: usize = 8;

#[derive(Serialize, Deserialize)]
struct StoredKey {
    purpose: Purpose,
    seed: [u8; 32],
}

impl Drop for StoredKey {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

struct Key {
    info: KeyInfo,
    secret: SigningKey,
}

/// An opened key file: one namespace key, one party key, one identity key, all Ed25519, and one parcel key, X25519.
pub struct EncryptedFile {
    keys: Vec<Key>,
    parcel: ParcelKey,
}

impl std::fmt::Debug for EncryptedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EncryptedFile({} keys)", Purpose::ALL.len())
    }
}

impl EncryptedFile {
    /// Makes fresh keys and writes them. Never overwrites.
    ///
    /// # Errors
    /// See [`KeyFileError`].
    pub fn create(path: &Path, passphrase: &SecretString) -> Result<Self, KeyFileError> {
        let found = passphrase.expose_secret().chars().count();
        if found < PASSPHRASE_CHARS_MIN {
            return Err(KeyFileError::TooShort { found, min: PASSPHRASE_CHARS_MIN });
        }
        let stored = Purpose::ALL
            .into_iter()
            .map(|purpose| Ok(StoredKey { purpose, seed: random::<32>()? }))
            .collect::<Result<Vec<_>, KeyFileError>>()?;
        write(path, passphrase, &stored)?;
        Ok(Self::from_stored(&stored))
    }

    /// Opens a file.
    ///
    /// # Errors
    /// See [`KeyFileError`].
    pub fn open(path: &Path, passphrase: &SecretString) -> Result<Self, KeyFileError> {
        let bytes = read(path)?;
        let plain = decrypt(path, passphrase, &bytes)?;
        let malformed = |reason| KeyFileError::Format { path: path.to_owned(), reason };
        let stored: Vec<StoredKey> =
            postcard::from_bytes(&plain).map_err(|_| malformed("its content does not decode"))?;
        let mut purposes: Vec<Purpose> = stored.iter().map(|key| key.purpose).collect();
        purposes.sort();
        if purposes != Purpose::ALL {
            return Err(malformed("it does not hold one key for each purpose: another release made it"));
        }
        Ok(Self::from_stored(&stored))
    }

    fn from_stored(stored: &[StoredKey]) -> Self {
        let (mut keys, mut parcel) = (Vec::new(), None);
        for stored in stored {
            let usage: &[KeyUsage] = match stored.purpose {
                Purpose::Namespace => &[KeyUsage::Namespace],
                Purpose::Party | Purpose::Identity => &[KeyUsage::Protocol],
                Purpose::Parcel => {
                    parcel = Some(ParcelKey::from_secret(Zeroizing::new(stored.seed)));
                    continue;
                }
            };
            let secret = SigningKey::from_bytes(&stored.seed);
            let public = SigningPublicKey::ed25519(secret.verifying_key().as_bytes(), usage)
                .expect("a key made from a seed is a point, and the usages go together");
            keys.push(Key { info: KeyInfo { public, purpose: stored.purpose }, secret });
        }
        Self { keys, parcel: parcel.expect("a key file holds one key for each purpose") }
    }

    fn of(&self, purpose: Purpose) -> &Key {
        self.keys.iter().find(|key| key.info.purpose == purpose).expect("a key file holds one key for each purpose")
    }

    /// The owner's namespace key.
    pub fn namespace_key(&self) -> &SigningPublicKey {
        &self.of(Purpose::Namespace).info.public
    }

    /// The owner's key for parties.
    pub fn party_key(&self) -> &SigningPublicKey {
        &self.of(Purpose::Party).info.public
    }

    /// The key that opens what others have sealed for this owner's agent.
    pub fn parcel_key(&self) -> &ParcelKey {
        &self.parcel
    }

    /// The identity key, which signs Countersign's own statements.
    pub fn identity(&self) -> Identity {
        Identity(self.of(Purpose::Identity).secret.clone())
    }

    /// The namespace key's word for the identity key. The only thing beside topology that the namespace key signs; the
    /// message begins with its kind and is never as long as one of Canton's.
    ///
    /// # Panics
    /// Never: what was just signed verifies.
    pub fn certify(&self, claim: IdentityClaim) -> IdentityCertificate {
        let key = self.of(Purpose::Namespace);
        let signature = ed25519_dalek::Signer::sign(&key.secret, &claim.message()).to_bytes();
        let signature = Signature::new_ed25519(signature, key.info.public.fingerprint());
        IdentityCertificate::new(claim, signature).expect("the namespace key signed its own claim")
    }
}

/// An identity key.
#[derive(Clone)]
pub struct Identity(SigningKey);

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.identity())
    }
}

impl SignStatements for Identity {
    fn identity(&self) -> IdentityPublicKey {
        SignStatements::identity(&self.0)
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        SignStatements::sign(&self.0, message)
    }
}

impl KeyBackend for EncryptedFile {
    fn name(&self) -> &'static str {
        "encrypted-file"
    }

    fn keys(&self) -> Vec<KeyInfo> {
        self.keys.iter().map(|key| key.info.clone()).filter(|info| info.purpose != Purpose::Identity).collect()
    }

    fn sign(&mut self, recorded: &Recorded) -> Result<Signature, KeyError> {
        let wanted: &Fingerprint = recorded.key();
        let key = self.keys.iter().find(|key| key.info.public.fingerprint_ref() == wanted);
        let key = key.ok_or_else(|| KeyError::UnknownKey(wanted.clone()))?;
        if key.info.purpose == Purpose::Identity {
            return Err(KeyError::Purpose { key: wanted.clone(), purpose: Purpose::Identity });
        }
        let signature = ed25519_dalek::Signer::sign(&key.secret, recorded.transaction().as_bytes());
        Ok(Signature::new_ed25519(signature.to_bytes(), wanted.clone()))
    }
}

/// Random bytes, after a look at whether they are random at all.
fn random<const N: usize>() -> Result<[u8; N], KeyFileError> {
    let (mut first, mut second) = ([0; N], [0; N]);
    OsRng.try_fill_bytes(&mut first).map_err(|_| KeyFileError::Random)?;
    OsRng.try_fill_bytes(&mut second).map_err(|_| KeyFileError::Random)?;
    if first == second || first == [0; N] { Err(KeyFileError::Random) } else { Ok(first) }
}

/// Fills a slice with the operating system's random bytes.
///
/// # Errors
/// [`KeyFileError::Random`] where it gives none.
pub fn random_bytes(bytes: &mut [u8]) -> Result<(), KeyFileError> {
    OsRng.try_fill_bytes(bytes).map_err(|_| KeyFileError::Random)
}

fn derive(
    path: &Path,
    passphrase: &SecretString,
    cost: Cost,
    salt: &[u8],
) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let refused = || KeyFileError::Format { path: path.to_owned(), reason: "its cost parameters are not usable" };
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(|_| refused())?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose_secret().as_bytes(), salt, key.as_mut())
        .map_err(|_| refused())?;
    Ok(key)
}

fn write(path: &Path, passphrase: &SecretString, stored: &[StoredKey]) -> Result<(), KeyFileError> {
    let (salt, nonce) = (random::<SALT_BYTES>()?, random::<NONCE_BYTES>()?);
    let mut header = MAGIC.to_vec();
    for number in [COST.memory_kib, COST.passes, COST.lanes] {
        header.extend_from_slice(&number.to_le_bytes());
    }
    header.extend_from_slice(&salt);
    header.extend_from_slice(&nonce);
    let key = derive(path, passphrase, COST, &salt)?;
    let plain = Zeroizing::new(postcard::to_allocvec(stored).expect("keys always encode"));
    let cipher = XChaCha20Poly1305::new(key.as_ref().into());
    let payload = Payload { msg: &plain, aad: &header };
    let sealed = cipher.encrypt(XNonce::from_slice(&nonce), payload).expect("a few keys are never too long");
    let io = |error| KeyFileError::Io { path: path.to_owned(), error };
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            KeyFileError::Exists { path: path.to_owned() }
        } else {
            io(error)
        }
    })?;
    file.write_all(&header).and_then(|()| file.write_all(&sealed)).and_then(|()| file.sync_all()).map_err(io)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
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

fn decrypt(path: &Path, passphrase: &SecretString, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let format = |reason| KeyFileError::Format { path: path.to_owned(), reason };
    let (header, sealed) = bytes.split_at_checked(HEADER_BYTES).ok_or_else(|| format("too short for a key file"))?;
    let rest = header.strip_prefix(MAGIC).ok_or_else(|| format("not a key file of version 1"))?;
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
    let plain = XChaCha20Poly1305::new(key.as_ref().into()).decrypt(XNonce::from_slice(nonce), payload);
    plain.map(Zeroizing::new).map_err(|_| KeyFileError::Passphrase { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_file_without_one_key_for_each_purpose_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let passphrase = SecretString::from("correct horse".to_owned());
        let key = |purpose: Purpose| StoredKey { purpose, seed: [purpose as u8 + 1; 32] };
        let before_parcels = [Purpose::Namespace, Purpose::Party, Purpose::Identity].map(key);
        let twice = [Purpose::Namespace, Purpose::Party, Purpose::Identity, Purpose::Identity].map(key);
        for (name, stored) in [("three", before_parcels.as_slice()), ("twice", twice.as_slice()), ("none", &[])] {
            let path = folder.path().join(name);
            write(&path, &passphrase, stored).unwrap();
            let refused = EncryptedFile::open(&path, &passphrase).unwrap_err();
            assert!(refused.to_string().contains("one key for each purpose"), "{refused}");
        }
    }
}

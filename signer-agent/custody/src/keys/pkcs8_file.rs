//! PKCS#8 files (RFC 5958), as `openssl` reads and writes them: PEM or DER, encrypted (RFC 8018, PBES2). A file in the
//! clear is a key that others may have read; it is taken only where the caller says so.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use canton_topology::key::KeySpec;
use ed25519_dalek::pkcs8::KeypairBytes;
use pkcs8::{
    DecodePrivateKey as _, EncodePrivateKey as _, EncryptedPrivateKeyInfo, LineEnding, ObjectIdentifier,
    PrivateKeyInfo, SecretDocument,
    der::Decode as _,
    der::pem::PemLabel as _,
    pkcs5::{self, pbes2},
};
use secrecy::{ExposeSecret as _, SecretString};
use thiserror::Error;
use zeroize::Zeroizing;

use super::secret_key::SecretKey;
use crate::random::{self, NotRandom};

/// A key file is small; a larger one is none.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// What a file that we write costs to open: PBKDF2 with HMAC-SHA-256, which every openssl of today reads.
const ITERATIONS: u32 = 600_000;
/// A file that is dearer than this is refused: it would hold the machine up for minutes.
const ITERATIONS_MAX: u32 = 5_000_000;
/// The same for scrypt, in bytes of memory.
const SCRYPT_BYTES_MAX: u64 = 1 << 30;

const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const CURVES: [(ObjectIdentifier, KeySpec); 3] = [
    (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), KeySpec::P256),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), KeySpec::P384),
    (ObjectIdentifier::new_unwrap("1.3.132.0.10"), KeySpec::Secp256k1),
];

/// Why a file gives no key, or is not written.
#[derive(Debug, Error)]
pub enum Pkcs8Error {
    /// The file does not read or write.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Others may read it.
    #[error(
        "{path}: its mode is {mode:o}, others may have read the key in it; run `chmod 600 {path}`, or make a new key"
    )]
    Mode {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is in the clear.
    #[error(
        "{path}: the key in it is not encrypted; encrypt it with `openssl pkcs8 -topk8 -v2 aes-256-cbc`, or say \
         --accept-plaintext if nobody but you could ever read it"
    )]
    Plaintext {
        /// Which.
        path: PathBuf,
    },
    /// It is encrypted, and there is no passphrase.
    #[error("{path}: the key in it is encrypted; name the descriptor of its passphrase with --key-passphrase-fd")]
    NeedsPassphrase {
        /// Which.
        path: PathBuf,
    },
    /// It does not decrypt.
    #[error("{path}: wrong passphrase, or the file was changed; the two cannot be told apart")]
    Passphrase {
        /// Which.
        path: PathBuf,
    },
    /// It is something else.
    #[error("{path}: {reason}")]
    Format {
        /// Which.
        path: PathBuf,
        /// What it is, and what to do.
        reason: &'static str,
    },
    /// No random salt.
    #[error(transparent)]
    Random(#[from] NotRandom),
}

/// Reads a key.
///
/// # Errors
/// See [`Pkcs8Error`].
pub fn read(path: &Path, passphrase: Option<&SecretString>, accept_plaintext: bool) -> Result<SecretKey, Pkcs8Error> {
    let bytes = contents(path)?;
    let format = |reason| Pkcs8Error::Format { path: path.to_owned(), reason };
    let (der, label) = match std::str::from_utf8(&bytes).ok().filter(|text| text.contains("-----BEGIN")) {
        Some(text) => {
            let (label, document) = SecretDocument::from_pem(text).map_err(|_| format("it is damaged PEM"))?;
            (document, Some(label.to_owned()))
        }
        None => (SecretDocument::try_from(bytes.as_slice()).map_err(|_| format(NEITHER))?, None),
    };
    match label.as_deref() {
        None => {}
        Some(label) if label == PrivateKeyInfo::PEM_LABEL || label == EncryptedPrivateKeyInfo::PEM_LABEL => {}
        Some("EC PRIVATE KEY") => {
            return Err(format("it is SEC 1, not PKCS#8; convert it with `openssl pkcs8 -topk8`"));
        }
        Some(_) => return Err(format(NEITHER)),
    }
    if let Ok(encrypted) = EncryptedPrivateKeyInfo::from_der(der.as_bytes()) {
        let passphrase = passphrase.ok_or_else(|| Pkcs8Error::NeedsPassphrase { path: path.to_owned() })?;
        must_be_bearable(&encrypted).map_err(format)?;
        let opened = encrypted.decrypt(passphrase.expose_secret().as_bytes());
        let opened = opened.map_err(|_| Pkcs8Error::Passphrase { path: path.to_owned() })?;
        return key(opened.as_bytes()).map_err(format);
    }
    let found = key(der.as_bytes()).map_err(format)?;
    if accept_plaintext { Ok(found) } else { Err(Pkcs8Error::Plaintext { path: path.to_owned() }) }
}

const NEITHER: &str = "it is not a PKCS#8 private key, in PEM or DER";

fn key(der: &[u8]) -> Result<SecretKey, &'static str> {
    let info = PrivateKeyInfo::from_der(der).map_err(|_| NEITHER)?;
    match info.algorithm.oid {
        ED25519 => {
            let key = ed25519_dalek::SigningKey::from_pkcs8_der(der).map_err(|_| "its Ed25519 key is damaged")?;
            Ok(SecretKey::Ed25519(key))
        }
        EC => {
            let curve = info.algorithm.parameters_oid().map_err(|_| "its curve is not named")?;
            let spec = CURVES.iter().find(|(oid, _)| *oid == curve).map(|(_, spec)| *spec);
            let damaged = |_| "its EC key is damaged";
            match spec.ok_or("its curve is none of P-256, P-384 and secp256k1")? {
                KeySpec::P256 => p256::ecdsa::SigningKey::from_pkcs8_der(der).map(SecretKey::P256).map_err(damaged),
                KeySpec::P384 => p384::ecdsa::SigningKey::from_pkcs8_der(der).map(SecretKey::P384).map_err(damaged),
                KeySpec::Secp256k1 | KeySpec::Ed25519 => {
                    k256::ecdsa::SigningKey::from_pkcs8_der(der).map(SecretKey::Secp256k1).map_err(damaged)
                }
            }
        }
        _ => Err("its key is none that Canton signs with: Ed25519, P-256, P-384, secp256k1"),
    }
}

/// The cost stands in the file, and whoever made the file chose it.
fn must_be_bearable(encrypted: &EncryptedPrivateKeyInfo<'_>) -> Result<(), &'static str> {
    let pkcs5::EncryptionScheme::Pbes2(parameters) = &encrypted.encryption_algorithm else {
        return Err("its encryption is of old (PBES1); convert it with `openssl pkcs8 -topk8 -v2 aes-256-cbc`");
    };
    let is_bearable = match &parameters.kdf {
        pbes2::Kdf::Pbkdf2(kdf) => kdf.iteration_count <= ITERATIONS_MAX,
        pbes2::Kdf::Scrypt(kdf) => {
            kdf.cost_parameter.saturating_mul(u64::from(kdf.block_size)).saturating_mul(128) <= SCRYPT_BYTES_MAX
                && kdf.parallelization <= 16
        }
        _ => false,
    };
    if is_bearable { Ok(()) } else { Err("its cost is beyond what is taken; somebody made it to hold us up") }
}

/// How an encrypted key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lines of text.
    Pem,
    /// The bare bytes.
    Der,
}

/// Writes a key, encrypted. Never overwrites.
///
/// # Errors
/// See [`Pkcs8Error`].
pub fn write(path: &Path, key: &SecretKey, passphrase: &SecretString, form: Form) -> Result<(), Pkcs8Error> {
    let format = |reason| Pkcs8Error::Format { path: path.to_owned(), reason };
    let der = match key {
        // Without the public half: openssl reads version 1 of the format alone.
        SecretKey::Ed25519(key) => KeypairBytes { secret_key: key.to_bytes(), public_key: None }.to_pkcs8_der(),
        SecretKey::P256(key) => key.to_pkcs8_der(),
        SecretKey::P384(key) => key.to_pkcs8_der(),
        SecretKey::Secp256k1(key) => key.to_pkcs8_der(),
    };
    let der = der.map_err(|_| format("the key does not encode"))?;
    let salt = random::secret::<16>()?;
    let vector = random::secret::<16>()?;
    let parameters = pbes2::Parameters::pbkdf2_sha256_aes256cbc(ITERATIONS, salt.as_ref(), &vector);
    let parameters = parameters.map_err(|_| format("the cost is not taken"))?;
    let info = PrivateKeyInfo::from_der(der.as_bytes()).map_err(|_| format("the key does not encode"))?;
    let sealed = info.encrypt_with_params(parameters, passphrase.expose_secret().as_bytes());
    let sealed = sealed.map_err(|_| format("the key does not encrypt"))?;
    let bytes = match form {
        Form::Der => Zeroizing::new(sealed.as_bytes().to_vec()),
        Form::Pem => {
            let pem = sealed.to_pem(EncryptedPrivateKeyInfo::PEM_LABEL, LineEnding::LF);
            Zeroizing::new(pem.map_err(|_| format("the key does not encode"))?.as_bytes().to_vec())
        }
    };
    let io = |error| Pkcs8Error::Io { path: path.to_owned(), error };
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(io)
}

fn contents(path: &Path) -> Result<Zeroizing<Vec<u8>>, Pkcs8Error> {
    let io = |error| Pkcs8Error::Io { path: path.to_owned(), error };
    let file = fs::File::open(path).map_err(io)?;
    let mode = file.metadata().map_err(io)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Pkcs8Error::Mode { path: path.to_owned(), mode });
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

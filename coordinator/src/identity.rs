//! The coordinator's own identity key: it signs offers and outcomes, so that two stories told to two owners convict it.
//! It has no other power; losing it costs nothing but that every owner must learn a new one.

use ed25519_dalek::SigningKey;
use rand_core::OsRng;
use thiserror::Error;

use crate::data_folder::{DataFolder, DataFolderError};

const FILE: &str = "identity.key";

/// Why there is no key.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// Its file.
    #[error(transparent)]
    Files(#[from] DataFolderError),
    /// The file does not hold a key.
    #[error("{folder}/{FILE} is not 64 hex digits; restore it from a backup")]
    Unreadable {
        /// The data folder.
        folder: String,
    },
}

/// The key of a data folder, made where there is none.
///
/// # Errors
/// Where its file cannot be read or written.
pub fn open(folder: &DataFolder) -> Result<SigningKey, IdentityError> {
    let Some(text) = folder.read(FILE)? else {
        let key = SigningKey::generate(&mut OsRng);
        folder.keep(FILE, &format!("{}\n", hex::encode(key.to_bytes())))?;
        return Ok(key);
    };
    let seed: Option<[u8; 32]> = hex::decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    let unreadable = || IdentityError::Unreadable { folder: folder.path().display().to_string() };
    Ok(SigningKey::from_bytes(&seed.ok_or_else(unreadable)?))
}

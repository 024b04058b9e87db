//! The token that each call carries: read from a file, or fetched from the participant's identity provider.

use std::{fs, path::PathBuf, sync::Arc};

use tonic::metadata::{Ascii, MetadataValue};

use super::oauth::Source;
use crate::error::NodeError;

/// Where the token of each call comes from.
#[derive(Clone, Debug)]
pub(crate) enum Tokens {
    /// The participant asks for none.
    None,
    /// Whoever renews it writes it here. Read anew for each call.
    File(PathBuf),
    /// We fetch it ourselves, again and again.
    Fetched(Arc<Source>),
}

impl Tokens {
    /// The header of a call made now.
    ///
    /// # Errors
    /// [`NodeError::Retry`] with the cause. Nothing of a token or a secret stands in it.
    pub async fn current(&self) -> Result<Option<MetadataValue<Ascii>>, NodeError> {
        match self {
            Self::None => Ok(None),
            Self::File(path) => {
                let refused = |reason: String| NodeError::Retry(format!("token file {}: {reason}", path.display()));
                let token = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
                let header = bearer(token.trim());
                header.map(Some).ok_or_else(|| refused("what is in it cannot be a token".to_owned()))
            }
            Self::Fetched(source) => {
                source.current().await.map(Some).map_err(|error| NodeError::Retry(error.to_string()))
            }
        }
    }
}

/// The header with a token; `None` for what cannot be one.
pub(super) fn bearer(token: &str) -> Option<MetadataValue<Ascii>> {
    if token.is_empty() {
        return None;
    }
    let mut value: MetadataValue<Ascii> = format!("Bearer {token}").parse().ok()?;
    value.set_sensitive(true);
    Some(value)
}

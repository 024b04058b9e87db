//! How a participant lets us in: TLS pinned to a certificate authority, a client certificate, a token from a file.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tonic::{
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, ClientTlsConfig, Identity, Uri},
};

use crate::error::NodeError;

/// The files that a participant asks for; none for one on this machine that asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The certificates of the authorities that may vouch for the participant, PEM. Needed for `https`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Our certificate, PEM, where the participant asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The key of our certificate, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// The token (JWT). Read anew for each call, so that whoever renews it need only write the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<PathBuf>,
}

/// Why a participant cannot be reached so.
#[derive(Debug, Error)]
pub enum AccessError {
    /// The address is none.
    #[error("{address:?} is not an address: {reason}; write it like https://participant.example.org:5002")]
    Address {
        /// The address.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// The fields do not go together.
    #[error("field {field}: {reason}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What is wrong, and what to write.
        reason: String,
    },
    /// A file does not read.
    #[error("field {field}: cannot read {path}: {error}")]
    File {
        /// Which field.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
}

impl Access {
    /// The same with relative paths taken from a folder.
    #[must_use]
    pub fn beside(self, folder: &Path) -> Self {
        let beside = |path: Option<PathBuf>| path.map(|path| folder.join(path));
        Self {
            ca: beside(self.ca),
            certificate: beside(self.certificate),
            key: beside(self.key),
            token: beside(self.token),
        }
    }

    /// What TLS needs; `None` for plain `http`.
    ///
    /// # Errors
    /// Names the field.
    pub(crate) fn tls(&self, address: &Uri) -> Result<Option<ClientTlsConfig>, AccessError> {
        let wrong = |field, reason: &str| Err(AccessError::Field { field, reason: reason.to_owned() });
        match address.scheme_str() {
            Some("https") => {}
            Some("http") => {
                if self.ca.is_some() || self.certificate.is_some() || self.key.is_some() {
                    return wrong("address", "certificates are for https, and it begins with http://");
                }
                if self.token.is_some() && !is_loopback(address) {
                    return wrong("token", "it would travel in the clear; write https:// and ca");
                }
                return Ok(None);
            }
            _ => return wrong("address", "it must begin with https://, or with http:// on this machine"),
        }
        let Some(ca) = &self.ca else {
            return wrong("ca", "missing; name the file with the certificate authority of the participant");
        };
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read("ca", ca)?));
        match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                let identity = Identity::from_pem(read("certificate", certificate)?, read("key", key)?);
                Ok(Some(tls.identity(identity)))
            }
            (None, None) => Ok(Some(tls)),
            (Some(_), None) => wrong("key", "missing; a certificate needs its key"),
            (None, Some(_)) => wrong("certificate", "missing; a key needs its certificate"),
        }
    }

    /// Where its tokens come from.
    ///
    /// # Errors
    /// Names the field.
    pub(crate) fn tokens(&self, _timeout: Duration) -> Result<Tokens, AccessError> {
        Ok(self.token.clone().map_or(Tokens::None, Tokens::File))
    }
}

fn read(field: &'static str, path: &Path) -> Result<Vec<u8>, AccessError> {
    fs::read(path).map_err(|error| AccessError::File { field, path: path.to_owned(), error })
}

fn is_loopback(address: &Uri) -> bool {
    let host = address.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Where the token of each call comes from.
#[derive(Clone, Debug)]
pub(crate) enum Tokens {
    /// The participant asks for none.
    None,
    /// Whoever renews it writes it here.
    File(PathBuf),
}

impl Tokens {
    /// The header of a call made now.
    pub async fn current(&self) -> Result<Option<MetadataValue<Ascii>>, NodeError> {
        match self {
            Self::None => Ok(None),
            Self::File(path) => {
                // The file's content stands in no message.
                let refused = |reason: String| NodeError::Retry(format!("token file {}: {reason}", path.display()));
                let token = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
                let header = bearer(token.trim());
                header.map(Some).ok_or_else(|| refused("what is in it cannot be a token".to_owned()))
            }
        }
    }
}

fn bearer(token: &str) -> Option<MetadataValue<Ascii>> {
    let mut value: MetadataValue<Ascii> = format!("Bearer {token}").parse().ok()?;
    value.set_sensitive(true);
    Some(value)
}

//! How a participant lets us in: TLS pinned to a certificate authority, a client certificate, a token from a file or from
//! the participant's identity provider.

pub mod oauth;
mod tokens;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tonic::transport::{Certificate, ClientTlsConfig, Identity, Uri};

use self::oauth::{ClientCredentials, Source};
pub(crate) use self::tokens::Tokens;

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
    /// The account by which we fetch tokens ourselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth: Option<ClientCredentials>,
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
            oauth: self.oauth.map(|credentials| credentials.beside(folder)),
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
                let is_asked = self.token.is_some() || self.oauth.is_some();
                if is_asked && !address.host().is_some_and(is_loopback_host) {
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
    pub(crate) fn tokens(&self, timeout: Duration) -> Result<Tokens, AccessError> {
        match (&self.token, &self.oauth) {
            (None, None) => Ok(Tokens::None),
            (Some(path), None) => Ok(Tokens::File(path.clone())),
            (None, Some(credentials)) => {
                Source::new(credentials.clone(), timeout).map(|source| Tokens::Fetched(Arc::new(source)))
            }
            (Some(_), Some(_)) => {
                let reason = "there is an oauth account besides; keep one of them".to_owned();
                Err(AccessError::Field { field: "token", reason })
            }
        }
    }
}

fn read(field: &'static str, path: &Path) -> Result<Vec<u8>, AccessError> {
    fs::read(path).map_err(|error| AccessError::File { field, path: path.to_owned(), error })
}

/// Whether a host, as it stands in an address, is this machine.
pub fn is_loopback_host(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

//! A credentials file as AWS's own tools write it. Whoever renews the keys writes them there; they are read anew for each
//! call.

use std::path::PathBuf;

use aws_credential_types::Credentials;
use custody::keys::credential::{CredentialError, whole_file};
use thiserror::Error;

/// Why there are no credentials. Nothing of a secret stands in it.
#[derive(Debug, Error)]
pub(super) enum CredentialsError {
    #[error("field credentials: {0}")]
    File(#[from] CredentialError),
    #[error("field credentials: {path}: not text")]
    NotText { path: PathBuf },
    #[error("field profile: {path} has no {name} in [{profile}]")]
    Absent { path: PathBuf, profile: String, name: &'static str },
}

/// Where they stand.
pub(super) struct CredentialsFile {
    pub path: PathBuf,
    pub profile: String,
}

impl CredentialsFile {
    pub fn read(&self) -> Result<Credentials, CredentialsError> {
        let bytes = whole_file(&self.path)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| CredentialsError::NotText { path: self.path.clone() })?;
        let field = |name: &'static str| value(text, &self.profile, name);
        let must = |name| {
            let absent = || CredentialsError::Absent { path: self.path.clone(), profile: self.profile.clone(), name };
            field(name).ok_or_else(absent)
        };
        let (id, secret) = (must("aws_access_key_id")?, must("aws_secret_access_key")?);
        Ok(Credentials::new(id, secret, field("aws_session_token").map(str::to_owned), None, "file"))
    }
}

/// What a line `name = value` in a section says.
fn value<'a>(text: &'a str, profile: &str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().map(str::trim);
    let is_head =
        |line: &str| line.strip_prefix('[').and_then(|line| line.strip_suffix(']')).map(str::trim) == Some(profile);
    lines.find(|line| is_head(line))?;
    let within = lines.take_while(|line| !line.starts_with('['));
    let mut pairs = within.filter_map(|line| line.split_once('='));
    let (_, value) = pairs.find(|(found, _)| found.trim() == name)?;
    Some(value.trim()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn a_credentials_file_is_read_as_the_tools_write_it() {
        let text = "# ours\n[default]\naws_access_key_id = A\n\n[other]\naws_access_key_id=B\naws_secret_access_key = s/e=c+ret\naws_session_token =\n";
        assert_eq!(value(text, "default", "aws_access_key_id"), Some("A"));
        assert_eq!(value(text, "default", "aws_secret_access_key"), None);
        assert_eq!(value(text, "other", "aws_access_key_id"), Some("B"));
        assert_eq!(value(text, "other", "aws_secret_access_key"), Some("s/e=c+ret"));
        assert_eq!(value(text, "other", "aws_session_token"), None);
        assert_eq!(value(text, "third", "aws_access_key_id"), None);
    }
}

//! Tokens by OAuth 2.0 client credentials (RFC 6749, 4.4). A node refuses tokens that live longer than five minutes, so
//! they are fetched again and again, a little before they end.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use reqwest::{Certificate, Client, Url, redirect::Policy};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tonic::metadata::{Ascii, MetadataValue};
use zeroize::Zeroizing;

use super::{AccessError, is_loopback_host, tokens::bearer};
use crate::answer::{NotRead, bounded, causes};

/// How long before its end a token is renewed; a third of its life where that is less.
const RENEW_BEFORE: Duration = Duration::from_secs(30);
/// How long a token is used whose life nobody states.
const LIFE_UNSTATED: Duration = Duration::from_secs(30);
/// Longest life that is believed.
const LIFE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// An account at the identity provider that the participant trusts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCredentials {
    /// Where tokens are given out: `https`, or `http` on this machine.
    pub token_url: String,
    /// The account.
    pub client_id: String,
    /// The file of the account's secret. Read anew for each token.
    pub client_secret_file: PathBuf,
    /// What the token is to be good for, where the provider wants to hear it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// For whom the token is, where the provider wants to hear it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The certificates of the authorities that may vouch for the provider, PEM; the system's own where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

impl ClientCredentials {
    /// The same with relative paths taken from a folder.
    pub(super) fn beside(self, folder: &Path) -> Self {
        let client_secret_file = folder.join(self.client_secret_file);
        Self { client_secret_file, ca: self.ca.map(|ca| folder.join(ca)), ..self }
    }
}

/// Why there is no token. No secret stands in it.
#[derive(Debug, Error)]
pub(crate) enum TokenError {
    #[error("field oauth.client_secret_file: cannot read {path}: {error}")]
    Secret { path: PathBuf, error: std::io::Error },
    #[error("the token provider {provider} cannot be reached: {reason}")]
    Unreachable { provider: String, reason: String },
    #[error("the token provider {provider} refused: {status}{code}; check client_id, the secret, scope and audience")]
    Refused { provider: String, status: u16, code: String },
    #[error("the token provider {provider} answered something else: {reason}")]
    BadAnswer { provider: String, reason: &'static str },
}

/// A token and when to leave it.
#[derive(Clone)]
struct Held {
    header: MetadataValue<Ascii>,
    renew_at: Instant,
    ends_at: Instant,
}

/// Fetches tokens and keeps the last.
pub(crate) struct Source {
    credentials: ClientCredentials,
    url: Url,
    client: Client,
    held: Mutex<Option<Held>>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Source {
    pub fn new(credentials: ClientCredentials, timeout: Duration) -> Result<Self, AccessError> {
        let wrong = |field, reason: String| AccessError::Field { field, reason };
        let url = Url::parse(&credentials.token_url).map_err(|error| {
            wrong("oauth.token_url", format!("{error}; write it like https://id.example.org/token"))
        })?;
        let is_safe = url.scheme() == "https" || url.scheme() == "http" && url.host_str().is_some_and(is_loopback_host);
        if !is_safe {
            return Err(wrong("oauth.token_url", "the secret would travel in the clear; write https://".to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                "oauth.token_url",
                "a secret in an address is seen by many; use client_secret_file".to_owned(),
            ));
        }
        // Each binary does so when it starts; a second time changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder().no_proxy().redirect(Policy::none()).timeout(timeout);
        if let Some(path) = &credentials.ca {
            let pem = super::read("oauth.ca", path)?;
            let unusable = |error: reqwest::Error| wrong("oauth.ca", error.to_string());
            builder = builder.tls_certs_only(Certificate::from_pem_bundle(&pem).map_err(unusable)?);
        }
        let client = builder.build().map_err(|error| wrong("oauth", error.to_string()))?;
        Ok(Self { credentials, url, client, held: Mutex::new(None) })
    }

    /// The header of a call made now.
    pub async fn current(&self) -> Result<MetadataValue<Ascii>, TokenError> {
        let held = self.held();
        let now = Instant::now();
        if let Some(held) = held.as_ref().filter(|held| now < held.renew_at) {
            return Ok(held.header.clone());
        }
        match (self.fetch(now).await, held) {
            (Ok(fresh), _) => {
                let header = fresh.header.clone();
                *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
                Ok(header)
            }
            // The provider rests, and what we have is still good.
            (Err(_), Some(held)) if Instant::now() < held.ends_at => Ok(held.header),
            (Err(error), _) => Err(error),
        }
    }

    fn held(&self) -> Option<Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The host that gives tokens out.
    pub fn provider(&self) -> String {
        self.url.host_str().unwrap_or_default().to_owned()
    }

    /// `asked_at`: a life counts from before the question.
    async fn fetch(&self, asked_at: Instant) -> Result<Held, TokenError> {
        let path = &self.credentials.client_secret_file;
        let secret = fs::read_to_string(path)
            .map_err(|error| TokenError::Secret { path: path.clone(), error })
            .map(Zeroizing::new)?;
        let unreachable = |error: reqwest::Error| {
            let reason = causes(&error.without_url());
            TokenError::Unreachable { provider: self.provider(), reason }
        };
        let request = self
            .client
            .post(self.url.clone())
            .basic_auth(encoded(&self.credentials.client_id), Some(encoded(secret.trim())))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(self.form());
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let body = bounded(answer, ANSWER_BYTES_MAX).await.map_err(|error| match error {
            NotRead::Broken(error) => unreachable(error),
            NotRead::TooLong { .. } => self.bad("it is too long"),
        })?;
        if !status.is_success() {
            let code = serde_json::from_slice::<Refusal>(&body).ok().map(|refusal| refusal.error);
            // RFC 6749 5.2 names a few; anything longer is no code, and may repeat what it was sent.
            let is_code = |code: &String| code.len() <= 40 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            let code = code.filter(is_code).map(|code| format!(" {code}")).unwrap_or_default();
            return Err(TokenError::Refused { provider: self.provider(), status: status.as_u16(), code });
        }
        self.read(&body, asked_at)
    }

    fn form(&self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        let optional = [("scope", &self.credentials.scope), ("audience", &self.credentials.audience)];
        for (name, value) in optional {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        form.finish()
    }

    fn read(&self, body: &[u8], asked_at: Instant) -> Result<Held, TokenError> {
        let answer: Answer = serde_json::from_slice(body).map_err(|_| self.bad("no access_token with a token_type"))?;
        if !answer.token_type.eq_ignore_ascii_case("bearer") {
            return Err(self.bad("the token is none that a bearer uses"));
        }
        let header = bearer(&answer.access_token).ok_or_else(|| self.bad("access_token cannot be a token"))?;
        let life = answer.expires_in.map_or(LIFE_UNSTATED, Duration::from_secs).min(LIFE_MAX);
        let renew_at = asked_at + (life - RENEW_BEFORE.min(life / 3));
        Ok(Held { header, renew_at, ends_at: asked_at + life })
    }

    fn bad(&self, reason: &'static str) -> TokenError {
        TokenError::BadAnswer { provider: self.provider(), reason }
    }
}

/// As RFC 6749 2.3.1 wants both halves of the account.
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

//! A key service over the network, for backends that are asked synchronously: one client, built once; a time limit; a
//! bound on every answer; and errors that say who did not answer, with nothing of a secret in them.

use std::{borrow::Cow, fs, path::Path, time::Duration};

use canton_client::{
    access::is_loopback_host,
    answer::{NotRead, bounded, causes},
};
use custody::keys::{KeyError, backends::OpenError};
use reqwest::{Certificate, Client, RequestBuilder, StatusCode, Url, redirect::Policy};
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// Longest text of a service that is shown, in characters.
const SAID_CHARS_MAX: usize = 300;
/// How long an answer may take where the configuration does not say it, in seconds.
pub const TIME_LIMIT_SECONDS: u64 = 10;
/// Longest time limit, in seconds: the agent does nothing else while it waits.
const TIME_LIMIT_SECONDS_MAX: u64 = 120;

/// Where a service is.
pub struct Location<'a> {
    /// The section that names it.
    pub section: &'a str,
    /// The field of its address.
    pub field: &'static str,
    /// `https://…`, or `http://…` on this machine.
    pub address: &'a str,
    /// The file of the authorities that may vouch for it, PEM; the system's own where absent.
    pub ca: Option<&'a Path>,
    /// How long an answer may take.
    pub time_limit_seconds: u64,
}

/// A service.
pub struct Service {
    runtime: Handle,
    client: Client,
    url: Url,
}

/// What it answered.
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    body: Vec<u8>,
}

impl Service {
    /// Builds the client. Asks nobody yet.
    ///
    /// # Errors
    /// Names the field.
    pub fn new(location: &Location<'_>) -> Result<Self, OpenError> {
        let wrong = |field: &str, reason: &str| wrong(location.section, field, reason);
        let url = Url::parse(location.address).map_err(|error| wrong(location.field, &error.to_string()))?;
        let is_here = url.host_str().is_some_and(is_loopback_host);
        if !(url.scheme() == "https" || url.scheme() == "http" && is_here) {
            return Err(wrong(location.field, "it must begin with https://, or with http:// on this machine"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            return Err(wrong(
                location.field,
                "nothing but the address belongs there; secrets have fields of their own",
            ));
        }
        if !(1..=TIME_LIMIT_SECONDS_MAX).contains(&location.time_limit_seconds) {
            return Err(wrong("time_limit_seconds", &format!("use 1 to {TIME_LIMIT_SECONDS_MAX}")));
        }
        let runtime = Handle::try_current().map_err(|error| wrong(location.field, &error.to_string()))?;
        // Each binary does so when it starts; a second time changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let time_limit = Duration::from_secs(location.time_limit_seconds);
        let mut builder = Client::builder().no_proxy().redirect(Policy::none()).timeout(time_limit);
        if let Some(path) = location.ca {
            let pem = fs::read(path).map_err(|error| wrong("ca", &format!("{}: {error}", path.display())))?;
            let unusable = |error: reqwest::Error| wrong("ca", &format!("{}: {error}", path.display()));
            builder = builder.tls_certs_only(Certificate::from_pem_bundle(&pem).map_err(unusable)?);
        }
        let client = builder.build().map_err(|error| wrong(location.field, &error.to_string()))?;
        Ok(Self { runtime, client, url })
    }

    /// The address of something in the service: these segments behind its own path.
    pub fn at<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// The client, to build a request with.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Asks, and waits for the answer. Not from within an asynchronous task.
    ///
    /// # Errors
    /// [`KeyError::Backend`] where there is no answer within the time limit.
    pub fn ask(&self, request: RequestBuilder) -> Result<Reply, KeyError> {
        self.runtime.block_on(async {
            let unreachable = |error: reqwest::Error| {
                let what = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
                self.failed(&format!("{what}: {}", causes(&error.without_url())))
            };
            let answer = request.send().await.map_err(unreachable)?;
            let status = answer.status();
            let body = bounded(answer, ANSWER_BYTES_MAX).await.map_err(|error| match error {
                NotRead::Broken(error) => unreachable(error),
                NotRead::TooLong { .. } => self.failed("its answer is too long"),
            })?;
            Ok(Reply { status, body })
        })
    }

    /// Lets some time pass.
    pub fn wait(&self, time: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(time).await });
    }

    /// What the service did wrong, with its address.
    pub fn failed(&self, what: &str) -> KeyError {
        KeyError::Backend(format!("{} {what}", self.url.as_str().trim_end_matches('/')))
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// [`KeyError::Backend`] where it is another one.
    pub fn read<T: DeserializeOwned>(&self, reply: &Reply) -> Result<T, KeyError> {
        let read = reply.json();
        read.ok_or_else(|| self.failed(&format!("answered {} with something else than was asked", reply.status)))
    }
}

impl Reply {
    /// The body as text, as far as it is any.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body as JSON of a form; `None` where it is none.
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// A mistake in a section.
pub fn wrong(section: &str, field: &str, reason: &str) -> OpenError {
    OpenError::Config { section: section.to_owned(), reason: format!("field {field}: {reason}") }
}

/// Text of a service, fit for a line of ours: it is foreign, and may hold anything.
pub fn said(text: &str) -> String {
    let plain = text.chars().map(|one| if one.is_ascii_graphic() { one } else { ' ' });
    let plain: String = plain.take(SAID_CHARS_MAX).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

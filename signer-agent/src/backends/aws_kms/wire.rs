//! What AWS KMS says, and how it names curves, algorithms and keys.

use canton_topology::key::KeySpec;
use serde::Deserialize;

use crate::backends::service::{Reply, said};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    pub key_metadata: KeyMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Made {
    pub key_metadata: MadeKey,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MadeKey {
    pub arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KeyMetadata {
    pub key_spec: String,
    pub key_usage: String,
    pub key_state: String,
    origin: Option<String>,
    multi_region: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PublicKey {
    pub public_key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Signed {
    pub signature: String,
}

/// Why something was not done.
pub(super) struct Refused {
    /// The exception's name; the status where there is none.
    pub name: String,
    /// What the service says, fit for a line.
    pub words: String,
    is_its_fault: bool,
}

#[derive(Default, Deserialize)]
struct Exception {
    #[serde(rename = "__type", default)]
    name: String,
    #[serde(alias = "Message", default)]
    message: String,
}

impl Exception {
    /// In front of the service others may answer, in XML.
    fn of_xml(text: &str) -> Self {
        let field = |name: &str| {
            let (_, rest) = text.split_once(&format!("<{name}>"))?;
            rest.split('<').next().map(str::to_owned)
        };
        Self { name: field("Code").unwrap_or_default(), message: field("Message").unwrap_or_default() }
    }
}

impl Refused {
    pub fn read(reply: &Reply) -> Self {
        let exception: Exception = reply.json().unwrap_or_else(|| Exception::of_xml(&reply.text()));
        let name = exception.name.rsplit('#').next().unwrap_or_default();
        let name = if name.is_empty() { reply.status.as_u16().to_string() } else { said(name) };
        Self { name, words: said(&exception.message), is_its_fault: reply.status.is_server_error() }
    }

    pub fn is_throttled(&self) -> bool {
        matches!(self.name.as_str(), "ThrottlingException" | "LimitExceededException" | "RequestLimitExceeded" | "429")
    }

    /// Whether the same may work a moment later.
    pub fn is_passing(&self) -> bool {
        self.is_its_fault
            || matches!(
                self.name.as_str(),
                "DependencyTimeoutException" | "KeyUnavailableException" | "KMSInternalException"
            )
    }
}

impl KeyMetadata {
    pub fn facts(&self) -> Vec<(String, String)> {
        let regions = if self.multi_region == Some(true) { "several" } else { "one" };
        let origin = self.origin.as_deref().unwrap_or("unknown");
        [("spec", self.key_spec.as_str()), ("state", &self.key_state), ("origin", origin), ("regions", regions)]
            .map(|(name, fact)| (name.to_owned(), said(fact)))
            .into()
    }
}

pub(super) fn key_spec(spec: KeySpec) -> &'static str {
    match spec {
        KeySpec::Ed25519 => "ECC_NIST_EDWARDS25519",
        KeySpec::P256 => "ECC_NIST_P256",
        KeySpec::P384 => "ECC_NIST_P384",
        KeySpec::Secp256k1 => "ECC_SECG_P256K1",
    }
}

pub(super) fn spec(text: &str) -> Option<KeySpec> {
    KeySpec::ALL.into_iter().find(|spec| key_spec(*spec) == text)
}

pub(super) fn algorithm(spec: KeySpec) -> &'static str {
    match spec {
        // The pure form, which wants the message; the one of a digest is another signature.
        KeySpec::Ed25519 => "ED25519_SHA_512",
        KeySpec::P256 | KeySpec::Secp256k1 => "ECDSA_SHA_256",
        KeySpec::P384 => "ECDSA_SHA_384",
    }
}

/// Region and resource of an ARN of this service.
pub(super) fn arn(text: &str) -> Option<(&str, &str)> {
    let mut parts = text.splitn(6, ':');
    let is_ours = parts.next() == Some("arn") && parts.next()?.starts_with("aws") && parts.next() == Some("kms");
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let is_plain = |one: u8| one.is_ascii_alphanumeric() || matches!(one, b'-' | b'/' | b'_' | b':');
    let is_whole = is_ours && !account.is_empty() && resource.bytes().all(is_plain);
    let is_named = resource.strip_prefix("key/").or(resource.strip_prefix("alias/")).is_some_and(|id| !id.is_empty());
    (is_whole && is_named).then_some((region, resource))
}

//! The backend `transit`: keys in the transit engine of an OpenBao or Vault server.
//!
//! A key is found by name and version, `NAME@VERSION`: a rotated key is another key, so that the version is named each
//! time. What is signed is the message itself, which the server hashes where the curve wants it.

mod wire;

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use canton_topology::{
    key::{KeySpec, SigningPublicKey},
    signature::Signature,
};
use custody::keys::{
    Abilities, Held, KeyBackend, KeyError, NewKey, Outcome, PinnedKey, Purpose,
    backends::{OpenError, Opening},
    credential::{Credential, Source},
    signature_from_bytes,
    to_sign::ToSign,
};
use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderValue};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::json;

use self::wire::{Answer, Complaint, Health, KeyRead, Lookup, Reference, SPECS, Signed, is_name, kind, spec};
use super::service::{self, Location, Reply, Service, said};

/// The kind's name.
pub const KIND: &str = "transit";
/// Which page tells the rights.
const PAGE: &str = "deploy/kms/transit.md";

/// Its section.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The server, such as `https://bao.example.org:8200`.
    address: String,
    /// The authorities that may vouch for it, PEM; the system's own where absent.
    ca: Option<PathBuf>,
    /// Where the engine is mounted.
    #[serde(default = "default_mount")]
    mount: String,
    /// The namespace in which the engine is mounted.
    namespace: Option<String>,
    /// The token. A file is read anew each time.
    #[serde(default)]
    token: Credential,
    /// How long an answer may take.
    #[serde(default = "default_time_limit")]
    time_limit_seconds: u64,
}

fn default_mount() -> String {
    "transit".to_owned()
}

fn default_time_limit() -> u64 {
    service::TIME_LIMIT_SECONDS
}

/// The backend.
pub struct Transit {
    service: Service,
    mount: String,
    namespace: Option<HeaderValue>,
    token: Source,
}

/// Opens the backend.
///
/// # Errors
/// Names the field.
pub fn open(opening: Opening<'_>) -> Result<Box<dyn KeyBackend>, OpenError> {
    let config: Config = opening.config()?;
    let section = opening.section;
    let service = Service::new(&Location {
        section,
        field: "address",
        address: &config.address,
        ca: config.ca.as_deref(),
        time_limit_seconds: config.time_limit_seconds,
    })?;
    let mount = config.mount.trim_matches('/').to_owned();
    if mount.is_empty() || !mount.split('/').all(is_name) {
        return Err(service::wrong(section, "mount", "write it like transit, or team/transit"));
    }
    let namespace = config.namespace.as_deref().map(HeaderValue::from_str).transpose();
    let namespace = namespace.map_err(|_| service::wrong(section, "namespace", "it holds a sign that no name has"))?;
    let token = config.token.source(section, "token", opening.ask);
    let token = token.map_err(|error| OpenError::Credential { section: section.to_owned(), error })?;
    Ok(Box::new(Transit { service, mount, namespace, token }))
}

impl Transit {
    fn request(&self, method: Method, segments: &[&str]) -> Result<RequestBuilder, KeyError> {
        let token = self.token.current().map_err(|error| KeyError::Backend(format!("the token: {error}")))?;
        let header = HeaderValue::from_str(token.expose_secret());
        let mut header =
            header.map_err(|_| KeyError::Backend("the token holds a sign that no token has".to_owned()))?;
        header.set_sensitive(true);
        let url = self.service.at(["v1"].into_iter().chain(segments.iter().copied()));
        let mut request = self.service.client().request(method, url).header("X-Vault-Token", header);
        if let Some(namespace) = &self.namespace {
            request = request.header("X-Vault-Namespace", namespace.clone());
        }
        Ok(request)
    }

    /// A request below the mount.
    fn in_mount(&self, method: Method, segments: &[&str]) -> Result<RequestBuilder, KeyError> {
        let segments: Vec<&str> = self.mount.split('/').chain(segments.iter().copied()).collect();
        self.request(method, &segments)
    }

    /// Why something was not done.
    fn refused(&self, reply: &Reply, what: &str) -> KeyError {
        let errors = reply.json::<Complaint>().map(|complaint| complaint.errors).unwrap_or_default();
        let said = said(&errors.join("; "));
        let status = reply.status.as_u16();
        self.service.failed(&match reply.status {
            StatusCode::SERVICE_UNAVAILABLE if said.contains("sealed") => "is sealed; unseal it".to_owned(),
            StatusCode::FORBIDDEN => format!(
                "refuses `{what}`: the token is revoked or has ended, or it has no right to that; renew it, see {PAGE}"
            ),
            StatusCode::TOO_MANY_REQUESTS => "wants fewer requests; the same works later".to_owned(),
            StatusCode::NOT_FOUND => {
                format!("knows no `{what}`: check mount and namespace {said}").trim_end().to_owned()
            }
            _ => format!("answered {status} to `{what}`: {said}"),
        })
    }

    fn read_key(&self, reference: &Reference<'_>) -> Result<KeyRead, KeyError> {
        let reply = self.service.ask(self.in_mount(Method::GET, &["keys", reference.name])?)?;
        let complaint = || reply.json::<Complaint>().map(|complaint| complaint.errors).unwrap_or_default();
        match reply.status {
            StatusCode::OK => self.service.read::<Answer<KeyRead>>(&reply).map(|answer| answer.data),
            // Without a word the engine is there and the key is not.
            StatusCode::NOT_FOUND if complaint().is_empty() => {
                Err(reference.missing(&format!("{} has no key of that name", self.mount)))
            }
            _ => Err(self.refused(&reply, &format!("read {}/keys/{}", self.mount, reference.name))),
        }
    }

    fn held(&self, reference: &Reference<'_>, purpose: Purpose) -> Result<Held, KeyError> {
        let key = self.read_key(reference)?;
        let spec = spec(&key.kind).ok_or_else(|| {
            let able = SPECS.map(kind).join(", ");
            KeyError::Unable(format!("key {} is of type {}; usable are {able}", reference.name, said(&key.kind)))
        })?;
        if key.derived {
            let words = "is derived: it is many keys, one for each context; make one with derived=false";
            return Err(KeyError::Unable(format!("key {} {words}", reference.name)));
        }
        if key.soft_deleted {
            return Err(reference.missing("it was deleted softly; restore it"));
        }
        let version = key.keys.get(&reference.version.to_string()).and_then(|version| version["public_key"].as_str());
        let version = version.ok_or_else(|| {
            reference.missing(&format!("it has the versions {} to {}", key.least_version(), key.latest_version))
        })?;
        // An Ed25519 key is shown as its 32 bytes, another one as PEM.
        let der = if spec == KeySpec::Ed25519 { STANDARD.decode(version).ok() } else { super::spki_of_pem(version) };
        let public = der.and_then(|bytes| super::public_key(spec, &bytes, purpose));
        let public = public.ok_or_else(|| self.service.failed(&format!("shows no public key of {reference}")))?;
        Ok(Held { public, reference: reference.to_string(), facts: key.facts(), weaknesses: key.weaknesses() })
    }

    fn signature(&self, reference: &Reference<'_>, key: &SigningPublicKey, text: &str) -> Result<Signature, KeyError> {
        let other = || self.service.failed(&format!("gave no signature of {reference}"));
        let text = text.strip_prefix(&format!("vault:v{}:", reference.version)).ok_or_else(other)?;
        let bytes = STANDARD.decode(text).map_err(|_| other())?;
        signature_from_bytes(&bytes, key).ok_or_else(other)
    }
}

impl KeyBackend for Transit {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn abilities(&self) -> Abilities {
        Abilities { specs: &SPECS, makes: true }
    }

    fn probe(&mut self) -> Result<Vec<(String, String)>, KeyError> {
        // The health of a server is told to everybody, in the root namespace; 429 to 473 are standbys.
        let reply = self.service.ask(self.service.client().get(self.service.at(["v1", "sys", "health"])))?;
        let health: Health = self.service.read(&reply)?;
        if health.sealed {
            return Err(self.service.failed("is sealed; unseal it"));
        }
        let reply = self.service.ask(self.request(Method::GET, &["auth", "token", "lookup-self"])?)?;
        if reply.status != StatusCode::OK {
            return Err(self.refused(&reply, "read auth/token/lookup-self"));
        }
        let lookup = self.service.read::<Answer<Lookup>>(&reply)?.data;
        let ends = if lookup.ttl == 0 { "never".to_owned() } else { format!("in {} s", lookup.ttl) };
        let facts = [("version", said(&health.version)), ("token-ends", ends)];
        let facts = facts.map(|(name, fact)| (name.to_owned(), fact)).into_iter();
        Ok(facts.chain([("policies".to_owned(), said(&lookup.policies.join(" ")))]).collect())
    }

    fn generate(&mut self, wanted: &NewKey) -> Result<Held, KeyError> {
        // A name that exists already would not be refused: the server answers with the key that is there.
        let random = custody::random::secret::<8>().map_err(|error| KeyError::Backend(error.to_string()))?;
        let name = format!("countersign-{}-{}", wanted.name, hex::encode(&random[..]));
        let reference = Reference { name: &name, version: 1 };
        let wish = json!({ "type": kind(wanted.spec), "exportable": false, "allow_plaintext_backup": false });
        let reply = self.service.ask(self.in_mount(Method::POST, &["keys", &name])?.json(&wish))?;
        if !reply.status.is_success() {
            return Err(self.refused(&reply, &format!("create {}/keys/{name}", self.mount)));
        }
        self.held(&reference, wanted.purpose)
            .map_err(|error| KeyError::Unable(format!("key {reference} was made, and does not read: {error}")))
    }

    fn find(&mut self, reference: &str, purpose: Purpose) -> Result<Held, KeyError> {
        self.held(&Reference::parse(reference)?, purpose)
    }

    fn sign(&mut self, key: &PinnedKey, wanted: &ToSign<'_>) -> Result<Outcome, KeyError> {
        let reference = Reference::parse(&key.reference)?;
        let mut wish = json!({ "input": STANDARD.encode(wanted.message()), "key_version": reference.version });
        let mut segments = vec!["sign", reference.name];
        match key.public.spec() {
            // Ed25519 signs the message; nothing of a hash is ever said there.
            KeySpec::Ed25519 => {}
            KeySpec::P256 | KeySpec::Secp256k1 => segments.push("sha2-256"),
            KeySpec::P384 => segments.push("sha2-384"),
        }
        if key.public.spec() != KeySpec::Ed25519 {
            wish["marshaling_algorithm"] = "asn1".into();
        }
        let reply = self.service.ask(self.in_mount(Method::POST, &segments)?.json(&wish))?;
        if reply.status != StatusCode::OK {
            let errors = reply.json::<Complaint>().map(|complaint| complaint.errors.join(" ")).unwrap_or_default();
            if errors.contains("key not found") || errors.contains("requested version") {
                return Err(reference.missing(&said(&errors)));
            }
            return Err(self.refused(&reply, &format!("update {}/sign/{}", self.mount, reference.name)));
        }
        let signed = self.service.read::<Answer<Signed>>(&reply)?.data;
        self.signature(&reference, &key.public, &signed.signature).map(Outcome::Signed)
    }
}

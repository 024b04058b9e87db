//! The backend `gcp-kms`: asymmetric keys in Google Cloud KMS.
//!
//! A key is found by the resource name of its version, so that a new version is another key. Checksums go both ways: what
//! was damaged on the way is not signed, and what comes back damaged is not read.

mod wire;

use std::{path::PathBuf, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use canton_topology::key::KeySpec;
use custody::keys::{
    Abilities, Held, KeyBackend, KeyError, NewKey, Outcome, PinnedKey, Purpose,
    backends::{OpenError, Opening},
    credential::Source,
    signature_from_bytes,
    to_sign::ToSign,
};
use reqwest::{
    Method, RequestBuilder, StatusCode, Url,
    header::{AUTHORIZATION, HeaderValue},
};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha384};
use zeroize::Zeroizing;

use self::wire::{Complaint, PublicKey, Signed, Version, algorithm, crc32c, is_key_ring, is_version, spec};
use super::service::{self, Location, Reply, Service, said};

/// The kind's name.
pub const KIND: &str = "gcp-kms";
/// Which page tells the rights.
const PAGE: &str = "deploy/kms/gcp.md";
/// So much of a key's name is kept in the service's name for it, in characters.
const NAME_CHARS_MAX: usize = 32;
/// How often a key that is made is looked at until it is ready, and how long between.
const LOOKS: usize = 120;
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Where the private half of a key that is made lives.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Protection {
    #[default]
    Hsm,
    Software,
}

/// Its section.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Where keys are made and looked for: `projects/…/locations/…/keyRings/…`.
    key_ring: String,
    /// What protects keys that are made.
    #[serde(default)]
    protection: Protection,
    /// The file of the access token, which whoever renews it writes; read anew for each call.
    token_file: PathBuf,
    /// Another address than the service's own.
    #[serde(default = "default_endpoint")]
    endpoint: String,
    /// The authorities that may vouch for it, PEM; the system's own where absent.
    ca: Option<PathBuf>,
    /// How long an answer may take.
    #[serde(default = "default_time_limit")]
    time_limit_seconds: u64,
}

fn default_endpoint() -> String {
    "https://cloudkms.googleapis.com".to_owned()
}

fn default_time_limit() -> u64 {
    service::TIME_LIMIT_SECONDS
}

/// The backend.
pub struct GcpKms {
    service: Service,
    key_ring: String,
    protection: Protection,
    token: Source,
}

/// Opens the backend.
///
/// # Errors
/// Names the field.
pub fn open(opening: Opening<'_>) -> Result<Box<dyn KeyBackend>, OpenError> {
    let config: Config = opening.config()?;
    let service = Service::new(&Location {
        section: opening.section,
        field: "endpoint",
        address: &config.endpoint,
        ca: config.ca.as_deref(),
        time_limit_seconds: config.time_limit_seconds,
    })?;
    if !is_key_ring(&config.key_ring) {
        let form = "write it like projects/PROJECT/locations/europe-west3/keyRings/RING";
        return Err(service::wrong(opening.section, "key_ring", form));
    }
    let token = Source::File(config.token_file);
    Ok(Box::new(GcpKms { service, key_ring: config.key_ring, protection: config.protection, token }))
}

impl GcpKms {
    /// A request to a resource; `verb` is what follows its name.
    fn request(&self, method: Method, resource: &str, verb: &str) -> Result<RequestBuilder, KeyError> {
        self.authorized(method, self.service.at(format!("v1/{resource}{verb}").split('/')))
    }

    fn authorized(&self, method: Method, url: Url) -> Result<RequestBuilder, KeyError> {
        let token = self.token.current().map_err(|error| KeyError::Backend(format!("field token_file: {error}")))?;
        let bearer = Zeroizing::new(format!("Bearer {}", token.expose_secret()));
        let header = HeaderValue::from_str(&bearer);
        let mut header =
            header.map_err(|_| KeyError::Backend("field token_file: it holds a sign that no token has".to_owned()))?;
        header.set_sensitive(true);
        Ok(self.service.client().request(method, url).header(AUTHORIZATION, header))
    }

    fn get<T: DeserializeOwned>(&self, version: &str, what: &str, right: &str) -> Result<T, KeyError> {
        let reply = self.service.ask(self.request(Method::GET, version, what)?)?;
        self.done(&reply, version, right)
    }

    fn done<T: DeserializeOwned>(&self, reply: &Reply, version: &str, right: &str) -> Result<T, KeyError> {
        if reply.status.is_success() { self.service.read(reply) } else { Err(self.refused(reply, version, right)) }
    }

    /// Why something was not done.
    fn refused(&self, reply: &Reply, version: &str, right: &str) -> KeyError {
        let complaint = reply.json::<Complaint>().unwrap_or_default().error;
        let (status, words) = (said(&complaint.status), said(&complaint.message));
        match reply.status {
            StatusCode::NOT_FOUND => KeyError::Missing {
                reference: version.to_owned(),
                reason: format!("there is none of that name: {words}"),
            },
            StatusCode::UNAUTHORIZED => {
                self.service.failed("does not take the token of token_file: it has ended, or is none; renew it")
            }
            StatusCode::FORBIDDEN => self.service.failed(&format!("refuses {right}: {words}; see {PAGE}")),
            _ if status == "FAILED_PRECONDITION" => {
                KeyError::Unable(format!("key {version} is in no state to sign: {words}"))
            }
            StatusCode::TOO_MANY_REQUESTS => self.service.failed("wants fewer requests; the same works later"),
            other => self.service.failed(&format!("answered {} {status}: {words}", other.as_u16())),
        }
    }

    /// Nothing but the name of a version in our key ring.
    fn named<'a>(&self, reference: &'a str) -> Result<&'a str, KeyError> {
        let missing = |reason: String| KeyError::Missing { reference: reference.to_owned(), reason };
        if !is_version(reference) {
            let form = "name a version: projects/…/cryptoKeys/KEY/cryptoKeyVersions/1; each is a key of its own";
            return Err(missing(form.to_owned()));
        }
        let is_within = reference.strip_prefix(self.key_ring.as_str()).is_some_and(|rest| rest.starts_with('/'));
        if is_within { Ok(reference) } else { Err(missing(format!("it is not in {}", self.key_ring))) }
    }

    fn held(&self, name: &str, purpose: Purpose) -> Result<Held, KeyError> {
        let version: Version = self.get(name, "", "cloudkms.cryptoKeyVersions.get")?;
        if version.state != "ENABLED" {
            let state = said(&version.state);
            return Err(KeyError::Unable(format!("key {name} is {state}; only one that is ENABLED signs")));
        }
        let spec = spec(&version.algorithm).ok_or_else(|| {
            let able = KeySpec::ALL.map(algorithm).join(", ");
            KeyError::Unable(format!("key {name} is for {}; usable are {able}", said(&version.algorithm)))
        })?;
        let shown: PublicKey = self.get(name, "/publicKey", "cloudkms.cryptoKeyVersions.viewPublicKey")?;
        if shown.name != name || shown.pem_crc32c != crc32c(shown.pem.as_bytes()).to_string() {
            return Err(self.service.failed(&format!("shows the public key of {name} damaged, or another one")));
        }
        let public = super::spki_of_pem(&shown.pem).and_then(|der| super::public_key(spec, &der, purpose));
        let public = public.ok_or_else(|| self.service.failed(&format!("shows no public key of {name}")))?;
        Ok(Held { public, reference: name.to_owned(), facts: version.facts(), weaknesses: Vec::new() })
    }

    /// A key that was just made takes a while.
    fn until_ready(&self, name: &str) -> Result<(), KeyError> {
        for _ in 0..LOOKS {
            let version: Version = self.get(name, "", "cloudkms.cryptoKeyVersions.get")?;
            if version.state != "PENDING_GENERATION" {
                return Ok(());
            }
            self.service.wait(LOOK_EVERY);
        }
        Err(self.service.failed(&format!("makes the key still; take it later with `keys import --reference {name}`")))
    }

    fn make(&self, wanted: &NewKey, key: &str) -> Result<(), KeyError> {
        let template = json!({ "algorithm": algorithm(wanted.spec), "protectionLevel": self.protection });
        let wish = json!({ "purpose": "ASYMMETRIC_SIGN", "versionTemplate": template });
        let mut url = self.service.at(format!("v1/{}/cryptoKeys", self.key_ring).split('/'));
        url.query_pairs_mut().append_pair("cryptoKeyId", key);
        let reply = self.service.ask(self.authorized(Method::POST, url)?.json(&wish))?;
        self.done::<Value>(&reply, &self.key_ring, "cloudkms.cryptoKeys.create").map(drop)
    }
}

/// What is sent to be signed, with its checksum: the message itself for Ed25519, its hash for ECDSA.
fn wish(spec: KeySpec, message: &[u8]) -> Value {
    let digest = |name: &str, bytes: &[u8]| json!({ "digest": { name: STANDARD.encode(bytes) }, "digestCrc32c": crc32c(bytes).to_string() });
    match spec {
        KeySpec::Ed25519 => json!({ "data": STANDARD.encode(message), "dataCrc32c": crc32c(message).to_string() }),
        KeySpec::P256 | KeySpec::Secp256k1 => digest("sha256", &Sha256::digest(message)),
        KeySpec::P384 => digest("sha384", &Sha384::digest(message)),
    }
}

impl KeyBackend for GcpKms {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn abilities(&self) -> Abilities {
        Abilities { specs: &KeySpec::ALL, makes: true }
    }

    fn probe(&mut self) -> Result<Vec<(String, String)>, KeyError> {
        // A key that is nobody's: whether it is unknown or hidden from us, the service took the token.
        let nobodys = format!("{}/cryptoKeys/nobodys/cryptoKeyVersions/1", self.key_ring);
        let reply = self.service.ask(self.request(Method::GET, &nobodys, "")?)?;
        if !matches!(reply.status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN) {
            return Err(self.refused(&reply, &nobodys, "cloudkms.cryptoKeyVersions.get"));
        }
        Ok(vec![("key-ring".to_owned(), self.key_ring.clone())])
    }

    fn generate(&mut self, wanted: &NewKey) -> Result<Held, KeyError> {
        let random = custody::random::secret::<8>().map_err(|error| KeyError::Backend(error.to_string()))?;
        // Names of keys have no dots and 63 characters at most, and none is ever free again.
        let name: String = wanted.name.replace('.', "_").chars().take(NAME_CHARS_MAX).collect();
        let key = format!("countersign-{name}-{}", hex::encode(&random[..]));
        self.make(wanted, &key)?;
        let name = format!("{}/cryptoKeys/{key}/cryptoKeyVersions/1", self.key_ring);
        self.until_ready(&name)
            .and_then(|()| self.held(&name, wanted.purpose))
            .map_err(|error| KeyError::Unable(format!("key {name} was made, and does not read: {error}")))
    }

    fn find(&mut self, reference: &str, purpose: Purpose) -> Result<Held, KeyError> {
        self.held(self.named(reference)?, purpose)
    }

    fn sign(&mut self, key: &PinnedKey, wanted: &ToSign<'_>) -> Result<Outcome, KeyError> {
        let name = self.named(&key.reference)?;
        let spec = key.public.spec();
        let request = self.request(Method::POST, name, ":asymmetricSign")?.json(&wish(spec, wanted.message()));
        let reply = self.service.ask(request)?;
        let signed: Signed = self.done(&reply, name, "cloudkms.cryptoKeyVersions.useToSign")?;
        if signed.name != name {
            return Err(self.service.failed(&format!("signed with another key than {name}")));
        }
        let is_whole =
            if spec == KeySpec::Ed25519 { signed.verified_data_crc32c } else { signed.verified_digest_crc32c };
        if !is_whole {
            return Err(self.service.failed("did not check that what it signed arrived whole"));
        }
        let signature = STANDARD.decode(&signed.signature).ok();
        let signature = signature.filter(|bytes| signed.signature_crc32c == crc32c(bytes).to_string());
        let signature = signature.ok_or_else(|| self.service.failed("gave a signature that was damaged on the way"))?;
        let signature = signature_from_bytes(&signature, &key.public);
        signature.map(Outcome::Signed).ok_or_else(|| self.service.failed(&format!("gave no signature of {name}")))
    }
}

//! The backend `aws-kms`: asymmetric keys in AWS Key Management Service.
//!
//! A key is found by its ARN, never by an alias: an alias can be moved to another key. The message is sent as it is
//! (`RAW`), and the service hashes it where the curve wants it: so one form serves ECDSA and Ed25519.

mod credentials;
mod wire;

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use canton_topology::key::KeySpec;
use custody::keys::{
    Abilities, Held, KeyBackend, KeyError, NewKey, Outcome, PinnedKey, Purpose,
    backends::{OpenError, Opening},
    signature_from_bytes,
    to_sign::ToSign,
};
use reqwest::{RequestBuilder, Url, header::HeaderValue};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use self::{
    credentials::CredentialsFile,
    wire::{Described, Made, PublicKey, Refused, Signed, algorithm, arn, key_spec, spec},
};
use super::service::{self, Location, Service, said};

/// The kind's name.
pub const KIND: &str = "aws-kms";
/// Which page tells the rights.
const PAGE: &str = "deploy/kms/aws.md";
/// Longest message that the service hashes itself, in bytes.
const MESSAGE_BYTES_MAX: usize = 4096;
/// How long to wait before each further attempt, where the service wants fewer requests or failed.
const AGAIN_AFTER_MS: [u64; 3] = [200, 600, 1800];

/// Its section.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The region, such as `eu-central-1`.
    region: String,
    /// A credentials file as AWS's own tools write it; read anew for each call.
    credentials: PathBuf,
    /// The section of that file.
    #[serde(default = "default_profile")]
    profile: String,
    /// Another address than the region's own, such as that of a VPC endpoint.
    endpoint: Option<String>,
    /// The authorities that may vouch for it, PEM; the system's own where absent.
    ca: Option<PathBuf>,
    /// How long an answer may take.
    #[serde(default = "default_time_limit")]
    time_limit_seconds: u64,
}

fn default_profile() -> String {
    "default".to_owned()
}

fn default_time_limit() -> u64 {
    service::TIME_LIMIT_SECONDS
}

/// The backend.
pub struct AwsKms {
    service: Service,
    url: Url,
    region: String,
    credentials: CredentialsFile,
}

/// Opens the backend.
///
/// # Errors
/// Names the field.
pub fn open(opening: Opening<'_>) -> Result<Box<dyn KeyBackend>, OpenError> {
    let config: Config = opening.config()?;
    let is_region =
        |text: &str| text.bytes().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == b'-');
    if config.region.is_empty() || !is_region(&config.region) {
        return Err(service::wrong(opening.section, "region", "write it like eu-central-1"));
    }
    let own = format!("https://kms.{}.amazonaws.com", config.region);
    let service = Service::new(&Location {
        section: opening.section,
        field: "endpoint",
        address: config.endpoint.as_deref().unwrap_or(&own),
        ca: config.ca.as_deref(),
        time_limit_seconds: config.time_limit_seconds,
    })?;
    let url = service.at([""]);
    let credentials = CredentialsFile { path: config.credentials, profile: config.profile };
    Ok(Box::new(AwsKms { service, url, region: config.region, credentials }))
}

impl AwsKms {
    /// A signed request.
    fn request(&self, operation: &str, body: &[u8]) -> Result<RequestBuilder, KeyError> {
        let identity = self.credentials.read().map_err(|error| KeyError::Backend(error.to_string()))?.into();
        let unsigned = |error: &dyn std::fmt::Display| KeyError::Backend(format!("the request is not signed: {error}"));
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("kms")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(&error))?
            .into();
        let target = format!("TrentService.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        let signable = SignableRequest::new("POST", self.url.as_str(), headers.into_iter(), SignableBody::Bytes(body));
        let signed = signable.and_then(|request| sign(request, &params)).map_err(|error| unsigned(&error))?;
        let mut request = self.service.client().post(self.url.clone()).body(body.to_vec());
        for (name, value) in headers.into_iter().chain(signed.output().headers()) {
            let mut value = HeaderValue::from_str(value).map_err(|error| unsigned(&error))?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        Ok(request)
    }

    /// One operation; again where the service wants fewer requests, or failed and the operation may be repeated.
    fn call<T: DeserializeOwned>(&self, operation: &str, key: &str, wish: &Value) -> Result<T, KeyError> {
        let body = wish.to_string().into_bytes();
        let mut waits = AGAIN_AFTER_MS.iter();
        loop {
            let reply = self.service.ask(self.request(operation, &body)?)?;
            if reply.status.is_success() {
                return self.service.read(&reply);
            }
            let refused = Refused::read(&reply);
            let again = refused.is_throttled() || refused.is_passing() && operation != "CreateKey";
            match waits.next() {
                Some(wait) if again => self.service.wait(Duration::from_millis(*wait)),
                _ => return Err(self.refused(&refused, operation, key)),
            }
        }
    }

    /// Why something was not done.
    fn refused(&self, refused: &Refused, operation: &str, key: &str) -> KeyError {
        let Refused { name, words, .. } = refused;
        let path = self.credentials.path.display();
        let missing = |reason: String| KeyError::Missing { reference: key.to_owned(), reason };
        match name.as_str() {
            "NotFoundException" => missing(format!("{} has none of that name: {words}", self.region)),
            "DisabledException" => KeyError::Unable(format!("key {key} is disabled; enable it")),
            "KMSInvalidStateException" => KeyError::Unable(format!("key {key} is in no state to sign: {words}")),
            "InvalidKeyUsageException" => KeyError::Unable(format!("key {key} is for something else: {words}")),
            "AccessDeniedException" | "AccessDenied" => {
                self.service.failed(&format!("refuses kms:{operation}: {words}; see {PAGE}"))
            }
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "IncompleteSignature"
            | "MissingAuthenticationToken"
            | "ExpiredTokenException"
            | "ExpiredToken" => self.service.failed(&format!(
                "does not take the credentials of {path}: {name}: {words}; renew them, and look at region and clock"
            )),
            _ if refused.is_throttled() => self.service.failed("wants fewer requests; the same works later"),
            _ => self.service.failed(&format!("answered {name} to kms:{operation}: {words}")),
        }
    }

    /// Nothing but the ARN of a key in our region.
    fn named<'a>(&self, reference: &'a str) -> Result<&'a str, KeyError> {
        let missing = |reason: String| KeyError::Missing { reference: reference.to_owned(), reason };
        let (region, resource) = arn(reference).ok_or_else(|| {
            missing("name the key's ARN, such as arn:aws:kms:eu-central-1:111122223333:key/ID".to_owned())
        })?;
        if resource.starts_with("alias/") {
            return Err(missing("an alias can be moved to another key; name the key's own ARN".to_owned()));
        }
        if region != self.region {
            return Err(missing(format!("it is in {region}, and the section says {}", self.region)));
        }
        Ok(reference)
    }

    fn held(&self, key: &str, purpose: Purpose) -> Result<Held, KeyError> {
        let described: Described = self.call("DescribeKey", key, &json!({ "KeyId": key }))?;
        let about = described.key_metadata;
        if about.key_state != "Enabled" {
            let state = said(&about.key_state);
            return Err(KeyError::Unable(format!("key {key} is {state}; only one that is Enabled signs")));
        }
        let spec = spec(&about.key_spec).filter(|_| about.key_usage == "SIGN_VERIFY").ok_or_else(|| {
            let found = said(&format!("{} for {}", about.key_spec, about.key_usage));
            let able = KeySpec::ALL.map(key_spec).join(", ");
            KeyError::Unable(format!("key {key} is {found}; usable are {able} for SIGN_VERIFY"))
        })?;
        let shown: PublicKey = self.call("GetPublicKey", key, &json!({ "KeyId": key }))?;
        let public = STANDARD.decode(shown.public_key).ok();
        let public = public.and_then(|der| super::public_key(spec, &der, purpose));
        let public = public.ok_or_else(|| self.service.failed(&format!("shows no public key of {key}")))?;
        Ok(Held { public, reference: key.to_owned(), facts: about.facts(), weaknesses: Vec::new() })
    }
}

impl KeyBackend for AwsKms {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn abilities(&self) -> Abilities {
        Abilities { specs: &KeySpec::ALL, makes: true }
    }

    fn probe(&mut self) -> Result<Vec<(String, String)>, KeyError> {
        // A key that is nobody's: whether it is unknown or hidden from us, the service took the credentials.
        let nobodys = format!("arn:aws:kms:{}:000000000000:key/00000000-0000-0000-0000-000000000000", self.region);
        let body = json!({ "KeyId": nobodys }).to_string().into_bytes();
        let reply = self.service.ask(self.request("DescribeKey", &body)?)?;
        let refused = Refused::read(&reply);
        if !matches!(refused.name.as_str(), "NotFoundException" | "AccessDeniedException" | "AccessDenied") {
            return Err(self.refused(&refused, "DescribeKey", &nobodys));
        }
        let facts = [("region", self.region.as_str()), ("profile", self.credentials.profile.as_str())];
        Ok(facts.map(|(name, fact)| (name.to_owned(), fact.to_owned())).into())
    }

    fn generate(&mut self, wanted: &NewKey) -> Result<Held, KeyError> {
        let wish = json!({
            "KeySpec": key_spec(wanted.spec),
            "KeyUsage": "SIGN_VERIFY",
            "Description": format!("countersign: {}", wanted.name),
        });
        let made: Made = self.call("CreateKey", &wanted.name, &wish)?;
        let key = said(&made.key_metadata.arn);
        self.held(&key, wanted.purpose)
            .map_err(|error| KeyError::Unable(format!("key {key} was made, and does not read: {error}")))
    }

    fn find(&mut self, reference: &str, purpose: Purpose) -> Result<Held, KeyError> {
        self.held(self.named(reference)?, purpose)
    }

    fn sign(&mut self, key: &PinnedKey, wanted: &ToSign<'_>) -> Result<Outcome, KeyError> {
        let named = self.named(&key.reference)?;
        let message = wanted.message();
        if message.len() > MESSAGE_BYTES_MAX {
            let found = message.len();
            return Err(KeyError::Unable(format!("{found} bytes to sign; AWS KMS takes {MESSAGE_BYTES_MAX}")));
        }
        let wish = json!({
            "KeyId": named,
            "Message": STANDARD.encode(message),
            "MessageType": "RAW",
            "SigningAlgorithm": algorithm(key.public.spec()),
        });
        let signed: Signed = self.call("Sign", named, &wish)?;
        let signature = STANDARD.decode(signed.signature).ok();
        let signature = signature.and_then(|bytes| signature_from_bytes(&bytes, &key.public));
        signature.map(Outcome::Signed).ok_or_else(|| self.service.failed(&format!("gave no signature of {named}")))
    }
}

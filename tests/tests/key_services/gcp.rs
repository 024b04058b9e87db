//! Google Cloud KMS, in the form that Google documents: no server of it runs here.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use canton_topology::key::KeySpec;
use custody::keys::{KeyBackend, KeyError, NewKey, PinnedKey, Purpose, secret_key::SecretKey};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use serde_json::{Value, json};
use tests::{backend_conformance::conforms, bao::write_secret};
use tokio::runtime::Runtime;

use super::{
    answering::{Asked, serve},
    drilled, keyring, opened, pinned, refused,
};

const RING: &str = "projects/countersign/locations/europe-west3/keyRings/owners";
const ALGORITHMS: [(&str, KeySpec); 4] = [
    ("EC_SIGN_ED25519", KeySpec::Ed25519),
    ("EC_SIGN_P256_SHA256", KeySpec::P256),
    ("EC_SIGN_P384_SHA384", KeySpec::P384),
    ("EC_SIGN_SECP256K1_SHA256", KeySpec::Secp256k1),
];

/// What goes wrong in the service, or on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fault {
    #[default]
    None,
    /// The answer to a signature is damaged.
    Signature,
    /// The public key is damaged.
    Pem,
    /// The service ignored the checksum of what it signed.
    Unverified,
    /// Another version signed.
    OtherName,
    /// The token has ended.
    Token,
    /// No right.
    Denied,
    /// The version is disabled.
    Disabled,
    /// Too much was asked.
    Quota,
}

#[derive(Default)]
struct Service {
    keys: BTreeMap<String, Made>,
    token: String,
    fault: Fault,
    /// How often a key that is made is said to be in the making.
    slow: usize,
}

struct Made {
    secret: SecretKey,
    algorithm: String,
    protection: String,
    /// How often it is still said to be in the making.
    pending: usize,
}

/// CRC-32C by table: another reading than the agent's own.
fn crc32c(bytes: &[u8]) -> String {
    let table: Vec<u32> = (0..256u32)
        .map(|index| (0..8).fold(index, |crc, _| if crc & 1 == 1 { 0x82f6_3b78 ^ (crc >> 1) } else { crc >> 1 }))
        .collect();
    let crc = bytes.iter().fold(!0u32, |crc, byte| table[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8));
    (!crc).to_string()
}

fn wrong(code: u16, status: &str, message: &str) -> (u16, Value) {
    (code, json!({ "error": { "code": code, "message": message, "status": status } }))
}

impl Service {
    fn answer(&mut self, asked: &Asked) -> (u16, Value) {
        if self.fault == Fault::Token || asked.header("authorization") != format!("Bearer {}", self.token) {
            return wrong(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.");
        }
        let path = asked.path.strip_prefix("/v1/").unwrap();
        match self.fault {
            Fault::Denied => return wrong(403, "PERMISSION_DENIED", "Permission 'cloudkms.x' denied on resource"),
            Fault::Quota => return wrong(429, "RESOURCE_EXHAUSTED", "Quota exceeded"),
            Fault::Disabled if path.ends_with(":asymmetricSign") => {
                return wrong(400, "FAILED_PRECONDITION", "it is not enabled, current state is: DISABLED.");
            }
            _ => {}
        }
        if asked.method == "POST" && path == format!("{RING}/cryptoKeys") {
            return self.make(asked);
        }
        let (name, verb) = match (path.strip_suffix("/publicKey"), path.strip_suffix(":asymmetricSign")) {
            (Some(name), _) => (name, "publicKey"),
            (_, Some(name)) => (name, "sign"),
            (None, None) => (path, ""),
        };
        let (fault, Some(key)) = (self.fault, self.keys.get_mut(name)) else {
            return wrong(404, "NOT_FOUND", "CryptoKeyVersion not found.");
        };
        match verb {
            "publicKey" => key.public(name, fault),
            "sign" => key.sign(name, &asked.json(), fault),
            _ => key.about(name, fault),
        }
    }

    fn make(&mut self, asked: &Asked) -> (u16, Value) {
        let wish = asked.json();
        assert_eq!(wish["purpose"], "ASYMMETRIC_SIGN");
        let algorithm = wish["versionTemplate"]["algorithm"].as_str().unwrap().to_owned();
        let protection = wish["versionTemplate"]["protectionLevel"].as_str().unwrap().to_owned();
        let spec = ALGORITHMS.iter().find(|(name, _)| *name == algorithm).unwrap().1;
        let id = asked.query.strip_prefix("cryptoKeyId=").unwrap();
        assert!(id.len() <= 63 && id.bytes().all(|one| one.is_ascii_alphanumeric() || b"-_".contains(&one)), "{id}");
        let name = format!("{RING}/cryptoKeys/{id}");
        let secret = SecretKey::generate(spec).unwrap();
        self.keys
            .insert(format!("{name}/cryptoKeyVersions/1"), Made { secret, algorithm, protection, pending: self.slow });
        (200, json!({ "name": name, "purpose": "ASYMMETRIC_SIGN" }))
    }
}

impl Made {
    fn about(&mut self, name: &str, fault: Fault) -> (u16, Value) {
        let state = match (self.pending, fault) {
            (1.., _) => "PENDING_GENERATION",
            (0, Fault::Disabled) => "DISABLED",
            (0, _) => "ENABLED",
        };
        self.pending = self.pending.saturating_sub(1);
        (200, json!({ "name": name, "state": state, "algorithm": self.algorithm, "protectionLevel": self.protection }))
    }

    fn public(&self, name: &str, fault: Fault) -> (u16, Value) {
        let der = STANDARD.encode(self.secret.public(Purpose::Party).spki());
        let lines: Vec<&str> = der.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
        let sum = if fault == Fault::Pem { "1".to_owned() } else { crc32c(pem.as_bytes()) };
        (
            200,
            json!({ "pem": pem, "algorithm": self.algorithm, "pemCrc32c": sum, "name": name, "protectionLevel": self.protection }),
        )
    }

    fn sign(&self, name: &str, wish: &Value, fault: Fault) -> (u16, Value) {
        let bytes = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
        let digest = |hash: &str| {
            let digest = bytes(&wish["digest"][hash]);
            assert_eq!(wish["digestCrc32c"], crc32c(&digest).as_str());
            assert!(wish["data"].is_null() && wish["digest"].as_object().unwrap().len() == 1);
            digest
        };
        let (signature, verified) = match &self.secret {
            SecretKey::Ed25519(_) => {
                let data = bytes(&wish["data"]);
                assert_eq!(wish["dataCrc32c"], crc32c(&data).as_str());
                assert!(wish["digest"].is_null());
                let by = self.secret.public(Purpose::Party).fingerprint();
                (self.secret.sign(&data, by).bytes().to_vec(), "verifiedDataCrc32c")
            }
            SecretKey::P256(key) => {
                let signature: p256::ecdsa::DerSignature = key.sign_prehash(&digest("sha256")).unwrap();
                (signature.as_bytes().to_vec(), "verifiedDigestCrc32c")
            }
            SecretKey::P384(key) => {
                let signature: p384::ecdsa::DerSignature = key.sign_prehash(&digest("sha384")).unwrap();
                (signature.as_bytes().to_vec(), "verifiedDigestCrc32c")
            }
            SecretKey::Secp256k1(key) => {
                let signature: k256::ecdsa::DerSignature = key.sign_prehash(&digest("sha256")).unwrap();
                (signature.as_bytes().to_vec(), "verifiedDigestCrc32c")
            }
        };
        let sum = if fault == Fault::Signature { "1".to_owned() } else { crc32c(&signature) };
        let named = if fault == Fault::OtherName { format!("{name}0") } else { name.to_owned() };
        let mut answer = json!({ "signature": STANDARD.encode(signature), "signatureCrc32c": sum, "name": named, "protectionLevel": self.protection });
        // A false flag is not written at all: so it is with Google's JSON.
        if fault != Fault::Unverified {
            answer[verified] = true.into();
        }
        (200, answer)
    }
}

struct Stage {
    folder: tempfile::TempDir,
    runtime: Runtime,
    service: Arc<Mutex<Service>>,
    address: String,
}

impl Stage {
    fn new() -> Self {
        let (runtime, service) = (Runtime::new().unwrap(), Arc::new(Mutex::new(Service::default())));
        let behind = Arc::clone(&service);
        let address = serve(&runtime, Arc::new(move |asked| behind.lock().unwrap().answer(&asked)));
        let folder = tempfile::tempdir().unwrap();
        let stage = Self { folder, runtime, service, address: format!("http://{address}") };
        stage.give("ya29.first");
        stage.service().token = "ya29.first".to_owned();
        stage
    }

    fn service(&self) -> std::sync::MutexGuard<'_, Service> {
        self.service.lock().unwrap()
    }

    fn token_file(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    fn give(&self, token: &str) {
        write_secret(&self.token_file(), token);
    }

    fn section(&self) -> toml::Table {
        let (token, address) = (self.token_file(), &self.address);
        let text =
            format!("kind = \"gcp-kms\"\nkey_ring = \"{RING}\"\nendpoint = \"{address}\"\ntoken_file = {token:?}\n");
        toml::from_str(&text).unwrap()
    }

    fn open(&self) -> Box<dyn KeyBackend> {
        let _inside = self.runtime.enter();
        opened(&self.section())
    }

    fn make(&self, spec: KeySpec) -> PinnedKey {
        let wanted = NewKey { name: "treasury".to_owned(), purpose: Purpose::Party, spec };
        let held = self.open().generate(&wanted).unwrap();
        pinned(&held.reference, &held, Purpose::Party)
    }
}

#[test]
fn gcp_kms_conforms_in_the_documented_form() {
    let stage = Stage::new();
    conforms(&mut || stage.open());
}

#[test]
fn what_is_damaged_on_the_way_or_done_by_another_key_is_not_taken() {
    let stage = Stage::new();
    for spec in [KeySpec::Ed25519, KeySpec::P384] {
        let key = stage.make(spec);
        let mut ring = keyring(&key, stage.open());
        let cases = [
            (Fault::Signature, "a signature that was damaged"),
            (Fault::Unverified, "did not check that what it signed arrived whole"),
            (Fault::OtherName, "signed with another key"),
            (Fault::Token, "does not take the token of token_file"),
            (Fault::Denied, "refuses cloudkms.cryptoKeyVersions.useToSign"),
            (Fault::Disabled, "is in no state to sign"),
            (Fault::Quota, "wants fewer requests"),
        ];
        for (fault, words) in cases {
            stage.service().fault = fault;
            let named = drilled(&mut ring, &key).expect_err("it signed").to_string();
            assert!(named.contains(words), "{fault:?}: {named}");
            stage.service().fault = Fault::None;
            assert_eq!(drilled(&mut ring, &key), Ok(()), "after {fault:?}");
        }
        for (fault, words) in [(Fault::Pem, "damaged"), (Fault::Disabled, "is DISABLED")] {
            stage.service().fault = fault;
            let named = stage.open().find(&key.reference, Purpose::Party).unwrap_err().to_string();
            assert!(named.contains(words), "{fault:?}: {named}");
        }
        stage.service().fault = Fault::None;
    }
}

#[test]
fn a_token_that_is_renewed_in_its_file_signs_on() {
    let stage = Stage::new();
    let key = stage.make(KeySpec::Ed25519);
    let mut ring = keyring(&key, stage.open());
    stage.service().token = "ya29.second".to_owned();
    let named = drilled(&mut ring, &key).unwrap_err().to_string();
    assert!(named.contains("renew it") && !named.contains("ya29"), "{named}");
    assert!(stage.open().probe().is_err());
    stage.give("ya29.second");
    assert_eq!(drilled(&mut ring, &key), Ok(()));
    stage.open().probe().unwrap();
}

#[test]
fn where_a_key_is_protected_is_shown_and_one_in_the_making_is_waited_for() {
    let stage = Stage::new();
    let key = stage.make(KeySpec::P256);
    let protection = |level: &str| ("protection".to_owned(), level.to_owned());
    let held = stage.open().find(&key.reference, Purpose::Party).unwrap();
    assert!(held.facts.contains(&protection("HSM")), "{:?}", held.facts);
    let mut section = stage.section();
    section.insert("protection".to_owned(), "SOFTWARE".into());
    stage.service().slow = 2;
    let _inside = stage.runtime.enter();
    let wanted = NewKey { name: "soft".to_owned(), purpose: Purpose::Party, spec: KeySpec::P256 };
    let held = opened(&section).generate(&wanted).unwrap();
    assert!(held.facts.contains(&protection("SOFTWARE")) && held.weaknesses.is_empty(), "{held:?}");

    stage.service().keys.get_mut(&key.reference).unwrap().pending = 1;
    let named = stage.open().find(&key.reference, Purpose::Party).unwrap_err().to_string();
    assert!(named.contains("is PENDING_GENERATION"), "{named}");
    // Names that are none, and a key elsewhere.
    let elsewhere = key.reference.replace("owners", "others");
    for (reference, words) in [("treasury", "name a version"), (elsewhere.as_str(), "it is not in")] {
        let refused = stage.open().find(reference, Purpose::Party);
        assert!(matches!(&refused, Err(KeyError::Missing { reason, .. }) if reason.contains(words)), "{refused:?}");
    }
}

#[test]
fn a_gcp_section_that_is_wrong_names_the_field() {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let good = format!("kind = \"gcp-kms\"\nkey_ring = \"{RING}\"\ntoken_file = \"/nowhere\"\n");
    opened(&toml::from_str(&good).unwrap());
    let cases = [
        ("keyRings/owners", "keyRings/", "field key_ring"),
        ("kind = \"gcp-kms\"", "kind = \"gcp-kms\"\nprotection = \"NONE\"", "HSM"),
        ("kind = \"gcp-kms\"", "kind = \"gcp-kms\"\nendpoint = \"http://kms.example.org\"", "field endpoint"),
    ];
    for (from, to, named) in cases {
        let said = refused(&toml::from_str(&good.replace(from, to)).unwrap());
        assert!(said.contains("[backends.remote]") && said.contains(named), "{to}: {said}");
    }
}

//! AWS KMS: ECDSA as moto reads it, Ed25519 and the exceptions in the form that AWS documents.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use canton_topology::key::KeySpec;
use custody::keys::{KeyBackend, KeyError, NewKey, PinnedKey, Purpose, secret_key::SecretKey};
use serde_json::{Value, json};
use tests::{backend_conformance::conforms_with, bao::write_secret};
use tokio::runtime::Runtime;

use super::{
    answering::{Answer, Asked, serve},
    drilled, keyring,
    moto::{Moto, REGION},
    opened, pinned, refused,
};

const ECDSA: [KeySpec; 3] = [KeySpec::P256, KeySpec::P384, KeySpec::Secp256k1];

struct Stage {
    folder: tempfile::TempDir,
    runtime: Runtime,
}

impl Stage {
    fn new() -> Self {
        // The test's own client needs it before any backend is opened.
        let _ = rustls_provider();
        let stage = Self { folder: tempfile::tempdir().unwrap(), runtime: Runtime::new().unwrap() };
        stage.give("AKIAEXAMPLE", "nobody-checks-it");
        stage
    }

    fn credentials(&self) -> PathBuf {
        self.folder.path().join("credentials")
    }

    fn give(&self, id: &str, secret: &str) {
        let text = format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}");
        write_secret(&self.credentials(), &text);
    }

    fn section(&self, address: &str) -> toml::Table {
        let credentials = self.credentials();
        let text = format!(
            "kind = \"aws-kms\"\nregion = \"{REGION}\"\nendpoint = \"{address}\"\ncredentials = {credentials:?}\ntime_limit_seconds = 5\n"
        );
        toml::from_str(&text).unwrap()
    }

    fn open(&self, address: &str) -> Box<dyn KeyBackend> {
        let _inside = self.runtime.enter();
        opened(&self.section(address))
    }

    fn make(&self, address: &str, spec: KeySpec) -> PinnedKey {
        let wanted = NewKey { name: "treasury".to_owned(), purpose: Purpose::Namespace, spec };
        let held = self.open(address).generate(&wanted).unwrap();
        pinned(&held.reference, &held, Purpose::Namespace)
    }

    fn serve(&self, answer: impl Fn(Asked) -> (u16, Value) + Send + Sync + 'static) -> String {
        let answer: Arc<Answer> = Arc::new(answer);
        format!("http://{}", serve(&self.runtime, answer))
    }
}

/// The one provider of this workspace, for clients of the test's own.
fn rustls_provider() -> Box<dyn KeyBackend> {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let text = "kind = \"aws-kms\"\nregion = \"eu-central-1\"\ncredentials = \"/nowhere\"\n";
    opened(&toml::from_str(text).unwrap())
}

fn said<T: std::fmt::Debug>(outcome: Result<T, KeyError>) -> String {
    outcome.expect_err("it was done").to_string()
}

#[test]
fn aws_kms_conforms_with_every_curve_that_moto_has() {
    let Some(moto) = Moto::start() else { return };
    let stage = Stage::new();
    conforms_with(&ECDSA, &mut || stage.open(&moto.address()));
}

#[test]
fn requests_are_signed_as_awss_own_library_signs_them_and_the_printed_rights_suffice() {
    let Some(moto) = Moto::start() else { return };
    let stage = Stage::new();
    let (setup, setup_secret) = moto.account(&stage.runtime, "setup", &printed_rights("setup"));
    let (run, run_secret) = moto.account(&stage.runtime, "run", &printed_rights("run"));
    moto.must_sign(&stage.runtime);

    stage.give(&setup, &setup_secret);
    let key = stage.make(&moto.address(), KeySpec::P256);

    // The same backend goes on with the account that may only sign.
    let mut ring = keyring(&key, stage.open(&moto.address()));
    stage.give(&run, &run_secret);
    assert_eq!(drilled(&mut ring, &key), Ok(()));
    stage.open(&moto.address()).probe().unwrap();
    let named = said(stage.open(&moto.address()).find(&key.reference, Purpose::Namespace));
    assert!(named.contains("refuses kms:DescribeKey"), "{named}");

    // A secret that is not the account's, an account that there is not, and no file at all.
    stage.give(&run, "another-secret");
    let named = said(drilled(&mut ring, &key));
    assert!(named.contains("does not take the credentials of"), "{named}");
    assert!(!named.contains("another-secret"), "a secret in an error");
    stage.give("AKIANOBODY", &run_secret);
    let named = said(drilled(&mut ring, &key));
    assert!(named.contains("does not take the credentials of"), "{named}");
    assert!(said(stage.open(&moto.address()).probe()).contains("does not take the credentials of"));
    std::fs::remove_file(stage.credentials()).unwrap();
    let named = said(drilled(&mut ring, &key));
    assert!(named.contains("field credentials:"), "{named}");
}

/// The actions that the page prints.
fn printed_rights(which: &str) -> Vec<&'static str> {
    let page = include_str!("../../../deploy/kms/aws.md");
    let block = page.split("```json\n").find(|block| block.contains(&format!("\"Sid\": \"{which}\""))).unwrap();
    let policy: Value = serde_json::from_str(block.split("```").next().unwrap()).unwrap();
    let statements = policy["Statement"].as_array().unwrap().clone();
    let actions = statements.iter().flat_map(|statement| statement["Action"].as_array().unwrap().clone());
    actions.map(|action| &*action.as_str().unwrap().to_owned().leak()).collect()
}

#[test]
fn a_key_that_is_disabled_deleted_elsewhere_or_of_another_kind_is_named() {
    let Some(moto) = Moto::start() else { return };
    let stage = Stage::new();
    let key = stage.make(&moto.address(), KeySpec::P256);
    let open = || stage.open(&moto.address());
    let id = key.reference.rsplit('/').next().unwrap();

    moto.must(&stage.runtime, "DisableKey", &json!({ "KeyId": id }));
    let named = said(open().find(&key.reference, Purpose::Namespace));
    assert!(named.contains("is Disabled"), "{named}");
    moto.must(&stage.runtime, "ScheduleKeyDeletion", &json!({ "KeyId": id, "PendingWindowInDays": 7 }));
    let named = said(open().find(&key.reference, Purpose::Namespace));
    assert!(named.contains("is PendingDeletion"), "{named}");

    // What never was, an alias, a key's bare id, a key of another region.
    let gone = key.reference.replace(id, "11111111-2222-3333-4444-555555555555");
    let elsewhere = key.reference.replace(REGION, "us-east-1");
    let cases = [
        (gone.as_str(), "has none of that name"),
        ("alias/treasury", "name the key's ARN"),
        ("arn:aws:kms:eu-central-1:123456789012:alias/treasury", "an alias can be moved"),
        (id, "name the key's ARN"),
        (elsewhere.as_str(), "it is in us-east-1, and the section says eu-central-1"),
    ];
    for (reference, words) in cases {
        let refused = open().find(reference, Purpose::Namespace);
        assert!(matches!(&refused, Err(KeyError::Missing { .. })), "{reference}: {refused:?}");
        assert!(said(refused).contains(words), "{reference}");
        let swapped = PinnedKey { reference: reference.to_owned(), ..key.clone() };
        let refused = drilled(&mut keyring(&swapped, open()), &swapped);
        assert!(matches!(refused, Err(KeyError::Missing { .. })), "{reference}: {refused:?}");
    }
    let symmetric = moto.must(&stage.runtime, "CreateKey", &json!({ "KeyUsage": "ENCRYPT_DECRYPT" }));
    let named = said(open().find(symmetric["KeyMetadata"]["Arn"].as_str().unwrap(), Purpose::Party));
    assert!(named.contains("SYMMETRIC_DEFAULT"), "{named}");
}

#[test]
fn a_throttled_request_is_made_again_and_the_service_that_throttles_on_is_named() {
    let Some(moto) = Moto::start() else { return };
    let stage = Stage::new();
    let key = stage.make(&moto.address(), KeySpec::P384);
    // In front of moto: so many requests are wanted fewer, the others go through.
    let (left, seen) = (Arc::new(AtomicUsize::new(2)), Arc::new(AtomicUsize::new(0)));
    let (client, behind, inner) = (reqwest::Client::new(), moto.address(), stage.runtime.handle().clone());
    let (to_go, count) = (Arc::clone(&left), Arc::clone(&seen));
    let front = stage.serve(move |asked| {
        count.fetch_add(1, Ordering::SeqCst);
        if to_go.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return (400, json!({ "__type": "ThrottlingException", "message": "Rate exceeded" }));
        }
        let mut request = client.post(&behind).body(asked.body.clone());
        for name in ["x-amz-target", "authorization", "x-amz-date", "content-type"] {
            request = request.header(name, asked.header(name));
        }
        inner.block_on(async {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.json().await.unwrap())
        })
    });
    let mut ring = keyring(&key, stage.open(&front));
    assert_eq!(drilled(&mut ring, &key), Ok(()));
    assert_eq!(seen.load(Ordering::SeqCst), 3, "two that were throttled, one that signed");

    left.store(100, Ordering::SeqCst);
    let named = said(drilled(&mut ring, &key));
    assert!(named.contains("wants fewer requests"), "{named}");
    assert_eq!(seen.load(Ordering::SeqCst), 7, "four attempts and no more");
}

/// AWS KMS with Ed25519 keys alone, answering in the documented form.
struct Documented(Mutex<BTreeMap<String, SecretKey>>);

impl Documented {
    fn answer(&self, asked: &Asked) -> (u16, Value) {
        let wish = asked.json();
        assert!(asked.header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/"));
        assert_eq!(asked.header("content-type"), "application/x-amz-json-1.1");
        let mut keys = self.0.lock().unwrap();
        let arn = wish["KeyId"].as_str().unwrap_or_default().to_owned();
        let about = |arn: &str| json!({ "KeyMetadata": { "Arn": arn, "KeyId": arn.rsplit('/').next(), "KeySpec": "ECC_NIST_EDWARDS25519", "KeyUsage": "SIGN_VERIFY", "KeyState": "Enabled", "Origin": "AWS_KMS", "KeyManager": "CUSTOMER", "MultiRegion": false, "Enabled": true, "SigningAlgorithms": ["ED25519_SHA_512", "ED25519_PH_SHA_512"] } });
        let operation = asked.header("x-amz-target").strip_prefix("TrentService.").unwrap();
        if operation == "CreateKey" {
            assert_eq!((&wish["KeySpec"], &wish["KeyUsage"]), (&"ECC_NIST_EDWARDS25519".into(), &"SIGN_VERIFY".into()));
            let arn = format!("arn:aws:kms:{REGION}:111122223333:key/1234abcd-12ab-34cd-56ef-{:012}", keys.len());
            keys.insert(arn.clone(), SecretKey::generate(KeySpec::Ed25519).unwrap());
            return (200, about(&arn));
        }
        let Some(key) = keys.get(&arn) else {
            let words = format!("Key '{arn}' does not exist");
            return (400, json!({ "__type": "com.amazonaws.kms#NotFoundException", "message": words }));
        };
        match operation {
            "DescribeKey" => (200, about(&arn)),
            "GetPublicKey" => {
                let public = key.public(Purpose::Party);
                (
                    200,
                    json!({ "KeyId": arn, "PublicKey": STANDARD.encode(public.spki()), "KeySpec": "ECC_NIST_EDWARDS25519", "KeyUsage": "SIGN_VERIFY", "SigningAlgorithms": ["ED25519_SHA_512", "ED25519_PH_SHA_512"] }),
                )
            }
            "Sign" => {
                // The pure form takes the message and nothing else.
                assert_eq!(
                    (&wish["MessageType"], &wish["SigningAlgorithm"]),
                    (&"RAW".into(), &"ED25519_SHA_512".into())
                );
                let message = STANDARD.decode(wish["Message"].as_str().unwrap()).unwrap();
                let signature = key.sign(&message, key.public(Purpose::Party).fingerprint());
                (
                    200,
                    json!({ "KeyId": arn, "Signature": STANDARD.encode(signature.bytes()), "SigningAlgorithm": "ED25519_SHA_512" }),
                )
            }
            other => panic!("{other} was asked"),
        }
    }
}

#[test]
fn aws_kms_conforms_with_ed25519_in_the_documented_form() {
    let stage = Stage::new();
    let service = Documented(Mutex::new(BTreeMap::new()));
    let address = stage.serve(move |asked| service.answer(&asked));
    conforms_with(&[KeySpec::Ed25519], &mut || stage.open(&address));
}

#[test]
fn each_documented_exception_of_aws_kms_at_signing_is_named() {
    let stage = Stage::new();
    let secret = SecretKey::generate(KeySpec::P256).unwrap();
    let arn = format!("arn:aws:kms:{REGION}:111122223333:key/1234abcd");
    let public = secret.public(Purpose::Namespace);
    let held = custody::keys::Held { public, reference: arn.clone(), facts: Vec::new(), weaknesses: Vec::new() };
    let key = pinned(&arn, &held, Purpose::Namespace);
    let cases = [
        (400, "NotFoundException", "holds no key"),
        (400, "DisabledException", "is disabled; enable it"),
        (400, "KMSInvalidStateException", "is in no state to sign"),
        (400, "InvalidKeyUsageException", "is for something else"),
        (400, "AccessDeniedException", "refuses kms:Sign"),
        (400, "UnrecognizedClientException", "does not take the credentials"),
        (400, "ExpiredTokenException", "does not take the credentials"),
        (500, "KMSInternalException", "answered KMSInternalException"),
    ];
    for (status, exception, words) in cases {
        // What a service says is foreign: it reaches no terminal as it is.
        let foreign = "\u{1b}[31mred \u{202e}";
        let address =
            stage.serve(move |_| (status, json!({ "__type": exception, "message": format!("{foreign}{exception}") })));
        let named = said(drilled(&mut keyring(&key, stage.open(&address)), &key));
        assert!(named.contains(words), "{exception}: {named}");
        assert!(named.is_ascii() && !named.contains('\u{1b}'), "{named:?}");
    }
    let address = stage.serve(|_| (200, json!({ "Signature": "bm90IG9uZQ==" })));
    let refused = drilled(&mut keyring(&key, stage.open(&address)), &key);
    assert!(matches!(refused, Err(KeyError::NotThePinnedKey { .. })), "{refused:?}");
}

#[test]
fn an_aws_section_that_is_wrong_names_the_field() {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let good = "kind = \"aws-kms\"\nregion = \"eu-central-1\"\ncredentials = \"/nowhere\"\n";
    opened(&toml::from_str(good).unwrap());
    let cases = [
        ("eu-central-1", "eu-central-1.example.org/", "field region"),
        ("kind = \"aws-kms\"", "kind = \"aws-kms\"\nendpoint = \"http://kms.example.org\"", "field endpoint"),
        ("kind = \"aws-kms\"", "kind = \"aws-kms\"\nsecret = \"s\"", "unknown field `secret`"),
    ];
    for (from, to, named) in cases {
        let said = refused(&toml::from_str(&good.replace(from, to)).unwrap());
        assert!(said.contains("[backends.remote]") && said.contains(named), "{to}: {said}");
    }
}

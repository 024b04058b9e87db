//! OpenBao's transit engine, the real one.

use std::{path::PathBuf, process::Command, time::Instant};

use canton_topology::key::KeySpec;
use custody::keys::{Held, KeyBackend, KeyError, NewKey, PinnedKey, Purpose};
use tests::{
    backend_conformance::conforms,
    bao::{Bao, write_secret},
};
use tokio::runtime::Runtime;

use super::{drilled, keyring, opened, pinned, refused};

/// A server, a token in a file, and a runtime.
struct Stage {
    bao: Bao,
    folder: tempfile::TempDir,
    runtime: Runtime,
}

impl Stage {
    fn new() -> Option<Self> {
        let bao = Bao::start()?;
        let stage = Self { bao, folder: tempfile::tempdir().unwrap(), runtime: Runtime::new().unwrap() };
        stage.give(stage.bao.root_token());
        Some(stage)
    }

    fn token_file(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    fn give(&self, token: &str) {
        write_secret(&self.token_file(), token);
    }

    fn open(&self) -> Box<dyn KeyBackend> {
        let _inside = self.runtime.enter();
        opened(&self.bao.section(&self.token_file()))
    }

    fn make(&self, spec: KeySpec) -> (Held, PinnedKey) {
        let wanted = NewKey { name: "treasury".to_owned(), purpose: Purpose::Namespace, spec };
        let held = self.open().generate(&wanted).unwrap();
        let key = pinned(&held.reference, &held, Purpose::Namespace);
        (held, key)
    }
}

fn name_of(key: &PinnedKey) -> &str {
    key.reference.split_once('@').unwrap().0
}

fn said(outcome: Result<(), KeyError>) -> String {
    outcome.expect_err("it signed").to_string()
}

#[test]
fn transit_conforms() {
    let Some(stage) = Stage::new() else { return };
    conforms(&mut || stage.open());
}

#[test]
fn a_rotated_transit_key_is_another_key_and_the_former_signs_on() {
    let Some(stage) = Stage::new() else { return };
    for spec in [KeySpec::Ed25519, KeySpec::P256] {
        let (held, key) = stage.make(spec);
        assert!(key.reference.ends_with("@1"), "{}", key.reference);
        stage.bao.must(&["write", "-f", &format!("transit/keys/{}/rotate", name_of(&key))]);

        // What was pinned signs as before, though the server would sign with the latest where nobody names one.
        assert_eq!(drilled(&mut keyring(&key, stage.open()), &key), Ok(()));
        assert_eq!(stage.open().find(&key.reference, Purpose::Namespace).unwrap().public, held.public);

        // The second version is another key under another reference.
        let second = stage.open().find(&format!("{}@2", name_of(&key)), Purpose::Namespace).unwrap();
        assert_ne!(second.public, held.public);
        assert!(second.facts.contains(&("latest_version".to_owned(), "2".to_owned())), "{:?}", second.facts);

        // A reference that names no version, or one that is not there, is no key.
        for absent in [name_of(&key).to_owned(), format!("{}@3", name_of(&key)), format!("{}@0", name_of(&key))] {
            let refused = stage.open().find(&absent, Purpose::Namespace);
            assert!(matches!(refused, Err(KeyError::Missing { .. })), "{absent}: {refused:?}");
        }

        // The server no longer signs with the first: named, and nothing else signs in its place.
        let config = format!("transit/keys/{}/config", name_of(&key));
        stage.bao.must(&["write", &config, "min_decryption_version=2", "min_encryption_version=2"]);
        let refused = drilled(&mut keyring(&key, stage.open()), &key);
        assert!(matches!(refused, Err(KeyError::Missing { .. })), "{refused:?}");
    }
}

#[test]
fn a_transit_key_that_can_be_taken_out_is_not_pinned() {
    let Some(stage) = Stage::new() else { return };
    let cases = [("exportable=true", "exportable"), ("allow_plaintext_backup=true", "plaintext backup")];
    for (wish, named) in cases {
        let path = format!("transit/keys/{}", named.replace(' ', "-"));
        stage.bao.must(&["write", "-f", &path, "type=ed25519", wish]);
        let reference = format!("{}@1", named.replace(' ', "-"));
        let held = stage.open().find(&reference, Purpose::Party).unwrap();
        assert!(held.weaknesses.iter().any(|why| why.contains(named)), "{:?}", held.weaknesses);
        let mut ring = keyring(&stage.make(KeySpec::Ed25519).1, stage.open());
        let refused = ring.take(super::SECTION, &reference, "weak", Purpose::Party, super::NOW).unwrap_err();
        assert!(refused.to_string().contains(named), "{refused}");
    }
    let (held, _) = stage.make(KeySpec::P384);
    assert_eq!(held.weaknesses, Vec::<String>::new());
    for fact in ["exportable", "allow_plaintext_backup", "deletion_allowed"] {
        assert!(held.facts.contains(&(fact.to_owned(), "no".to_owned())), "{fact}: {:?}", held.facts);
    }
}

#[test]
fn keys_of_other_types_are_refused_by_name() {
    let Some(stage) = Stage::new() else { return };
    stage.bao.must(&["write", "-f", "transit/keys/aes", "type=aes256-gcm96"]);
    stage.bao.must(&["write", "-f", "transit/keys/many", "type=ed25519", "derived=true"]);
    for (reference, named) in [("aes@1", "aes256-gcm96"), ("many@1", "derived")] {
        let refused = stage.open().find(reference, Purpose::Party).unwrap_err().to_string();
        assert!(refused.contains(named), "{refused}");
    }
    for reference in ["../keys/aes@1", "a/b@1", ".@1", "@1", "aes@1@"] {
        let refused = stage.open().find(reference, Purpose::Party);
        assert!(matches!(refused, Err(KeyError::Missing { .. })), "{reference}: {refused:?}");
    }
}

#[test]
fn a_revoked_token_is_named_and_the_next_one_in_the_file_signs() {
    let Some(stage) = Stage::new() else { return };
    let (_, key) = stage.make(KeySpec::Ed25519);
    stage.bao.set_policy("sign", &least_rights("run", "countersign-*"));
    let token = stage.bao.token("sign");
    stage.give(&token);
    let mut ring = keyring(&key, stage.open());
    assert_eq!(drilled(&mut ring, &key), Ok(()));

    stage.bao.must(&["token", "revoke", &token]);
    let named = said(drilled(&mut ring, &key));
    assert!(named.contains("the token is revoked or has ended"), "{named}");
    assert!(!named.contains(&token), "a token in an error");

    // Whoever renews it writes the next one into the file; the same agent goes on.
    stage.give(&stage.bao.token("sign"));
    assert_eq!(drilled(&mut ring, &key), Ok(()));

    std::fs::remove_file(stage.token_file()).unwrap();
    let named = said(drilled(&mut ring, &key));
    assert!(named.contains("the token:") && named.contains("No such file"), "{named}");
}

#[test]
fn a_sealed_a_stopped_and_a_hanging_server_are_named_and_the_next_signature_is_good() {
    let Some(mut stage) = Stage::new() else { return };
    let (_, key) = stage.make(KeySpec::P256);
    let mut ring = keyring(&key, stage.open());
    assert_eq!(drilled(&mut ring, &key), Ok(()));

    stage.bao.must(&["operator", "seal"]);
    let named = said(drilled(&mut ring, &key));
    assert!(named.contains("is sealed; unseal it"), "{named}");
    assert!(stage.open().probe().unwrap_err().to_string().contains("is sealed"));
    stage.bao.unseal();
    assert_eq!(drilled(&mut ring, &key), Ok(()));

    stage.bao.stop();
    let named = said(drilled(&mut ring, &key));
    assert!(named.contains("cannot be reached") && named.contains(&stage.bao.address()), "{named}");
    assert!(stage.open().probe().is_err());
    stage.bao.run_again();
    stage.bao.unseal();
    assert_eq!(drilled(&mut ring, &key), Ok(()));

    let pid = stage.bao.pid().unwrap().to_string();
    let signal = |name: &str| assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    signal("-STOP");
    let since = Instant::now();
    let named = said(drilled(&mut ring, &key));
    let waited = since.elapsed().as_secs();
    signal("-CONT");
    assert!(named.contains("does not answer in time"), "{named}");
    assert!((2..10).contains(&waited), "the limit is 3 s, and it waited {waited} s");
    assert_eq!(drilled(&mut ring, &key), Ok(()));
}

#[test]
fn a_deleted_transit_key_is_missing() {
    let Some(stage) = Stage::new() else { return };
    let (_, key) = stage.make(KeySpec::Ed25519);
    let path = format!("transit/keys/{}", name_of(&key));
    stage.bao.must(&["write", &format!("{path}/config"), "deletion_allowed=true"]);
    stage.bao.must(&["delete", &path]);
    let refused = drilled(&mut keyring(&key, stage.open()), &key);
    assert!(matches!(refused, Err(KeyError::Missing { .. })), "{refused:?}");
    let refused = stage.open().find(&key.reference, Purpose::Namespace);
    assert!(matches!(refused, Err(KeyError::Missing { .. })), "{refused:?}");

    // Made again under the same name it is another key, whatever its reference.
    stage.bao.must(&["write", "-f", &path, "type=ed25519"]);
    let refused = drilled(&mut keyring(&key, stage.open()), &key);
    assert!(matches!(refused, Err(KeyError::NotThePinnedKey { .. })), "{refused:?}");
}

/// A policy as the page prints it, for these keys.
fn least_rights(which: &str, keys: &str) -> String {
    let page = std::fs::read_to_string("../deploy/kms/transit.md").unwrap();
    let block = page.split("```hcl\n").find(|block| block.starts_with(&format!("# {which}"))).unwrap();
    block.split("```").next().unwrap().replace("countersign-KEY", keys)
}

#[test]
fn the_printed_rights_suffice_and_give_no_more() {
    let Some(stage) = Stage::new() else { return };
    stage.bao.set_policy("setup", &least_rights("setup", "countersign-*"));
    stage.give(&stage.bao.token("setup"));
    let (_, key) = stage.make(KeySpec::Ed25519);
    let (_, other) = stage.make(KeySpec::Ed25519);

    // To run: one key, which it signs with and nothing else.
    stage.bao.set_policy("run", &least_rights("run", name_of(&key)));
    stage.give(&stage.bao.token("run"));
    let mut ring = keyring(&key, stage.open());
    assert_eq!(drilled(&mut ring, &key), Ok(()));
    let facts = stage.open().probe().unwrap();
    assert!(facts.iter().any(|(name, fact)| name == "policies" && fact.contains("run")), "{facts:?}");
    let named = said(drilled(&mut keyring(&other, stage.open()), &other));
    assert!(named.contains(&format!("update transit/sign/{}", name_of(&other))), "{named}");
    let refused = stage.open().find(&key.reference, Purpose::Namespace).unwrap_err().to_string();
    assert!(refused.contains("refuses `read transit/keys/"), "{refused}");
    let wanted = NewKey { name: "more".to_owned(), purpose: Purpose::Party, spec: KeySpec::Ed25519 };
    let refused = stage.open().generate(&wanted).unwrap_err().to_string();
    assert!(refused.contains("refuses `create transit/keys/"), "{refused}");
}

#[test]
fn transit_in_a_namespace_and_at_another_mount_signs() {
    let Some(stage) = Stage::new() else { return };
    stage.bao.must(&["namespace", "create", "team"]);
    stage.bao.must(&["secrets", "enable", "-namespace=team", "-path=deep/keys", "transit"]);
    let mut section = stage.bao.section(&stage.token_file());
    section.insert("namespace".to_owned(), "team".into());
    section.insert("mount".to_owned(), "deep/keys".into());
    let _inside = stage.runtime.enter();
    let wanted = NewKey { name: "treasury".to_owned(), purpose: Purpose::Party, spec: KeySpec::Ed25519 };
    let held = opened(&section).generate(&wanted).unwrap();
    let key = pinned(&held.reference, &held, Purpose::Party);
    assert_eq!(drilled(&mut keyring(&key, opened(&section)), &key), Ok(()));
    // Not elsewhere: neither in the root namespace nor at a mount that is not there.
    let refused = stage.open().find(&held.reference, Purpose::Party);
    assert!(matches!(refused, Err(KeyError::Missing { .. })), "{refused:?}");
    section.insert("mount".to_owned(), "nowhere".into());
    let named = opened(&section).find(&held.reference, Purpose::Party).unwrap_err().to_string();
    assert!(named.contains("check mount and namespace"), "{named}");
}

#[test]
fn a_transit_section_that_is_wrong_names_the_field() {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let good = "kind = \"transit\"\naddress = \"https://127.0.0.1:1\"\ntoken = { file = \"/nowhere\" }\n";
    let cases = [
        ("https://127.0.0.1:1", "http://bao.example.org", "field address: it must begin with https://"),
        ("https://127.0.0.1:1", "https://me:secret@bao.example.org", "field address: nothing but the address"),
        ("kind = \"transit\"", "kind = \"transit\"\nmount = \"../sys\"", "field mount"),
        ("kind = \"transit\"", "kind = \"transit\"\ntime_limit_seconds = 0", "field time_limit_seconds"),
        ("kind = \"transit\"", "kind = \"transit\"\nca = \"/nowhere\"", "field ca: /nowhere"),
        ("kind = \"transit\"", "kind = \"transit\"\nverify = false", "unknown field `verify`"),
    ];
    opened(&toml::from_str(good).unwrap());
    for (from, to, named) in cases {
        let said = refused(&toml::from_str(&good.replace(from, to)).unwrap());
        assert!(said.contains("[backends.remote]") && said.contains(named), "{to}: {said}");
        assert!(!said.contains("secret@"), "a secret in an error: {said}");
    }
}

//! The backend `pkcs11` on SoftHSM2, looked at with other people's tools.
#![allow(clippy::unwrap_used)]

use std::{path::Path, process::Command};

use canton_topology::{Timestamp, key::KeySpec};
use custody::keys::{
    KeyBackend, KeyError, NewKey, Outcome, PinnedKey, Purpose,
    backends::Kinds,
    keyring::{Keyring, PinError},
    pkcs11,
    to_sign::ToSign,
};
use tests::{
    backend_conformance::{conforms, drill},
    softhsm::{Nobody, PIN, SoftHsm, alone, must_run},
};

const NOW: Timestamp = Timestamp(1_700_000_000_000_000);
const EVERYTHING: &str =
    r#"accept = ["modifiable", "decrypt", "unwrap", "derive", "sign-recover", "wrap", "imported"]"#;

fn open(softhsm: &SoftHsm, rest: &str) -> Box<dyn KeyBackend> {
    softhsm.backend(softhsm.library(), PIN, rest)
}

fn keyring(backend: Box<dyn KeyBackend>) -> Keyring {
    Keyring::new(Vec::new(), [("hsm".to_owned(), backend)].into())
}

fn new(name: &str, spec: KeySpec) -> NewKey {
    NewKey { name: name.to_owned(), purpose: Purpose::Party, spec }
}

fn sign(ring: &mut Keyring, key: &PinnedKey) -> Result<Vec<u8>, KeyError> {
    match ring.sign(&ToSign::drill(&drill(&key.public)))? {
        Outcome::Signed(signature) => Ok(signature.bytes().to_vec()),
        pending @ Outcome::Pending { .. } => panic!("{pending:?}"),
    }
}

fn on_softhsm(name: &str, test: impl FnOnce(&SoftHsm)) {
    let folder = tempfile::tempdir().unwrap();
    alone(name, folder.path(), test);
}

#[test]
fn softhsm_conforms() {
    on_softhsm("softhsm_conforms", |softhsm| {
        let serial = softhsm.make_token("alice");

        conforms(&mut || open(softhsm, &format!("serial = {serial:?}")));
    });
}

#[test]
fn pkcs11_tool_and_openssl_confirm_keys_and_signatures_made_here() {
    on_softhsm("pkcs11_tool_and_openssl_confirm_keys_and_signatures_made_here", |softhsm| {
        softhsm.make_token("alice");
        let mut ring = keyring(open(softhsm, "label = \"alice\""));
        for spec in KeySpec::ALL {
            let key = ring.generate("hsm", &new(spec.name(), spec), NOW).unwrap().clone();

            let shown = softhsm.tool("alice", &["--list-objects"]);
            let [private, public] = ["Private Key", "Public Key"].map(|class| object(&shown, class, &key.reference));
            assert!(private.contains("Usage:      sign\n"), "{private}");
            assert!(private.contains("Access:     sensitive, always sensitive, never extractable, local"), "{private}");
            // The point stands at the end of a SubjectPublicKeyInfo.
            let point = hex::encode(&key.public.spki()[key.public.spki().len() - 32..]);
            assert!(public.contains(&format!("{point}\n")), "{public}\ndoes not have {point}");

            let made = sign(&mut ring, &key).unwrap();
            openssl_verifies(softhsm.folder(), &key, &made);
        }
    });
}

/// What `pkcs11-tool` shows of one object.
fn object(shown: &str, class: &str, id: &str) -> String {
    let mut objects: Vec<String> = Vec::new();
    for line in shown.lines() {
        if !line.starts_with(' ') {
            objects.push(String::new());
        }
        if let Some(object) = objects.last_mut() {
            object.push_str(&format!("{line}\n"));
        }
    }
    let is_it = |object: &String| object.starts_with(class) && object.contains(&format!("ID:         {id}\n"));
    objects.into_iter().find(is_it).unwrap_or_else(|| panic!("no {class} object with {id}: {shown}"))
}

fn openssl_verifies(folder: &Path, key: &PinnedKey, signature: &[u8]) {
    let [public, message, signed] = ["public.der", "message", "signature"].map(|name| folder.join(name));
    std::fs::write(&public, key.public.spki()).unwrap();
    std::fs::write(&message, drill(&key.public).message()).unwrap();
    std::fs::write(&signed, signature).unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin", "-inkey"]).arg(&public);
    openssl.arg("-sigfile").arg(&signed).arg("-in").arg(&message);
    match key.public.spec() {
        KeySpec::Ed25519 => &mut openssl,
        KeySpec::P256 | KeySpec::Secp256k1 => openssl.args(["-digest", "sha256"]),
        KeySpec::P384 => openssl.args(["-digest", "sha384"]),
    };
    assert!(must_run(&mut openssl).contains("Verified Successfully"));
}

#[test]
fn a_key_made_with_pkcs11_tool_is_taken_where_its_weaknesses_are_accepted() {
    on_softhsm("a_key_made_with_pkcs11_tool_is_taken_where_its_weaknesses_are_accepted", |softhsm| {
        softhsm.make_token("alice");
        for (id, curve) in [("01a3", "EC:edwards25519"), ("01a4", "EC:prime256v1"), ("01a5", "EC:secp384r1")] {
            let make = ["--keypairgen", "--key-type", curve, "--id", id, "--label", "ours", "--usage-sign"];
            softhsm.tool("alice", &make);

            let mut strict = keyring(open(softhsm, "label = \"alice\""));
            let refused = strict.take("hsm", id, "ours", Purpose::Party, NOW).unwrap_err();
            let PinError::Weak { weaknesses, .. } = refused else { panic!("{refused}") };
            assert!(weaknesses.iter().any(|one| one.starts_with("CKA_MODIFIABLE is not false")), "{weaknesses:?}");
            assert!(weaknesses.iter().any(|one| one.starts_with("CKA_UNWRAP is true")), "{weaknesses:?}");

            let mut ring = keyring(open(softhsm, &format!("label = \"alice\"\n{EVERYTHING}")));
            let taken = ring.take("hsm", id, "ours", Purpose::Party, NOW).unwrap().clone();
            sign(&mut ring, &taken).unwrap();
        }
    });
}

#[test]
fn a_key_whose_secret_can_leave_the_token_is_refused_whatever_is_accepted() {
    on_softhsm("a_key_whose_secret_can_leave_the_token_is_refused_whatever_is_accepted", |softhsm| {
        softhsm.make_token("alice");
        let make = ["--keypairgen", "--key-type", "EC:prime256v1", "--id", "01a3", "--extractable"];
        softhsm.tool("alice", &make);

        let mut ring = keyring(open(softhsm, &format!("label = \"alice\"\n{EVERYTHING}")));
        let refused = ring.take("hsm", "01a3", "ours", Purpose::Party, NOW).unwrap_err().to_string();

        assert!(refused.contains("CKA_EXTRACTABLE is not false: the secret can leave the token"), "{refused}");
    });
}

#[test]
fn a_pinned_key_that_was_made_weaker_since_signs_no_more() {
    on_softhsm("a_pinned_key_that_was_made_weaker_since_signs_no_more", |softhsm| {
        softhsm.make_token("alice");
        softhsm.tool("alice", &["--keypairgen", "--key-type", "EC:prime256v1", "--id", "01a3"]);
        let mut ring = keyring(open(softhsm, &format!("label = \"alice\"\n{EVERYTHING}")));
        let key = ring.take("hsm", "01a3", "ours", Purpose::Party, NOW).unwrap().clone();

        // The owner no longer accepts what the key may do, which is as if it could do more than before.
        let mut strict =
            Keyring::new(vec![key.clone()], [("hsm".to_owned(), open(softhsm, "label = \"alice\""))].into());
        let refused = sign(&mut strict, &key).unwrap_err().to_string();

        assert!(refused.contains("is weaker than when it was pinned: CKA_MODIFIABLE"), "{refused}");
    });
}

#[test]
fn a_token_is_named_so_that_there_is_only_one() {
    on_softhsm("a_token_is_named_so_that_there_is_only_one", |softhsm| {
        let serials = [softhsm.make_token("alice"), softhsm.make_token("alice")];

        let refused = open(softhsm, "label = \"alice\"").probe().unwrap_err().to_string();
        assert!(refused.contains("is more than one token; say which by `serial`"), "{refused}");
        assert!(serials.iter().all(|serial| refused.contains(serial.as_str())), "{refused}");

        for serial in &serials {
            let facts = open(softhsm, &format!("serial = {serial:?}")).probe().unwrap();
            assert!(facts.contains(&("serial".to_owned(), serial.clone())), "{facts:?}");
        }
        let refused = open(softhsm, "serial = \"0\"").probe().unwrap_err().to_string();
        assert!(refused.contains("the token with serial \"0\" is not there; tokens that are: \"alice\""), "{refused}");
    });
}

#[test]
fn another_key_with_the_same_id_is_refused_by_name() {
    on_softhsm("another_key_with_the_same_id_is_refused_by_name", |softhsm| {
        softhsm.make_token("alice");
        let mut ring = keyring(open(softhsm, "label = \"alice\""));
        let key = ring.generate("hsm", &new("ours", KeySpec::P256), NOW).unwrap().clone();
        sign(&mut ring, &key).unwrap();

        softhsm.tool("alice", &["--keypairgen", "--key-type", "EC:prime256v1", "--id", &key.reference]);
        let mut again =
            Keyring::new(vec![key.clone()], [("hsm".to_owned(), open(softhsm, "label = \"alice\""))].into());
        let refused = sign(&mut again, &key).unwrap_err().to_string();
        assert!(refused.contains("2 private keys have that CKA_ID"), "{refused}");

        softhsm.tool("alice", &["--delete-object", "--type", "privkey", "--id", &key.reference]);
        let refused = sign(&mut again, &key).unwrap_err().to_string();
        assert!(refused.contains(&format!("{}", key.fingerprint())), "{refused}");
        assert!(refused.contains("both have that CKA_ID"), "{refused}");
    });
}

#[test]
fn a_key_that_took_the_place_of_a_pinned_one_signs_nothing() {
    on_softhsm("a_key_that_took_the_place_of_a_pinned_one_signs_nothing", |softhsm| {
        softhsm.make_token("alice");
        let mut ring = keyring(open(softhsm, &format!("label = \"alice\"\n{EVERYTHING}")));
        let key = ring.generate("hsm", &new("ours", KeySpec::P256), NOW).unwrap().clone();
        sign(&mut ring, &key).unwrap();
        for class in ["privkey", "pubkey"] {
            softhsm.tool("alice", &["--delete-object", "--type", class, "--id", &key.reference]);
        }

        let refused = sign(&mut ring, &key).unwrap_err();
        assert!(matches!(&refused, KeyError::Missing { .. }), "{refused}");

        softhsm.tool("alice", &["--keypairgen", "--key-type", "EC:prime256v1", "--id", &key.reference]);
        let refused = sign(&mut ring, &key).unwrap_err().to_string();
        assert!(refused.contains("another key has that CKA_ID"), "{refused}");
    });
}

#[test]
fn a_token_that_goes_away_is_named_and_found_again_when_it_is_back() {
    on_softhsm("a_token_that_goes_away_is_named_and_found_again_when_it_is_back", |softhsm| {
        softhsm.make_token("alice");
        let mut ring = keyring(open(softhsm, "label = \"alice\""));
        let key = ring.generate("hsm", &new("ours", KeySpec::Ed25519), NOW).unwrap().clone();
        let [here, away] = ["tokens", "away"].map(|name| softhsm.folder().join(name));

        std::fs::rename(&here, &away).unwrap();
        std::fs::create_dir(&here).unwrap();
        let refused = sign(&mut ring, &key).unwrap_err().to_string();
        assert!(refused.contains("the token with label \"alice\" is not there; tokens that are: none"), "{refused}");

        std::fs::remove_dir(&here).unwrap();
        std::fs::rename(&away, &here).unwrap();
        sign(&mut ring, &key).unwrap();
    });
}

#[test]
fn a_section_that_names_no_token_or_no_library_is_refused_when_it_opens() {
    let open = |text: &str| {
        let config = format!("kind = {:?}\n{text}", pkcs11::KIND).parse().unwrap();
        let kinds = Kinds::default().with(pkcs11::KIND, pkcs11::open);
        kinds.open("hsm", &config, &mut Nobody).map(drop).unwrap_err().to_string()
    };

    assert!(open("module = \"/lib/a.so\"").starts_with("[backends.hsm]: serial: say which token"));
    assert!(open("module = \"a.so\"\nserial = \"1\"").starts_with("[backends.hsm]: module: give the whole path"));
    assert!(open("module = \"/lib/a.so\"\nserial = \"1\"").contains("PIN: nobody is here"));
    assert!(open("module = \"/lib/a.so\"\nserial = \"1\"\npin = \"1234\"").contains("pin"));
    for sessions in [0, 9] {
        let refused = open(&format!("module = \"/lib/a.so\"\nserial = \"1\"\nsessions = {sessions}"));
        assert!(refused.contains("sessions: 1 to 8"), "{refused}");
    }
    assert!(open("module = \"/lib/a.so\"\nserial = \"1\"\naccept = [\"extractable\"]").contains("accept"));
}

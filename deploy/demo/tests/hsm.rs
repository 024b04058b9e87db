//! An owner whose keys are on a PKCS#11 token, among others whose keys are in files: the whole product as processes.
#![allow(clippy::unwrap_used)]

mod stage;

use canton_sandbox::network::Options;
use stage::{Stage, for_owner, text};
use tests::softhsm::{PIN, SoftHsm};

const OWNERS: [&str; 3] = ["alice", "bob", "carol"];

/// Alice's keys are on a token.
fn with_a_token(folder: &std::path::Path, owners: &[&'static str]) -> Option<(SoftHsm, Stage)> {
    let softhsm = SoftHsm::new(folder)?;
    let serial = softhsm.make_token("alice");
    let (name, value) = softhsm.environment();
    let sections = format!(
        "[backends.hsm]\nkind = \"pkcs11\"\nmodule = {:?}\nserial = {serial:?}\npin = {{ file = {:?} }}\n\
         accept = [\"modifiable\", \"decrypt\", \"unwrap\", \"derive\", \"sign-recover\"]\n",
        softhsm.library(),
        softhsm.pin_file(PIN),
    );
    let path = folder.join("backends.toml");
    std::fs::write(&path, sections).unwrap();
    let words = ["--backends", path.to_str().unwrap(), "--namespace-key", "hsm", "--party-key", "hsm"];
    let environment = vec![(name.into(), value.into())];
    let stage = Stage::with_environment(owners, Options::default(), environment, &for_owner("alice", &words));
    Some((softhsm, stage))
}

#[test]
fn an_owner_with_keys_on_a_token_founds_a_party_with_others() {
    let folder = tempfile::tempdir().unwrap();
    let Some((softhsm, stage)) = with_a_token(folder.path(), &OWNERS) else { return };

    stage.party();

    let listed = stage.must("alice", &["keys", "list"]);
    let keys = listed["keys"].as_array().unwrap();
    let places: Vec<String> = keys.iter().map(|key| text(key, "backend")).collect();
    assert_eq!(places, ["hsm", "hsm"]);
    let shown = softhsm.tool("alice", &["--list-objects", "--type", "privkey"]);
    for key in keys {
        assert!(shown.contains(&text(key, "reference")), "{shown}");
    }
}

#[test]
fn keys_are_made_on_a_token_and_taken_from_it_by_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let Some((softhsm, stage)) = with_a_token(folder.path(), &["alice"]) else { return };
    let with_passphrase = |words: &[&'static str]| [words, &["--passphrase-fd", "0"]].concat();

    let shown = stage.must("alice", &with_passphrase(&["keys", "backends"]));
    let hsm = shown["backends"].as_array().unwrap().iter().find(|one| one["section"] == "hsm").unwrap();
    assert_eq!(hsm["answers"], true, "{hsm}");
    assert_eq!(hsm["token"], "alice", "{hsm}");

    let generate = ["keys", "generate", "--in", "hsm", "--purpose", "party", "--name", "treasury", "--spec", "p384"];
    let made = stage.must("alice", &with_passphrase(&generate));
    assert_eq!(made["curve"], "EC_P384");

    softhsm.tool("alice", &["--keypairgen", "--key-type", "EC:prime256v1", "--id", "01a3"]);
    let take = ["keys", "import", "--from", "hsm", "--reference", "01a3", "--purpose", "party", "--name", "old"];
    let taken = stage.must("alice", &with_passphrase(&take));
    assert_eq!(taken["reference"], "01a3");

    let weak = ["--keypairgen", "--key-type", "EC:prime256v1", "--id", "01a4", "--extractable"];
    softhsm.tool("alice", &weak);
    let take = ["keys", "import", "--from", "hsm", "--reference", "01a4", "--purpose", "party", "--name", "weak"];
    let refused = stage.must_fail("alice", &with_passphrase(&take));
    assert!(text(&refused, "error").contains("CKA_EXTRACTABLE is not false"), "{refused}");
}

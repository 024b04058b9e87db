//! An owner whose keys live in a key service takes part like everybody else, with no more rights there than to sign.
#![allow(clippy::unwrap_used)]

mod stage;

use std::collections::BTreeMap;

use canton_sandbox::network::Options;
use serde_json::Value;
use tests::bao::{Bao, write_secret};

use self::stage::{Stage, text};

/// A policy under which these keys sign.
fn may_sign(keys: &[String]) -> String {
    let rule = |key: &String| format!("path \"transit/sign/{key}\" {{ capabilities = [\"update\"] }}\n");
    keys.iter().map(rule).collect()
}

#[test]
fn an_owner_whose_keys_live_in_transit_takes_part_in_creating_a_party() {
    let Some(bao) = Bao::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (token, backends) = (folder.path().join("token"), folder.path().join("backends.toml"));
    write_secret(&token, bao.root_token());
    let sections = BTreeMap::from([("backends", BTreeMap::from([("bao", bao.section(&token))]))]);
    std::fs::write(&backends, toml::to_string(&sections).unwrap()).unwrap();
    let places = |owner: &str| match owner {
        "alice" => ["--backends", backends.to_str().unwrap(), "--namespace-key", "bao", "--party-key", "bao"]
            .map(str::to_owned)
            .into(),
        _ => Vec::new(),
    };
    let mut stage = Stage::with(&["alice", "bob", "carol"], Options::default(), &places);

    // From here on the agent may sign with its two keys, and do nothing else.
    let listed = stage.must("alice", &["keys", "list"]);
    let keys = listed["keys"].as_array().unwrap();
    assert!(keys.len() == 2 && keys.iter().all(|key| key["backend"] == "bao"), "{listed}");
    let name = |key: &Value| text(key, "reference").split_once('@').unwrap().0.to_owned();
    bao.set_policy("sign", &may_sign(&keys.iter().map(name).collect::<Vec<_>>()));
    let first = bao.token("sign");
    write_secret(&token, &first);
    stage.kill_agent("alice");
    stage.start_agent("alice");
    stage.until("alice", &["status"], |status| !status["participant"].is_null());
    let told = stage.must("alice", &["keys", "backends", "--passphrase-fd", "0"]);
    let told = told["backends"].as_array().unwrap().iter().find(|one| one["section"] == "bao").unwrap().clone();
    assert!(told["answers"] == true && told["kind"] == "transit", "{told}");

    let words = ["create-party", "treasury", "--owner", "me", "--owner", "bob", "--owner", "carol", "--threshold", "2"];
    let words = [&words[..], &["--host", "me", "--host", "bob", "--confirmations", "2"]].concat();
    let made = stage.propose("alice", &[&words[..], &["--key", "me", "--key", "bob", "--key-threshold", "2"]].concat());
    let case = text(&made, "case");

    // The token is revoked before she approves: she is told so, and approves with the next one; nothing is started again.
    bao.must(&["token", "revoke", &first]);
    let offer = text(&stage.until("alice", &["show", &case], |shown| shown["offer"].is_string()), "offer");
    let refused = stage.until_code("alice", &["approve", &case, "--offer", &offer], 1);
    let words = refused["error"].as_str().unwrap();
    assert!(words.contains("the token is revoked or has ended") && !words.contains(&first), "{refused}");
    write_secret(&token, &bao.token("sign"));
    for owner in ["alice", "bob", "carol"] {
        stage.approve(owner, &case);
    }
    stage.until_effective("carol", &case);
    assert!(!stage.log_of("alice").contains(&first), "a token in the log");
}

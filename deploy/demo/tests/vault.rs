//! A key that lives in the owner's own participant: made there, named at each signature, and used for nothing but topology.
#![allow(clippy::unwrap_used)]

mod stage;

use canton_sandbox::network::Options;
use serde_json::{Value, json};

use self::stage::{Stage, for_owner, text};

#[test]
fn a_party_key_in_the_node_signs_topology_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let backends = folder.path().join("backends.toml");
    std::fs::write(&backends, "[backends.node]\nkind = \"participant\"\n").unwrap();
    let backends = backends.to_str().unwrap();
    let stage = Stage::with(
        &["alice", "bob", "carol"],
        Options::default(),
        &for_owner("alice", &["--backends", backends, "--party-key", "node"]),
    );
    let key = stage.must("alice", &["keys", "show", "party"]);
    assert_eq!((&key["backend"], &key["reference"]), (&"node".into(), &key["fingerprint"]));
    let shown = stage.must("alice", &["keys", "backends", "--passphrase-fd", "0"]);
    let node = shown["backends"].as_array().unwrap().iter().find(|one| one["section"] == "node").unwrap().clone();
    assert!(text(&node, "keys").contains(&text(&key, "fingerprint")), "{node}");

    // It signs beside the namespace key, which comes first.
    let words = ["create-party", "treasury", "--owner", "me", "--owner", "bob", "--owner", "carol", "--threshold", "2"];
    let words = [&words[..], &["--host", "me", "--confirmations", "1", "--key", "me", "--key-threshold", "1"]].concat();
    let case = text(&stage.propose("alice", &words), "case");
    for owner in ["alice", "bob", "carol"] {
        stage.approve(owner, &case);
    }
    let shown = stage.until_effective("alice", &case);
    assert!(shown.to_string().contains(&text(&key, "fingerprint")), "{shown}");

    // It proves nothing and signs no drill: the others do, and it is named.
    let proved = stage.must("alice", &["keys", "prove", "--passphrase-fd", "0"]);
    assert_eq!((&proved["sign-topology-alone"], &proved["keys"][1]), (&json!(["party"]), &Value::Null), "{proved}");
    let named = stage.must_fail("alice", &["keys", "prove", "party", "--passphrase-fd", "0"]);
    assert!(text(&named, "error").contains("signs topology transactions alone"), "{named}");
    let drilled = stage.must("alice", &["keys", "drill", "--all"]);
    assert_eq!((&drilled["all-well"], &drilled["sign-topology-alone"]), (&json!(true), &json!(["party"])), "{drilled}");

    // A second key for the namespace may live there; it is taken by its fingerprint, and one that is not there is missing.
    let more =
        ["keys", "generate", "--in", "node", "--purpose", "namespace", "--name", "spare", "--passphrase-fd", "0"];
    stage.must("alice", &more);
    let take = ["keys", "import", "--from", "node", "--purpose", "party", "--name", "other", "--passphrase-fd", "0"];
    let absent = format!("1220{}", "0".repeat(64));
    let missing = stage.must_fail("alice", &[&take[..], &["--reference", &absent]].concat());
    assert!(text(&missing, "error").contains("the node holds no signing key with that fingerprint"), "{missing}");
}

#[test]
fn the_first_namespace_key_does_not_live_in_the_node() {
    let folder = tempfile::tempdir().unwrap();
    let backends = folder.path().join("backends.toml");
    std::fs::write(&backends, "[backends.node]\nkind = \"participant\"\n").unwrap();
    let stage = Stage::new(&["alice", "bob", "carol"], Options::default());
    let synchronizer = stage.network.synchronizer().logical.to_string();
    let admin = format!("http://{}", stage.node("alice").address);
    let words = ["init", "--name", "dora", "--synchronizer", &synchronizer, "--participant", &admin];
    let words = [&words[..], &["--backends", backends.to_str().unwrap(), "--namespace-key", "node"]].concat();

    let refused = stage.must_fail("dora", &[&words[..], &["--passphrase-fd", "0"]].concat());

    assert!(text(&refused, "error").contains("the first namespace key certifies the identity key"), "{refused}");
}

//! A party gets a new host, with real processes: the simple way, and with its contracts carried over.
#![allow(clippy::unwrap_used)]

mod stage;

use std::time::Duration;

use canton_sandbox::network::Options;

use self::stage::{Stage, text};

fn options() -> Options {
    Options { protocol_version: 35, decision_timeout: Duration::from_secs(1), ..Options::default() }
}

#[test]
fn a_party_that_was_never_used_is_hosted_the_simple_way() {
    let stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let party = stage.party().to_string();
    let made = stage.must("alice", &["propose", "host", &party, "--on", "dave"]);
    assert!(text(&made, "advice").contains("never used"), "{made}");
    let case = text(&made, "case");
    for owner in ["dave", "alice", "bob"] {
        stage.approve(owner, &case);
    }
    for owner in ["alice", "dave"] {
        stage.step(owner, &case, "verify-source", "done");
        stage.step(owner, &case, "verify-target", "done");
    }
}

#[test]
fn a_party_with_contracts_is_carried_over_and_nothing_is_lost() {
    let stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let party = stage.party();
    let before = stage.create(&party, 5);
    let refused = stage.must_fail("alice", &["propose", "host", &party.to_string(), "--on", "dave", "--simple"]);
    assert_eq!(refused["name"], "Used", "{refused}");

    let made = stage.must("alice", &["propose", "host", &party.to_string(), "--on", "dave"]);
    assert!(text(&made, "advice").contains("carried over"), "{made}");
    let case = text(&made, "case");
    stage.step("dave", &case, "vet", "due");
    stage.ask("dave", &["workflow", "run", &case, "--archive", &stage.archive()]);
    stage.step("dave", &case, "vet", "done");
    stage.confirm("alice", &case, "prepare");
    stage.approve("dave", &case);
    stage.confirm("dave", &case, "disconnect");
    for owner in ["alice", "bob"] {
        stage.approve(owner, &case);
    }
    stage.step("alice", &case, "export", "done");
    stage.step("alice", &case, "restore-pruning", "done");
    stage.step("dave", &case, "count", "done");
    stage.ask("dave", &["workflow", "run", &case, "--backup", "tape 7"]);
    stage.step("dave", &case, "backup", "done");
    stage.confirm("dave", &case, "import");
    for owner in ["alice", "dave"] {
        stage.step(owner, &case, "clear", "done");
        stage.step(owner, &case, "verify-target", "done");
    }
    let node = &stage.node("dave").id;
    let held = stage.network.contracts(node);
    assert!(before.iter().all(|contract| held.contains(contract)), "{held:?}");

    // The node works with what it was given.
    let archive = vec![before[0].clone()];
    stage.runtime.block_on(stage.network.transact(Vec::new(), archive));
    assert!(stage.network.fork(node).is_none(), "{:?}", stage.network.fork(node));
    assert!(!stage.network.contracts(node).contains(&before[0]));
}

//! A party gets a new host, with real processes: the simple way, and with its contracts carried over.
#![allow(clippy::unwrap_used)]

mod stage;

use std::time::Duration;

use canton_client::check::{Api, Use, least_rights};
use canton_sandbox::{
    access::{Access, Holder, LedgerUser},
    faults::{Code, Fault},
    network::{NodeVersion, Options},
};
use canton_topology::{
    id::PartyId,
    mapping::{Mapping, Permission, party_key},
};

use self::stage::{Stage, text};

const OWNERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

fn options() -> Options {
    Options { protocol_version: 35, decision_timeout: Duration::from_secs(1), ..Options::default() }
}

/// A synchronizer for nodes of release 3.4, which speak protocol version 34 alone.
fn older() -> Options {
    Options { protocol_version: 34, version: NodeVersion::V3_4, ..options() }
}

#[test]
fn a_party_that_was_never_used_is_hosted_the_simple_way() {
    hosted_the_simple_way(&Stage::new(&OWNERS, options()));
}

#[test]
fn a_party_that_was_never_used_is_hosted_the_simple_way_by_nodes_of_release_3_4() {
    hosted_the_simple_way(&Stage::new(&OWNERS, older()));
}

#[test]
fn a_party_with_a_past_or_one_that_nobody_remembers_is_not_hosted_the_simple_way() {
    let stage = Stage::new(&OWNERS, options());
    let party = stage.party();
    let name = party.to_string();
    let used = |why: &str| {
        let refused = stage.must_fail("alice", &["propose", "host", &name, "--on", "dave", "--simple"]);
        assert_eq!(refused["name"], "Used", "{refused}");
        assert!(text(&refused, "error").contains(why), "{refused}");
    };
    let node = &stage.node("alice").id;
    let forgets = Fault::Named(Code::NotFound, "PARTICIPANT_PRUNED_DATA_ACCESSED");
    stage.network.faults(node).order("GetUpdates", forgets);
    used("the ledger has just been pruned");
    let contracts = stage.create(&party, 1);
    used("the party has contracts");
    stage.runtime.block_on(stage.network.transact(Vec::new(), contracts));
    used("the party took part in a transaction");
    stage.network.prune(node, stage.network.ledger_end(node));
    used("the ledger is pruned up to");
}

#[test]
fn nothing_is_done_on_a_node_for_a_case_that_names_a_stranger() {
    let stage = Stage::new(&OWNERS, options());
    let party = stage.party();
    stage.create(&party, 1);
    stage.must("alice", &["book", "remove", "dave"]);
    let made = stage.propose("bob", &["host", &party.to_string(), "--on", "dave", "--from", "alice"]);
    let case = text(&made, "case");
    let words = ["workflow", "show", &case];
    let shown = stage.until("alice", &words, |shown| shown["refused"].is_string());
    assert!(text(&shown, "refused").starts_with("UnknownSeat"), "{shown}");
    let refused = stage.must_fail("alice", &["workflow", "run", &case]);
    assert_eq!(refused["name"], "Refused", "{refused}");
    // Several rounds of the agent go by.
    for _ in 0..30 {
        assert_eq!(stage.must("alice", &words)["steps"][0]["state"], "due", "the survey");
    }
}

fn hosted_the_simple_way(stage: &Stage) {
    let party = stage.party().to_string();
    let made = stage.propose("alice", &["host", &party, "--on", "dave"]);
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
fn a_party_gets_a_new_host_and_another_confirmation_threshold_in_one_change() {
    let stage = Stage::new(&OWNERS, options());
    let party = stage.party();
    let name = party.to_string();
    let host = |confirmations| ["host", &name, "--on", "dave", "--confirmations", confirmations];
    let refused = stage.must_fail("alice", &[&["propose"][..], &host("5")].concat());
    assert!(text(&refused, "error").contains("confirmation_threshold: 5; expected from 1 to 4"), "{refused}");

    let made = stage.propose("alice", &host("3"));
    let case = text(&made, "case");
    let shown = stage.until("bob", &["show", &case], |shown| shown["offer"].is_string());
    let changed = serde_json::json!({ "what": "threshold", "before": "2", "after": "3" });
    assert!(shown["differences"][0]["changes"].as_array().unwrap().contains(&changed), "{shown}");
    for owner in ["dave", "alice", "bob"] {
        stage.approve(owner, &case);
    }
    for owner in ["alice", "dave"] {
        stage.step(owner, &case, "verify-source", "done");
        stage.step(owner, &case, "verify-target", "done");
    }

    let head = stage.network.head();
    let row = head.active(&party_key(&party)).unwrap();
    assert_eq!(row.transaction.serial().get(), 2, "one change");
    let Mapping::PartyToParticipant(mapping) = row.transaction.mapping() else { panic!() };
    assert_eq!((mapping.threshold, mapping.participants.len()), (3, 4));
    assert_eq!(mapping.participants[3].permission, Permission::Confirmation);
}

#[test]
fn a_party_with_contracts_is_carried_over_and_nothing_is_lost() {
    carried_over(&Stage::new(&OWNERS, options()));
}

#[test]
fn a_coordinator_without_a_participant_carries_every_workflow() {
    let stage = Stage::without_participant(&OWNERS, options(), &|_| Vec::new());
    let party = carried_over(&stage).to_string();
    // What loses its base is offered anew, by whoever proposed it.
    let change = |owner, more: &[&str]| text(&stage.propose(owner, &[&["change", &party], more].concat()), "case");
    let first = change("alice", &["--remove-host", "carol"]);
    let second = change("bob", &["--confirmations", "1"]);
    stage.until("carol", &["show", &second], |shown| shown["offer"].is_string());
    for case in [&first, &second] {
        for owner in ["alice", "bob"] {
            stage.until(owner, &["show", case], |shown| shown["status"] == "collecting");
            stage.approve(owner, case);
        }
        for owner in OWNERS {
            stage.until_effective(owner, case);
        }
    }
}

/// Agents whose tokens allow what `check` prints, and a user of the Ledger API.
fn carried_over_with_rights(ledger: LedgerUser, carry: impl FnOnce(&Stage)) {
    let rights = least_rights("agent", &[Use::Topology, Use::Replication], Api::Admin);
    let services = rights.split('"').filter(|words| words.starts_with("com.")).map(str::to_owned).collect();
    let holder = Holder { token: "agent".to_owned(), admin_services: services, ledger };
    let access = Access { tokens: Some(vec![holder]), ..Access::default() };
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "agent").unwrap();
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let words = |_: &str| vec!["--participant-token".to_owned(), token.display().to_string()];
    carry(&Stage::without_participant(&OWNERS, Options { access, ..options() }, &words));
}

#[test]
fn a_party_with_contracts_is_carried_over_with_exactly_the_rights_that_check_prints() {
    carried_over_with_rights(LedgerUser::AdminWhoReads, |stage| drop(carried_over(stage)));
}

#[test]
fn an_agent_that_may_not_read_as_the_party_says_so_and_the_party_is_not_taken_for_unused() {
    carried_over_with_rights(LedgerUser::Admin, |stage| {
        let party = stage.party();
        stage.create(&party, 1);
        let made = stage.propose("alice", &["host", &party.to_string(), "--on", "dave"]);
        let advice = text(&made, "advice");
        assert!(
            advice.contains("PermissionDenied") && advice.ends_with("carrying contracts over is right in any case")
        );
        let case = text(&made, "case");
        let shown = stage.until("alice", &["workflow", "show", &case], |shown| shown["waits"]["step"] == "survey");
        assert!(text(&shown["waits"], "fix").contains("`check` prints the least that is needed"), "{shown}");
    });
}

#[test]
fn a_party_with_contracts_is_carried_over_between_nodes_of_release_3_4() {
    carried_over(&Stage::new(&OWNERS, older()));
}

#[test]
fn a_party_with_contracts_is_carried_over_from_release_3_5_to_3_4() {
    carried_over(&Stage::new(
        &OWNERS,
        Options { version: NodeVersion::V3_5, other_versions: dave_is(NodeVersion::V3_4), ..older() },
    ));
}

#[test]
fn a_party_with_contracts_is_carried_over_from_release_3_4_to_3_5() {
    carried_over(&Stage::new(&OWNERS, Options { other_versions: dave_is(NodeVersion::V3_5), ..older() }));
}

fn dave_is(version: NodeVersion) -> Vec<(String, NodeVersion)> {
    vec![("dave-node".to_owned(), version)]
}

fn carried_over(stage: &Stage) -> PartyId {
    let party = stage.party();
    let before = stage.create(&party, 5);
    let refused = stage.must_fail("alice", &["propose", "host", &party.to_string(), "--on", "dave", "--simple"]);
    assert_eq!(refused["name"], "Used", "{refused}");
    let package = "ab".repeat(32);
    let with_package = ["propose", "host", &party.to_string(), "--on", "dave", "--package", &package];
    let refused = stage.must_fail("alice", &with_package);
    assert!(text(&refused, "error").contains("--package"), "{refused}");

    let made = stage.propose("alice", &["host", &party.to_string(), "--on", "dave"]);
    assert!(text(&made, "advice").contains("carried over"), "{made}");
    let case = text(&made, "case");
    stage.step("dave", &case, "vet", "due");
    stage.ask("dave", &["workflow", "run", &case, "--archive", &stage.archive()]);
    stage.step("dave", &case, "vet", "done");
    stage.confirm("alice", &case, "prepare");
    stage.approve("dave", &case);
    stage.confirm("dave", &case, "disconnect");
    assert_eq!(stage.must("alice", &["workflow", "show", &case])["notes"], serde_json::json!([]));
    for owner in ["alice", "bob"] {
        stage.approve(owner, &case);
    }
    stage.step("alice", &case, "export", "done");
    // From now on the nodes' logs may warn, and nobody need be afraid, with topology and, on the node that has none, without.
    for owner in ["alice", "dave"] {
        let is_told = |shown: &serde_json::Value| shown["notes"][0].is_string();
        let shown = stage.until(owner, &["workflow", "show", &case], is_told);
        let note = shown["notes"][0].as_str().unwrap();
        assert!(note.contains("ACS_COMMITMENT_MISMATCH") && note.contains("are expected from 2"), "{note}");
        assert!(note.contains("until its onboarding flag is gone (not before 2"), "{note}");
    }
    stage.step("alice", &case, "restore-pruning", "done");
    stage.step("dave", &case, "count", "done");
    stage.back_up("dave", &case);
    stage.confirm("dave", &case, "import");
    for owner in ["alice", "dave"] {
        stage.step(owner, &case, "clear", "done");
        let shown = stage.step(owner, &case, "verify-target", "done");
        assert_eq!(shown["notes"], serde_json::json!([]), "the flag is gone: what comes now is an alarm");
    }
    let node = &stage.node("dave").id;
    let held = stage.network.contracts(node);
    assert!(before.iter().all(|contract| held.contains(contract)), "{held:?}");

    // The node works with what it was given.
    let archive = vec![before[0].clone()];
    stage.runtime.block_on(stage.network.transact(Vec::new(), archive));
    assert!(stage.network.fork(node).is_none(), "{:?}", stage.network.fork(node));
    assert!(!stage.network.contracts(node).contains(&before[0]));
    party
}

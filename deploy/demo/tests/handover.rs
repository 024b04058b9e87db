//! A party changes hands, with real processes: its new owner also hosts it, with its contracts, and every owner's node is
//! looked at in the end.
#![allow(clippy::unwrap_used)]

mod stage;

use std::time::Duration;

use canton_sandbox::{faults::Fault, network::Options};
use serde_json::Value;

use self::stage::{Stage, text};

fn options() -> Options {
    Options { protocol_version: 35, decision_timeout: Duration::from_secs(1), ..Options::default() }
}

/// The names of owners in a list of `show`, sorted.
fn names(value: &Value) -> Vec<String> {
    let name = |one: &Value| one["name"].as_str().unwrap().to_owned();
    let mut all: Vec<String> = value.as_array().into_iter().flatten().map(name).collect();
    all.sort();
    all
}

/// Waits until an owner sees a case verified on exactly these nodes, and not yet on those.
fn until_verified(stage: &Stage, reader: &str, case: &str, on: &[&str], not_yet: &[&str]) {
    stage.until(reader, &["show", case], |value| {
        let verified = &value["verified"];
        names(&verified["on"]) == on && names(&verified["not-yet"]) == not_yet
    });
}

#[test]
fn an_owner_whose_node_lags_is_shown_as_not_yet_verified_and_then_as_verified() {
    let mut stage = Stage::new(&["alice", "bob", "carol"], options());
    let party = stage.party().to_string();
    let listed = stage.must("bob", &["list"]);
    let founding = text(&listed["cases"][0], "case");
    until_verified(&stage, "alice", &founding, &["bob", "carol", "me"], &[]);
    until_verified(&stage, "carol", &founding, &["alice", "bob", "me"], &[]);

    // Carol's node keeps the change to itself, so that her agent sees nothing of it; bob's agent is away.
    let made = stage.propose("alice", &["change-thresholds", &party, "--confirmations", "1"]);
    let case = text(&made, "case");
    let change = made["transactions"][0].as_str().unwrap().parse().unwrap();
    stage.network.faults(&stage.node("carol").id).hide(change);
    stage.approve("bob", &case);
    stage.kill_agent("bob");
    stage.approve("alice", &case);
    stage.until_effective("alice", &case);
    until_verified(&stage, "alice", &case, &["me"], &["bob", "carol"]);
    let shown = stage.must("alice", &["workflow", "show", &case]);
    let steps = shown["steps"].as_array().unwrap();
    let of = |step: &str| -> Vec<&str> {
        steps.iter().filter(|one| one["step"] == step).map(|one| one["state"].as_str().unwrap()).collect()
    };
    assert_eq!((of("sign"), of("submit")), (vec!["done", "done"], vec!["done"]), "{shown}");
    assert_eq!(of("verify"), ["done", "due", "due"], "{shown}");
    assert!(text(&shown, "now").contains("others are at it: verify"), "{shown}");
    assert_eq!(stage.must("carol", &["show", &case])["verified"], Value::Null, "it is not effective there");

    stage.network.faults(&stage.node("carol").id).show_all();
    until_verified(&stage, "alice", &case, &["carol", "me"], &["bob"]);
    stage.start_agent("bob");
    until_verified(&stage, "alice", &case, &["bob", "carol", "me"], &[]);
    until_verified(&stage, "carol", &case, &["alice", "bob", "me"], &[]);
    let shown = stage.must("alice", &["workflow", "show", &case]);
    assert_eq!(text(&shown, "now"), "nothing is left to be done");
}

#[test]
fn a_host_whose_ledger_does_not_show_the_party_is_not_yet_verified() {
    let stage = Stage::new(&["alice", "bob", "carol"], options());
    let faults = stage.network.faults(&stage.node("carol").id);
    for _ in 0..1_000 {
        faults.order("GetParties", Fault::Refused);
    }
    stage.party();
    let founding = text(&stage.must("alice", &["list"])["cases"][0], "case");
    until_verified(&stage, "alice", &founding, &["bob", "me"], &["carol"]);
    let answer = stage.ask("carol", &["workflow", "run", &founding]);
    assert_eq!(answer.code, 2, "{}", answer.value);
    until_verified(&stage, "alice", &founding, &["bob", "me"], &["carol"]);
    faults.take_back("GetParties");
    until_verified(&stage, "alice", &founding, &["bob", "carol", "me"], &[]);
}

#[test]
fn a_party_that_was_never_used_gets_an_owner_and_a_host_in_one_case() {
    let stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let party = stage.party().to_string();
    let made =
        stage.propose("alice", &["change", &party, "--add-owner", "dave", "--owners", "3", "--add-host", "dave"]);
    assert!(text(&made, "advice").contains("never used") && made["then"].is_null(), "{made}");
    let case = text(&made, "case");
    for owner in ["alice", "bob", "dave"] {
        stage.approve(owner, &case);
    }
    stage.until("alice", &["show", &case], |value| value["stage"] == "stage 2 of 2");
    for owner in ["alice", "bob", "dave"] {
        stage.until(owner, &["show", &case], |value| value["verdict"]["verified"] == true);
        stage.approve(owner, &case);
    }
    until_verified(&stage, "bob", &case, &["alice", "carol", "dave", "me"], &[]);
}

#[test]
fn a_party_that_is_used_after_the_proposal_gets_no_host_without_its_contracts() {
    let stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let party = stage.party();
    let name = party.to_string();
    let change = text(&stage.propose("alice", &["change", &name, "--add-host", "dave"]), "case");
    let host = text(&stage.propose("alice", &["host", &name, "--on", "dave", "--simple"]), "case");
    stage.step("bob", &host, "look", "done");
    let offers = [&change, &host].map(|case| {
        let shown = stage.until("bob", &["show", case], |shown| shown["verdict"]["verified"] == true);
        stage.until("alice", &["show", case], |shown| shown["verdict"]["verified"] == true);
        (case, text(&shown, "offer"))
    });

    stage.create(&party, 1);

    for (case, offer) in &offers {
        for owner in ["alice", "bob"] {
            let refused = stage.until_refused(owner, &["approve", case, "--offer", offer]);
            assert_eq!(text(&refused, "name"), "Used", "{refused}");
            let reason = text(&refused, "error");
            assert!(reason.starts_with("the party has contracts, since this was proposed"), "{reason}");
        }
    }
    // Who leaves the contracts behind with everybody's knowledge may.
    let words = ["change", &name, "--add-host", "dave", "--accept", "host-without-contracts"];
    let left = text(&stage.propose("alice", &words), "case");
    stage.approve("bob", &left);
}

#[test]
fn a_party_with_contracts_gets_an_owner_and_a_host_and_the_host_has_the_contracts() {
    let mut stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let party = stage.party();
    let before = stage.create(&party, 4);
    let words =
        ["change", &party.to_string(), "--add-owner", "dave", "--owners", "3", "--add-host", "dave"].map(str::to_owned);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let made = stage.propose("alice", &words);
    let (owners, hosting) = (text(&made, "case"), text(&made["then"][0], "case"));
    let advice = text(&made, "advice");
    assert!(advice.contains("contracts") && advice.contains("2 cases"), "{made}");
    assert_eq!(
        (text(&made, "workflow"), text(&made["then"][0], "workflow")),
        ("membership".into(), "host-party".into())
    );
    assert_eq!(text(&made["then"][0], "after"), owners);

    // It waits: nothing is offered, nobody's node is touched, and everybody is told for what. Also after a restart.
    stage.kill_coordinator();
    stage.start_coordinator();
    for owner in ["alice", "bob", "dave"] {
        let shown = stage.until(owner, &["workflow", "show", &hosting], |value| value["steps"].is_array());
        let now = text(&shown, "now");
        assert!(now.contains(&format!("case {owners} comes first")) && now.contains("collecting"), "{owner}: {shown}");
        assert!(shown["steps"].as_array().unwrap().iter().all(|step| step["state"] == "waiting"), "{shown}");
        let shown = stage.must(owner, &["show", &hosting]);
        assert_eq!((&shown["after"], &shown["offer"]), (&Value::from(owners.as_str()), &Value::Null), "{shown}");
    }
    for owner in ["alice", "bob", "dave"] {
        stage.approve(owner, &owners);
    }
    until_verified(&stage, "carol", &owners, &["alice", "bob", "dave", "me"], &[]);

    stage.step("dave", &hosting, "vet", "due");
    stage.ask("dave", &["workflow", "run", &hosting, "--archive", &stage.archive()]);
    stage.step("dave", &hosting, "vet", "done");
    stage.confirm("alice", &hosting, "prepare");
    stage.approve("dave", &hosting);
    stage.confirm("dave", &hosting, "disconnect");
    // With dave, who is an owner by now and has signed, they are three of four.
    for owner in ["alice", "bob"] {
        stage.approve(owner, &hosting);
    }
    stage.step("dave", &hosting, "count", "done");
    stage.back_up("dave", &hosting);
    stage.confirm("dave", &hosting, "import");
    for owner in ["alice", "dave"] {
        stage.step(owner, &hosting, "verify-target", "done");
    }
    let held = stage.network.contracts(&stage.node("dave").id);
    assert!(before.iter().all(|contract| held.contains(contract)), "{held:?}");
    let head = stage.network.head();
    assert_eq!(head.definition(party.namespace()).unwrap().owners.len(), 4);
}

#[test]
fn whoever_accepts_that_the_contracts_are_left_behind_has_it_in_one_case() {
    let stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let party = stage.party();
    stage.create(&party, 1);
    let party = party.to_string();
    let words = ["change", &party, "--add-host", "dave", "--accept", "host-without-contracts"];
    let made = stage.propose("alice", &words);
    assert!(made["then"].is_null() && made["advice"].is_null() && made["workflow"] == "membership", "{made}");
    // Without that, and with nothing else to be changed, the hosting is the only case.
    let made = stage.propose("alice", &["change", &party, "--add-host", "dave", "--confirmations", "3"]);
    assert!(made["then"].is_null() && made["workflow"] == "host-party", "{made}");
}

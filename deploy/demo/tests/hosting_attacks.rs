//! What goes wrong while a party is carried over, by accident and by malice, and how it ends.
#![allow(clippy::unwrap_used)]

mod stage;

use std::time::Duration;

use canton_client::{
    access::Access,
    participant::{Options as ClientOptions, Participant},
    pruning::Schedule,
};
use canton_sandbox::{faults::Fault, network::Options};

use self::stage::{Stage, text};

fn options() -> Options {
    Options { protocol_version: 35, decision_timeout: Duration::from_secs(1), ..Options::default() }
}

fn node(stage: &Stage, owner: &str) -> Participant {
    let address = format!("http://{}", stage.node(owner).address);
    stage.runtime.block_on(async {
        Participant::new(&ClientOptions { address, timeout: Duration::from_secs(10), access: Access::default() })
            .unwrap()
    })
}

fn schedule() -> Schedule {
    Schedule {
        cron: "0 0 20 * * ?".to_owned(),
        max_duration: Duration::from_secs(3_600),
        retention: Duration::from_secs(86_400),
        prune_internally_only: true,
    }
}

/// A party with contracts, and a case that carries it over to dave.
fn proposed(stage: &Stage) -> String {
    let party = stage.party();
    stage.create(&party, 3);
    let made = stage.must("alice", &["propose", "host", &party.to_string(), "--on", "dave"]);
    let case = text(&made, "case");
    stage.step("dave", &case, "vet", "due");
    stage.ask("dave", &["workflow", "run", &case, "--archive", &stage.archive()]);
    stage.step("dave", &case, "vet", "done");
    case
}

fn up_to_disconnected(stage: &Stage, case: &str) {
    stage.confirm("alice", case, "prepare");
    stage.approve("dave", case);
    stage.confirm("dave", case, "disconnect");
}

/// From the signatures to the end.
fn finish(stage: &Stage, case: &str) {
    for owner in ["alice", "bob"] {
        stage.approve(owner, case);
    }
    stage.step("dave", case, "export", "done");
    stage.step("dave", case, "count", "done");
    stage.back_up("dave", case);
    stage.confirm("dave", case, "import");
    for owner in ["alice", "dave"] {
        stage.step(owner, case, "verify-target", "done");
    }
}

#[test]
fn everybody_is_killed_before_every_step_and_every_step_is_gone_on_with() {
    let mut stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let all = |stage: &mut Stage| {
        for owner in ["alice", "bob", "dave"] {
            stage.kill_agent(owner);
        }
        stage.kill_coordinator();
        stage.start_coordinator();
        for owner in ["alice", "bob", "dave"] {
            stage.start_agent(owner);
        }
    };
    let case = proposed(&stage);
    all(&mut stage);
    stage.confirm("alice", &case, "prepare");
    all(&mut stage);
    stage.approve("dave", &case);
    all(&mut stage);
    stage.confirm("dave", &case, "disconnect");
    all(&mut stage);
    stage.approve("alice", &case);
    all(&mut stage);
    stage.approve("bob", &case);
    all(&mut stage);
    stage.step("dave", &case, "export", "done");
    stage.step("dave", &case, "count", "done");
    all(&mut stage);
    stage.back_up("dave", &case);
    all(&mut stage);
    stage.confirm("dave", &case, "import");
    all(&mut stage);
    for owner in ["alice", "dave"] {
        stage.step(owner, &case, "verify-target", "done");
    }
    assert_eq!(stage.network.contracts(&stage.node("dave").id).len(), 3);
}

#[test]
fn answers_that_are_lost_after_the_act_cost_nothing_but_time() {
    let stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let lost = |owner: &str, rpcs: &[&str]| {
        let faults = stage.network.faults(&stage.node(owner).id);
        rpcs.iter().for_each(|rpc| faults.order(rpc, Fault::AnswerLost));
    };
    stage.runtime.block_on(node(&stage, "alice").set_schedule(&schedule())).unwrap();
    lost("alice", &["ClearSchedule", "AddTransactions", "SetParticipantSchedule"]);
    lost("dave", &["ModifySynchronizer", "DisconnectAllSynchronizers", "ReconnectSynchronizer", "ImportPartyAcs"]);
    let case = proposed(&stage);
    up_to_disconnected(&stage, &case);
    finish(&stage, &case);
    stage.step("alice", &case, "restore-pruning", "done");
    assert_eq!(stage.runtime.block_on(node(&stage, "alice").schedule()).unwrap(), Some(schedule()));
    assert_eq!(stage.network.contracts(&stage.node("dave").id).len(), 3);
}

#[test]
fn a_new_host_that_is_connected_again_gets_no_signature_and_no_import() {
    let stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let case = proposed(&stage);
    up_to_disconnected(&stage, &case);
    let dave = node(&stage, "dave");
    let alias = stage.runtime.block_on(dave.registered()).unwrap()[0].alias.clone();
    assert!(stage.runtime.block_on(dave.reconnect(&alias)).unwrap());

    let shown = stage.must("bob", &["show", &case]);
    let answer = stage.ask("bob", &["approve", &case, "--offer", &text(&shown, "offer")]);
    assert_eq!(answer.code, 2, "{}", answer.value);
    assert!(text(&answer.value, "not-yet").contains("disconnect"), "{}", answer.value);

    // Once it is away again, bob's own question is answered.
    stage.runtime.block_on(dave.disconnect_all()).unwrap();
    for owner in ["alice", "bob"] {
        stage.approve(owner, &case);
    }
    stage.step("dave", &case, "count", "done");
    stage.step("dave", &case, "export", "done");
    let refused = stage.ask("dave", &["workflow", "run", &case, "--confirm", "import"]);
    assert_eq!(refused.code, 2, "no import without a backup: {}", refused.value);
    stage.back_up("dave", &case);
    assert!(stage.runtime.block_on(dave.reconnect(&alias)).unwrap());
    let refused = stage.must_fail("dave", &["workflow", "run", &case, "--confirm", "import"]);
    assert_eq!(refused["name"], "Precondition", "{refused}");
    assert!(stage.network.contracts(&stage.node("dave").id).is_empty());
}

#[test]
fn a_pruning_schedule_that_somebody_sets_again_stops_the_submission() {
    let stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let case = proposed(&stage);
    up_to_disconnected(&stage, &case);
    let alice = node(&stage, "alice");
    stage.runtime.block_on(alice.set_schedule(&schedule())).unwrap();
    for owner in ["alice", "bob"] {
        stage.approve(owner, &case);
    }
    let shown = stage.until("alice", &["workflow", "show", &case], |value| !value["failed"].is_null());
    assert_eq!(shown["failed"]["name"], "Precondition", "{shown}");
    assert!(text(&shown["failed"], "reason").contains("pruning"), "{shown}");
    stage.runtime.block_on(alice.clear_schedule()).unwrap();
    stage.step("alice", &case, "submit", "done");
}

#[test]
fn a_parcel_that_was_swapped_or_comes_from_elsewhere_is_not_imported() {
    let stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let case = proposed(&stage);
    up_to_disconnected(&stage, &case);
    for owner in ["alice", "bob"] {
        stage.approve(owner, &case);
    }
    stage.step("dave", &case, "export", "done");
    stage.step("dave", &case, "count", "done");
    stage.back_up("dave", &case);
    let wrong = stage.path("wrong.age");
    std::fs::write(&wrong, b"not a parcel").unwrap();
    let words = ["workflow", "run", &case, "--confirm", "import", "--sealed", wrong.to_str().unwrap()];
    let refused = stage.must_fail("dave", &words);
    assert_eq!(refused["name"], "Open", "{refused}");
    assert!(stage.network.contracts(&stage.node("dave").id).is_empty());

    // The right file, carried by hand.
    let by_hand = stage.path("alice").join("hosting").join(format!("{case}.contracts.age"));
    let words = ["workflow", "run", &case, "--confirm", "import", "--sealed", by_hand.to_str().unwrap()];
    stage.ask("dave", &words);
    stage.step("dave", &case, "verify-target", "done");
    assert_eq!(stage.network.contracts(&stage.node("dave").id).len(), 3);
}

#[test]
fn a_withdrawn_case_brings_back_the_schedule_and_the_connection_by_itself() {
    let stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let alice = node(&stage, "alice");
    stage.runtime.block_on(alice.set_schedule(&schedule())).unwrap();
    let case = proposed(&stage);
    up_to_disconnected(&stage, &case);
    assert_eq!(stage.runtime.block_on(alice.schedule()).unwrap(), None);
    stage.must("alice", &["withdraw", &case, "--reason", "not this week"]);
    let words = ["workflow", "show", &case];
    for owner in ["alice", "dave"] {
        stage.until(owner, &words, |value| value["steps"].as_array().unwrap().is_empty());
    }
    assert_eq!(stage.runtime.block_on(alice.schedule()).unwrap(), Some(schedule()));
    let dave = node(&stage, "dave");
    assert_eq!(stage.runtime.block_on(dave.connected()).unwrap().len(), 1);
    assert!(!stage.runtime.block_on(dave.registered()).unwrap()[0].manual_connect);
}

#[test]
fn a_node_that_comes_back_from_before_the_hosting_raises_the_alarm() {
    let stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let case = proposed(&stage);
    up_to_disconnected(&stage, &case);
    let backup = stage.network.back_up(&stage.node("dave").id);
    finish(&stage, &case);
    assert_eq!(stage.must("dave", &["status"])["alarms"], serde_json::json!([]));

    stage.network.restore(&stage.node("dave").id, &backup);

    let alarmed = stage.until("dave", &["status"], |value| !value["alarms"].as_array().unwrap().is_empty());
    assert!(alarmed["alarms"][0].as_str().unwrap().starts_with("SilentFork"), "{alarmed}");
}

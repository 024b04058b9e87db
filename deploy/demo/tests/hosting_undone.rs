//! What was begun on a node and never came to its end comes back, whatever broke off.
#![allow(clippy::unwrap_used)]

mod stage;

use std::time::Duration;

use canton_client::{
    access::Access,
    participant::{Options as ConsoleOptions, Participant},
    pruning::Schedule,
};
use canton_sandbox::{
    faults::{Code, Fault},
    network::{Options, Storage},
};
use canton_topology::id::PartyId;

use self::stage::{Answer, Stage, text};

const OWNERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

fn options() -> Options {
    Options { protocol_version: 35, decision_timeout: Duration::from_secs(1), ..Options::default() }
}

fn console(stage: &Stage, owner: &str) -> Participant {
    let address = format!("http://{}", stage.node(owner).address);
    stage.runtime.block_on(async {
        Participant::new(&ConsoleOptions { address, timeout: Duration::from_secs(10), access: Access::default() })
            .unwrap()
    })
}

fn scheduled(stage: &Stage) -> Schedule {
    let schedule = Schedule {
        cron: "0 0 20 * * ?".to_owned(),
        max_duration: Duration::from_secs(3_600),
        retention: Duration::from_secs(86_400),
        prune_internally_only: true,
    };
    stage.runtime.block_on(console(stage, "alice").set_schedule(&schedule)).unwrap();
    schedule
}

/// A case that carries a party with contracts over to dave, who has what it needs.
fn proposed(stage: &Stage, party: &PartyId) -> String {
    stage.create(party, 3);
    let case = text(&stage.propose("alice", &["host", &party.to_string(), "--on", "dave"]), "case");
    stage.step("dave", &case, "vet", "due");
    stage.ask("dave", &["workflow", "run", &case, "--archive", &stage.archive()]);
    stage.step("dave", &case, "vet", "done");
    stage.step("alice", &case, "prepare", "due");
    case
}

fn nothing_is_left(stage: &Stage, owner: &str, case: &str) {
    let is_over = |value: &serde_json::Value| value["steps"].as_array().unwrap().is_empty();
    stage.until(owner, &["workflow", "show", case], is_over);
}

#[test]
fn a_schedule_that_was_cleared_and_never_vouched_for_comes_back() {
    let mut stage = Stage::new(&OWNERS, options());
    let schedule = scheduled(&stage);
    let party = stage.party();
    let case = proposed(&stage, &party);
    stage.network.faults(&stage.node("alice").id).order("ClearSchedule", Fault::AnswerLost);
    let broken_off = stage.ask("alice", &["workflow", "run", &case, "--confirm", "prepare"]);
    assert_eq!(broken_off.code, 2, "{}", broken_off.value);
    let alice = console(&stage, "alice");
    assert_eq!(stage.runtime.block_on(alice.schedule()).unwrap(), None);
    // Another case would remember that there was none.
    let other = text(&stage.propose("bob", &["host", &party.to_string(), "--on", "dave", "--from", "alice"]), "case");
    stage.step("alice", &other, "prepare", "due");
    let refused = stage.ask("alice", &["workflow", "run", &other, "--confirm", "prepare"]);
    assert!(
        text(&refused.value, "not-yet").starts_with(&format!("case {case} has changed the same")),
        "{}",
        refused.value
    );
    stage.kill_agent("alice");
    stage.start_agent("alice");

    stage.until("alice", &["withdraw", &case, "--reason", "not this week"], |_| true);

    nothing_is_left(&stage, "alice", &case);
    assert_eq!(stage.runtime.block_on(alice.schedule()).unwrap(), Some(schedule));
}

#[test]
fn a_node_that_was_disconnected_and_never_vouched_for_comes_back() {
    let mut stage = Stage::new(&OWNERS, options());
    let case = proposed(&stage, &stage.party());
    stage.confirm("alice", &case, "prepare");
    stage.approve("dave", &case);
    stage.step("dave", &case, "disconnect", "due");
    // The node is asked last whether it imports at all, and the agent dies before it hears.
    stage.network.faults(&stage.node("dave").id).order("ImportPartyAcs", Fault::Refused);
    let run = || stage.ask("dave", &["workflow", "run", &case, "--confirm", "disconnect"]);
    let is_broken_off = |answer: &Answer| text(&answer.value, "not-yet").contains("did not get through");
    // Its own signature may not stand on the synchronizer yet.
    assert!((0..600).any(|_| is_broken_off(&run())));
    assert!(!stage.is_connected("dave"));
    stage.kill_agent("dave");
    stage.start_agent("dave");
    stage.step("dave", &case, "disconnect", "due");

    // Whoever asked for it is a stranger by now: nothing more is done, and what was done comes back.
    stage.must("dave", &["book", "remove", "alice"]);
    stage.must("alice", &["withdraw", &case, "--reason", "not this week"]);

    nothing_is_left(&stage, "dave", &case);
    assert!(stage.is_connected("dave"));
}

#[test]
fn a_node_that_imports_nothing_is_connected_again_as_soon_as_it_can_be() {
    let stage = Stage::new(&OWNERS, Options { storage: Storage::Memory, ..options() });
    let case = proposed(&stage, &stage.party());
    stage.confirm("alice", &case, "prepare");
    stage.approve("dave", &case);
    stage.step("dave", &case, "disconnect", "due");
    let faults = stage.network.faults(&stage.node("dave").id);
    (0..3).for_each(|_| faults.order("ReconnectSynchronizer", Fault::Refused));

    let refused = stage.until_refused("dave", &["workflow", "run", &case, "--confirm", "disconnect"]);

    assert_eq!(refused["name"], "IMPORT_ACS_ERROR", "{refused}");
    stage.until("dave", &["workflow", "show", &case], |shown| {
        let of = |step: &str| shown["steps"].as_array().unwrap().iter().find(|one| one["step"] == step).cloned();
        of("put-back-target").is_none() && of("disconnect").is_some_and(|one| one["state"] == "due")
    });
    assert!(stage.is_connected("dave"), "the case goes on, and the node is connected");
    // It comes back once.
    stage.must("alice", &["withdraw", &case, "--reason", "dave has no database"]);
    nothing_is_left(&stage, "dave", &case);
}

#[test]
fn a_host_whose_contracts_cannot_be_exported_is_taken_away_again_and_everything_comes_back() {
    let stage = Stage::new(&OWNERS, options());
    let schedule = scheduled(&stage);
    let party = stage.party();
    let case = proposed(&stage, &party);
    stage.confirm("alice", &case, "prepare");
    stage.approve("dave", &case);
    stage.confirm("dave", &case, "disconnect");
    let faults = stage.network.faults(&stage.node("alice").id);
    (0..1_000).for_each(|_| faults.order("ExportPartyAcs", Fault::Named(Code::InvalidArgument, "EXPORT_ACS_ERROR")));
    for owner in ["alice", "bob"] {
        stage.approve(owner, &case);
    }
    stage.until("alice", &["workflow", "show", &case], |shown| shown["failed"]["step"] == "export");

    let undo = text(&stage.propose("bob", &["change", &party.to_string(), "--remove-host", "dave"]), "case");
    for owner in ["alice", "bob"] {
        stage.approve(owner, &undo);
    }
    stage.until("alice", &["workflow", "show", &case], |shown| shown["steps"].as_array().unwrap().len() == 1);
    assert_eq!(stage.runtime.block_on(console(&stage, "alice").schedule()).unwrap(), Some(schedule));

    // Dave's node, which is disconnected, shows neither that it was a host nor that it is none any more.
    let shown = stage.step("dave", &case, "put-back-target", "stopped");
    let steps = shown["steps"].as_array().unwrap();
    assert!(text(&steps[0], "why").starts_with("SaidToBeUndone"), "{shown}");
    assert!(!stage.is_connected("dave"), "a human looks first");
    stage.ask("dave", &["workflow", "run", &case, "--confirm", "put-back-target"]);
    for owner in ["alice", "dave"] {
        nothing_is_left(&stage, owner, &case);
    }
    assert!(stage.is_connected("dave"));
    stage.until_effective("dave", &undo);
}

//! What people read when a node refuses: as processes on an embedded synchronizer.
#![allow(clippy::unwrap_used)]

mod stage;

use std::process::Command;

use canton_sandbox::{
    faults::{Code, Fault},
    network::{Options, Storage},
};
use serde_json::Value;
use stage::{Stage, text};

/// Every node refuses what is handed in, many times over.
fn nobody_takes(stage: &Stage, fault: Fault) {
    for who in stage.owners.iter().chain(&["coordinator"]) {
        let faults = stage.network.faults(&stage.node(who).id);
        (0..200).for_each(|_| faults.order("AddTransactions", fault));
    }
}

/// A change that two of three owners must sign.
fn proposed(stage: &Stage) -> String {
    let party = stage.party().to_string();
    let made = stage.propose("alice", &["change-thresholds", &party, "--confirmations", "1"]);
    text(&made, "case")
}

/// What a command prints for people, both ways.
fn words(stage: &Stage, owner: &str, words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(["signer-agent", "--data"])
        .arg(stage.path(owner))
        .args(words)
        .output()
        .unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn who_is_missing_is_said_by_name_before_canton_would_hide_it() {
    let stage = Stage::new(&["alice", "bob", "carol"], Options::default());
    let case = proposed(&stage);
    stage.approve("alice", &case);
    stage.until("alice", &["show", &case], |shown| shown["approved"] == true);

    let refused = stage.must_fail("alice", &["submit", &case]);

    assert_eq!(refused["name"], "NotSubmitted", "{refused}");
    let cause = text(&refused, "cause");
    let bob = text(&stage.must("bob", &["status"]), "owner");
    assert!(cause.starts_with("missing: 1 of ") && cause.contains(&format!("owner bob ({bob})")), "{cause}");
    assert!(cause.contains(", because PartyToParticipant of treasury::1220"), "{cause}");
    assert!(cause.contains("needs 1 more of the owners of namespace 1220"), "{cause}");
    assert!(text(&refused, "fix").contains("let them sign"), "{refused}");
    let read = words(&stage, "alice", &["submit", &case]);
    assert!(read.contains("\n  cause: missing: ") && read.contains("\n  what to do: let them sign"), "{read}");
    let read = words(&stage, "alice", &["show", &case]);
    assert!(read.contains(&format!("owner bob ({bob})")) && read.contains(", because PartyToParticipant"), "{read}");
}

#[test]
fn a_refusal_that_canton_hides_is_answered_by_our_own_rules() {
    let stage = Stage::new(&["alice", "bob", "carol"], Options::default());
    let case = proposed(&stage);
    stage.approve("alice", &case);
    nobody_takes(&stage, Fault::Redacted(Code::InvalidArgument));
    stage.approve("bob", &case);

    // The coordinator's node and every agent's say nothing; each agent knows that nobody is missing.
    let is_refused =
        |shown: &Value| shown["status"] == "rejected" && shown["submissions"][0]["answer"]["cause"].is_string();
    let shown = stage.until("alice", &["show", &case], is_refused);
    let refused = stage.must_fail("alice", &["submit", &case]);
    let told = [&refused, &shown["status-detail"], &shown["submissions"][0]["answer"]];
    for one in told {
        let (cause, fix) = (text(one, "cause"), text(one, "fix"));
        assert!(cause.contains("Canton hides the reason (trace id 4cb634ac49f671beb865791cf22956fa)"), "{cause}");
        assert!(cause.ends_with("by our own rules it is complete"), "{cause}");
        assert!(fix.starts_with("look for trace id 4cb634ac49f671beb865791cf22956fa in the node's log"), "{fix}");
    }
    let read = words(&stage, "alice", &["show", &case]);
    assert!(read.contains("by our own rules it is complete"), "{read}");
}

#[test]
fn what_stands_already_is_watched_and_not_called_a_refusal() {
    let stage = Stage::new(&["alice", "bob", "carol"], Options::default());
    let case = proposed(&stage);
    stage.approve("alice", &case);
    nobody_takes(&stage, Fault::Named(Code::AlreadyExists, "TOPOLOGY_MAPPING_ALREADY_EXISTS"));
    stage.approve("bob", &case);

    let shown = stage.until("alice", &["show", &case], |shown| shown["submissions"][0].is_object());

    assert_eq!(shown["submissions"][0]["answer"]["told"], "unknown", "{shown}");
    assert!(text(&shown["submissions"][0]["answer"], "fix").contains("read back"), "{shown}");
    assert_ne!(shown["status"], "rejected", "{shown}");
}

#[test]
fn a_step_that_the_node_refuses_is_told_with_its_cause_where_the_step_stands() {
    let stage = Stage::new(&["alice", "bob", "carol", "dave"], Options::default());
    let party = stage.party();
    stage.create(&party, 1);
    let case = text(&stage.propose("alice", &["host", &party.to_string(), "--on", "dave"]), "case");
    stage.step("alice", &case, "prepare", "due");
    let faults = stage.network.faults(&stage.node("alice").id);
    faults.order("ClearSchedule", Fault::Named(Code::FailedPrecondition, "PARTICIPANT_IS_NOT_ACTIVE"));

    let refused = stage.must_fail("alice", &["workflow", "run", &case, "--confirm", "prepare"]);

    assert_eq!(refused["name"], "PARTICIPANT_IS_NOT_ACTIVE", "{refused}");
    assert!(text(&refused, "cause").contains("does not count this node as active"), "{refused}");
    let failed = stage.must("alice", &["workflow", "show", &case])["failed"].clone();
    assert_eq!((text(&failed, "step"), &failed["cause"]), ("prepare".to_owned(), &refused["cause"]), "{failed}");
    let read = words(&stage, "alice", &["workflow", "show", &case]);
    assert!(read.contains("failed at prepare: PARTICIPANT_IS_NOT_ACTIVE"), "{read}");
    assert!(read.contains("\n    what to do: connect it once"), "{read}");

    // What passes by itself is told too, and not as a failure.
    faults.order("ClearSchedule", Fault::Named(Code::Unavailable, "SYNC_SERVICE_PASSIVE_REPLICA"));
    let waits = stage.ask("alice", &["workflow", "run", &case, "--confirm", "prepare"]);
    assert_eq!(waits.code, 2, "{}", waits.value);
    assert!(text(&waits.value, "fix").contains("the active one"), "{}", waits.value);
    let shown = stage.must("alice", &["workflow", "show", &case]);
    assert!(shown["failed"].is_null() && shown["waits"]["cause"].is_string(), "{shown}");
}

#[test]
fn a_party_whose_past_is_pruned_while_it_is_looked_at_counts_as_used() {
    let stage = Stage::new(&["alice", "bob", "carol", "dave"], Options::default());
    let party = stage.party().to_string();
    let faults = stage.network.faults(&stage.node("alice").id);
    let pruned = Fault::Named(Code::FailedPrecondition, "PARTICIPANT_PRUNED_DATA_ACCESSED");
    faults.order("GetUpdates", pruned);
    let refused = stage.must_fail("alice", &["propose", "host", &party, "--on", "dave", "--simple"]);
    assert_eq!(refused["name"], "Used", "{refused}");
    assert!(text(&refused, "error").contains("pruned"), "{refused}");

    faults.order("GetUpdates", pruned);
    let made = stage.propose("alice", &["host", &party, "--on", "dave"]);
    assert!(text(&made, "advice").contains("must be carried over"), "{made}");
}

#[test]
fn a_new_host_in_memory_is_told_before_anybody_signs_and_everything_comes_back() {
    let stage =
        Stage::new(&["alice", "bob", "carol", "dave"], Options { storage: Storage::Memory, ..Options::default() });
    let party = stage.party();
    stage.create(&party, 1);
    let case = text(&stage.propose("alice", &["host", &party.to_string(), "--on", "dave"]), "case");
    stage.step("dave", &case, "vet", "due");
    stage.ask("dave", &["workflow", "run", &case, "--archive", &stage.archive()]);
    stage.confirm("alice", &case, "prepare");
    stage.approve("dave", &case);
    stage.step("dave", &case, "disconnect", "due");

    let refused = stage.until_refused("dave", &["workflow", "run", &case, "--confirm", "disconnect"]);

    assert_eq!(refused["name"], "IMPORT_ACS_ERROR", "{refused}");
    assert!(text(&refused, "cause").contains("everything in memory"), "{refused}");
    assert!(text(&refused, "fix").contains("give the node a database"), "{refused}");
    assert!(stage.is_connected("dave"), "the node is connected again at once");
    let shown = stage.must("dave", &["workflow", "show", &case]);
    assert_eq!(shown["failed"]["name"], "IMPORT_ACS_ERROR", "{shown}");
    let steps = shown["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["step"] == "disconnect" && step["state"] == "due"), "{shown}");

    stage.must("alice", &["withdraw", &case, "--reason", "dave has no database"]);
    stage.until("alice", &["workflow", "show", &case], |shown| shown["steps"].as_array().unwrap().is_empty());
}

#[test]
fn a_command_that_meets_the_node_itself_and_a_line_of_a_log_are_explained_too() {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_demo"))
            .args(["signer-agent", "--json", "--data"])
            .arg(folder.path().join("erin"))
            .args(words)
            .output()
            .unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let synchronizer = format!("sync::1220{}", "ab".repeat(32));
    let init = ["init", "--name", "erin", "--synchronizer", &synchronizer, "--participant", "http://127.0.0.1:1"];
    let refused = run(&[&init[..], &["--passphrase-fd", "0"]].concat());
    assert_eq!(refused["name"], "Unavailable", "{refused}");
    assert!(
        text(&refused, "cause").contains("cannot be reached") && text(&refused, "fix").contains("check"),
        "{refused}"
    );

    let line = "2026-11-22 12:00:01 WARN ACS_COMMITMENT_MISMATCH(5,4cb634ac): The local commitment does not match";
    let explained = run(&["explain", line]);
    assert_eq!(explained["id"], "ACS_COMMITMENT_MISMATCH", "{explained}");
    assert!(text(&explained, "cause").contains("onboarding flag"), "{explained}");
    assert_eq!(run(&["explain", "NO_SUCH_ID"])["name"], "Error");
}

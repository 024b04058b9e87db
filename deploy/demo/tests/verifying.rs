//! On whose nodes a change was seen, with real processes: every owner's agent looks for itself, and one that cannot vouch
//! says why on its own machine.
#![allow(clippy::unwrap_used)]

mod stage;

use std::time::Duration;

use canton_client::ledger::Offset;
use canton_sandbox::network::Options;
use serde_json::{Value, json};
use signer_agent::{folder::Folder, hosting::fork::LedgerMark};

use self::stage::{Stage, text};

const OWNERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// More than any ledger here ever has.
const FAR: i64 = 1_000_000;

fn names(shown: &Value) -> Vec<&str> {
    let mut names: Vec<&str> =
        shown.as_array().into_iter().flatten().map(|one| one["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

/// A hosting of a party by dave that everybody who must has signed.
fn hosted(stage: &Stage) -> String {
    let party = stage.party().to_string();
    let case = text(&stage.propose("alice", &["host", &party, "--on", "dave"]), "case");
    for owner in ["dave", "alice", "bob"] {
        stage.approve(owner, &case);
    }
    case
}

#[test]
fn every_owner_vouches_for_a_hosting_and_not_the_two_sides_alone() {
    let stage = Stage::new(&OWNERS, Options { decision_timeout: Duration::from_secs(1), ..Options::default() });
    let case = hosted(&stage);
    // Carol signed nothing, and neither her node nor bob's is a side of it.
    let shown = stage.until("carol", &["show", &case], |shown| names(&shown["verified"]["on"]).len() == 4);
    assert_eq!(names(&shown["verified"]["on"]), ["alice", "bob", "dave", "me"]);
    assert_eq!(shown["verified"]["not-yet"], json!([]));
    let done = stage.until("bob", &["workflow", "show", &case], |shown| {
        shown["steps"].as_array().unwrap().iter().all(|step| step["state"] == "done")
    });
    let last = done["steps"].as_array().unwrap().iter().filter(|step| step["step"] == "verify");
    assert_eq!(last.count(), 2, "{done}");
}

#[test]
fn an_agent_whose_node_came_back_from_before_vouches_for_nothing_and_says_so() {
    let stage = Stage::new(&OWNERS, Options::default());
    let (bob, carol) = (Folder::open(&stage.path("bob")).unwrap(), Folder::open(&stage.path("carol")).unwrap());
    let party = stage.party().to_string();
    // Both saw their nodes' ledgers far ahead after a hosting, and now these end before.
    let mark = |end| LedgerMark { end: Offset(end), imported: None };
    bob.set_ledger_mark(&mark(FAR)).unwrap();
    carol.set_ledger_mark(&mark(FAR)).unwrap();

    let change = text(&stage.propose("alice", &["change-thresholds", &party, "--confirmations", "1"]), "case");
    for owner in ["alice", "bob"] {
        stage.approve(owner, &change);
    }
    for owner in OWNERS {
        stage.until_effective(owner, &change);
    }
    let host = text(&stage.propose("alice", &["host", &party, "--on", "dave"]), "case");
    for owner in ["dave", "alice", "bob"] {
        stage.approve(owner, &host);
    }

    for case in [&change, &host] {
        for owner in ["bob", "carol"] {
            let failed = stage.until(owner, &["workflow", "show", case], |shown| !shown["failed"].is_null());
            assert_eq!(text(&failed["failed"], "step"), "verify");
            let reason = text(&failed["failed"], "reason");
            assert!(reason.starts_with("SilentFork: the node's ledger ends at"), "{reason}");
        }
    }
    let shown = stage.until("alice", &["show", &change], |shown| !names(&shown["verified"]["on"]).is_empty());
    assert_eq!(names(&shown["verified"]["not-yet"]), ["bob", "carol"], "{shown}");
    let shown = stage.until("alice", &["show", &host], |shown| names(&shown["verified"]["on"]).len() == 2);
    assert_eq!(names(&shown["verified"]["not-yet"]), ["bob", "carol"], "{shown}");

    // Set up anew from the network, the nodes are believed again.
    bob.set_ledger_mark(&mark(0)).unwrap();
    carol.set_ledger_mark(&mark(0)).unwrap();
    for case in [&change, &host] {
        stage.until("alice", &["show", case], |shown| {
            let all = &shown["verified"];
            !names(&all["on"]).is_empty() && names(&all["not-yet"]).is_empty()
        });
        for owner in ["bob", "carol"] {
            let shown = stage.must(owner, &["workflow", "show", case]);
            assert_eq!(shown["failed"], Value::Null, "{shown}");
        }
    }
}

//! The product without its coordinator, and beside people who use none: as processes on an embedded synchronizer.
#![allow(clippy::unwrap_used)]

mod stage;

use std::time::Duration;

use canton_client::{
    access::Access,
    participant::{Options as ConsoleOptions, Participant},
};
use canton_sandbox::network::Options;
use canton_topology::{
    id::PartyId,
    key::{KeyUsage, SigningPublicKey},
    mapping::{Mapping, party_key},
    signature::Signature,
    transaction::{Operation, SignedTransaction, Transaction},
};
use ed25519_dalek::{Signer as _, SigningKey};
use stage::{Stage, text};

const OWNERS: [&str; 3] = ["alice", "bob", "carol"];

/// Somebody at the console of bob's node proposes another confirmation threshold for the party: AddTransactions with the
/// proposal flag, signed by the node's own key alone.
fn propose_in_a_console(stage: &Stage, party: &PartyId, threshold: u32) -> Transaction {
    let node = &stage.network.participants()[1];
    let options = ConsoleOptions {
        address: format!("http://{}", node.address),
        timeout: Duration::from_secs(10),
        access: Access::default(),
    };
    let runtime = &stage.runtime;
    let console = runtime.block_on(async { Participant::new(&options).unwrap() });
    let synchronizer = &stage.network.synchronizer().logical;
    let row = stage.network.head().active(&party_key(party)).unwrap().transaction.clone();
    let Mapping::PartyToParticipant(mut mapping) = row.mapping().clone() else { panic!("{row:?}") };
    mapping.threshold = threshold;
    let serial = row.serial().next().unwrap();
    let transaction = Transaction::build(Operation::AddReplace, serial, &Mapping::PartyToParticipant(mapping));
    // A node signs only what carries a signature already; a stranger's will do, and goes no further.
    let stranger = SigningKey::from_bytes(&[7; 32]);
    let key = SigningPublicKey::ed25519(stranger.verifying_key().as_bytes(), &[KeyUsage::Namespace]).unwrap();
    let signature = stranger.sign(transaction.hash().as_bytes()).to_bytes();
    let begun = vec![Signature::new_ed25519(signature, key.fingerprint())];
    let begun = SignedTransaction::new(transaction.clone(), begun, true);
    let signature = runtime.block_on(console.sign(synchronizer, &begun, &node.namespace_key)).unwrap();
    let proposal = SignedTransaction::new(transaction.clone(), vec![signature], true);
    runtime.block_on(console.add(synchronizer, &[proposal])).unwrap();
    transaction
}

#[test]
fn a_proposal_of_a_console_is_seen_in_quarantine_adopted_and_signed_by_the_owners() {
    let stage = Stage::new(&OWNERS, Options::default());
    let party = stage.party();
    let foreign = propose_in_a_console(&stage, &party, 3);
    let hash = foreign.hash().to_string();

    let list = stage.until("alice", &["foreign", "list"], |list| !list["proposals"][0].is_null());
    let glance = &list["proposals"][0];
    assert_eq!((text(glance, "transaction"), text(glance, "subject")), (hash.clone(), party.to_string()));
    assert_eq!((&glance["asks-me"], &glance["complete"]), (&true.into(), &false.into()));
    let shown = stage.must("alice", &["foreign", "show", &hash]);
    let change = &shown["differences"][0]["changes"][0];
    assert_eq!(
        (text(change, "what"), text(change, "before"), text(change, "after")),
        ("threshold".into(), "2".into(), "3".into())
    );
    assert_eq!(shown["missing"]["namespaces"][0]["more"], 2);
    assert_eq!(text(&shown["signatures"][0], "name"), "bob's participant", "by the name of the book: {shown}");
    // A rule that permits raises has had its chance: nothing of it is signed, and no case by that name can be.
    assert_eq!(stage.network.head().proposals().next().unwrap().signatures.len(), 1);
    stage.must_fail("alice", &["approve", &hash, "--offer", &"00".repeat(32)]);

    let adopted = stage.must("alice", &["foreign", "adopt", &hash, "--reason", "bob made it in a console"]);
    let case = text(&adopted, "case");
    // Bob's agent sees the case and the synchronizer each in its own time.
    let is_merged = |shown: &serde_json::Value| !shown["signatures"][0]["by"][0].is_null();
    let waiting =
        stage.until("bob", &["show", &case], |shown| shown["verdict"]["verified"] == true && is_merged(shown));
    assert_eq!(text(&waiting["signatures"][0]["by"][0], "from"), "the synchronizer");
    assert_eq!(waiting["approvals"].as_array().unwrap().len(), 0, "no rule signed it");
    stage.approve("alice", &case);
    stage.approve("bob", &case);
    stage.until_effective("carol", &case);
    assert!(stage.network.head().effective_since(&foreign.hash()).is_some(), "the very bytes of the console");
    assert_eq!(stage.must("carol", &["foreign", "list"])["proposals"].as_array().unwrap().len(), 0);
}

#[test]
fn rivals_are_shown_side_by_side_and_the_loser_is_rebased_with_one_command() {
    let stage = Stage::new(&OWNERS, Options::default());
    let party = stage.party();
    // A rule would sign a raise by itself: this is left to humans.
    let words = ["change", &party.to_string(), "--remove-host", "carol"];
    let winner = text(&stage.propose("alice", &words), "case");
    let foreign = propose_in_a_console(&stage, &party, 1).hash().to_string();
    let adopted = stage.until("bob", &["foreign", "list"], |list| !list["proposals"][0].is_null());
    assert_eq!(adopted["proposals"][0]["rivals"].as_u64(), Some(1), "{adopted}");
    let loser = text(&stage.must("bob", &["foreign", "adopt", &foreign]), "case");
    let shown = stage.until("carol", &["show", &loser], |shown| !shown["rivals"][0].is_null());
    assert_eq!(text(&shown["rivals"][0], "from"), format!("case {winner}"));

    stage.approve("alice", &winner);
    stage.approve("bob", &winner);
    stage.until_effective("carol", &winner);
    stage.until("bob", &["show", &loser], |shown| shown["status"] == "superseded");
    let rebased = stage.must("bob", &["rebase", &loser, "--reason", "still wanted"]);
    assert_eq!(text(&rebased, "rebases"), loser);
    let again = text(&rebased, "case");
    let shown = stage.until("carol", &["show", &again], |shown| shown["verdict"]["verified"] == true);
    assert_eq!(text(&shown, "reason"), format!("rebases {loser}: still wanted"));
    let changes = serde_json::json!([{ "what": "threshold", "before": "2", "after": "1" }]);
    assert_eq!(shown["differences"][0]["changes"], changes, "carol's host does not come back");

    stage.approve("alice", &again);
    stage.approve("bob", &again);
    stage.until_effective("bob", &again);
    let refused = stage.must_fail("bob", &["rebase", &loser]);
    assert_eq!(text(&refused, "name"), "NothingToRebase");
}

#[test]
fn two_who_change_the_same_thing_in_different_ways_are_not_rebased() {
    let stage = Stage::new(&OWNERS, Options::default());
    let party = stage.party();
    let foreign = propose_in_a_console(&stage, &party, 3).hash().to_string();
    stage.until("bob", &["foreign", "list"], |list| !list["proposals"][0].is_null());
    let loser = text(&stage.must("bob", &["foreign", "adopt", &foreign]), "case");
    stage.until("carol", &["show", &loser], |shown| shown["offer"].is_string());
    let words = ["change-thresholds", &party.to_string(), "--confirmations", "1"];
    let winner = text(&stage.propose("alice", &words), "case");
    stage.approve("alice", &winner);
    stage.approve("bob", &winner);
    stage.until_effective("carol", &winner);
    stage.until("bob", &["show", &loser], |shown| shown["status"] == "superseded");

    let refused = stage.must_fail("bob", &["rebase", &loser]);

    assert_eq!(text(&refused, "name"), "RebaseConflict");
    let error = text(&refused, "error");
    assert!(error.contains("the threshold: 1 stands there now, and the case wants 3"), "{error}");
}

#[test]
fn a_change_becomes_effective_although_the_coordinator_is_dead_and_another_one_carries_on() {
    let mut stage = Stage::new(&OWNERS, Options::default());
    let party = stage.party().to_string();
    let propose = |what: &[&str]| {
        let words = [&["change-thresholds", party.as_str()], what].concat();
        text(&stage.propose("alice", &words), "case")
    };
    let first = propose(&["--owners", "1", "--accept", "one-owner-suffices"]);
    let second = propose(&["--confirmations", "1"]);
    stage.approve("alice", &first);
    let waits = |shown: &serde_json::Value| shown["approvals"].as_array().is_some_and(|all| !all.is_empty());
    for owner in OWNERS {
        stage.until(owner, &["show", &first], waits);
        stage.until(owner, &["show", &second], |shown| shown["offer"].is_string());
    }
    let former = text(&stage.must("alice", &["status"]), "coordinator");
    stage.kill_coordinator();

    // Bob signs with nobody left to post to: his own agent holds every signature, and finishes.
    let shown = stage.must("bob", &["show", &first]);
    let told = stage.ask("bob", &["approve", &first, "--offer", &text(&shown, "offer")]);
    assert_eq!(told.code, 2, "it says that it was not posted: {}", told.value);
    let shown = stage.until_effective("carol", &first);
    assert_eq!(shown["approvals"].as_array().unwrap().len(), 1, "carol never heard of bob's");
    let shown = stage.until_effective("bob", &first);
    let submission = &shown["submissions"][0];
    assert_eq!((&submission["by_command"], text(&submission["answer"], "told")), (&false.into(), "taken".to_owned()));

    // Another coordinator, which the operator lets take over, goes on with the second case.
    stage.start_another_coordinator(&[former]);
    for owner in OWNERS {
        stage.move_to_present_coordinator(owner);
    }
    let handed = stage.must("carol", &["hand-over", "--all"]);
    assert!(handed["taken-over"].as_array().unwrap().iter().any(|one| one["case"] == second.as_str()), "{handed}");
    stage.must("alice", &["hand-over", &second]);
    stage.approve("alice", &second);
    for owner in OWNERS {
        stage.until_effective(owner, &second);
    }
}

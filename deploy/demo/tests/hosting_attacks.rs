//! What goes wrong while a party is carried over, by accident and by malice, and how it ends.
#![allow(clippy::unwrap_used)]

mod stage;

use std::time::{Duration, Instant};

use canton_client::{
    access::Access,
    participant::{Options as ClientOptions, Participant},
    pruning::Schedule,
};
use canton_sandbox::{faults::Fault, network::Options};
use canton_topology::{id::PartyId, mapping::party_key};
use protocol::book::{Book, Card, Entry};
use signer_agent::parcel::seal::seal;

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
    proposed_for(stage, &stage.party())
}

fn proposed_for(stage: &Stage, party: &PartyId) -> String {
    stage.create(party, 3);
    let made = stage.propose("alice", &["host", &party.to_string(), "--on", "dave"]);
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

/// `kill -9`, on all sides.
fn kill_everybody(stage: &mut Stage) {
    for owner in ["alice", "bob", "dave"] {
        stage.kill_agent(owner);
    }
    stage.kill_coordinator();
    stage.start_coordinator();
    for owner in ["alice", "bob", "dave"] {
        stage.start_agent(owner);
    }
}

#[test]
fn a_simple_hosting_is_gone_on_with_though_everybody_is_killed_before_every_step() {
    let mut stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let party = stage.party().to_string();
    let case = text(&stage.propose("alice", &["host", &party, "--on", "dave"]), "case");
    kill_everybody(&mut stage);
    stage.step("alice", &case, "look", "done");
    kill_everybody(&mut stage);
    for owner in ["dave", "alice", "bob"] {
        stage.approve(owner, &case);
        kill_everybody(&mut stage);
    }
    for owner in ["alice", "dave"] {
        stage.step(owner, &case, "verify-target", "done");
        kill_everybody(&mut stage);
    }
    stage.step("bob", &case, "verify", "done");
}

#[test]
fn everybody_is_killed_before_every_step_and_every_step_is_gone_on_with() {
    let mut stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let case = proposed(&stage);
    kill_everybody(&mut stage);
    stage.confirm("alice", &case, "prepare");
    kill_everybody(&mut stage);
    stage.approve("dave", &case);
    kill_everybody(&mut stage);
    stage.confirm("dave", &case, "disconnect");
    kill_everybody(&mut stage);
    stage.approve("alice", &case);
    kill_everybody(&mut stage);
    stage.approve("bob", &case);
    kill_everybody(&mut stage);
    stage.step("dave", &case, "export", "done");
    stage.step("dave", &case, "count", "done");
    kill_everybody(&mut stage);
    stage.back_up("dave", &case);
    kill_everybody(&mut stage);
    stage.confirm("dave", &case, "import");
    kill_everybody(&mut stage);
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
    lost("dave", &["ModifySynchronizer", "DisconnectAllSynchronizers", "ReconnectSynchronizer"]);
    // Once when the node is asked whether it imports at all, and once when it does.
    lost("dave", &["ImportPartyAcs", "ImportPartyAcs"]);
    let case = proposed(&stage);
    up_to_disconnected(&stage, &case);
    finish(&stage, &case);
    stage.step("alice", &case, "restore-pruning", "done");
    assert_eq!(stage.runtime.block_on(node(&stage, "alice").schedule()).unwrap(), Some(schedule()));
    assert_eq!(stage.network.contracts(&stage.node("dave").id).len(), 3);
    assert!(stage.is_connected("dave"), "as it was before the first attempt");
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
    assert!(text(&answer.value, "not-yet").contains("step disconnect comes first, by dave ("), "{}", answer.value);

    // Once a human has it disconnected again, bob's own question is answered.
    let again = stage.ask("dave", &["workflow", "run", &case, "--confirm", "disconnect"]);
    assert_eq!(again.code, 2, "{}", again.value);
    assert!(stage.runtime.block_on(dave.connected()).unwrap().is_empty());
    for owner in ["alice", "bob"] {
        stage.approve(owner, &case);
    }
    stage.step("dave", &case, "count", "done");
    stage.step("dave", &case, "export", "done");
    let refused = stage.ask("dave", &["workflow", "run", &case, "--confirm", "import"]);
    assert_eq!(refused.code, 2, "no import without a backup: {}", refused.value);
    let must_be_away = |words: &[&str]| {
        let refused = stage.must_fail("dave", &[&["workflow", "run", &case], words].concat());
        assert_eq!(refused["name"], "Precondition", "{refused}");
        assert!(text(&refused, "error").contains("is connected, or would connect by itself"), "{refused}");
    };
    stage.runtime.block_on(dave.set_manual_connect(&alias, false)).unwrap();
    must_be_away(&["--backup", "tape 7"]);
    stage.runtime.block_on(dave.set_manual_connect(&alias, true)).unwrap();
    stage.back_up("dave", &case);
    assert!(stage.runtime.block_on(dave.reconnect(&alias)).unwrap());
    must_be_away(&["--confirm", "import"]);
    assert!(stage.network.contracts(&stage.node("dave").id).is_empty());
    let late = stage.must_fail("alice", &["workflow", "run", &case, "--confirm", "prepare"]);
    assert!(text(&late, "error").contains("too late"), "{late}");
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
    // As the refusal says.
    assert!(text(&shown["failed"], "reason").contains("workflow run --confirm prepare"), "{shown}");
    stage.ask("alice", &["workflow", "run", &case, "--confirm", "prepare"]);
    // What comes back is what was there at first, and there was none.
    stage.step("alice", &case, "restore-pruning", "done");
    assert_eq!(stage.runtime.block_on(alice.schedule()).unwrap(), None);
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
    let by_hand = stage.path("alice").join("hosting").join(format!("{case}.contracts.age"));
    let right = std::fs::read(&by_hand).unwrap();
    let mut changed = right.clone();
    *changed.last_mut().unwrap() ^= 1;
    let wrong = stage.path("wrong.age");
    let words = ["workflow", "run", &case, "--confirm", "import", "--sealed", wrong.to_str().unwrap()];
    for (file, why) in [
        (b"not a parcel".to_vec(), "cut short"),
        ([&right[..], b"more"].concat(), "added to"),
        (vec![7; right.len()], "this is another file"),
        (changed, "the sealed file was changed"),
        // By its own hash or by its content's, whichever differs first.
        (sealed_for_dave(&stage, right.len()), "another "),
    ] {
        std::fs::write(&wrong, file).unwrap();
        let refused = stage.must_fail("dave", &words);
        assert_eq!(refused["name"], "Open", "{refused}");
        assert!(text(&refused, "error").contains(why), "{why}: {refused}");
        assert!(stage.network.contracts(&stage.node("dave").id).is_empty());
    }

    // The right file, carried by hand.
    let words = ["workflow", "run", &case, "--confirm", "import", "--sealed", by_hand.to_str().unwrap()];
    stage.ask("dave", &words);
    stage.step("dave", &case, "verify-target", "done");
    assert_eq!(stage.network.contracts(&stage.node("dave").id).len(), 3);
}

/// Something else that is sealed to dave by somebody who has his card, and is as long as the right parcel.
fn sealed_for_dave(stage: &Stage, length: usize) -> Vec<u8> {
    let card = Card::parse(&text(&stage.must("dave", &["card"]), "card")).unwrap();
    let mut book = Book::default();
    let owner = card.owner();
    book.add(Entry { name: "dave".to_owned(), card, more_keys: Vec::new() }).unwrap();
    let (to, into) = (book.addressee(&owner).unwrap(), stage.path("other.age"));
    // A head has random words of random length.
    for plain in (0..length).rev().cycle().take(100_000) {
        let _ = std::fs::remove_file(&into);
        if seal(&vec![0; plain][..], &to, &into, |_| {}).unwrap().sealed.length == length as u64 {
            return std::fs::read(&into).unwrap();
        }
    }
    panic!("no other parcel is as long");
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
    let refused = stage.must_fail("dave", &["workflow", "run", &case]);
    assert!(text(&refused, "error").starts_with("SilentFork"), "{refused}");
}

#[test]
fn a_node_that_came_back_from_before_the_hosting_and_has_caught_up_raises_the_alarm_all_the_same() {
    let mut stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let party = stage.party();
    let case = proposed_for(&stage, &party);
    let id = stage.node("dave").id.clone();
    up_to_disconnected(&stage, &case);
    let backup = stage.network.back_up(&id);
    finish(&stage, &case);
    let end = stage.network.ledger_end(&id);

    // Nobody looks while it catches up.
    stage.kill_agent("dave");
    stage.network.restore(&id, &backup);
    let dave = node(&stage, "dave");
    let alias = stage.runtime.block_on(dave.registered()).unwrap()[0].alias.clone();
    assert!(stage.runtime.block_on(dave.reconnect(&alias)).unwrap());
    for _ in 0..100 {
        stage.create(&party, 1);
        if stage.network.ledger_end(&id) > end {
            break;
        }
    }
    assert!(stage.network.ledger_end(&id) > end, "beyond where it was");
    stage.start_agent("dave");

    let alarmed = stage.until("dave", &["status"], |value| !value["alarms"].as_array().unwrap().is_empty());
    let alarm = alarmed["alarms"][0].as_str().unwrap();
    assert!(alarm.starts_with("SilentFork") && alarm.contains("another update than the import"), "{alarm}");
}

#[test]
fn a_snapshot_is_sealed_once_and_sent_until_it_is_imported_wherever_it_is_missing() {
    let mut stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let party = stage.party();
    let case = proposed_for(&stage, &party);
    up_to_disconnected(&stage, &case);
    let sealed = stage.path("alice").join("hosting").join(format!("{case}.contracts.age"));
    let serial = |stage: &Stage| stage.network.head().active(&party_key(&party)).map(|row| row.transaction.serial());
    let before = serial(&stage);
    for owner in ["alice", "bob"] {
        stage.approve(owner, &case);
    }
    // The coordinator goes away as soon as dave is a host, before alice has exported anything.
    let until = Instant::now() + stage.patience;
    while serial(&stage) == before {
        assert!(Instant::now() < until, "it was not submitted");
        std::thread::sleep(Duration::from_millis(1));
    }
    stage.kill_coordinator();
    while !sealed.exists() {
        assert!(Instant::now() < until, "it was not sealed");
        std::thread::sleep(Duration::from_millis(10));
    }
    let bytes = std::fs::read(&sealed).unwrap();
    stage.kill_agent("alice");
    stage.start_agent("alice");
    stage.start_coordinator();
    stage.step("alice", &case, "export", "done");
    assert_eq!(std::fs::read(&sealed).unwrap(), bytes, "exported and sealed once");

    // Another coordinator has every statement, and no parcel.
    let former = text(&stage.must("alice", &["status"]), "coordinator");
    stage.kill_coordinator();
    stage.start_another_coordinator(&[former]);
    for owner in ["alice", "bob", "carol"] {
        stage.move_to_present_coordinator(owner);
    }
    // Dave's node is disconnected: its agent has no topology to wait for.
    stage.kill_agent("dave");
    stage.enroll("dave");
    stage.start_agent("dave");
    stage.must("alice", &["hand-over", &case]);
    stage.step("dave", &case, "count", "done");
    stage.back_up("dave", &case);
    stage.confirm("dave", &case, "import");
    for owner in ["alice", "dave"] {
        stage.step(owner, &case, "verify-target", "done");
    }
    assert_eq!(stage.network.contracts(&stage.node("dave").id).len(), 3);
    let is_gone = || {
        (0..600).any(|_| {
            !sealed.exists() || {
                std::thread::sleep(Duration::from_millis(100));
                false
            }
        })
    };
    assert!(is_gone(), "nobody needs it any more");
    let of_dave = stage.path("dave").join("hosting").join(format!("{case}.contracts.age"));
    assert!(!of_dave.exists());
}

#[test]
fn a_backup_command_that_fails_says_why_and_nothing_is_imported_before_it_works() {
    let mut stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let (script, config) = (stage.path("backup.sh"), stage.path("dave").join("agent.toml"));
    std::fs::write(&script, "echo 'no space left' >&2; exit 28").unwrap();
    let before = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("backup_command = [\"/bin/sh\", {script:?}]\n{before}")).unwrap();
    stage.kill_agent("dave");
    stage.start_agent("dave");
    stage.until("dave", &["status"], |status| !status["participant"].is_null());
    let case = proposed(&stage);
    stage.confirm("alice", &case, "prepare");
    stage.approve("dave", &case);
    // Its own signature may not stand on the synchronizer yet. The backup comes by itself, and fails.
    let run = || stage.ask("dave", &["workflow", "run", &case, "--confirm", "disconnect"]);
    assert!((0..600).any(|_| run().value["name"] == "BackupCommand"));
    for owner in ["alice", "bob"] {
        stage.approve(owner, &case);
    }
    stage.step("dave", &case, "count", "done");

    let words = ["workflow", "show", &case];
    let shown = stage.until("dave", &words, |shown| shown["failed"]["name"] == "BackupCommand");
    let reason = text(&shown["failed"], "reason");
    assert!(reason.contains("exit status: 28") && reason.ends_with("no space left"), "{reason}");
    stage.ask("dave", &["workflow", "run", &case, "--confirm", "import"]);
    stage.step("dave", &case, "import", "waiting");
    assert!(stage.network.contracts(&stage.node("dave").id).is_empty());

    std::fs::write(&script, "exit 0").unwrap();
    stage.confirm("dave", &case, "import");
    stage.step("dave", &case, "verify-target", "done");
    assert_eq!(stage.network.contracts(&stage.node("dave").id).len(), 3);
}

#[test]
fn a_node_that_stops_in_the_middle_of_an_import_imports_again_and_has_each_contract_once() {
    let stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    let case = proposed(&stage);
    let id = stage.node("dave").id.clone();
    up_to_disconnected(&stage, &case);
    for owner in ["alice", "bob"] {
        stage.approve(owner, &case);
    }
    stage.step("dave", &case, "count", "done");
    stage.back_up("dave", &case);
    stage.step("dave", &case, "import", "due");
    stage.network.faults(&id).stop_import_after(1);
    let broken_off = stage.ask("dave", &["workflow", "run", &case, "--confirm", "import"]);
    assert_ne!(broken_off.code, 0, "{}", broken_off.value);
    stage.step("dave", &case, "import", "due");
    assert_eq!(stage.network.contracts(&id).len(), 1);

    stage.network.restart(&id);
    stage.confirm("dave", &case, "import");
    for owner in ["alice", "dave"] {
        stage.step(owner, &case, "verify-target", "done");
    }
    assert_eq!(stage.network.contracts(&id).len(), 3);
    assert!(stage.network.fork(&id).is_none());
}

#[test]
fn a_slow_synchronizer_and_nodes_that_restart_on_the_way_cost_nothing_but_time() {
    let mut stage = Stage::new(&["alice", "bob", "carol", "dave"], options());
    stage.patience *= 2;
    let case = proposed(&stage);
    stage.network.slow_down(Duration::from_secs(2));
    up_to_disconnected(&stage, &case);
    let restart = |owner: &str| {
        let id = &stage.node(owner).id;
        stage.network.stop(id);
        std::thread::sleep(Duration::from_secs(1));
        stage.network.restart(id);
    };
    for owner in ["alice", "bob", "dave", "coordinator"] {
        restart(owner);
    }
    assert!(!stage.is_connected("dave"), "it comes back as it was");
    finish(&stage, &case);
    assert_eq!(stage.network.contracts(&stage.node("dave").id).len(), 3);
    assert!(stage.network.fork(&stage.node("dave").id).is_none());
}

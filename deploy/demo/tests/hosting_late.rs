//! A hosting that takes its time: an owner who comes late, and a deadline that runs out on the way.
#![allow(clippy::unwrap_used)]

mod stage;

use std::time::Duration;

use canton_client::{
    access::Access,
    participant::{Options as ConsoleOptions, Participant},
    pruning::Schedule,
};
use canton_sandbox::network::Options;
use canton_topology::mapping::Permission;
use signer_agent::control::{Answer, Host, Request, Wanted, Way, ask};

use self::stage::{Stage, text};

const OWNERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// Long enough to come up to the disconnecting, short enough to wait for.
const DEADLINE_S: u64 = 15;

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

fn up_to_disconnected(stage: &Stage, case: &str) {
    stage.step("dave", case, "vet", "due");
    stage.ask("dave", &["workflow", "run", case, "--archive", &stage.archive()]);
    stage.step("dave", case, "vet", "done");
    stage.confirm("alice", case, "prepare");
    stage.approve("dave", case);
    stage.confirm("dave", case, "disconnect");
}

#[test]
fn an_owner_who_was_offline_until_late_signs_last_and_everything_goes_on() {
    let mut stage = Stage::new(&OWNERS, options());
    let party = stage.party();
    let before = stage.create(&party, 3);
    stage.kill_agent("bob");
    let made = stage.propose("alice", &["host", &party.to_string(), "--on", "dave", "--second", "carol"]);
    let case = text(&made, "case");
    up_to_disconnected(&stage, &case);
    stage.approve("alice", &case);
    let due = stage.step("alice", &case, "sign", "due");
    assert!(due["steps"].as_array().unwrap().iter().all(|step| step["step"] != "submit" || step["state"] == "waiting"));

    // The late one knows nothing of the case yet, asks for himself, and completes it.
    stage.start_agent("bob");
    stage.approve("bob", &case);

    stage.step("dave", &case, "export", "done");
    stage.step("dave", &case, "count", "done");
    stage.back_up("dave", &case);
    stage.confirm("dave", &case, "import");
    for owner in ["alice", "bob", "dave"] {
        stage.step(owner, &case, "verify-target", "done");
    }
    let held = stage.network.contracts(&stage.node("dave").id);
    assert!(before.iter().all(|contract| held.contains(contract)), "{held:?}");
}

#[test]
fn a_case_whose_time_runs_out_brings_back_the_schedule_and_the_connection_by_itself() {
    let mut stage = Stage::new(&OWNERS, options());
    let schedule = Schedule {
        cron: "0 0 20 * * ?".to_owned(),
        max_duration: Duration::from_secs(3_600),
        retention: Duration::from_secs(86_400),
        prune_internally_only: true,
    };
    let alice = console(&stage, "alice");
    stage.runtime.block_on(alice.set_schedule(&schedule)).unwrap();
    let party = stage.party().to_string();
    stage.create(&party.parse().unwrap(), 3);
    let case = proposed_for(&stage, &party, DEADLINE_S);
    up_to_disconnected(&stage, &case);
    let dave = console(&stage, "dave");
    assert_eq!(stage.runtime.block_on(alice.schedule()).unwrap(), None);
    assert!(stage.runtime.block_on(dave.connected()).unwrap().is_empty());
    // Nobody tells anybody, and one of them has just been started anew.
    stage.kill_agent("dave");
    stage.start_agent("dave");

    for owner in ["alice", "dave"] {
        let over =
            stage.until(owner, &["workflow", "show", &case], |value| value["steps"].as_array().unwrap().is_empty());
        assert_eq!(over["status"], "expired", "{over}");
    }
    assert_eq!(stage.runtime.block_on(alice.schedule()).unwrap(), Some(schedule));
    assert_eq!(stage.runtime.block_on(dave.connected()).unwrap().len(), 1);
    assert!(!stage.runtime.block_on(dave.registered()).unwrap()[0].manual_connect);
}

/// A case with a deadline in seconds; the command line counts in hours.
fn proposed_for(stage: &Stage, party: &str, deadline_s: u64) -> String {
    let host = Host {
        party: party.to_owned(),
        on: "dave".to_owned(),
        from: None,
        second: None,
        permission: Permission::Confirmation,
        confirmations: None,
        ahead: Vec::new(),
        packages: Vec::new(),
        way: Some(Way::Replicate),
    };
    let change = Wanted::Host(host);
    let request = Request::Propose { change, reason: "soon or never".to_owned(), deadline_s, accepts: Vec::new() };
    let answer = stage.runtime.block_on(ask(&stage.socket("alice"), &request)).unwrap();
    let Answer::Done { value } = answer else { panic!("{answer:?}") };
    text(&value, "case")
}

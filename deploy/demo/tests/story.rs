//! The story over real sockets, TLS and processes; how it is kept running; and the topology that it leaves, judged again.
#![allow(clippy::unwrap_used)]

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, Stdio},
};

use canton_topology::{
    id::PhysicalSynchronizerId,
    judge::{Verdict, Verifier, replay},
    mapping::{Code, Mapping},
    snapshot::{self, Format},
    state::{State, StaticParameters},
};
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn the_story_is_seen_to_its_end_and_leaves_a_topology_that_canton_would_accept() {
    let folder = tempfile::tempdir().unwrap();
    let export = folder.path().join("final.topology");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(["--json", "--keep", "--export"])
        .arg(&export)
        .arg("--dir")
        .arg(folder.path().join("stage"))
        // Nobody is there to press enter.
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let mut events: Vec<serde_json::Value> = Vec::new();
    while !events.last().is_some_and(|event| event["report"].is_object()) {
        let Some(line) = lines.next() else {
            let mut told = String::new();
            demo.stderr.take().unwrap().read_to_string(&mut told).unwrap();
            panic!("the story broke off: {told}\n{events:#?}");
        };
        events.push(serde_json::from_str(&line.unwrap()).unwrap());
    }
    for kind in ["effective", "declined", "live", "voided", "refused", "killed", "exported"] {
        assert!(events.iter().any(|event| event["event"] == kind), "no event {kind} in {events:#?}");
    }
    assert_eq!(events.last().unwrap()["report"]["seen"], "everything");

    // It runs on, and what it says can be played with is there.
    let kept = &events[events.len() - 2];
    assert_eq!(kept["event"], "kept");
    let commands: Vec<&str> = kept["commands"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    for word in [" list", " show ", " approve ", " propose "] {
        assert!(commands.iter().any(|command| command.contains(word)), "no{word}in {commands:?}");
    }
    let shown = commands.iter().find(|command| command.contains(" show ")).unwrap();
    let played = Command::new("sh").args(["-c", shown]).output().unwrap();
    assert!(String::from_utf8_lossy(&played.stdout).contains("collecting"), "{played:?}");
    assert!(demo.try_wait().unwrap().is_none(), "it has ended by itself");
    kill_process(Pid::from_child(&demo), Signal::TERM).unwrap();
    assert!(demo.wait().unwrap().success());
    assert!(lines.next().is_none(), "the report is the last line");

    let (format, items) = snapshot::read(&std::fs::read(&export).unwrap()).unwrap();
    assert_eq!(format, Format::V2);
    let parameters = items.iter().find_map(|item| match item.transaction.transaction.mapping() {
        Mapping::SynchronizerParametersState(parameters) => Some(parameters.synchronizer.clone()),
        _ => None,
    });
    let synchronizer = PhysicalSynchronizerId { logical: parameters.unwrap(), serial: 0, protocol_version: 34 };
    let mut state = State::new(synchronizer, StaticParameters::default());
    let verdicts = replay(&mut state, &mut Verifier::default(), &items);
    for (item, verdict) in items.iter().zip(&verdicts) {
        let is_right = match verdict {
            Verdict::Active { .. } => !item.transaction.proposal,
            Verdict::Proposal { .. } => item.transaction.proposal,
            Verdict::Rejected(_) => false,
        };
        assert!(is_right, "{verdict:?}");
    }
    assert!(items.iter().any(|item| !item.transaction.proposal && item.valid_until.is_some()), "no closed row");
    let open: Vec<Code> = items
        .iter()
        .filter(|item| item.transaction.proposal && item.valid_until.is_none())
        .map(|item| item.transaction.transaction.mapping().code())
        .collect();
    assert_eq!(open, [Code::PartyToParticipant], "the export has the open proposal");
}

//! The story over real sockets, TLS and processes; and the topology that it leaves, judged again.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use canton_topology::{
    id::PhysicalSynchronizerId,
    judge::{Verdict, Verifier, replay},
    mapping::Mapping,
    snapshot::{self, Format},
    state::{State, StaticParameters},
};

#[test]
fn the_story_is_seen_to_its_end_and_leaves_a_topology_that_canton_would_accept() {
    let folder = tempfile::tempdir().unwrap();
    let export = folder.path().join("final.topology");
    let output = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(["--json", "--export"])
        .arg(&export)
        .arg("--dir")
        .arg(folder.path().join("stage"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));

    let events: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for kind in ["effective", "declined", "live", "voided", "refused", "killed", "stage", "exported"] {
        assert!(events.iter().any(|event| event["event"] == kind), "no event {kind} in {text}");
    }
    assert_eq!(events.last().unwrap()["report"]["seen"], "everything");

    let (format, items) = snapshot::read(&std::fs::read(&export).unwrap()).unwrap();
    assert_eq!(format, Format::V2);
    let parameters = items.iter().find_map(|item| match item.transaction.transaction.mapping() {
        Mapping::SynchronizerParametersState(parameters) => Some(parameters.synchronizer.clone()),
        _ => None,
    });
    let synchronizer = PhysicalSynchronizerId { logical: parameters.unwrap(), serial: 0, protocol_version: 34 };
    let mut state = State::new(synchronizer, StaticParameters::default());
    for verdict in replay(&mut state, &mut Verifier::default(), &items) {
        assert!(matches!(verdict, Verdict::Active { .. }), "{verdict:?}");
    }
}

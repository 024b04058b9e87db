//! MainNet's real history through the whole product: no wrong call, whatever the order of the signatures.
#![allow(clippy::unwrap_used)]

use std::{path::PathBuf, process::Command};

fn replay(seed: u64) -> Option<serde_json::Value> {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/canton/fixtures");
    if !fixtures.exists() {
        println!("skipped: the fixtures are not beside the project");
        return None;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_demo"))
        .arg("replay")
        .arg(fixtures.join("dso-chain.json"))
        .arg("--base")
        .arg(fixtures.join("CN-genesis-state-20250410.gz"))
        .args(["--json", "--seed", &seed.to_string()])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_str(text.lines().last().unwrap()).unwrap())
}

#[test]
fn every_transaction_is_called_ready_at_exactly_the_signature_that_completes_it() {
    let seeds = if std::env::var_os("COUNTERSIGN_TESTS_FULL").is_some() { 20 } else { 2 };
    for seed in 1..=seeds {
        let Some(report) = replay(seed) else { return };
        assert_eq!(report["transactions"], 91, "{report}");
        assert_eq!(report["wrong_calls"], 0, "{report}");
    }
}

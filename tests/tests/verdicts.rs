//! Our judge decides as Canton's own code decided: every recorded verdict, requirement, vector, key and signature.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use tests::conformance::{Report, run_file};

#[test]
fn no_verdict_differs_from_cantons_own() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/canton/verdicts");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: the recorded verdicts are not beside the project");
        return;
    };
    let mut report = Report::default();
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".jsonl.gz") {
            run_file(&path, &mut report).unwrap();
        }
    }
    for divergence in &report.divergences {
        println!("{divergence}");
    }
    assert!(report.transactions > 20_000, "only {} transactions were read", report.transactions);
    assert_eq!(report.divergences.len(), 0);
}

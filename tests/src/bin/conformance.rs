//! `conformance FILE…`: holds our judge against recorded verdicts of Canton's own code.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use tests::conformance::{Report, run_file};

/// Replays recorded histories, requirements and vectors and prints every difference.
///
/// Example: cargo run --release -p tests --bin conformance -- ../shared/canton/verdicts/hand-a-*.jsonl.gz
#[derive(Parser)]
struct Arguments {
    /// Files of the recorded format: JSON Lines, gzip or not.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut report = Report::default();
    for file in &arguments.files {
        if let Err(error) = run_file(file, &mut report) {
            eprintln!("{error:#}");
            return ExitCode::FAILURE;
        }
    }
    for divergence in &report.divergences {
        println!("{divergence}");
    }
    let Report { transactions, histories, divergences } = report;
    println!("transactions {transactions}, histories {histories}, divergences {}", divergences.len());
    if divergences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

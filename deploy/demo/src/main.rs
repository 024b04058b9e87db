//! `demo`: the whole product on one machine, told as a story; and MainNet's history replayed through it.

mod replay;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Countersign on one machine.
#[derive(Parser)]
#[command(version, after_help = "Example: demo replay dso-chain.json --base CN-genesis-state-20250410.gz")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Replays the real history of a decentralized namespace through coordinator, agents and synchronizer.
    #[command(after_help = "Example: demo replay dso-chain.json --base CN-genesis-state-20250410.gz --seed 7 --json")]
    Replay(replay::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("demo: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        match &arguments.command {
            Command::Replay(arguments) => replay::run(arguments).await.map(|report| report.wrong_calls == 0),
        }
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

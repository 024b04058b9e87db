//! `demo`: the whole product on one machine, told as a story; and MainNet's history replayed through it.
//!
//! One binary plays every part: it starts itself again as the real coordinator and as the real signer agents.

mod replay;
mod sandbox;
mod story;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};
use protocol::plan::Planner;

/// Countersign on one machine: four owners, their agents, a coordinator and an embedded Canton synchronizer.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = "Example: demo --json --export final.topology")]
struct Arguments {
    #[command(flatten)]
    story: story::StoryArguments,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Replays the real history of a decentralized namespace through coordinator, agents and synchronizer.
    #[command(after_help = "Example: demo replay dso-chain.json --base CN-genesis-state-20250410.gz --seed 7 --json")]
    Replay(replay::ReplayArguments),
    /// Runs the embedded synchronizer and its participants alone, to try the product by hand.
    #[command(after_help = "Example: demo sandbox --env sandbox.env")]
    Sandbox(sandbox::SandboxArguments),
}

fn coordinator(all: Vec<OsString>, planner: Planner) -> ExitCode {
    let arguments = all.into_iter().skip(1).collect();
    coordinator::cli::main(coordinator::cli::Environment { arguments, log: None, planner })
}

fn main() -> ExitCode {
    let all: Vec<OsString> = std::env::args_os().collect();
    match all.get(1).and_then(|role| role.to_str()) {
        Some("signer-agent") => return signer_agent::cli::run(all.into_iter().skip(1)),
        Some("coordinator") => return coordinator(all, protocol::plan::plan),
        Some("hostile-coordinator") => return coordinator(all, story::hostile_planner),
        Some(_) | None => {}
    }
    let arguments = Arguments::parse_from(all);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("demo: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        match &arguments.command {
            Some(Command::Replay(replay)) => replay::run(replay).await.map(|report| report.wrong_calls == 0),
            Some(Command::Sandbox(sandbox)) => sandbox::run(sandbox).await.map(|()| true),
            None => story::run(&arguments.story).await.map(|()| true),
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

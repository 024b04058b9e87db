//! `demo`: the whole product on one machine, told as a story; and MainNet's history replayed through it.
//!
//! One binary plays every part: it starts itself again as the real coordinator and as the real signer agents.

mod console;
mod print;
mod replay;
mod sandbox;
mod signals;
mod story;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};
use protocol::plan::Planner;
use rustix::process::{Signal, set_parent_process_death_signal};

/// The word before a role that is played in a story.
const ON_STAGE: &str = "on-stage";

/// Countersign on one machine: four owners, their agents, a coordinator and an embedded Canton synchronizer.
#[derive(Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Example: demo --json --export final.topology\n\nExit codes: 0 everything was seen, 1 not."
)]
struct Arguments {
    #[command(flatten)]
    story: story::StoryArguments,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Replays the real history of a decentralized namespace through coordinator, agents and synchronizer.
    #[command(
        after_help = "Example: demo replay dso-chain.json --base CN-genesis-state-20250410.gz --seed 7 --json\n\nExit codes: 0 every call was as recorded, 1 not."
    )]
    Replay(replay::ReplayArguments),
    /// Runs the embedded synchronizer and its participants alone, to try the product by hand.
    #[command(after_help = "Example: demo sandbox --env sandbox.env\n\nExit codes: 0 it was stopped, 1 error.")]
    Sandbox(sandbox::SandboxArguments),
    /// What people do on such a network beside Countersign: contracts, packages, pruning, proposals, a wallet's party.
    #[command(after_help = "Example: demo console contracts treasury::1220… 5\n\nExit codes: 0 done, 1 error.")]
    Console(console::ConsoleArguments),
}

fn coordinator(all: Vec<OsString>, planner: Planner) -> ExitCode {
    let arguments = all.into_iter().skip(1).collect();
    coordinator::cli::main(coordinator::cli::Environment { arguments, log: None, planner })
}

fn main() -> ExitCode {
    let mut all: Vec<OsString> = std::env::args_os().collect();
    if all.get(1).is_some_and(|role| role == ON_STAGE) {
        all.remove(1);
        // Whoever plays in a story ends with it, also where nobody is left to tell it so.
        if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
            eprintln!("demo: this process may outlive the demo: {error}");
        }
    }
    match all.get(1).and_then(|role| role.to_str()) {
        Some("signer-agent") => {
            return signer_agent::cli::run(all.into_iter().skip(1), &signer_agent::backends::shipped());
        }
        Some("coordinator") => return coordinator(all, protocol::plan::plan),
        Some("hostile-coordinator") => return coordinator(all, story::hostile_planner),
        Some(_) | None => {}
    }
    let arguments = match Arguments::try_parse_from(all) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            // clap's own code for a wrong command line is 2, which means "not yet" elsewhere.
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
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
            Some(Command::Console(console)) => console::run(console).await.map(|()| true),
            None => story::run(&arguments.story).await.map(|()| true),
        }
    });
    // Somebody may still be expected to press enter.
    runtime.shutdown_background();
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

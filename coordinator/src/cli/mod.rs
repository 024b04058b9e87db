//! The command line. Exit codes: 0 done, 1 error, 2 not yet (try again in a moment).

mod check;
mod init;
mod invite;
mod print;
mod serve;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use anyhow::Error;
use clap::{Parser, Subcommand, error::ErrorKind};
use protocol::plan::Planner;

/// What `main` has read from the outside.
pub struct Environment {
    /// The arguments, the program's name first.
    pub arguments: Vec<OsString>,
    /// The variable `COUNTERSIGN_LOG`.
    pub log: Option<String>,
    /// How intents are planned.
    pub planner: Planner,
}

#[derive(Parser)]
#[command(
    name = "coordinator",
    version,
    about = "Carries statements and signatures between the owners of Canton decentralized parties.",
    long_about = "Carries statements and signatures between the owners of Canton decentralized parties, and submits what \
                  Canton's rule calls complete. It holds no owner's key, and nobody has to trust it.",
    after_help = "Example, from nothing to the first owner:\n  coordinator init\n  coordinator serve --config coordinator.toml &\n  \
                  coordinator invite alice\n\nExit codes: 0 done, 1 error, 2 not yet (try again in a moment)."
)]
struct Arguments {
    /// One JSON object for each thing that is said on standard output.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the coordinator.
    #[command(
        after_help = "Example:\n  coordinator serve --config coordinator.toml\n\nIt stops in order on SIGTERM and SIGINT.\n\nExit \
                      codes: 0 it was stopped, 1 error."
    )]
    Serve {
        /// The configuration file; `coordinator init` writes one.
        #[arg(long, value_name = "FILE", default_value = "coordinator.toml")]
        config: PathBuf,
    },
    /// Looks step by step at how the participant is reached, and says what is wrong and what to do.
    #[command(
        after_help = "Example:\n  coordinator check --config coordinator.toml\n\nExit codes: 0 all is right, 1 something is wrong, 2 \
                            it cannot be known yet. It changes nothing, and needs no coordinator that runs."
    )]
    Check {
        /// The configuration file.
        #[arg(long, value_name = "FILE", default_value = "coordinator.toml")]
        config: PathBuf,
    },
    /// Makes an invitation for an owner: one string that its agent enrolls with, once.
    #[command(
        after_help = "Example:\n  coordinator invite alice\n  signer-agent enroll countersign-enroll1/...\n\nHand the \
                            string to the owner by a path that nobody else reads: whoever has it first can enroll with it.\n\nExit codes: 0 done, \
                            1 error, 2 not yet: the coordinator is starting or stopping."
    )]
    Invite(invite::Invite),
    /// Writes a configuration file with comments.
    #[command(
        after_help = "Example:\n  coordinator init --file /etc/countersign/coordinator.toml\n\nExit codes: 0 done, 1 error."
    )]
    Init {
        /// Where to.
        #[arg(long, value_name = "FILE", default_value = "coordinator.toml")]
        file: PathBuf,
    },
}

/// How a command ended well.
enum End {
    Done,
    /// It cannot be done now; why.
    NotYet(String),
    /// What it found is not well, and it has said so.
    NotWell,
    /// What it looked for cannot be known yet, and it has said so.
    NotKnown,
}

/// Runs a command and says how it ended.
pub fn main(environment: Environment) -> ExitCode {
    let arguments = match Arguments::try_parse_from(&environment.arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let is_answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            if !is_answer && environment.arguments.iter().any(|word| word == "--json") {
                complain(true, "error", error.to_string().trim_end());
            } else {
                // Standard output may be closed; there is nobody to tell.
                let _ = error.print();
            }
            return if is_answer { ExitCode::SUCCESS } else { ExitCode::from(1) };
        }
    };
    let json = arguments.json;
    let ended = match arguments.command {
        Command::Serve { config } => serve::serve(&config, &environment, json),
        Command::Check { config } => check::run(&config, json),
        Command::Invite(invite) => invite.run(json),
        Command::Init { file } => init::init(&file, json),
    };
    match ended {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::NotWell) => ExitCode::from(1),
        Ok(End::NotKnown) => ExitCode::from(2),
        Ok(End::NotYet(reason)) => {
            complain(json, "not-yet", &reason);
            ExitCode::from(2)
        }
        Err(error) => {
            complain(json, "error", &format!("{error:#}"));
            ExitCode::from(1)
        }
    }
}

fn complain(json: bool, what: &str, reason: &str) {
    if json {
        print::line(&serde_json::json!({ "event": what, "reason": reason }).to_string());
    } else {
        eprintln!("coordinator: {reason}");
    }
}

type Outcome = Result<End, Error>;

//! The command line: `init`, `enroll`, `check`, `card`, `book`, `run`, and the commands that reach the running agent.
//!
//! Every command takes `--json` and ends with 0 (done), 1 (error) or 2 (not yet).

mod arguments;
mod audit;
mod book;
mod carried;
mod check;
mod explain;
mod inspect;
mod keys;
mod mail;
mod print;
mod propose;
mod prove;
mod secrets;
mod setup;
mod show;
mod talk;
mod transcript;
mod workflow;

use std::{ffi::OsString, process::ExitCode};

use canton_client::error::NodeError;
use canton_topology::show::escaped;
use clap::{CommandFactory as _, FromArgMatches as _};
use custody::keys::backends::Kinds;

use self::{
    arguments::{Arguments, Command, Keys},
    print::Form,
};
use crate::{control::ControlError, explained::Explained, folder::Folder};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// 0
    Done,
    /// 2
    NotYet,
    /// 1: what it found is not well, and it has said so.
    NotWell,
}

/// What the running agent answered that it does not do.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct Failed {
    /// The stable name of what is wrong.
    pub name: String,
    /// What is wrong, and how to fix it.
    pub reason: String,
    /// What it means.
    pub explained: Option<Explained>,
}

/// What the help of a command says at its end, unless it says it more closely.
const EXIT_CODES: &str = "Exit codes: 0 done, 1 error, 2 not yet (nothing is lost; look again in a moment).";

/// The whole command line, for those who look at it.
pub fn definition() -> clap::Command {
    with_exit_codes(Arguments::command())
}

fn with_exit_codes(command: clap::Command) -> clap::Command {
    let names: Vec<String> = command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    let told = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let command = match told.contains("Exit codes:") {
        true => command,
        false => command.after_help(format!("{told}\n\n{EXIT_CODES}")),
    };
    names.iter().fold(command, |command, name| command.mut_subcommand(name, with_exit_codes))
}

fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    let matches = definition().try_get_matches_from(arguments)?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut definition()))
}

/// Runs one command, with the kinds of key backends that this program has.
pub fn run(arguments: impl IntoIterator<Item = OsString>, kinds: &Kinds) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let wants_json = arguments.iter().any(|word| word == "--json");
    let arguments = match read(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            if wants_json && error.use_stderr() {
                let told = serde_json::json!({ "name": "CommandLine", "error": error.to_string().trim_end() });
                print::line(&told.to_string());
            } else {
                let _ = error.print();
            }
            // clap's own code for a wrong command line is 2, which means "not yet" here.
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("signer-agent: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let json = arguments.json;
    match runtime.block_on(command(arguments, kinds)) {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::NotYet) => ExitCode::from(2),
        Ok(End::NotWell) => ExitCode::FAILURE,
        Err(error) => {
            if json {
                print::line(&complaint(&error).to_string());
            } else {
                eprintln!("signer-agent: {error:#}{}", meaning(explained(&error).as_ref()));
            }
            ExitCode::FAILURE
        }
    }
}

/// An error as the one object that `--json` prints.
fn complaint(error: &anyhow::Error) -> serde_json::Value {
    let mut value = match (error.downcast_ref::<Failed>(), error.downcast_ref::<ControlError>(), of_node(error)) {
        (Some(Failed { name, reason, .. }), ..) => serde_json::json!({ "name": name, "error": reason }),
        (None, Some(control), _) => serde_json::json!({ "name": control.name(), "error": control.to_string() }),
        (None, None, Some(node)) => serde_json::json!({ "name": node.name(), "error": format!("{error:#}") }),
        (None, None, None) => serde_json::json!({ "name": "Error", "error": format!("{error:#}") }),
    };
    explained(error).into_iter().for_each(|explained| explained.write(&mut value));
    value
}

fn of_node(error: &anyhow::Error) -> Option<&NodeError> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

/// What an error means, where it comes from a node.
fn explained(error: &anyhow::Error) -> Option<Explained> {
    match error.downcast_ref::<Failed>() {
        Some(failed) => failed.explained.clone(),
        None => of_node(error).and_then(NodeError::explanation).map(Explained::from),
    }
}

/// The same as lines below it.
fn meaning(explained: Option<&Explained>) -> String {
    let lines = |told: &Explained| format!("\n  cause: {}\n  what to do: {}", escaped(&told.cause), escaped(&told.fix));
    explained.map(lines).unwrap_or_default()
}

async fn command(arguments: Arguments, kinds: &Kinds) -> anyhow::Result<End> {
    let Arguments { data, json, print, command } = arguments;
    let form = match print {
        Some(field) => Form::Field(field),
        None if json => Form::Json,
        None => Form::Words,
    };
    let form = &form;
    if let Command::Inspect(inspect) = &command {
        return inspect::run(inspect, form);
    }
    if let Command::Explain(explain) = &command {
        return explain::run(explain, form);
    }
    if let Command::Audit(audit) = &command {
        return audit::run(audit, form);
    }
    if let Command::Keys(Keys::Transcript(transcript)) = &command
        && let Some(file) = &transcript.verify
    {
        return transcript::verify(file, form);
    }
    // Only `init` makes a folder: a misspelt one is a mistake.
    let folder = if let Command::Init(_) = command { Folder::open(&data)? } else { Folder::existing(&data)? };
    match command {
        Command::Init(init) => {
            let made = setup::init(&folder, kinds, &init, form).await;
            if made.is_err() {
                // Nothing of a mistake is left: this takes a folder away only where it is empty.
                let _ = std::fs::remove_dir(&data);
            }
            made
        }
        Command::Enroll(enroll) => setup::enroll(&folder, kinds, &enroll, form).await,
        Command::Check => check::run(&folder, form).await,
        Command::Card => book::card(&folder, form),
        Command::Book(command) => book::run(&folder, &command, form).await,
        Command::Run(run) => setup::run(folder, kinds, &run).await,
        Command::Keys(Keys::Drill(drill)) => keys::drill(&folder, drill, form).await,
        Command::Keys(Keys::Prove(prove)) => prove::run(&folder, kinds, &prove, form).await,
        // Backends may wait for the network: they do it on a thread where that is allowed.
        Command::Keys(command) => tokio::task::block_in_place(|| keys::run(&folder, kinds, &command, form)),
        Command::Inspect(_) | Command::Audit(_) | Command::Explain(_) => Ok(End::Done),
        Command::Hash(hash) => carried::hash(&folder, &hash, form).await,
        Command::Contribute(contribute) => carried::contribute(&folder, &contribute, form).await,
        Command::Workflow(command) => workflow::run(&folder, &command, form).await,
        Command::Status
        | Command::List
        | Command::Show(_)
        | Command::Propose(_)
        | Command::Approve(_)
        | Command::Decline(_)
        | Command::Withdraw(_)
        | Command::Foreign(_)
        | Command::Wake(_)
        | Command::Rebase(_)
        | Command::Submit(_)
        | Command::HandOver(_)
        | Command::Void(_) => talk::run(&folder, &command, form).await,
    }
}

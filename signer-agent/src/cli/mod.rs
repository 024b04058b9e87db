//! The command line: `init`, `enroll`, `card`, `book`, `run`, and the commands that reach the running agent.
//!
//! Every command takes `--json` and ends with 0 (done), 1 (error) or 2 (not yet).

mod arguments;
mod audit;
mod book;
mod inspect;
mod print;
mod propose;
mod setup;
mod talk;
mod workflow;

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory as _, Parser as _};

use self::{
    arguments::{Arguments, Command},
    print::Form,
};
use crate::{control::ControlError, folder::Folder};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// 0
    Done,
    /// 2
    NotYet,
}

/// What the running agent answered that it does not do.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct Failed {
    /// The stable name of what is wrong.
    pub name: String,
    /// What is wrong, and how to fix it.
    pub reason: String,
}

/// The whole command line, for those who look at it.
pub fn definition() -> clap::Command {
    Arguments::command()
}

/// Runs one command.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
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
    match runtime.block_on(command(arguments)) {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::NotYet) => ExitCode::from(2),
        Err(error) => {
            if json {
                print::line(&complaint(&error).to_string());
            } else {
                eprintln!("signer-agent: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

/// An error as the one object that `--json` prints.
fn complaint(error: &anyhow::Error) -> serde_json::Value {
    match (error.downcast_ref::<Failed>(), error.downcast_ref::<ControlError>()) {
        (Some(Failed { name, reason }), _) => serde_json::json!({ "name": name, "error": reason }),
        (None, Some(control)) => serde_json::json!({ "name": control.name(), "error": control.to_string() }),
        (None, None) => serde_json::json!({ "name": "Error", "error": format!("{error:#}") }),
    }
}

async fn command(arguments: Arguments) -> anyhow::Result<End> {
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
    if let Command::Audit(audit) = &command {
        return audit::run(audit, form);
    }
    let folder = Folder::open(&data)?;
    match command {
        Command::Init(init) => setup::init(&folder, &init, form).await,
        Command::Enroll(enroll) => setup::enroll(&folder, &enroll, form).await,
        Command::Card => book::card(&folder, form),
        Command::Book(command) => book::run(&folder, &command, form),
        Command::Run(run) => setup::run(folder, &run).await,
        Command::Inspect(_) | Command::Audit(_) => Ok(End::Done),
        Command::Workflow(command) => workflow::run(&folder, &command, form).await,
        Command::Status
        | Command::List
        | Command::Show(_)
        | Command::Propose(_)
        | Command::Approve(_)
        | Command::Decline(_)
        | Command::Withdraw(_)
        | Command::Void(_) => talk::run(&folder, &command, form).await,
    }
}

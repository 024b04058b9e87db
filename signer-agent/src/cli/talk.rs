//! The commands that reach the running agent by its socket.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::bail;
use canton_topology::mapping::Permission;
use serde_json::Value;

use super::{
    End,
    arguments::{Approve, Command, CreateParty, Foreign, Propose, Why},
    inspect,
    print::{self, Form},
};
use crate::{
    control::{self, Answer, Request, Wanted},
    folder::Folder,
};

pub async fn run(folder: &Folder, command: &Command, form: &Form) -> anyhow::Result<End> {
    let request = match command {
        Command::Status => Request::Status,
        Command::List => Request::List,
        Command::Show(case) => Request::Show { case: case.case.clone() },
        Command::Propose(propose) => self::propose(propose)?,
        Command::Approve(approve) => match self::approve(folder, approve, form).await? {
            Some(request) => request,
            None => return Ok(End::NotYet),
        },
        Command::Decline(it) => Request::Decline { case: it.case.case.clone(), reason: it.reason.clone() },
        Command::Withdraw(it) => Request::Withdraw { case: it.case.case.clone(), reason: it.reason.clone() },
        Command::Void(it) => {
            Request::Void { case: it.case.case.clone(), reason: it.reason.clone(), deadline_s: 24 * 3600 }
        }
        Command::Foreign(Foreign::List) => Request::Foreign,
        Command::Foreign(Foreign::Show { transaction }) => Request::ForeignShow { transaction: *transaction },
        Command::Foreign(Foreign::Adopt { transaction, why }) => Request::Adopt {
            transaction: *transaction,
            reason: why.reason.clone(),
            deadline_s: why.hours.saturating_mul(3600),
            accepts: why.accept.clone(),
        },
        Command::Rebase(it) => Request::Rebase {
            case: it.case.case.clone(),
            reason: it.reason.clone(),
            deadline_s: it.hours.saturating_mul(3600),
            accepts: it.accept.clone(),
        },
        Command::Submit(case) => Request::Submit { case: case.case.clone() },
        Command::HandOver(it) => Request::HandOver { case: it.case.clone() },
        Command::Init(_)
        | Command::Enroll(_)
        | Command::Card
        | Command::Book(_)
        | Command::Run(_)
        | Command::Inspect(_)
        | Command::Audit(_) => bail!("this command does not need the running agent"),
    };
    let answer = control::ask(&folder.socket(), &request).await?;
    let is_show = matches!(command, Command::Show(_) | Command::Foreign(Foreign::Show { .. }));
    finish(answer, is_show, form)
}

fn finish(answer: Answer, is_show: bool, form: &Form) -> anyhow::Result<End> {
    match answer {
        Answer::Done { value } => {
            if is_show && *form == Form::Words {
                print::differences(&value);
            }
            print::value("done", &value, form)?;
            Ok(End::Done)
        }
        Answer::NotYet { reason } => {
            if *form == Form::Json {
                print::line(&serde_json::json!({ "not-yet": reason }).to_string());
            } else {
                eprintln!("{reason}");
            }
            Ok(End::NotYet)
        }
        Answer::Failed { name, reason } if *form == Form::Json => {
            print::line(&serde_json::json!({ "name": name, "error": reason }).to_string());
            bail!("{reason}")
        }
        Answer::Failed { name, reason } => bail!("{name}: {reason}"),
    }
}

/// The request, where the owner named the offer or says yes to what is shown.
async fn approve(folder: &Folder, approve: &Approve, form: &Form) -> anyhow::Result<Option<Request>> {
    let case = approve.case.case.clone();
    let request = |offer| Request::Approve { case: case.clone(), offer, release: approve.release };
    if let Some(offer) = &approve.offer {
        return Ok(Some(request(offer.clone())));
    }
    if *form != Form::Words || !std::io::stdin().is_terminal() {
        bail!("--offer is missing: without a terminal the offer that was looked at must be named; `show` prints it");
    }
    let shown = control::ask(&folder.socket(), &Request::Show { case: case.clone() }).await?;
    let Answer::Done { value } = shown else { return finish(shown, true, form).map(|_| None) };
    print::differences(&value);
    if let Some(reason) = value["verdict"]["reason"].as_str() {
        bail!("{reason}");
    }
    let Some(offer) = value["offer"].as_str() else { return Ok(None) };
    print!("Sign this? Type yes: ");
    std::io::stdout().flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    if line.trim() == "yes" {
        return Ok(Some(request(offer.to_owned())));
    }
    print::line("nothing was signed");
    Ok(None)
}

fn propose(propose: &Propose) -> anyhow::Result<Request> {
    let (change, why): (Wanted, &Why) = match propose {
        Propose::CreateParty(create) => (create_party(create)?, &create.why),
        Propose::AddOwner { party, owner, threshold, why } => {
            (Wanted::AddOwner { of: party.clone(), owner: owner.clone(), threshold: *threshold }, why)
        }
        Propose::ChangeThresholds { party, owners, confirmations, keys, why } => {
            let of = party.clone();
            (Wanted::ChangeThresholds { of, owners: *owners, confirmations: *confirmations, keys: *keys }, why)
        }
        Propose::Raw { files, why } => {
            let read = |path| inspect::input::read_any(path).map(hex::encode);
            (Wanted::Raw { transactions: files.iter().map(read).collect::<anyhow::Result<_>>()? }, why)
        }
    };
    let deadline_s = why.hours.saturating_mul(3600);
    Ok(Request::Propose { change, reason: why.reason.clone(), deadline_s, accepts: why.accept.clone() })
}

fn create_party(create: &CreateParty) -> anyhow::Result<Wanted> {
    let host = |text: &String| -> anyhow::Result<(String, Permission)> {
        let (name, permission) = text.split_once('=').unwrap_or((text, "confirmation"));
        let permission = serde_json::from_value(Value::from(permission)).map_err(|_| {
            anyhow::anyhow!(
                "--host {text}: {permission:?} is not a permission; use submission, confirmation or observation"
            )
        })?;
        Ok((name.to_owned(), permission))
    };
    Ok(Wanted::CreateParty {
        hint: create.hint.clone(),
        owners: create.owners.clone(),
        threshold: create.threshold,
        hosts: create.hosts.iter().map(host).collect::<anyhow::Result<_>>()?,
        confirmations: create.confirmations,
        keys: create.keys.clone(),
        key_threshold: create.key_threshold,
    })
}

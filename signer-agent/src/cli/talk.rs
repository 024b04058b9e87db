//! The commands that reach the running agent by its socket.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::bail;

use super::{
    End, Failed,
    arguments::{Approve, Command, Foreign},
    meaning,
    print::{self, Form},
    propose, show,
};
use crate::{
    control::{self, Answer, Request},
    folder::Folder,
};

pub async fn run(folder: &Folder, command: &Command, form: &Form) -> anyhow::Result<End> {
    let request = match command {
        Command::Status => Request::Status,
        Command::List => Request::List,
        Command::Show(case) => Request::Show { case: case.case.clone() },
        Command::Propose(wanted) => propose::request(wanted)?,
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
        Command::Wake(it) => Request::Wake { case: it.case.clone() },
        Command::Submit(case) => Request::Submit { case: case.case.clone() },
        Command::HandOver(it) => Request::HandOver { case: it.case.clone() },
        Command::Init(_)
        | Command::Enroll(_)
        | Command::Check
        | Command::Card
        | Command::Book(_)
        | Command::Run(_)
        | Command::Keys(_)
        | Command::Workflow(_)
        | Command::Hash(_)
        | Command::Contribute(_)
        | Command::Explain(_)
        | Command::Inspect(_)
        | Command::Audit(_) => bail!("this command does not need the running agent"),
    };
    let answer = control::ask(&folder.socket(), &request).await?;
    match (&answer, command, form) {
        (Answer::Done { value }, Command::Foreign(Foreign::Show { .. }), Form::Words) => {
            show::foreign(value);
            Ok(End::Done)
        }
        (Answer::Done { value }, Command::List, Form::Words) => {
            show::all(value);
            Ok(End::Done)
        }
        _ => finish(answer, matches!(command, Command::Show(_)), form),
    }
}

pub fn finish(answer: Answer, is_show: bool, form: &Form) -> anyhow::Result<End> {
    match answer {
        Answer::Done { value } => {
            if is_show && *form == Form::Words {
                show::case(&value);
            } else {
                print::value("done", &value, form)?;
            }
            Ok(End::Done)
        }
        Answer::NotYet { reason, explained } => {
            if *form == Form::Json {
                let mut value = serde_json::json!({ "not-yet": reason });
                explained.into_iter().for_each(|explained| explained.write(&mut value));
                print::line(&value.to_string());
            } else {
                eprintln!("{reason}{}", meaning(explained.as_ref()));
            }
            Ok(End::NotYet)
        }
        Answer::Waits { mut value, reason } => {
            if *form == Form::Json {
                value["not-yet"] = reason.into();
                print::value("", &value, form)?;
            } else {
                print::value("not yet", &value, form)?;
                eprintln!("{reason}");
            }
            Ok(End::NotYet)
        }
        Answer::Failed { name, reason, explained } => Err(Failed { name, reason, explained }.into()),
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
    match value["verdict"]["reason"].as_str() {
        // What comes first may be there by the time of the answer: the agent looks again.
        Some(reason) if value["verdict"]["name"] == "NotYet" => print::line(reason),
        Some(reason) => bail!("{reason}"),
        None => {}
    }
    if value["verdict"].is_null() {
        bail!("the case is {}: there is nothing to sign any more", value["status"].as_str().unwrap_or_default());
    }
    let Some(offer) = value["offer"].as_str() else { return Ok(None) };
    eprint!("Sign this? Type yes: ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    if line.trim() == "yes" {
        return Ok(Some(request(offer.to_owned())));
    }
    print::line("nothing was signed");
    Ok(None)
}

//! `check`: whether the owner's participant can be reached as the agent needs it.

use std::time::SystemTime;

use canton_client::{
    access::Access,
    check::{Api, Line, Subject, Use, Verdict, check, least_rights, worst},
    participant::Options,
};
use serde_json::json;

use super::{
    End,
    print::{self, Form},
};
use crate::{
    backends,
    folder::{Config, Folder},
    process,
};

/// What the node's operator has to put there.
const USER: &str = "<the user in the tokens' sub>";

pub async fn run(folder: &Folder, form: &Form) -> anyhow::Result<End> {
    let config = folder.config()?;
    let uses = uses(&config);
    let mut lines = look(&config, &config.participant, &config.participant_access, Api::Admin, &uses).await;
    let mut rights = vec![least_rights(USER, &uses, Api::Admin)];
    if let Some(ledger) = &config.ledger {
        lines.extend(look(&config, ledger, &config.ledger_access, Api::Ledger, &uses).await);
        rights.push(least_rights(USER, &uses, Api::Ledger));
    }
    let verdict = worst(&lines);
    match form {
        Form::Words => words(&lines, &rights),
        Form::Json | Form::Field(_) => {
            let value = json!({ "verdict": verdict, "lines": lines, "least-rights": rights });
            print::value("check", &value, form)?;
        }
    }
    Ok(match verdict {
        Verdict::Right => End::Done,
        Verdict::Unknown => End::NotYet,
        Verdict::Wrong => End::NotWell,
    })
}

/// What the owner's participant is used for, as it is configured.
fn uses(config: &Config) -> Vec<Use> {
    let in_vault = config
        .backends
        .values()
        .any(|section| section.get("kind").and_then(|kind| kind.as_str()) == Some(backends::participant::KIND));
    let ledger = config.ledger.is_some().then_some(Use::Replication);
    [Use::Topology].into_iter().chain(ledger).chain(in_vault.then_some(Use::Vault)).collect()
}

async fn look(config: &Config, address: &str, access: &Access, api: Api, uses: &[Use]) -> Vec<Line> {
    let options =
        Options { address: address.to_owned(), timeout: process::PARTICIPANT_TIMEOUT, access: access.clone() };
    let synchronizer = &config.synchronizer;
    check(&Subject { options: &options, api, uses, synchronizer, now: SystemTime::now() }).await
}

fn words(lines: &[Line], rights: &[String]) {
    for line in lines {
        print::line(&line.to_string());
    }
    print::line("\nThe least that the participant must allow, where it asks for tokens:");
    for right in rights {
        print::line(right);
    }
}

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
    folder::{Config, Folder},
    process,
};

/// What the node's operator has to put there.
const USER: &str = "<the user in the tokens' sub>";

pub async fn run(folder: &Folder, form: &Form) -> anyhow::Result<End> {
    let config = folder.config()?;
    let uses: &[Use] = if config.ledger.is_some() { &[Use::Topology, Use::Replication] } else { &[Use::Topology] };
    let mut lines = look(&config, &config.participant, &config.participant_access, Api::Admin, uses).await;
    let mut rights = vec![least_rights(USER, uses, Api::Admin)];
    if let Some(ledger) = &config.ledger {
        lines.extend(look(&config, ledger, &config.ledger_access, Api::Ledger, uses).await);
        rights.push(least_rights(USER, uses, Api::Ledger));
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

//! `coordinator check`: whether the participant can be reached, and whether it has a power that a coordinator should not
//! have.

use std::{path::Path, time::SystemTime};

use anyhow::Context as _;
use canton_client::{
    check::{Api, Line, Subject, Use, Verdict, check, least_rights, worst},
    participant::Options,
};
use serde_json::json;

use super::{End, Outcome};
use crate::{
    config::{Config, ParticipantConfig},
    power::{self, NotLooked},
    tls,
};

/// What the node's operator has to put there.
const USER: &str = "<the user in the tokens' sub>";

pub fn run(path: &Path, json: bool) -> Outcome {
    let config = Config::read(path)?;
    tls::install_crypto();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no async runtime")?;
    let Some(participant) = &config.participant else {
        let found = "none is configured: it carries statements and signatures, and the owners' agents offer and submit";
        return Ok(tell(&[Line::right("participant", found)], &[], json));
    };
    let lines = runtime.block_on(look(participant));
    Ok(tell(&lines, &[least_rights(USER, &[Use::Topology], Api::Admin)], json))
}

async fn look(config: &ParticipantConfig) -> Vec<Line> {
    let options = config.options();
    let subject = Subject {
        options: &options,
        api: Api::Admin,
        uses: &[Use::Topology],
        synchronizer: &config.synchronizer,
        now: SystemTime::now(),
    };
    let mut lines = check(&subject).await;
    if worst(&lines) == Verdict::Right {
        lines.push(power(&options, config).await);
    }
    lines
}

/// A coordinator has no power. Its participant has some where it hosts a party or holds a key of an owner.
async fn power(options: &Options, config: &ParticipantConfig) -> Line {
    let tried = "what power the participant has";
    let power = match power::look(options, &config.synchronizer).await {
        Ok(power) => power,
        Err(NotLooked::Node(refused)) => return Line::unknown_of(tried, &refused),
        Err(NotLooked::Access(error)) => return Line::unknown(tried, error.to_string(), "mend the configuration"),
    };
    let participant = power.participant;
    if power.found.is_empty() {
        let keys = if power.lists_keys {
            "holds no key of an owner"
        } else {
            "whether it holds a key of an owner it does not tell to this user, who need not know; its operator looks with \
             `keys.secret.list` in its console"
        };
        let found = format!("{participant} hosts no party and owns no decentralized namespace; {keys}");
        return Line::right(tried, found);
    }
    let found = format!("{participant} {}", power.found.join("; "));
    let advice = "give the coordinator a participant of its own, or none: whoever runs a coordinator on an owner's node can be \
                  thought to sign with it, and one machine lost is then both";
    Line::wrong(tried, found, advice)
}

fn tell(lines: &[Line], rights: &[String], json: bool) -> End {
    let verdict = worst(lines);
    if json {
        println!("{}", json!({ "event": "check", "verdict": verdict, "lines": lines, "least-rights": rights }));
    } else {
        for line in lines {
            println!("{line}");
        }
        for right in rights {
            println!("\nThe least that the participant must allow, where it asks for tokens:\n{right}");
        }
    }
    match verdict {
        Verdict::Right => End::Done,
        Verdict::Unknown => End::NotKnown,
        Verdict::Wrong => End::NotWell,
    }
}

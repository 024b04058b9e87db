//! `coordinator check`: whether the participant can be reached, and whether it has a power that a coordinator should not
//! have.

use std::{path::Path, time::SystemTime};

use anyhow::Context as _;
use canton_client::{
    check::{Api, Line, Subject, Use, Verdict, check, least_rights, worst},
    error::NodeError,
    participant::{Options, Participant},
};
use canton_topology::{
    id::ParticipantId,
    mapping::Mapping,
    snapshot::Item,
    transaction::{Operation, Transaction},
};
use serde_json::json;

use super::{End, Outcome};
use crate::{
    config::{Config, ParticipantConfig},
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
    let options = Options { address: config.address.clone(), timeout: config.timeout, access: config.access.clone() };
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
    let read = async {
        let participant = Participant::new(options)?;
        anyhow::Ok((participant.id().await?, participant.topology(&config.synchronizer).await?))
    };
    let (participant, rows) = match read.await {
        Ok(read) => read,
        Err(error) => {
            return match error.downcast_ref::<NodeError>() {
                Some(refused) => Line::unknown_of(tried, refused),
                None => Line::unknown(tried, format!("{error:#}"), "mend the configuration"),
            };
        }
    };
    let powers = powers(&participant, &rows);
    if powers.is_empty() {
        return Line::right(tried, format!("{participant} hosts no party and owns no decentralized namespace"));
    }
    let found = format!("{participant} {}", powers.join("; "));
    let advice = "give the coordinator a participant of its own, or none: whoever runs a coordinator on an owner's node can be \
                  thought to sign with it, and one machine lost is then both";
    Line::wrong(tried, found, advice)
}

/// What active rows say that a participant may do for others.
fn powers(participant: &ParticipantId, rows: &[Item]) -> Vec<String> {
    let is_active =
        |row: &&Item| row.valid_until.is_none() && row.transaction.transaction.operation() == Operation::AddReplace;
    let active = rows.iter().filter(is_active).map(|row| &row.transaction.transaction);
    active.filter_map(|transaction| power_by(participant, transaction)).collect()
}

fn power_by(participant: &ParticipantId, transaction: &Transaction) -> Option<String> {
    match transaction.mapping() {
        Mapping::PartyToParticipant(hosting) => {
            let is_host = hosting.participants.iter().any(|host| host.participant == *participant);
            // Every participant has a party of its own.
            let is_own = hosting.party.uid() == participant.uid();
            (is_host && !is_own).then(|| format!("hosts the party {}", hosting.party))
        }
        Mapping::DecentralizedNamespaceDefinition(definition) => {
            let is_owner = definition.owners.contains(participant.namespace());
            is_owner.then(|| format!("is an owner of the decentralized namespace {}", definition.namespace))
        }
        _ => None,
    }
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

//! From names of the book to the keys and hosts that stand in an intent.

use canton_topology::{
    Timestamp,
    id::{Namespace, ParticipantId, PartyId},
    key::SigningPublicKey,
};
use custody::keys::encrypted_file::{KeyFileError, random_bytes};
use protocol::{
    book::Card,
    hosting::record::hosts_of,
    intent::{AddOwner, CaseId, Change, ChangeThresholds, CreateParty, Host, HostParty, HostingPath, Raw, Seat},
};

use crate::{
    agent::Agent,
    control::{self, Wanted, Way},
    folder::Folder,
};

/// A fresh UUIDv7.
///
/// # Errors
/// Where the operating system gives no random numbers.
pub fn new_case_id(now: Timestamp) -> Result<CaseId, KeyFileError> {
    let millis = u64::try_from(now.micros() / 1_000).unwrap_or(0);
    let mut bytes = [0; 10];
    random_bytes(&mut bytes)?;
    Ok(CaseId::from_bytes(uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid().into_bytes()))
}

/// The change that an owner wants.
///
/// # Errors
/// Names what is not in the book, or does not read.
pub fn resolve(wanted: &Wanted, agent: &Agent, folder: &Folder) -> Result<Change, String> {
    let own = folder.card().map_err(|error| error.to_string())?;
    let card = |name: &String| card_of(name, agent, &own);
    Ok(match wanted {
        Wanted::CreateParty { hint, owners, threshold, hosts, confirmations, keys, key_threshold } => {
            let hosts = hosts.iter().map(|(name, permission)| {
                let own_host = agent.me().host.as_ref().map(|(id, _)| id.clone());
                let participant = if name == "me" { own_host } else { card(name)?.host };
                let participant = participant.ok_or_else(|| format!("--host {name}: its card names no participant"))?;
                Ok(Host { participant, permission: *permission })
            });
            let keys = keys
                .iter()
                .map(|name| card(name)?.party_key.ok_or_else(|| format!("--key {name}: its card has no party key")));
            Change::CreateParty(CreateParty {
                hint: hint.clone(),
                owners: owners.iter().map(|name| Ok(card(name)?.namespace_key)).collect::<Result<_, String>>()?,
                namespace_threshold: *threshold,
                hosts: hosts.collect::<Result<_, String>>()?,
                confirmation_threshold: *confirmations,
                signing_keys: keys.collect::<Result<Vec<SigningPublicKey>, String>>()?,
                signing_threshold: *key_threshold,
            })
        }
        Wanted::AddOwner { of, owner, threshold } => Change::AddOwner(AddOwner {
            namespace: namespace(of)?,
            owner: card(owner)?.namespace_key,
            threshold: *threshold,
        }),
        Wanted::ChangeThresholds { of, owners, confirmations, keys } => {
            let party = || of.parse::<PartyId>().map_err(|error| format!("--party: {error}"));
            Change::ChangeThresholds(ChangeThresholds {
                namespace: owners.map(|value| Ok::<_, String>((namespace(of)?, value))).transpose()?,
                confirmation: confirmations.map(|value| Ok::<_, String>((party()?, value))).transpose()?,
                signing: keys.map(|value| Ok::<_, String>((party()?, value))).transpose()?,
            })
        }
        Wanted::Host(host) => Change::HostParty(host_party(host, agent, &own)?),
        Wanted::Raw { transactions } => {
            let read = |(index, text): (usize, &String)| {
                hex::decode(text).map_err(|error| format!("transaction {index}: not hex: {error}"))
            };
            Change::Raw(Raw { transactions: transactions.iter().enumerate().map(read).collect::<Result<_, _>>()? })
        }
    })
}

fn host_party(wanted: &control::Host, agent: &Agent, own: &Card) -> Result<HostParty, String> {
    let party: PartyId = wanted.party.parse().map_err(|error| format!("PARTY: {error}"))?;
    let state = agent.state().ok_or("this agent's participant has shown no topology yet; try again later")?;
    let hosts: Vec<ParticipantId> = hosts_of(state, &party);
    if hosts.is_empty() {
        return Err(format!("PARTY: {party} has no host on this synchronizer"));
    }
    let seat = |flag: &str, name: &String| {
        let card = card_of(name, agent, own)?;
        let participant = card.host.clone().ok_or_else(|| format!("{flag} {name}: its card names no participant"))?;
        Ok::<_, String>(Seat { owner: card.owner(), participant })
    };
    let cards = || std::iter::once(own).chain(agent.book().entries().iter().map(|entry| &entry.card));
    let hosting = |but: Option<&ParticipantId>| {
        let mut found = cards().filter_map(|card| Some(Seat { owner: card.owner(), participant: card.host.clone()? }));
        found.find(|seat| hosts.contains(&seat.participant) && Some(&seat.participant) != but)
    };
    let source = match &wanted.from {
        Some(name) => seat("--from", name)?,
        None => hosting(None).ok_or("no host of the party is in the book; enter one's card, or name it with --from")?,
    };
    let path = match wanted.way.ok_or("name the way with --simple or --replicate")? {
        Way::Simple => HostingPath::Simple { packages: wanted.packages.clone() },
        Way::Replicate => HostingPath::Replicated {
            second: match &wanted.second {
                Some(name) => Some(seat("--second", name)?),
                None => hosting(Some(&source.participant)),
            },
            ahead: wanted
                .ahead
                .iter()
                .map(|name| Ok(card_of(name, agent, own)?.owner()))
                .collect::<Result<_, String>>()?,
        },
    };
    Ok(HostParty {
        party,
        source,
        target: seat("--on", &wanted.on)?,
        permission: wanted.permission,
        confirmation_threshold: wanted.confirmations,
        path,
    })
}

fn card_of(name: &str, agent: &Agent, own: &Card) -> Result<Card, String> {
    if name == "me" || name == own.name {
        return Ok(own.clone());
    }
    let entry = agent.book().by_name(name);
    entry
        .map(|entry| entry.card.clone())
        .ok_or_else(|| format!("{name} is not in the book; add its card with `book add`"))
}

/// The namespace of a party, or the namespace itself.
fn namespace(text: &str) -> Result<Namespace, String> {
    match text.parse::<PartyId>() {
        Ok(party) => Ok(party.namespace().clone()),
        Err(_) => text.parse().map_err(|error| format!("--party: {error}")),
    }
}

//! One more host of a party: whose nodes take part, from names of the book and from topology.

use canton_topology::{id::ParticipantId, state::State};
use protocol::{
    book::Card,
    hosts::hosts_of,
    intent::{Host as NewHost, HostParty, HostingPath, Seat},
    workflow::error::PlanError,
};

use super::{Names, party};
use crate::{
    agent::Agent,
    control::{Host, Way},
};

/// The intent.
///
/// # Errors
/// Names what is not in the book, or does not read.
pub(super) fn resolve(wanted: &Host, names: &Names<'_>) -> Result<HostParty, String> {
    let party = party(&wanted.party)?;
    let state = names.agent.state().ok_or("this agent's participant has shown no topology yet; try again later")?;
    let hosts = hosts_of(state, &party);
    if hosts.is_empty() {
        return Err(format!("{party} has no host on this synchronizer"));
    }
    let source = match &wanted.from {
        Some(name) => seat("--from", name, names)?,
        None => hosting(&hosts, None, names)
            .ok_or("no host of the party is in the book; enter one's card, or name it with --from")?,
    };
    let way = wanted.way.ok_or("name the way with --simple or --replicate")?;
    must_be_of(way, wanted)?;
    let path = match way {
        Way::Simple => HostingPath::Simple { packages: wanted.packages.clone() },
        Way::Replicate => HostingPath::Replicated {
            second: match &wanted.second {
                Some(name) => Some(seat("--second", name, names)?),
                None => hosting(&hosts, Some(&source.participant), names),
            },
            ahead: wanted.ahead.iter().map(|name| names.owner(name)).collect::<Result<_, String>>()?,
        },
    };
    Ok(HostParty {
        party,
        source,
        target: seat("--on", &wanted.on, names)?,
        permission: wanted.permission,
        confirmation_threshold: wanted.confirmations,
        path,
    })
}

/// What belongs to the other way is not dropped in silence.
fn must_be_of(way: Way, wanted: &Host) -> Result<(), String> {
    let other = match way {
        Way::Simple if wanted.second.is_some() => "--second: nothing is carried over, so nobody counts it",
        Way::Simple if !wanted.ahead.is_empty() => "--ahead: nobody is disconnected, so everybody may sign at once",
        Way::Replicate if !wanted.packages.is_empty() => {
            "--package: contracts are carried over, and they say themselves which packages they need"
        }
        Way::Simple | Way::Replicate => return Ok(()),
    };
    Err(format!("{other}; leave it out"))
}

/// Who takes part where a host of a change set takes a party's contracts over: its own owner, and hosts that are known.
pub struct Seating<'a> {
    /// The agent, with its book.
    pub agent: &'a Agent,
    /// The owner's own card.
    pub own: &'a Card,
    /// The party.
    pub party: &'a str,
}

impl Seating<'_> {
    /// The hosting of one new host, on the topology of its time.
    ///
    /// # Errors
    /// Names who is not in the book.
    pub fn of(&self, host: &NewHost, state: &State) -> Result<HostParty, PlanError> {
        let field = |field: &str, reason: String| PlanError::Field { field: field.to_owned(), reason };
        let names = Names { agent: self.agent, own: self.own };
        let party = party(self.party).map_err(|reason| field("party", reason))?;
        let hosts = hosts_of(state, &party);
        let unknown = || {
            format!(
                "{} takes the party's contracts over by its owner's agent; enter that owner's card",
                host.participant
            )
        };
        let target = hosting(std::slice::from_ref(&host.participant), None, &names);
        let target = target.ok_or_else(|| field("hosts", unknown()))?;
        let source = hosting(&hosts, None, &names);
        let source =
            source.ok_or_else(|| field("hosts", "no host of the party is in the book; enter one's card".to_owned()))?;
        let second = hosting(&hosts, Some(&source.participant), &names);
        let path = HostingPath::Replicated { second, ahead: Vec::new() };
        Ok(HostParty { party, source, target, permission: host.permission, confirmation_threshold: None, path })
    }
}

fn seat(flag: &str, name: &str, names: &Names<'_>) -> Result<Seat, String> {
    let card = names.card(name)?;
    let participant = card.host.clone().ok_or_else(|| format!("{flag} {name}: its card names no participant"))?;
    Ok(Seat { owner: card.owner(), participant })
}

/// The first host of a party whose card is known: the owner's own, then those of the book.
fn hosting(hosts: &[ParticipantId], but: Option<&ParticipantId>, names: &Names<'_>) -> Option<Seat> {
    let book = names.agent.book().entries().iter().map(|entry| &entry.card);
    let cards = std::iter::once(names.own).chain(book);
    let mut seats = cards.filter_map(|card| Some(Seat { owner: card.owner(), participant: card.host.clone()? }));
    seats.find(|seat| hosts.contains(&seat.participant) && Some(&seat.participant) != but)
}

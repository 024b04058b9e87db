//! One more host of a party: whose nodes take part, from names of the book and from topology.

use canton_topology::id::ParticipantId;
use protocol::{
    hosting::record::hosts_of,
    intent::{HostParty, HostingPath, Seat},
};

use super::{Names, party};
use crate::control::{Host, Way};

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
    let path = match wanted.way.ok_or("name the way with --simple or --replicate")? {
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

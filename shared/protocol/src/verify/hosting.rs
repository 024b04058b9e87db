//! Where an offer adds a host: its seats are held by whom the book says, and what must come first has come.

use canton_topology::{judge::Verifier, state::State};

use super::{Context, SignRequest, Stop};
use crate::{
    case::Case,
    hosting::{
        gate::{self, allowed, seats_are_known},
        record::Record,
    },
    identity::IdentityPublicKey,
    intent::Seat,
    merge,
    refusal::Refusal,
};

/// Which of the signatures may be given now; all of them, where the case is about something else.
pub(super) fn check(
    case: &Case,
    context: &Context<'_>,
    state: &State,
    requests: Vec<SignRequest>,
) -> Result<Vec<SignRequest>, Stop> {
    let speaks = |signer: &IdentityPublicKey, owner: &canton_topology::id::Namespace| context.speaks(signer, owner);
    let Some(record) = Record::of(case, state, &speaks) else { return Ok(requests) };
    seats_are_known(record.change, |seat| holds(context, seat))?;
    let offered = case.offer().ok_or(Refusal::NoOffer)?;
    let merged = merge::merge(case, offered, state, &mut Verifier::default());
    allowed(&record, &merged, context.me, requests, context.now).map_err(|stop| match stop {
        gate::Stop::Refused(refusal) => Stop::Refused(refusal),
        gate::Stop::NotYet(wait) => Stop::NotYet(wait),
    })
}

fn holds(context: &Context<'_>, seat: &Seat) -> bool {
    if seat.owner == context.me.owner {
        return context.me.host.as_ref().is_some_and(|(host, _)| *host == seat.participant);
    }
    let entry = context.book.by_namespace(&seat.owner);
    entry.is_some_and(|entry| entry.card.host.as_ref() == Some(&seat.participant))
}

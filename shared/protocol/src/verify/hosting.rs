//! Where an offer adds a host: its seats are held by whom the book says, and what must come first has come.

use canton_topology::{id::Namespace, judge::Verifier, state::State};

use super::stop::{Stop, Wait};
use crate::{
    case::Case,
    hosting::{
        gate::{self, allowed, seats_are_known},
        record::Record,
    },
    identity::IdentityPublicKey,
    merge,
    reader::Context,
    refusal::Refusal,
    request::SignRequest,
};

/// Which of the signatures may be given now; all of them, where the case is about something else.
pub(super) fn check(
    case: &Case,
    context: &Context<'_>,
    state: &State,
    requests: Vec<SignRequest>,
) -> Result<Vec<SignRequest>, Stop> {
    let speaks = |signer: &IdentityPublicKey, owner: &Namespace| context.speaks(signer, owner);
    let Some(record) = Record::of(case, state, &speaks) else { return Ok(requests) };
    seats_are_known(record.change, |seat| context.holds(seat))?;
    let offered = case.offer().ok_or(Refusal::NoOffer)?;
    let merged = merge::merge(case, offered, state, &mut Verifier::default());
    allowed(&record, &merged, context.me, requests, context.now).map_err(|stop| match stop {
        gate::Stop::Refused(refusal) => Stop::Refused(refusal),
        gate::Stop::NotYet(pending) => Stop::NotYet(Wait::Hosting(pending)),
    })
}

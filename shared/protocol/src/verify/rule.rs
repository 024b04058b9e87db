//! Whether a rule may decide: it speaks for an owner who has said nothing, about a case that is open.

use canton_topology::judge::Verifier;

use crate::{case::Case, life::standing, reader::Context, refusal::Refusal};

/// A no to any offer of the case counts: the next offer is the same intent on another base.
pub(super) fn may_decide(case: &Case, context: &Context<'_>) -> Result<(), Refusal> {
    let own = case.declines().iter().rev().find(|decline| decline.owner == context.me.owner);
    if let Some(decline) = own {
        return Err(Refusal::DeclinedHere { reason: decline.reason.clone() });
    }
    let status = standing(case, Some(context.state), &mut Verifier::default(), context.now).status;
    if status.is_open() { Ok(()) } else { Err(Refusal::Ended { status: status.name().to_owned() }) }
}

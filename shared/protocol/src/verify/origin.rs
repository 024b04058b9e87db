//! Whether an intent comes from somebody whom the owner knows, is for this synchronizer, and is still wanted.

use canton_topology::Timestamp;

use crate::{case::Case, limits, reader::Context, refusal::Refusal};

/// What can change while a human thinks: asked again right before anything leaves.
///
/// # Errors
/// The refusal.
pub fn still_wanted(case: &Case, context: &Context<'_>) -> Result<(), Refusal> {
    let (intent, now) = (case.intent(), context.now);
    if context.frozen {
        return Err(Refusal::Frozen);
    }
    let pinned = || context.me.synchronizer.clone();
    if intent.synchronizer != context.me.synchronizer {
        return Err(Refusal::OtherSynchronizer { found: intent.synchronizer.clone(), pinned: pinned() });
    }
    let logical = &context.state.synchronizer().logical;
    if *logical != context.me.synchronizer {
        return Err(Refusal::OtherTopology { found: logical.clone(), pinned: pinned() });
    }
    if !is_fresh(context.seen, now) {
        return Err(Refusal::StaleState { seen: context.seen, now });
    }
    if case.withdrawal().is_some() {
        return Err(Refusal::Withdrawn);
    }
    if now > intent.deadline {
        return Err(Refusal::DeadlinePassed { deadline: intent.deadline, now });
    }
    if intent.created_at > now.plus_micros(limits::CLOCK_SKEW_MICROS_MAX) {
        return Err(Refusal::FromTheFuture { created_at: intent.created_at, now });
    }
    Ok(())
}

/// Whether topology that was read then may be judged by now. A clock that was set back far makes it as useless as age.
pub fn is_fresh(seen: Timestamp, now: Timestamp) -> bool {
    let age = now.micros().saturating_sub(seen.micros());
    (-limits::CLOCK_SKEW_MICROS_MAX..=limits::TOPOLOGY_AGE_MICROS_MAX).contains(&age)
}

/// The coordinator vouches for nobody: only the own book says whose identity key this is.
pub(super) fn proposer(case: &Case, context: &Context<'_>) -> Result<(), Refusal> {
    let (intent, signer) = (case.intent(), case.intent_statement().signer());
    if context.speaks(&signer, &intent.proposer) {
        return Ok(());
    }
    Err(Refusal::UnknownProposer { proposer: intent.proposer.clone(), identity: signer.to_string() })
}

//! What must be seen before a hosting is signed: asked by every agent, of statements that it believes for its own reasons.

use canton_topology::{Timestamp, id::Namespace};
use serde::{Deserialize, Serialize};

use super::{HostingStep, record::Record};
use crate::{
    intent::{HostParty, HostingPath, Seat},
    merge::Merged,
    reader::Me,
    refusal::Refusal,
    request::{Holder, SignRequest},
};

/// A step that comes before the signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Which.
    pub step: HostingStep,
    /// Whose it is.
    pub by: Namespace,
    /// What is missing, and what to do.
    pub detail: String,
}

/// Why nothing is signed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It is wrong.
    Refused(Refusal),
    /// Something comes first.
    NotYet(Pending),
}

/// Which of an agent's signatures may be given now.
///
/// # Errors
/// The refusal, or what comes first, where it is none.
pub fn allowed(
    record: &Record<'_>,
    merged: &[Merged],
    me: &Me,
    requests: Vec<SignRequest>,
    now: Timestamp,
) -> Result<Vec<SignRequest>, Stop> {
    let gate = Gate { record, merged, me, now };
    gate.nothing_is_unknown()?;
    match &record.change.path {
        HostingPath::Simple { .. } => Ok(requests),
        HostingPath::Replicated { second, ahead } => {
            // Where the node's key is an owner's too, its signature is more than a consent.
            let is_consent = |request: &SignRequest| {
                let is_target = me.owner == record.change.target.owner && request.holder == Holder::Participant;
                is_target && !record.is_of_party(&Namespace::from(request.key.clone()))
            };
            let (consent, completing): (Vec<_>, Vec<_>) = requests.into_iter().partition(is_consent);
            if completing.is_empty() || record.signs_ahead(&me.owner, ahead) {
                return Ok([consent, completing].concat());
            }
            match gate.may_complete(second.as_ref()) {
                Ok(()) => Ok([consent, completing].concat()),
                Err(stop) if consent.is_empty() => Err(stop),
                Err(_) => Ok(consent),
            }
        }
    }
}

/// Whether a signature may be given that could be the one that completes the change.
///
/// # Errors
/// What comes first.
pub fn may_carry(record: &Record<'_>, merged: &[Merged], me: &Me, now: Timestamp) -> Result<(), Stop> {
    let gate = Gate { record, merged, me, now };
    gate.nothing_is_unknown()?;
    match &record.change.path {
        HostingPath::Simple { .. } => Ok(()),
        HostingPath::Replicated { second, .. } => gate.may_complete(second.as_ref()),
    }
}

struct Gate<'a> {
    record: &'a Record<'a>,
    merged: &'a [Merged],
    me: &'a Me,
    now: Timestamp,
}

impl Gate<'_> {
    /// What every signature needs, the new host's own too.
    fn nothing_is_unknown(&self) -> Result<(), Stop> {
        let change = self.record.change;
        match &change.path {
            HostingPath::Simple { .. } if self.record.unused().is_none() => {
                let detail = "nobody has made sure yet that the party was never used".to_owned();
                return Err(pending(HostingStep::Look, &change.source, detail));
            }
            HostingPath::Simple { .. } | HostingPath::Replicated { .. } => {}
        }
        match self.record.missing_packages(self.now) {
            None => {
                let detail = "it is not known yet which packages the party's contracts need".to_owned();
                Err(pending(HostingStep::Survey, &change.source, detail))
            }
            Some(missing) if !missing.is_empty() => {
                let detail = format!(
                    "{} has not vetted {} of the packages that are needed, such as {}; upload them there",
                    change.target.participant,
                    missing.len(),
                    missing[0]
                );
                Err(pending(HostingStep::Vet, &change.target, detail))
            }
            Some(_) => Ok(()),
        }
    }

    /// What the signature needs that can complete the change.
    fn may_complete(&self, second: Option<&Seat>) -> Result<(), Stop> {
        let (record, change) = (self.record, self.record.change);
        if record.prepared(&change.source).is_none() {
            let detail = "the source has not turned pruning off and noted its ledger's end".to_owned();
            return Err(pending(HostingStep::Prepare, &change.source, detail));
        }
        if let Some(second) = second.filter(|second| record.prepared(second).is_none()) {
            let detail = "the second host has not noted its ledger's end".to_owned();
            return Err(pending(HostingStep::PrepareSecond, second, detail));
        }
        let host = change.target.participant.namespace();
        let lacks = |one: &Merged| one.missing.namespaces.iter().any(|missing| missing.namespace == *host);
        if self.merged.iter().any(lacks) {
            let detail = "the new host has not agreed; once it is disconnected, it no longer can".to_owned();
            return Err(pending(HostingStep::Consent, &change.target, detail));
        }
        if !record.answered(&self.me.identity, self.now) {
            let detail =
                "the new host must say once more, in answer to this owner's own question, that it is disconnected";
            return Err(pending(HostingStep::Disconnect, &change.target, detail.to_owned()));
        }
        Ok(())
    }
}

fn pending(step: HostingStep, seat: &Seat, detail: String) -> Stop {
    Stop::NotYet(Pending { step, by: seat.owner.clone(), detail })
}

/// Whether every seat is held by whom the intent says, by the reader's own book.
///
/// # Errors
/// [`Refusal::UnknownSeat`] for the first that is not.
pub fn seats_are_known(change: &HostParty, knows: impl Fn(&Seat) -> bool) -> Result<(), Refusal> {
    let second = match &change.path {
        HostingPath::Simple { .. } => None,
        HostingPath::Replicated { second, .. } => second.as_ref(),
    };
    let seats = [("source", Some(&change.source)), ("target", Some(&change.target)), ("second", second)];
    for (name, seat) in seats {
        if let Some(seat) = seat.filter(|seat| !knows(seat)) {
            let (owner, participant) = (seat.owner.clone(), seat.participant.clone());
            return Err(Refusal::UnknownSeat { seat: name.to_owned(), owner, participant });
        }
    }
    Ok(())
}

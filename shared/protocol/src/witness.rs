//! On whose nodes a case was verified, once it is effective. Nobody but an owner's own agent sees the owner's node, so each
//! looks for itself and says so; the others know who said it, and who has not. And the steps of a case that is signatures
//! alone, which end with that.
//!
//! A hosting has steps of its own for signing, and two owners who see the new host from both sides: see [`crate::hosting`].

use std::collections::BTreeSet;

use canton_topology::{
    Timestamp,
    id::{Namespace, ParticipantId, PartyId},
    mapping::{Code, Mapping},
    state::State,
    transaction::Transaction,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    case::{Case, Offered},
    hosting::{self, record::Record},
    hosts::hosts_of,
    identity::IdentityPublicKey,
    intent::Seat,
    life::{Standing, Status},
    merge::Missing,
    plan::plan,
    progress::{Actor, Alarm, Item, Progress, Witness},
    reader::Context,
    refusal::Refusal,
    stage::{self, Next, effective_at},
    statement::{Claim, StatementHash},
    verify::frame,
    workflow::after,
};

/// Why an agent does not vouch for a case.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotVerified {
    /// The case has not reached its end on the agent's own node.
    #[error("not all of it is effective on this node yet")]
    NotEffective,
    /// What is effective is not what the intent says: whoever signed it was shown something else, or agreed to it.
    #[error("what is effective is not what the intent says: {0}")]
    NotAsWanted(Refusal),
}

/// One step of a case that is signatures alone, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WitnessedStep {
    /// The coordinator says what the intent means.
    Offer,
    /// An owner signs.
    Sign,
    /// The complete set is handed to the synchronizer.
    Submit,
    /// An owner's agent sees it effective on the owner's own node.
    Verify,
}

impl WitnessedStep {
    /// Its name, as in `--json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Sign => "sign",
            Self::Submit => "submit",
            Self::Verify => "verify",
        }
    }

    /// What is done in it, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Offer => "say what the intent means",
            Self::Sign => "sign",
            Self::Submit => "hand the complete set to the synchronizer",
            Self::Verify => "see on the owner's own node that all of it is effective, as the intent says",
        }
    }
}

/// Whether a case reached its end on this topology, with what its intent says; the offer with which it did.
///
/// # Errors
/// See [`NotVerified`].
pub fn verdict(case: &Case, state: &State) -> Result<StatementHash, NotVerified> {
    let (newest, at) = end(case, state).ok_or(NotVerified::NotEffective)?;
    if stage::next(case, state, at) != Next::Nothing {
        return Err(NotVerified::NotEffective);
    }
    for (offered, at) in case.offers().iter().filter_map(|offered| Some((offered, effective_at(offered, state)?))) {
        let own = offered.transactions.iter().map(Transaction::hash).collect();
        let before = state.as_of(at).without(&own);
        frame::check(case.intent(), &offered.transactions, &before).map_err(NotVerified::NotAsWanted)?;
    }
    Ok(newest.hash)
}

/// The newest offer, and since when all of it is effective.
fn end<'a>(case: &'a Case, state: &State) -> Option<(&'a Offered, Timestamp)> {
    let newest = case.offer()?;
    Some((newest, effective_at(newest, state)?))
}

/// Those on whose nodes the case is to be verified, by the reader's own knowledge of who speaks for whom and who has which
/// node: the owners as they are at its end, and the hosts' owners. In a hosting nobody waits for an owner without a node.
pub fn witnesses(case: &Case, context: &Context<'_>) -> Vec<Witness> {
    let mut owners = concerned(case, context);
    let hosting = hosting::wanted(case);
    if let Some(change) = hosting {
        owners.retain(|owner| context.participant_of(owner).is_some());
        owners.extend([&change.source, &change.target].map(|seat| seat.owner.clone()));
    }
    // Each owner once, oneself first.
    let own = owners.take(&context.me.owner);
    let all = own.into_iter().chain(owners);
    let witness = |owner: Namespace| {
        let seats = hosting.iter().flat_map(|change| [&change.source, &change.target]);
        if let Some(seat) = seats.into_iter().find(|seat| seat.owner == owner) {
            return Witness {
                since: seen_hosted(case, context, seat),
                owner,
                participant: Some(seat.participant.clone()),
            };
        }
        let participant = context.participant_of(&owner).cloned();
        Witness { since: since(case, context, &owner, participant.as_ref()), owner, participant }
    };
    all.map(witness).collect()
}

/// When the source's agent, or the new host's, said that it sees the new host.
fn seen_hosted(case: &Case, context: &Context<'_>, seat: &Seat) -> Option<Timestamp> {
    let speaks = |signer: &IdentityPublicKey, owner: &Namespace| context.speaks(signer, owner);
    Record::of(case, context.state, &speaks)?.seen_hosted(seat)
}

/// When an owner's agent vouched for the newest offer.
fn since(
    case: &Case,
    context: &Context<'_>,
    owner: &Namespace,
    participant: Option<&ParticipantId>,
) -> Option<Timestamp> {
    let newest = case.offer()?.hash;
    let mut said = case.attestations().iter().filter(|said| {
        let is_of = said.body.owner == *owner && Some(&said.body.participant) == participant;
        let is_about = matches!(&said.body.claim, Claim::Verified { offer, .. } if *offer == newest);
        is_of && is_about && context.speaks(&said.signer, owner)
    });
    said.next().map(|said| said.body.at)
}

/// The parties that the case is about.
pub fn parties(case: &Case, state: &State) -> BTreeSet<PartyId> {
    let party = |transaction: &Transaction| match transaction.mapping() {
        Mapping::PartyToParticipant(mapping) => Some(mapping.party.clone()),
        _ => None,
    };
    carried_out(case, state).0.iter().filter_map(party).collect()
}

/// The transactions that carry the case out, and topology at its end: as it was, or as it would be today.
fn carried_out(case: &Case, state: &State) -> (Vec<Transaction>, State) {
    let offered = case.offers().iter().filter(|offered| effective_at(offered, state).is_some());
    let mut all: Vec<Transaction> = offered.flat_map(|offered| offered.transactions.clone()).collect();
    let at = end(case, state).map(|(_, at)| at);
    if let Some(at) = at.filter(|at| stage::next(case, state, *at) == Next::Nothing) {
        return (all, state.as_of(at));
    }
    let mut scratch = state.clone();
    let open = match plan(case.intent(), state) {
        Ok(plan) => [vec![plan.transactions], plan.later].concat().concat(),
        Err(_) => case.offer().map(|offered| offered.transactions.clone()).unwrap_or_default(),
    };
    open.iter().for_each(|transaction| scratch.assume(transaction));
    all.extend(open);
    (all, scratch)
}

fn concerned(case: &Case, context: &Context<'_>) -> BTreeSet<Namespace> {
    let (transactions, end) = carried_out(case, context.state);
    let is_delegation = |transaction: &&Transaction| transaction.mapping().code() == Code::NamespaceDelegation;
    // The roots of new owners concern nobody but those who take them in.
    let (delegations, others): (Vec<_>, Vec<_>) = transactions.iter().partition(is_delegation);
    let mut owners = BTreeSet::new();
    for transaction in if others.is_empty() { delegations } else { others } {
        owners.extend(owners_of(transaction.mapping().namespace(), &end));
        if let Mapping::PartyToParticipant(mapping) = transaction.mapping() {
            owners.extend(hosts_of(&end, &mapping.party).iter().filter_map(|host| context.owner_of(host)));
        }
    }
    owners
}

/// The owners of a namespace; those who own another one together with it; else the namespace itself.
fn owners_of(namespace: &Namespace, state: &State) -> BTreeSet<Namespace> {
    if let Some(definition) = state.definition(namespace) {
        return definition.owners.iter().cloned().collect();
    }
    let definitions = state.of_kind(Code::DecentralizedNamespaceDefinition).filter_map(|row| {
        let Mapping::DecentralizedNamespaceDefinition(definition) = row.transaction.mapping() else { return None };
        Some(definition).filter(|definition| definition.owners.contains(namespace))
    });
    definitions.flat_map(|definition| definition.owners.clone()).chain([namespace.clone()]).collect()
}

/// The checklist of a case that is signatures alone. What has ended without effect shows what was done.
pub fn checklist(case: &Case, standing: &Standing, context: &Context<'_>) -> Vec<Item<WitnessedStep>> {
    use WitnessedStep as Step;
    let effective =
        end(case, context.state).map(|(_, at)| at).filter(|_| matches!(standing.status, Status::Effective { .. }));
    let mut list = List::default();
    let offered = case.offer().map(|_| case.intent().created_at);
    list.add(Step::Offer, Actor::Coordinator, offered, &[]);
    for (owner, is_done) in signers(case, standing, context) {
        list.add(
            Step::Sign,
            Actor::Owners(vec![owner]),
            is_done.then_some(effective.unwrap_or(context.now)),
            &[Step::Offer],
        );
    }
    list.add(Step::Submit, Actor::Coordinator, effective, &[Step::Offer, Step::Sign]);
    let mistake = match verdict(case, context.state) {
        Err(NotVerified::NotAsWanted(refusal)) => Some(refusal.to_string()),
        Err(NotVerified::NotEffective) | Ok(_) => None,
    };
    for witness in witnesses(case, context) {
        let is_me = witness.owner == context.me.owner;
        let by = match witness.participant {
            Some(participant) => Actor::Owner(witness.owner, participant),
            None => Actor::Owners(vec![witness.owner]),
        };
        list.add(Step::Verify, by, witness.since, &[Step::Submit]);
        if let (true, Some(reason), Some(item)) = (is_me, &mistake, list.items.last_mut()) {
            item.progress = Progress::Stopped(Alarm::NotAsWanted { reason: reason.clone() });
        }
    }
    if let Some(after) = &case.intent().after
        && !after::is_reached(case.intent(), context.state)
    {
        let due = list.items.iter_mut().filter(|item| item.progress == Progress::Due);
        due.for_each(|item| item.progress = Progress::After(after.case));
    }
    let is_over = !standing.status.is_open() && effective.is_none();
    list.items.retain(|item| !is_over || matches!(item.progress, Progress::Done(_)));
    list.items
}

/// Those who have signed the newest offer, and those who still could and are needed.
fn signers(case: &Case, standing: &Standing, context: &Context<'_>) -> Vec<(Namespace, bool)> {
    let newest = case.offer().map(|offered| offered.hash);
    let mut all: Vec<(Namespace, bool)> = Vec::new();
    let mut add = |owner: &Namespace, is_done| {
        if !all.iter().any(|(known, _)| known == owner) {
            all.push((owner.clone(), is_done));
        }
    };
    let approvals = case.approvals().iter().filter(|approval| Some(approval.offer) == newest);
    approvals.for_each(|approval| add(&approval.owner, true));
    let missing = standing.missing().flat_map(|(_, missing): (_, &Missing)| &missing.namespaces);
    // A node signs when its owner does.
    missing.flat_map(|one| &one.owners).for_each(|one| match context.owner_of_node(one) {
        Some(owner) => add(&owner, false),
        None => add(one, false),
    });
    all
}

#[derive(Default)]
struct List {
    items: Vec<Item<WitnessedStep>>,
}

impl List {
    fn add(&mut self, step: WitnessedStep, by: Actor, done: Option<Timestamp>, after: &[WitnessedStep]) {
        let is_open = |step: &&WitnessedStep| {
            self.items.iter().any(|item| item.step == **step && !matches!(item.progress, Progress::Done(_)))
        };
        let open: Vec<WitnessedStep> = after.iter().filter(is_open).copied().collect();
        let progress = match done {
            Some(at) => Progress::Done(at),
            None if open.is_empty() => Progress::Due,
            None => Progress::Waiting(open),
        };
        self.items.push(Item { step, by, progress });
    }
}

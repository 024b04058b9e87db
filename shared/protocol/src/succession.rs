//! Cases that come one after the other, and how a change set that adds hosts to a used party becomes such cases: a new host
//! takes over the party's contracts in a case of its own, because that is more than signatures.

use canton_topology::{mapping::Mapping, state::State, transaction::SignedTransaction};

use crate::{
    danger::{Danger, dangers_of_plan},
    intent::{Change, Host, HostParty, Intent, Membership, PartyChange},
    plan::plan,
    workflow::{building, error::PlanError},
};

/// One case of several that come one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it changes.
    pub change: Change,
    /// What people have come to regret about it, as far as can be told before the former parts stand.
    pub dangers: Vec<Danger>,
}

/// Who takes part in a hosting on the topology of its time: where the party's contracts come from, and who counts them.
pub type Seating<'a> = &'a dyn Fn(&Host, &State) -> Result<HostParty, PlanError>;

/// A change set whose new hosts take the party's contracts over: the rest of it first, then a hosting for each host. Where
/// the party could not act in between, the hosts come first. The confirmation threshold goes where it can be met.
///
/// `intent` wants the whole change set; `live` are the signatures that the caller knows of.
///
/// # Errors
/// Why it cannot be done in the first of these orders.
pub fn in_turn(
    intent: &Intent,
    change: &Membership,
    seating: Seating<'_>,
    state: &State,
    live: &[SignedTransaction],
) -> Result<Vec<Part>, PlanError> {
    let hosts: Vec<Host> = change.party.iter().flat_map(|party| party.add_hosts.clone()).collect();
    let mut first_error = None;
    for order in orders(change, &hosts) {
        let walk = Walk { intent, seating, live, scratch: state.clone(), parts: Vec::new() };
        match walk.through(order) {
            Ok(parts) => return Ok(parts),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| PlanError::NoChange { what: "the change set".to_owned() }))
}

/// One part of an order.
enum Wish {
    Rest(Membership),
    Host(Host, Option<u32>),
}

/// The orders that are tried, the best first.
fn orders(change: &Membership, hosts: &[Host]) -> Vec<Vec<Wish>> {
    let but_for = |left_out: fn(&mut PartyChange)| {
        let mut rest = change.clone();
        rest.party.iter_mut().for_each(left_out);
        rest.party = rest.party.filter(|party| !party.is_empty());
        rest
    };
    let without_hosts = but_for(|party| party.add_hosts.clear());
    let without_threshold = but_for(|party| {
        party.add_hosts.clear();
        party.confirmation_threshold = None;
    });
    let threshold = change.party.as_ref().and_then(|party| party.confirmation_threshold);
    let hosting = |with: Option<u32>| {
        let last = hosts.len().saturating_sub(1);
        let wish = move |(index, host): (usize, &Host)| Wish::Host(host.clone(), with.filter(|_| index == last));
        hosts.iter().enumerate().map(wish).collect::<Vec<_>>()
    };
    let rest = |change: &Membership| if change.is_empty() { Vec::new() } else { vec![Wish::Rest(change.clone())] };
    let before = || rest(&without_hosts).into_iter().chain(hosting(None)).collect::<Vec<_>>();
    let with_last = || rest(&without_threshold).into_iter().chain(hosting(threshold)).collect::<Vec<_>>();
    let behind = hosting(None).into_iter().chain(rest(&without_hosts)).collect();
    // A threshold alone is no reason for a case of its own.
    if without_threshold.is_empty() { vec![with_last(), before(), behind] } else { vec![before(), with_last(), behind] }
}

/// The way through an order, each part on the topology that those before it leave.
struct Walk<'a> {
    intent: &'a Intent,
    seating: Seating<'a>,
    live: &'a [SignedTransaction],
    scratch: State,
    parts: Vec<Part>,
}

impl Walk<'_> {
    fn through(mut self, order: Vec<Wish>) -> Result<Vec<Part>, PlanError> {
        for wish in order {
            match wish {
                Wish::Rest(change) => self.step(Change::Membership(change))?,
                Wish::Host(host, threshold) => {
                    let mut change = (self.seating)(&host, &self.scratch)?;
                    change.confirmation_threshold = threshold;
                    let party = change.party.clone();
                    self.step(Change::HostParty(change))?;
                    // The node clears the flag before the next part begins.
                    let mut mapping = building::party(&self.scratch, &party)?.clone();
                    mapping.participants.iter_mut().for_each(|host| host.onboarding = false);
                    let cleared = building::next(&self.scratch, Mapping::PartyToParticipant(mapping))?;
                    self.scratch.assume(&cleared);
                }
            }
        }
        Ok(self.parts)
    }

    fn step(&mut self, change: Change) -> Result<(), PlanError> {
        let planned = plan(&Intent { change: change.clone(), after: None, ..self.intent.clone() }, &self.scratch)?;
        let dangers = dangers_of_plan(&change, &planned, &self.scratch, self.live);
        let all = planned.transactions.iter().chain(planned.later.iter().flatten());
        all.for_each(|transaction| self.scratch.assume(transaction));
        self.parts.push(Part { change, dangers });
        Ok(())
    }
}

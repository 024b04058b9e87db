//! An independent, naive count of who must sign: written from the rules in words, without the judge.
//!
//! The old threshold of distinct owners, plus every added owner, host or member that the rules ask for.

use std::collections::BTreeSet;

use canton_topology::{
    id::{Fingerprint, Namespace},
    mapping::{Mapping, PartyToParticipant},
    state::State,
    transaction::Transaction,
};

/// What one transaction takes. In this history every key is the root key of its own namespace.
pub struct Rule {
    owners: BTreeSet<Namespace>,
    threshold: usize,
    everybody: BTreeSet<Namespace>,
    alternatives: Vec<Namespace>,
}

impl Rule {
    /// Counts for a transaction on the topology before it.
    pub fn of(transaction: &Transaction, state: &State) -> Self {
        let active = state.active(&transaction.unique_key()).map(|row| row.transaction.mapping());
        let own = transaction.mapping().namespace();
        let (owners, threshold) = owners(state, own);
        let mut rule = Self { owners, threshold, everybody: BTreeSet::new(), alternatives: Vec::new() };
        match (transaction.mapping(), active) {
            (Mapping::DecentralizedNamespaceDefinition(new), None) => {
                (rule.owners, rule.threshold) = (BTreeSet::new(), 0);
                rule.everybody.extend(new.owners.iter().cloned());
            }
            (Mapping::DecentralizedNamespaceDefinition(new), Some(Mapping::DecentralizedNamespaceDefinition(old))) => {
                rule.everybody.extend(new.owners.iter().filter(|owner| !old.owners.contains(owner)).cloned());
            }
            (Mapping::PartyToParticipant(new), old) => {
                let old = match old {
                    Some(Mapping::PartyToParticipant(old)) => Some(old),
                    _ => None,
                };
                rule.hosts(new, old);
            }
            _ => {}
        }
        rule
    }

    fn hosts(&mut self, new: &PartyToParticipant, old: Option<&PartyToParticipant>) {
        let mut party = old.is_none_or(|old| old.threshold != new.threshold);
        for host in &new.participants {
            let namespace = host.participant.namespace().clone();
            match old.and_then(|old| old.host(&host.participant)) {
                None => {
                    party = true;
                    self.everybody.insert(namespace);
                }
                // Releases of that time asked the party alone.
                Some(before) if host.permission < before.permission => party = true,
                Some(before) if host.permission > before.permission => self.alternatives.push(namespace),
                Some(_) => {}
            }
        }
        let left = old.iter().flat_map(|old| &old.participants);
        let left = left.filter(|host| new.host(&host.participant).is_none());
        self.alternatives.extend(left.map(|host| host.participant.namespace().clone()));
        if party {
            // The party must agree anyway; that covers hosts that leave or may do less.
            self.alternatives.clear();
        }
    }

    /// Whether these keys suffice.
    pub fn is_met(&self, signers: &BTreeSet<Fingerprint>) -> bool {
        let signed = |namespace: &Namespace| signers.contains(namespace.fingerprint());
        let agreeing = self.owners.iter().filter(|owner| signed(owner)).count();
        let party = agreeing >= self.threshold;
        let leaving = !self.alternatives.is_empty() && self.alternatives.iter().all(signed);
        (party || leaving) && self.everybody.iter().all(signed)
    }
}

fn owners(state: &State, namespace: &Namespace) -> (BTreeSet<Namespace>, usize) {
    match state.definition(namespace) {
        Some(definition) => (definition.owners.iter().cloned().collect(), definition.threshold as usize),
        None => (BTreeSet::from([namespace.clone()]), 1),
    }
}

//! An independent, naive count of who must sign: written from the rules in words, from the recorded transactions alone.
//! It knows no judge and none of the state that a judge keeps.
//!
//! The old threshold of distinct owners, plus every added owner, host or member that the rules ask for.

use std::collections::{BTreeMap, BTreeSet};

use canton_topology::{
    id::{Fingerprint, Namespace, PartyId},
    mapping::{DecentralizedNamespaceDefinition, Mapping, PartyToParticipant},
    transaction::{Operation, Transaction},
};

/// What has become effective so far, of the two kinds of mappings that the count looks back at.
#[derive(Clone, Debug, Default)]
pub struct History {
    definitions: BTreeMap<Namespace, DecentralizedNamespaceDefinition>,
    hostings: BTreeMap<PartyId, PartyToParticipant>,
}

/// What one transaction takes. In the recorded history every key is the root key of its own namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    owners: BTreeSet<Namespace>,
    threshold: usize,
    everybody: BTreeSet<Namespace>,
    alternatives: Vec<Namespace>,
}

impl History {
    /// A transaction became effective.
    pub fn happened(&mut self, transaction: &Transaction) {
        let stands = transaction.operation() == Operation::AddReplace;
        match transaction.mapping() {
            Mapping::DecentralizedNamespaceDefinition(new) if stands => {
                self.definitions.insert(new.namespace.clone(), new.clone());
            }
            Mapping::DecentralizedNamespaceDefinition(old) => {
                self.definitions.remove(&old.namespace);
            }
            Mapping::PartyToParticipant(new) if stands => {
                self.hostings.insert(new.party.clone(), new.clone());
            }
            Mapping::PartyToParticipant(old) => {
                self.hostings.remove(&old.party);
            }
            // Roots, keys, certificates and parameters: whoever owns the namespace signs, whatever stood before.
            _ => {}
        }
    }

    /// What the next transaction takes.
    pub fn rule(&self, transaction: &Transaction) -> Rule {
        let (owners, threshold) = self.owners(transaction.mapping().namespace());
        let mut rule = Rule { owners, threshold, everybody: BTreeSet::new(), alternatives: Vec::new() };
        match transaction.mapping() {
            Mapping::DecentralizedNamespaceDefinition(new) => match self.definitions.get(&new.namespace) {
                None => {
                    (rule.owners, rule.threshold) = (BTreeSet::new(), 0);
                    rule.everybody.extend(new.owners.iter().cloned());
                }
                Some(old) => {
                    rule.everybody.extend(new.owners.iter().filter(|owner| !old.owners.contains(owner)).cloned());
                }
            },
            Mapping::PartyToParticipant(new) => rule.hosts(new, self.hostings.get(&new.party)),
            _ => {}
        }
        rule
    }

    fn owners(&self, namespace: &Namespace) -> (BTreeSet<Namespace>, usize) {
        match self.definitions.get(namespace) {
            Some(definition) => (definition.owners.iter().cloned().collect(), definition.threshold as usize),
            None => (BTreeSet::from([namespace.clone()]), 1),
        }
    }
}

impl Rule {
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

//! One participant's ledger: its offsets, its updates, its contracts. Pure.
//!
//! Offsets are the participant's own: two nodes count the same update differently. A contract that is archived and was
//! never here is what Canton calls a ledger fork: the node goes on, and what it has no longer agrees with the others.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use canton_topology::{
    Timestamp,
    id::{ParticipantId, PartyId},
};

use crate::{
    contract::{Contract, ContractId},
    hosting::{HostingChange, HostingEvent},
};

/// One entry of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Its place on this node.
    pub offset: i64,
    /// When it was sequenced; for topology, when it became effective.
    pub record_time: Timestamp,
    /// What happened.
    pub what: What,
}

/// What an update says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Hosts of parties changed.
    Hosting(Vec<HostingEvent>),
    /// Contracts came or went.
    Contracts {
        /// Those that came.
        created: Vec<Arc<Contract>>,
        /// Those that went.
        archived: Vec<Arc<Contract>>,
    },
    /// Nothing that anybody is shown: an import that found everything there already.
    Nothing,
}

/// Why a node no longer agrees with the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fork {
    /// A contract was archived that this node never had.
    ArchivedUnknown(ContractId),
}

#[derive(Clone, Debug)]
struct Held {
    contract: Arc<Contract>,
    since: i64,
    until: Option<i64>,
}

/// A participant's ledger.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    end: i64,
    pruned: i64,
    updates: Vec<Update>,
    contracts: BTreeMap<ContractId, Held>,
    fork: Option<Fork>,
}

/// Reading what was pruned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// The first offset that can still be read.
    pub earliest: i64,
}

impl Ledger {
    /// The last offset; 0 where nothing has happened.
    pub fn end(&self) -> i64 {
        self.end
    }

    /// Up to where it was pruned; 0 where it was not.
    pub fn pruned(&self) -> i64 {
        self.pruned
    }

    /// Why it no longer agrees with the others.
    pub fn fork(&self) -> Option<&Fork> {
        self.fork.as_ref()
    }

    fn record(&mut self, what: What, record_time: Timestamp) -> i64 {
        self.end += 1;
        self.updates.push(Update { offset: self.end, record_time, what });
        self.end
    }

    /// Notes changes of hosts.
    pub fn record_hosting(&mut self, events: Vec<HostingEvent>, effective: Timestamp) {
        if !events.is_empty() {
            self.record(What::Hosting(events), effective);
        }
    }

    /// Notes contracts that came and went, where this node is concerned.
    pub fn record_contracts(&mut self, created: Vec<Arc<Contract>>, archived: &[ContractId], time: Timestamp) {
        let offset = self.end + 1;
        let mut gone = Vec::new();
        for id in archived {
            match self.contracts.get_mut(id).filter(|held| held.until.is_none()) {
                Some(held) => {
                    held.until = Some(offset);
                    gone.push(Arc::clone(&held.contract));
                }
                None => {
                    self.fork.get_or_insert_with(|| Fork::ArchivedUnknown(id.clone()));
                }
            }
        }
        for contract in &created {
            self.hold(contract, offset);
        }
        if !created.is_empty() || !gone.is_empty() {
            self.record(What::Contracts { created, archived: gone }, time);
        }
    }

    fn hold(&mut self, contract: &Arc<Contract>, since: i64) {
        self.contracts.insert(contract.id.clone(), Held { contract: Arc::clone(contract), since, until: None });
    }

    /// Takes over a contract from a file; nothing where it is here already. Each takes an offset of its own.
    pub fn import(&mut self, contract: Contract, now: Timestamp) -> bool {
        if self.contracts.get(&contract.id).is_some_and(|held| held.until.is_none()) {
            return false;
        }
        let contract = Arc::new(contract);
        self.hold(&contract, self.end + 1);
        self.record(What::Contracts { created: vec![contract], archived: Vec::new() }, now);
        true
    }

    /// Notes an import that changed nothing.
    pub fn record_nothing(&mut self, now: Timestamp) {
        self.record(What::Nothing, now);
    }

    /// The contracts that were active at an offset, with the offsets at which they came, in that order.
    pub fn active_at(&self, offset: i64) -> Result<Vec<(i64, Arc<Contract>)>, Pruned> {
        self.check(offset)?;
        let was_active = |held: &&Held| held.since <= offset && held.until.is_none_or(|until| until > offset);
        let held = self.contracts.values().filter(was_active);
        let mut active: Vec<_> = held.map(|held| (held.since, Arc::clone(&held.contract))).collect();
        active.sort_by_key(|(since, _)| *since);
        Ok(active)
    }

    /// The updates after an offset.
    pub fn updates_after(&self, offset: i64) -> Result<&[Update], Pruned> {
        self.check(offset)?;
        let first = self.updates.partition_point(|update| update.offset <= offset);
        Ok(&self.updates[first..])
    }

    fn check(&self, offset: i64) -> Result<(), Pruned> {
        if offset < self.pruned { Err(Pruned { earliest: self.pruned + 1 }) } else { Ok(()) }
    }

    /// The first update after an offset that makes the participant a host of the party: its offset, its time, and
    /// whether the onboarding flag was set.
    pub fn activation(
        &self,
        offset: i64,
        party: &PartyId,
        participant: &ParticipantId,
    ) -> Result<Option<Activation>, Pruned> {
        let found = self.updates_after(offset)?.iter().find_map(|update| {
            let What::Hosting(events) = &update.what else { return None };
            let mut own = events.iter().filter(|event| event.party == *party && event.participant == *participant);
            let onboarding = own.find_map(|event| match event.change {
                HostingChange::Onboarding(_) => Some(true),
                HostingChange::Added(_) => Some(false),
                HostingChange::Changed(_) | HostingChange::Revoked => None,
            })?;
            Some(Activation { offset: update.offset, effective: update.record_time, onboarding })
        });
        Ok(found)
    }

    /// Forgets everything up to an offset but what is active.
    pub fn prune(&mut self, offset: i64) {
        let offset = offset.min(self.end);
        if offset <= self.pruned {
            return;
        }
        self.pruned = offset;
        self.updates.retain(|update| update.offset > offset);
        self.contracts.retain(|_, held| held.until.is_none_or(|until| until > offset));
    }

    /// The ids of the contracts that are active now.
    pub fn active_ids(&self) -> BTreeSet<ContractId> {
        let active = self.contracts.values().filter(|held| held.until.is_none());
        active.map(|held| held.contract.id.clone()).collect()
    }
}

/// The moment at which a participant became a host of a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Activation {
    /// The update's offset.
    pub offset: i64,
    /// When it became effective.
    pub effective: Timestamp,
    /// Whether the onboarding flag was set.
    pub onboarding: bool,
}

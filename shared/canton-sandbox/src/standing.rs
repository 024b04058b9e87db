//! All that a participant keeps, and what an event makes of it. A copy of it is a backup.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use canton_proto::canton::admin::{
    participant::v30::SynchronizerConnectionConfig, pruning::v30::ParticipantPruningSchedule,
};
use canton_topology::{
    id::{ParticipantId, PartyId},
    judge::{Verifier, fold_batch},
    mapping::PackageId,
    state::State,
};

use crate::{contract::Contract, genesis::NodeKey, hosting, ledger::Ledger, packages::Packages, synchronizer::Event};

/// All that a participant keeps.
#[derive(Clone)]
pub(crate) struct Standing {
    /// Topology as far as this node has seen it.
    pub topology: State,
    /// How many events of the synchronizer it has seen.
    pub seen: usize,
    /// Its ledger.
    pub ledger: Ledger,
    /// Whether it is connected.
    pub connected: bool,
    /// How it connects.
    pub config: SynchronizerConnectionConfig,
    /// When it prunes.
    pub schedule: Option<ParticipantPruningSchedule>,
    /// Its packages.
    pub packages: Packages,
    /// Its signing keys, with their names.
    pub keys: Vec<(String, NodeKey)>,
    /// Stores that are not the synchronizer's: its own, and temporary ones by their names.
    pub stores: BTreeMap<LocalStore, State>,
    /// Parties whose onboarding flag this node is to clear by itself.
    pub clearances: BTreeSet<PartyId>,
}

/// A store that is not the synchronizer's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LocalStore {
    /// The node's own.
    Authorized,
    /// A temporary one.
    Temporary(String),
}

impl Standing {
    /// A node that has just joined, with what the synchronizer has effective.
    pub fn new(
        topology: State,
        config: SynchronizerConnectionConfig,
        authorized: State,
        keys: Vec<(String, NodeKey)>,
    ) -> Self {
        Self {
            topology,
            seen: 0,
            ledger: Ledger::default(),
            connected: true,
            config,
            schedule: None,
            packages: Packages::default(),
            keys,
            stores: [(LocalStore::Authorized, authorized)].into(),
            clearances: BTreeSet::new(),
        }
    }

    /// Takes in the next event of the synchronizer.
    pub fn apply(&mut self, event: &Event, verifier: &mut Verifier, own: &ParticipantId) {
        self.seen += 1;
        match event {
            Event::Topology { transactions, time } => {
                let (keys, before) = hosting::touched(&self.topology, transactions);
                fold_batch(&mut self.topology, verifier, transactions, *time);
                let changes = hosting::changes(&before, &self.topology, &keys);
                self.ledger.record_hosting(changes, time.effective);
            }
            Event::Contracts { created, archived, time } => {
                let concerns = |contract: &&Arc<Contract>| {
                    contract.stakeholders().iter().any(|party| hosting::is_hosted(&self.topology, party, own))
                };
                let created = created.iter().filter(concerns).cloned().collect();
                let archived: Vec<_> = archived.iter().filter(concerns).map(|contract| contract.id.clone()).collect();
                self.ledger.record_contracts(created, &archived, *time);
            }
        }
    }

    /// Whether a package is here.
    pub fn has_package(&self, package: &PackageId) -> bool {
        self.packages.has(package)
    }
}

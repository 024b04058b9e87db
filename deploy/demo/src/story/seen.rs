//! What the story claims, looked up on the synchronizer itself: nobody's answer is believed.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use canton_topology::{
    Timestamp,
    hash::TransactionHash,
    id::{Namespace, ParticipantId, PartyId},
    mapping::{
        DecentralizedNamespaceDefinition, Mapping, NamespaceDelegation, PartyToParticipant, Permission, definition_key,
        party_key,
    },
    state::{Row, State},
    transaction::{Operation, Serial, Transaction},
};
use protocol::book::Card;

/// Owners, hosts and keys that must agree, each kind for its own changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Owners of the namespace that must sign.
    pub owners: u32,
    /// Hosts that must confirm.
    pub confirmations: u32,
    /// Keys of the party that must sign.
    pub keys: u32,
}

/// A party's two mappings, as the synchronizer has them now.
#[derive(Debug)]
pub struct Party {
    /// The namespace's definition.
    pub definition: DecentralizedNamespaceDefinition,
    /// Where it is hosted, and its keys.
    pub hosting: PartyToParticipant,
    /// The hashes of both transactions: nothing about them can differ where these are the same.
    pub hashes: [TransactionHash; 2],
    rows: [Row; 2],
}

impl Party {
    /// Looks it up.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn on(state: &State, party: &PartyId) -> Result<Self> {
        let active = |key, what: &str| state.active(&key).cloned().with_context(|| format!("{party} has no {what}"));
        let rows =
            [active(definition_key(party.namespace()), "namespace definition")?, active(party_key(party), "hosting")?];
        let (Mapping::DecentralizedNamespaceDefinition(definition), Mapping::PartyToParticipant(hosting)) =
            (rows[0].transaction.mapping().clone(), rows[1].transaction.mapping().clone())
        else {
            anyhow::bail!("the rows of {party} are of other kinds");
        };
        Ok(Self { definition, hosting, hashes: [rows[0].hash(), rows[1].hash()], rows })
    }

    /// Its thresholds.
    pub fn thresholds(&self) -> Thresholds {
        let keys = self.hosting.signing_keys.as_ref().map_or(0, |keys| keys.threshold);
        Thresholds { owners: self.definition.threshold, confirmations: self.hosting.threshold, keys }
    }

    /// Its owners.
    pub fn owners(&self) -> BTreeSet<Namespace> {
        self.definition.owners.iter().cloned().collect()
    }

    /// That it belongs to these founders, is hosted by the participant of each and signs with the party key of each.
    ///
    /// # Errors
    /// The first thing that is otherwise.
    pub fn is_of(&self, founders: &[&Card]) -> Result<()> {
        let owners: BTreeSet<Namespace> = founders.iter().map(|card| card.owner()).collect();
        ensure!(self.owners() == owners, "the owners are {:?}", self.definition.owners);
        let expected: BTreeSet<&ParticipantId> = founders.iter().filter_map(|card| card.host.as_ref()).collect();
        let hosts: BTreeSet<&ParticipantId> = self.hosting.participants.iter().map(|host| &host.participant).collect();
        ensure!(hosts == expected && hosts.len() == founders.len(), "the hosts are {hosts:?}");
        for host in &self.hosting.participants {
            let (may, onboarding) = (host.permission, host.onboarding);
            ensure!(may == Permission::Confirmation && !onboarding, "{} may {may:?}", host.participant);
        }
        let keys: Vec<_> = self.hosting.signing_keys.iter().flat_map(|keys| &keys.keys).collect();
        let is_there = |card: &&Card| card.party_key.as_ref().is_some_and(|key| keys.contains(&key));
        ensure!(keys.len() == founders.len() && founders.iter().all(is_there), "the keys are {keys:?}");
        Ok(())
    }

    /// When all of it became effective: the founders' roots, the namespace and the hosting, in one moment.
    ///
    /// # Errors
    /// Where one of them is missing, or came at another time.
    pub fn effective_at_once(&self, state: &State, founders: &[&Card]) -> Result<Timestamp> {
        let at = self.rows[0].valid_from;
        ensure!(self.rows[1].valid_from == at, "the hosting is effective since {}", self.rows[1].valid_from.0);
        for card in founders {
            let mapping = Mapping::NamespaceDelegation(NamespaceDelegation::root(card.namespace_key.clone()));
            let root = Transaction::build(Operation::AddReplace, Serial::FIRST, &mapping);
            let row = state.active(&root.unique_key()).with_context(|| format!("{} has no root", card.name))?;
            ensure!(row.valid_from == at, "the root of {} is effective since {}", card.name, row.valid_from.0);
        }
        Ok(at)
    }
}

/// How many proposals are open for a party's hosting.
pub fn open_hostings(state: &State, party: &PartyId) -> usize {
    state.proposals_for(&party_key(party)).count()
}

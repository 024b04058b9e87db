//! What the seats' owners vouched for, as far as the reader believes it.

use std::collections::BTreeSet;

use canton_topology::{Timestamp, id::Namespace, mapping::HostingParticipant, state::State, transaction::Transaction};

use super::contract_set::Contents;
use crate::{
    case::Case,
    hosts::{host_of, vetted},
    identity::IdentityPublicKey,
    intent::{CaseId, HostParty, HostingPath, Seat},
    limits,
    statement::{Attestation, Claim, Snapshot},
    workflow::after,
};

/// Whom a reader believes to speak for whom: its own book, or a coordinator's directory.
pub type Speaks<'a> = &'a dyn Fn(&IdentityPublicKey, &Namespace) -> bool;

/// How a reader knows that a hosting was undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// Topology shows it.
    Seen,
    /// The source has put everything back; the reader's own node, which is disconnected, shows nothing of it.
    Said,
}

/// A case of hosting with everything that was vouched for.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    case: &'a Case,
    /// What is wanted.
    pub change: &'a HostParty,
    state: &'a State,
    speaks: Speaks<'a>,
}

/// Something that was vouched for: its place among all attestations, when, and what.
type Vouched<'a, T> = (usize, Timestamp, &'a T);

impl<'a> Record<'a> {
    /// The record of a case, where the case is about hosting.
    pub fn of(case: &'a Case, state: &'a State, speaks: Speaks<'a>) -> Option<Self> {
        super::wanted(case).map(|change| Self { case, change, state, speaks })
    }

    fn of_seat(&self, seat: &'a Seat) -> impl Iterator<Item = (usize, &'a Attestation)> {
        let speaks = self.speaks;
        let all = self.case.attestations().iter().enumerate();
        all.filter(move |(_, said)| said.body.participant == seat.participant && speaks(&said.signer, &seat.owner))
            .map(|(place, said)| (place, &said.body))
    }

    /// The newest claim of a seat that fits, unless everything was put back since.
    fn newest<T>(&self, seat: &'a Seat, fits: impl Fn(&'a Claim) -> Option<&'a T>) -> Option<Vouched<'a, T>> {
        let mut newest = None;
        for (place, attestation) in self.of_seat(seat) {
            if attestation.claim == Claim::PutBack {
                newest = None;
            } else if let Some(found) = fits(&attestation.claim) {
                newest = Some((place, attestation.at, found));
            }
        }
        newest
    }

    fn said(&self, seat: &'a Seat, fits: impl Fn(&Claim) -> bool) -> Option<Timestamp> {
        self.newest(seat, |claim| fits(claim).then_some(claim)).map(|(_, at, _)| at)
    }

    /// The case that comes first, where what it wants does not stand yet.
    pub fn comes_after(&self) -> Option<CaseId> {
        let after = self.case.intent().after.as_ref()?;
        (!after::is_reached(self.case.intent(), self.state)).then_some(after.case)
    }

    /// Whether and when the source said that the party was never used.
    pub fn unused(&self) -> Option<Timestamp> {
        self.said(&self.change.source, |claim| matches!(claim, Claim::Unused { .. }))
    }

    /// The packages that the new host must have vetted, and since when they are known.
    pub fn needed_packages(&self) -> Option<(Timestamp, &'a [String])> {
        match &self.change.path {
            HostingPath::Simple { packages } => Some((self.case.intent().created_at, packages)),
            HostingPath::Replicated { .. } => {
                let surveyed = self.newest(&self.change.source, |claim| {
                    let Claim::Surveyed { packages, .. } = claim else { return None };
                    Some(packages)
                });
                surveyed.map(|(_, at, packages)| (at, packages.as_slice()))
            }
        }
    }

    /// The needed packages that the new host has not vetted today; `None` where it is not known what is needed.
    pub fn missing_packages(&self, now: Timestamp) -> Option<Vec<String>> {
        let (_, needed) = self.needed_packages()?;
        let vetted = vetted(self.state, &self.change.target.participant, now);
        Some(needed.iter().filter(|package| !vetted.contains(package.as_str())).cloned().collect())
    }

    /// When the ledger's end was noted on a seat's node, before anything became effective.
    pub fn prepared(&self, seat: &'a Seat) -> Option<Timestamp> {
        self.said(seat, |claim| matches!(claim, Claim::Prepared { .. }))
    }

    /// Since when the new host is disconnected, as its owner says; `None` where it connected again. An answer alone is not
    /// the step.
    pub fn disconnected(&self) -> Option<Timestamp> {
        let is_either = |claim: &'a Claim| {
            matches!(claim, Claim::Disconnected { nonce: None } | Claim::Reconnected).then_some(claim)
        };
        let (_, at, claim) = self.newest(&self.change.target, is_either)?;
        matches!(claim, Claim::Disconnected { .. }).then_some(at)
    }

    /// Whether the new host's owner answered, freshly, a question of this owner.
    pub fn answered(&self, identity: &IdentityPublicKey, now: Timestamp) -> bool {
        let oldest = now.plus_micros(-limits::FRESH_MICROS_MAX);
        let mine = self.case.questions().iter().filter(|said| said.signer == *identity);
        let fresh: Vec<_> = mine.filter(|said| said.body.at >= oldest && said.body.at <= now).collect();
        self.disconnected().is_some()
            && self.of_seat(&self.change.target).any(|(place, attestation)| {
                let position = self.case.attestations()[place].position;
                fresh.iter().any(|question| {
                    question.position < position
                        && attestation.claim == Claim::Disconnected { nonce: Some(question.body.nonce) }
                })
            })
    }

    /// The nonces that the new host's owner has been asked for lately and has not answered; none before the node is
    /// disconnected for the case.
    pub fn open_questions(&self, now: Timestamp) -> Vec<[u8; 32]> {
        if self.disconnected().is_none() {
            return Vec::new();
        }
        let oldest = now.plus_micros(-limits::FRESH_MICROS_MAX);
        let answered: BTreeSet<[u8; 32]> = self
            .of_seat(&self.change.target)
            .filter_map(|(_, attestation)| {
                let Claim::Disconnected { nonce } = attestation.claim else { return None };
                nonce
            })
            .collect();
        let asked = self.case.questions().iter().filter(|said| said.body.at >= oldest);
        asked.map(|said| said.body.nonce).filter(|nonce| !answered.contains(nonce)).collect()
    }

    /// When the new host was added, as topology shows it or, to an agent whose node is disconnected, as the source says.
    pub fn activated(&self) -> Option<Timestamp> {
        let mut offered = self.case.offers().iter().flat_map(|offered| &offered.transactions);
        let seen = offered.find_map(|transaction| self.state.effective_since(&transaction.hash()));
        seen.or_else(|| self.exported().map(|(_, snapshot)| snapshot.activated_at))
    }

    /// Whether the new host was added, and is gone again before it had the party's contracts.
    pub fn undone(&self) -> Option<Undone> {
        let HostingPath::Replicated { .. } = self.change.path else { return None };
        if self.imported().is_some() {
            return None;
        }
        let mut offered = self.case.offers().iter().flat_map(|offered| &offered.transactions);
        if offered.any(|transaction| self.state.effective_since(&transaction.hash()).is_some()) {
            return self.host().is_none().then_some(Undone::Seen);
        }
        // Whoever is through says nothing more.
        let last = self.of_seat(&self.change.source).last();
        last.is_some_and(|(_, said)| said.claim == Claim::PutBack).then_some(Undone::Said)
    }

    /// The transaction of the newest offer.
    pub fn transaction(&self) -> Option<&'a Transaction> {
        self.case.offer().and_then(|offered| offered.transactions.first())
    }

    /// The snapshot of the source.
    pub fn exported(&self) -> Option<(Timestamp, &'a Snapshot)> {
        let is_right = |snapshot: &&Snapshot| {
            snapshot.party == self.change.party && snapshot.target == self.change.target.participant
        };
        let found = self.newest(&self.change.source, |claim| {
            let Claim::Exported(snapshot) = claim else { return None };
            Some(snapshot).filter(is_right)
        });
        found.map(|(_, at, snapshot)| (at, snapshot))
    }

    /// What the second host counted.
    pub fn counted(&self) -> Option<(Timestamp, &'a Contents)> {
        let HostingPath::Replicated { second: Some(second), .. } = &self.change.path else { return None };
        let found = self.newest(second, |claim| {
            let Claim::Counted(contents) = claim else { return None };
            Some(contents)
        });
        found.map(|(_, at, contents)| (at, contents))
    }

    /// When the source's pruning schedule came back.
    pub fn pruning_restored(&self) -> Option<Timestamp> {
        self.said(&self.change.source, |claim| *claim == Claim::PruningRestored)
    }

    /// When the new host was backed up, after it was disconnected.
    pub fn backed_up(&self) -> Option<Timestamp> {
        let disconnected = |claim: &'a Claim| matches!(claim, Claim::Disconnected { nonce: None }).then_some(claim);
        let (since, ..) = self.newest(&self.change.target, disconnected)?;
        let backup = self.newest(&self.change.target, |claim| matches!(claim, Claim::BackedUp(_)).then_some(claim));
        backup.filter(|(place, ..)| *place > since).map(|(_, at, _)| at)
    }

    /// When the snapshot was imported.
    pub fn imported(&self) -> Option<Timestamp> {
        let (_, snapshot) = self.exported()?;
        self.said(
            &self.change.target,
            |claim| matches!(claim, Claim::Imported { contents, .. } if *contents == snapshot.contents),
        )
    }

    /// When the new host was connected again after the import.
    pub fn reconnected(&self) -> Option<Timestamp> {
        self.said(&self.change.target, |claim| *claim == Claim::Reconnected)
    }

    /// When a seat's node showed the new host without a flag.
    pub fn seen_hosted(&self, seat: &'a Seat) -> Option<Timestamp> {
        self.said(seat, |claim| *claim == Claim::SeenHosted)
    }

    /// Whether an owner is one of those who cannot complete anything together: those whom the intent names, and the new
    /// host's own owner where all of them are still fewer than the threshold.
    pub fn signs_ahead(&self, owner: &Namespace, ahead: &[Namespace]) -> bool {
        let Some(definition) = self.state.definition(self.change.party.namespace()) else { return false };
        let early: BTreeSet<&Namespace> = ahead.iter().chain([&self.change.target.owner]).collect();
        let counting = early.iter().filter(|owner| definition.owners.contains(owner)).count();
        early.contains(owner) && counting < definition.threshold as usize
    }

    /// Whether a namespace signs for the party: as its own, or as one of its owners.
    pub fn is_of_party(&self, namespace: &Namespace) -> bool {
        let own = self.change.party.namespace();
        let is_owner = |owners: &[Namespace]| owners.contains(namespace);
        own == namespace || self.state.definition(own).is_some_and(|definition| is_owner(&definition.owners))
    }

    /// The new host as topology has it.
    pub fn host(&self) -> Option<&'a HostingParticipant> {
        host_of(self.state, &self.change.party, &self.change.target.participant)
    }
}

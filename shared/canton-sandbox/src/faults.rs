//! What is to go wrong at a participant, ordered by a test.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Mutex,
};

use canton_topology::hash::TransactionHash;
pub use tonic::Code;

use crate::synchronizer::locked;

/// Something that goes wrong once, at the next call of an rpc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call is refused before it does anything: UNAVAILABLE.
    Refused,
    /// The call does what it should, and its answer is lost: UNAVAILABLE.
    AnswerLost,
    /// The call is refused before it does anything, by this name.
    Named(Code, &'static str),
    /// The call is refused before it does anything, and the node hides why.
    Redacted(Code),
}

/// What is to go wrong at one participant.
#[derive(Debug, Default)]
pub struct Faults {
    calls: Mutex<VecDeque<(String, Fault)>>,
    hidden: Mutex<BTreeSet<TransactionHash>>,
    import_stops_after: Mutex<Option<usize>>,
}

impl Faults {
    /// Orders a fault for the next call of an rpc, such as `AddTransactions`. Several for one rpc come one after the other.
    pub fn order(&self, rpc: &str, fault: Fault) {
        locked(&self.calls).push_back((rpc.to_owned(), fault));
    }

    /// Takes back what was ordered for an rpc and has not come yet.
    pub fn take_back(&self, rpc: &str) {
        locked(&self.calls).retain(|(wanted, _)| wanted != rpc);
    }

    /// The fault that this call meets.
    pub(crate) fn take(&self, rpc: &str) -> Option<Fault> {
        let mut calls = locked(&self.calls);
        let place = calls.iter().position(|(wanted, _)| wanted == rpc)?;
        calls.remove(place).map(|(_, fault)| fault)
    }

    /// Lets the node keep a row to itself: whoever reads its topology does not see it.
    pub fn hide(&self, transaction: TransactionHash) {
        locked(&self.hidden).insert(transaction);
    }

    /// Lets the node show everything again.
    pub fn show_all(&self) {
        locked(&self.hidden).clear();
    }

    pub(crate) fn hides(&self, transaction: &TransactionHash) -> bool {
        locked(&self.hidden).contains(transaction)
    }

    /// Lets the node stop in the middle of the next import, once it has taken over that many contracts.
    pub fn stop_import_after(&self, contracts: usize) {
        *locked(&self.import_stops_after) = Some(contracts);
    }

    pub(crate) fn take_import_stop(&self) -> Option<usize> {
        locked(&self.import_stops_after).take()
    }
}

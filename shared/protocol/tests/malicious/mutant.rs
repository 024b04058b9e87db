//! A well-formed lie: an intent that an honest owner signed, and an offer for it that means something else.

use std::collections::BTreeSet;

use canton_topology::{
    mapping::{DecentralizedNamespaceDefinition, Mapping, NamespaceDelegation, PartyToParticipant},
    transaction::{Operation, Serial, Transaction},
};
use protocol::{intent::Change, plan::base_of, plan::plan, verify::Verification};

use crate::world::World;

#[derive(Clone)]
pub struct Mutant {
    pub name: &'static str,
    /// The name of the refusal; `Unreadable` where the case does not take the offer.
    pub expected: &'static str,
    pub change: Change,
    pub offered: Vec<Vec<u8>>,
    /// Means what the intent names, in an order, at a serial or in letters that are the plan's business alone.
    pub same_meaning: bool,
}

impl Mutant {
    pub fn new(name: &'static str, expected: &'static str, change: &Change, offered: &[Transaction]) -> Self {
        let offered = offered.iter().map(|one| one.bytes().to_vec()).collect();
        Self { name, expected, change: change.clone(), offered, same_meaning: false }
    }

    #[must_use]
    pub fn same_meaning(mut self) -> Self {
        self.same_meaning = true;
        self
    }

    pub fn transactions(&self) -> Vec<Transaction> {
        self.offered.iter().filter_map(|bytes| Transaction::parse(bytes).ok()).collect()
    }

    /// Whether the typed view shows all of it, so that a check of meaning can see the lie.
    pub fn is_shown(&self) -> bool {
        let transactions = self.transactions();
        transactions.len() == self.offered.len() && transactions.iter().all(|one| one.unshown().is_empty())
    }

    /// The names of the refusals of all owners.
    pub fn refused_by_everybody(&self, world: &World) -> Vec<&'static str> {
        let mut case = world.proposed("alice", self.change.clone());
        let base = base_of(&self.transactions(), &world.state);
        if world.offer_bytes(&mut case, self.offered.clone(), base).is_err() {
            return vec!["Unreadable"];
        }
        let names: BTreeSet<&'static str> = world
            .owners
            .iter()
            .map(|owner| match world.verify(owner.name, &case) {
                Verification::Refused(refusal) => refusal.name(),
                Verification::Verified(_) => "VERIFIED",
                Verification::NotYet(_) => "NOT YET",
            })
            .collect();
        names.into_iter().collect()
    }
}

/// The honest transactions of a change.
pub fn honest(world: &World, change: &Change) -> Vec<Transaction> {
    plan(&world.intent("alice", change.clone()), &world.state).unwrap().transactions
}

/// The honest transactions with one of them replaced.
pub fn with(honest: &[Transaction], index: usize, other: Transaction) -> Vec<Transaction> {
    let mut all = honest.to_vec();
    all[index] = other;
    all
}

pub fn edit_party(transaction: &Transaction, edit: impl Fn(&mut PartyToParticipant)) -> Transaction {
    let Mapping::PartyToParticipant(mut mapping) = transaction.mapping().clone() else { panic!("not a party") };
    edit(&mut mapping);
    again(transaction, Mapping::PartyToParticipant(mapping))
}

pub fn edit_definition(transaction: &Transaction, edit: impl Fn(&mut DecentralizedNamespaceDefinition)) -> Transaction {
    let Mapping::DecentralizedNamespaceDefinition(mut mapping) = transaction.mapping().clone() else {
        panic!("not a definition")
    };
    edit(&mut mapping);
    again(transaction, Mapping::DecentralizedNamespaceDefinition(mapping))
}

pub fn edit_delegation(transaction: &Transaction, edit: impl Fn(&mut NamespaceDelegation)) -> Transaction {
    let Mapping::NamespaceDelegation(mut mapping) = transaction.mapping().clone() else { panic!("not a delegation") };
    edit(&mut mapping);
    again(transaction, Mapping::NamespaceDelegation(mapping))
}

fn again(transaction: &Transaction, mapping: Mapping) -> Transaction {
    Transaction::build(transaction.operation(), transaction.serial(), &mapping)
}

pub fn removing(transaction: &Transaction) -> Transaction {
    Transaction::build(Operation::Remove, transaction.serial(), transaction.mapping())
}

pub fn at_serial(transaction: &Transaction, serial: u32) -> Transaction {
    Transaction::build(transaction.operation(), Serial::try_from(serial).unwrap(), transaction.mapping())
}

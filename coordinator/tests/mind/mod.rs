//! The coordinator's mind alone: no socket, no disk, no clock but a number.

mod ending;
mod offers;
mod refused;
mod submitting;

use std::collections::BTreeMap;

use canton_topology::{Timestamp, transaction::SignedTransaction};
use coordinator::coordinator::{Coordinator, Effect, Refused, SubmitResult};
use ed25519_dalek::SigningKey;
use protocol::{
    case::Case,
    intent::{After, CaseId, Change, Former, Intent, Membership, Order, OwnersChange, Slot, Void},
    life::Status,
    limits,
    plan::plan,
    registry::Kind,
    statement::{
        Approval, Contribution, Decline, EncodedSignature, Offer, Outcome, OutcomeResult, SignStatements as _,
        Statement, StatementHash, Withdrawal,
    },
    workflow::error::PlanError,
};

use crate::support::{
    MINUTE, Owner,
    world::{World, namespace_of, synchronizer},
};

const START: Timestamp = Timestamp(1_000_000_000_000);

/// A mind, its owners and their world.
struct Play {
    mind: Coordinator,
    world: World,
    owners: [Owner; 3],
    now: Timestamp,
    /// What was stored, in order.
    stored: Vec<Statement>,
    submitted: Vec<(CaseId, StatementHash, Vec<SignedTransaction>)>,
}

fn new_mind(owners: &[Owner]) -> Coordinator {
    let mut mind = Coordinator::new(Box::new(SigningKey::from_bytes(&[99; 32])), plan);
    for owner in owners {
        assert!(mind.admit(owner.identity.identity(), owner.namespace()));
    }
    mind
}

impl Play {
    fn new() -> Self {
        let owners = [1, 2, 3].map(Owner::new);
        let world = World::of(&owners.each_ref(), 2);
        let mind = new_mind(&owners);
        let mut play = Self { mind, world, owners, now: START, stored: Vec::new(), submitted: Vec::new() };
        play.see_topology();
        play
    }

    fn see_topology(&mut self) {
        let effects = self.mind.topology_changed(self.world.state(), self.now);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Append { case, position, statement } => {
                    let of_case = self.stored.iter().filter(|stored| stored.case().unwrap() == case).count();
                    assert_eq!(position, of_case as u64, "statements are stored in the order of their case");
                    self.stored.push(statement);
                }
                Effect::Submit { case, offer, transactions } => self.submitted.push((case, offer, transactions)),
            }
        }
    }

    fn take(&mut self, statement: &Statement) -> Result<(), Refused> {
        let (_, effects) = self.mind.take(statement.clone(), self.now)?;
        self.carry_out(effects);
        Ok(())
    }

    fn propose(&mut self, number: u8, change: Change) -> CaseId {
        let intent = self.owners[0].intent(number, &synchronizer(), self.now, change);
        self.take(&intent).unwrap();
        CaseId::from_bytes([number; 16])
    }

    fn approve(&mut self, owner: usize, case: &CaseId) {
        let approval = self.owners[owner].approval(self.case(case));
        self.take(&approval).unwrap();
    }

    fn case(&self, id: &CaseId) -> &Case {
        self.mind.case(id).unwrap()
    }

    fn status(&mut self, id: &CaseId) -> Status {
        self.mind.standing(id, self.now).unwrap().status
    }

    fn raise_threshold(&self) -> Change {
        self.threshold(3)
    }

    fn threshold(&self, threshold: u32) -> Change {
        owners_change(OwnersChange { threshold: Some(threshold), ..self.no_change() })
    }

    fn add_owner(&self, threshold: u32) -> Change {
        let add = vec![Owner::new(4).key];
        owners_change(OwnersChange { add, threshold: Some(threshold), ..self.no_change() })
    }

    fn no_change(&self) -> OwnersChange {
        let namespace = namespace_of(&self.owners.each_ref());
        OwnersChange { namespace, add: Vec::new(), remove: Vec::new(), threshold: None }
    }

    /// Brings a case to its end by the first two owners (and the fourth, whose root and ownership are new).
    fn make_effective(&mut self, id: &CaseId) {
        self.approve(0, id);
        self.approve(1, id);
        let offered = self.case(id).offer().unwrap();
        if offered.transactions.len() > 1 {
            let newcomer = Owner::new(4);
            let signatures = offered.transactions.iter().map(|transaction| EncodedSignature {
                transaction: transaction.hash(),
                signature: newcomer.sign(transaction).encode(),
            });
            let body = Contribution { case: *id, offer: offered.hash, signatures: signatures.collect() };
            let contribution = Statement::sign(&body, &self.owners[0].identity);
            self.take(&contribution).unwrap();
        }
        let (case, offer, transactions) = self.submitted.pop().expect("it is submitted");
        assert_eq!(case, *id);
        self.world.must_accept(&transactions);
        let effects = self.mind.submitted(case, offer, SubmitResult::Watch, self.now);
        self.carry_out(effects);
        self.see_topology();
    }

    fn outcomes(&self, id: &CaseId) -> Vec<OutcomeResult> {
        self.case(id).outcomes().iter().map(|outcome| outcome.result.clone()).collect()
    }
}

fn owners_change(change: OwnersChange) -> Change {
    Change::Membership(Membership { owners: Some(change), party: None, order: Order::Staged })
}

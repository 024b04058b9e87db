//! The coordinator's mind alone: no socket, no disk, no clock but a number.

use std::collections::BTreeMap;

use canton_topology::{Timestamp, transaction::SignedTransaction};
use coordinator::coordinator::{Coordinator, Effect, Refused, SubmitResult};
use ed25519_dalek::SigningKey;
use protocol::{
    case::Case,
    intent::{CaseId, Change, Intent, Membership, Order, OwnersChange, Slot, Void},
    life::Status,
    limits,
    plan::{PlanError, plan},
    registry::Kind,
    statement::{
        Approval, Contribution, Decline, EncodedSignature, Offer, Outcome, OutcomeResult, SignStatements as _,
        Statement, StatementHash, Withdrawal,
    },
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

#[test]
fn an_intent_becomes_an_offer_at_once() {
    let mut play = Play::new();

    let id = play.propose(1, play.raise_threshold());

    assert_eq!(play.status(&id), Status::Collecting);
    let kinds: Vec<Kind> = play.stored.iter().map(Statement::kind).collect();
    assert_eq!(kinds, [Kind::Intent, Kind::Offer]);
}

#[test]
fn a_case_is_submitted_at_the_signature_that_meets_the_rule_and_not_before() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());

    play.approve(0, &id);
    assert!(play.submitted.is_empty());
    play.approve(1, &id);

    assert_eq!(play.submitted.len(), 1);
    assert_eq!(play.status(&id), Status::Ready);
    play.approve(2, &id);
    assert_eq!(play.submitted.len(), 1, "what is under way is not submitted again");
}

#[test]
fn an_effective_case_is_reported_and_settles() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());

    play.make_effective(&id);

    let outcomes = play.outcomes(&id);
    assert!(matches!(outcomes.as_slice(), [OutcomeResult::Submitted { .. }, OutcomeResult::Effective { .. }]));
    assert_eq!(play.mind.settled().collect::<Vec<_>>(), [id]);
    assert!(play.mind.forget(&id));
    assert!(play.mind.case(&id).is_none());
}

#[test]
fn a_case_that_waits_for_topology_is_offered_when_there_is_some() {
    let mut play = Play::new();
    play.mind = new_mind(&play.owners);
    let id = play.propose(1, play.raise_threshold());
    assert_eq!(play.status(&id), Status::Waiting);

    play.see_topology();

    assert_eq!(play.status(&id), Status::Collecting);
}

#[test]
fn a_stale_offer_is_made_again_on_the_new_base() {
    let mut play = Play::new();
    let loser = play.propose(1, play.raise_threshold());
    let winner = play.propose(2, play.add_owner(2));
    play.approve(0, &loser);

    play.make_effective(&winner);

    let rounds: Vec<u32> = play.case(&loser).offers().iter().map(|offered| offered.offer.round).collect();
    assert_eq!(rounds, [0, 1]);
    assert_eq!(play.status(&loser), Status::Collecting);
    play.approve(0, &loser);
    play.approve(1, &loser);
    let (case, offer, transactions) = play.submitted.pop().unwrap();
    assert_eq!((case, Some(offer)), (loser, play.case(&loser).offer().map(|offered| offered.hash)));
    play.world.must_accept(&transactions);
    play.see_topology();
    assert!(matches!(play.status(&loser), Status::Effective { .. }));
}

#[test]
fn two_cases_that_mean_the_same_bytes_are_effective_together() {
    let mut play = Play::new();
    let one = play.propose(1, play.raise_threshold());
    let other = play.propose(2, play.raise_threshold());

    play.make_effective(&other);

    assert!(matches!(play.status(&one), Status::Effective { .. }));
    assert!(matches!(play.outcomes(&one).as_slice(), [OutcomeResult::Effective { .. }]));
}

#[test]
fn a_case_that_would_change_nothing_any_more_is_superseded_and_settles() {
    let mut play = Play::new();
    let loser = play.propose(1, play.threshold(3));
    let winner = play.propose(2, play.add_owner(3));
    play.approve(2, &loser);

    play.make_effective(&winner);

    assert!(matches!(play.status(&loser), Status::Superseded { .. }));
    assert!(matches!(play.outcomes(&loser).as_slice(), [OutcomeResult::Superseded { .. }]));
    assert!(play.mind.settled().any(|settled| settled == loser));
}

#[test]
fn a_case_that_was_voided_is_not_offered_again() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    play.approve(0, &id);
    let offered = &play.case(&id).offer().unwrap().transactions[0];
    let slot = Slot { unique_key: offered.unique_key(), serial: offered.serial(), transaction: offered.hash() };
    let void = play.propose(2, Change::Void(Void { case: id, slots: vec![slot] }));

    play.make_effective(&void);

    assert!(matches!(play.status(&id), Status::Superseded { .. }));
    assert_eq!(play.case(&id).offers().len(), 1);
    assert!(matches!(play.outcomes(&id).as_slice(), [OutcomeResult::Superseded { .. }]));
    assert!(play.mind.settled().any(|settled| settled == id));
}

#[test]
fn a_withdrawn_case_with_a_signature_stays_until_that_signature_is_dead() {
    let mut play = Play::new();
    let signed = play.propose(1, play.raise_threshold());
    let unsigned = play.propose(2, play.add_owner(2));
    play.approve(1, &signed);
    for id in [signed, unsigned] {
        let intent = play.case(&id).intent_hash();
        let body = Withdrawal { case: id, intent, reason: "no".to_owned() };
        let withdrawal = Statement::sign(&body, &play.owners[0].identity);
        play.take(&withdrawal).unwrap();
    }

    assert_eq!(play.mind.settled().collect::<Vec<_>>(), [unsigned]);
    assert_eq!(play.mind.standing(&signed, play.now).unwrap().live.len(), 1);
    play.approve(0, &signed);
    assert!(play.submitted.is_empty(), "a withdrawn case is never submitted by us");
}

#[test]
fn a_case_that_became_effective_after_its_withdrawal_is_reported() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    play.approve(0, &id);
    let intent = play.case(&id).intent_hash();
    let body = Withdrawal { case: id, intent, reason: "no".to_owned() };
    let withdrawal = Statement::sign(&body, &play.owners[0].identity);
    play.take(&withdrawal).unwrap();
    let transaction = play.case(&id).offer().unwrap().transactions[0].clone();
    play.world.must_accept(&[crate::support::signed(transaction, &[&play.owners[0], &play.owners[1]])]);

    play.see_topology();

    assert!(matches!(play.outcomes(&id).as_slice(), [OutcomeResult::Effective { .. }]));
}

#[test]
fn a_statement_again_gets_the_same_answer_and_is_stored_once() {
    let mut play = Play::new();
    let intent = play.owners[0].intent(1, &synchronizer(), play.now, play.raise_threshold());
    let (first, effects) = play.mind.take(intent.clone(), play.now).unwrap();
    play.carry_out(effects);

    let (second, effects) = play.mind.take(intent, play.now).unwrap();

    assert_eq!(first, second);
    assert!(effects.is_empty());
}

#[test]
fn a_second_intent_under_the_same_id_is_refused() {
    let mut play = Play::new();
    play.propose(1, play.raise_threshold());

    let other = play.owners[0].intent(1, &synchronizer(), play.now, play.add_owner(2));

    assert!(play.take(&other).is_err());
}

#[test]
fn a_canton_signature_that_does_not_verify_is_refused_by_its_number() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    let approval: Approval = play.owners[1].approval(play.case(&id)).open().unwrap();
    let mut forged = approval.clone();
    // Another owner's name on this owner's signature.
    let transaction = play.case(&id).offer().unwrap().transactions[0].clone();
    let bytes: [u8; 64] = [1; 64];
    let wrong = canton_topology::signature::Signature::new_ed25519(bytes, play.owners[2].key.fingerprint());
    forged.signatures.push(EncodedSignature { transaction: transaction.hash(), signature: wrong.encode() });

    let refused = play.take(&Statement::sign(&forged, &play.owners[1].identity)).unwrap_err();

    let key = play.owners[2].key.fingerprint();
    assert_eq!(refused, Refused::CantonSignature { kind: Kind::Approval, index: 1, key });
    assert_eq!(play.case(&id).approvals().len(), 0);
}

#[test]
fn an_unplannable_intent_is_refused_at_once() {
    let mut play = Play::new();
    let intent = play.owners[0].intent(1, &synchronizer(), play.now, play.threshold(9));

    let refused = play.take(&intent).unwrap_err();

    assert!(matches!(refused, Refused::Plan(PlanError::OutOfRange { .. })), "{refused:?}");
    assert!(play.stored.is_empty());
}

#[test]
fn an_intent_from_the_future_is_refused() {
    let mut play = Play::new();
    let later = play.now.plus_micros(6 * MINUTE);
    let intent = play.owners[0].intent(1, &synchronizer(), later, play.raise_threshold());

    let refused = play.take(&intent).unwrap_err();

    assert!(refused.to_string().contains("created_at"), "{refused}");
}

#[test]
fn a_stranger_says_nothing() {
    let mut play = Play::new();
    let stranger = Owner::new(8);

    let refused = play.take(&stranger.intent(1, &synchronizer(), play.now, play.raise_threshold())).unwrap_err();

    assert!(matches!(refused, Refused::Case(protocol::case::CaseError::Speaker { .. })), "{refused:?}");
}

#[test]
fn an_offer_that_an_owner_signs_is_refused() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    let mut offer: Offer = play.case(&id).offer().unwrap().offer.clone();
    offer.round = 1;

    assert!(play.take(&Statement::sign(&offer, &play.owners[0].identity)).is_err());
    let outcome = Outcome {
        case: id,
        offer: play.case(&id).offer().unwrap().hash,
        result: OutcomeResult::Effective { at: START },
    };
    assert!(play.take(&Statement::sign(&outcome, &play.owners[0].identity)).is_err());
}

#[test]
fn an_owner_with_too_many_open_cases_is_told_so_and_others_are_not() {
    let mut play = Play::new();
    let max = limits::OPEN_CASES_PER_OWNER_MAX;
    // Without topology nothing is planned, which is quicker.
    play.mind = new_mind(&play.owners);
    let intent = |owner: &Owner, number: usize| {
        let statement = owner.intent(0, &synchronizer(), START, play_change());
        let mut intent: Intent = statement.open().unwrap();
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(number as u64).to_be_bytes());
        intent.case = CaseId::from_bytes(id);
        Statement::sign(&intent, &owner.identity)
    };
    fn play_change() -> Change {
        Change::Membership(Membership { owners: None, party: None, order: Order::Staged })
    }
    let owners = play.owners.clone();
    for number in 0..max {
        play.take(&intent(&owners[0], number)).unwrap();
    }

    let refused = play.take(&intent(&owners[0], max)).unwrap_err();

    assert_eq!(refused, Refused::TooManyCases { owner: owners[0].namespace(), max });
    play.take(&intent(&owners[1], max)).unwrap();
}

#[test]
fn a_participant_that_cannot_be_reached_is_asked_again_later_and_later() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    play.approve(0, &id);
    play.approve(1, &id);
    let mut waits = Vec::new();
    for _ in 0..10 {
        let (case, offer, _) = play.submitted.pop().unwrap();
        let effects = play.mind.submitted(case, offer, SubmitResult::Retry("away".to_owned()), play.now);
        assert!(effects.is_empty());
        let next = play.mind.next_tick().unwrap();
        waits.push((next.micros() - play.now.micros()) / 1000);
        play.now = next;
        let effects = play.mind.tick(play.now);
        play.carry_out(effects);
    }

    assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 32_000, 32_000]);
    assert!(play.outcomes(&id).is_empty(), "nothing was handed over");
}

#[test]
fn a_submission_that_shows_no_effect_is_repeated_with_the_same_bytes() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    play.approve(0, &id);
    play.approve(1, &id);
    let (case, offer, first) = play.submitted.pop().unwrap();
    let effects = play.mind.submitted(case, offer, SubmitResult::Watch, play.now);
    play.carry_out(effects);
    assert_eq!(play.status(&id), Status::Submitted);

    play.now = play.mind.next_tick().unwrap();
    let effects = play.mind.tick(play.now);
    play.carry_out(effects);

    let (_, _, second) = play.submitted.pop().unwrap();
    assert_eq!(first, second);
}

#[test]
fn a_submission_of_which_nothing_is_heard_is_repeated() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    play.approve(0, &id);
    play.approve(1, &id);
    play.submitted.clear();

    play.now = play.mind.next_tick().unwrap();
    let effects = play.mind.tick(play.now);
    play.carry_out(effects);

    assert_eq!(play.submitted.len(), 1);
}

#[test]
fn a_refused_submission_is_reported_with_the_reason() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    play.approve(0, &id);
    play.approve(1, &id);
    let (case, offer, _) = play.submitted.pop().unwrap();

    let effects = play.mind.submitted(case, offer, SubmitResult::Rejected("BAD: so".to_owned()), play.now);
    play.carry_out(effects);

    assert_eq!(play.status(&id), Status::Rejected { reason: "BAD: so".to_owned() });
    assert!(play.submitted.is_empty());
}

#[test]
fn a_case_expires_by_itself_and_is_not_submitted_after_that() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    play.approve(0, &id);

    play.now = play.mind.next_tick().unwrap();
    let effects = play.mind.tick(play.now);
    play.carry_out(effects);

    assert_eq!(play.status(&id), Status::Expired);
    play.approve(1, &id);
    assert!(play.submitted.is_empty());
    assert_eq!(play.mind.standing(&id, play.now).unwrap().live.len(), 1);
}

#[test]
fn a_decline_that_leaves_enough_owners_does_not_stop_the_others() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    let offer = play.case(&id).offer().unwrap().hash;
    let body = Decline { case: id, offer, owner: play.owners[2].namespace(), reason: "no".to_owned() };
    let decline = Statement::sign(&body, &play.owners[2].identity);
    play.take(&decline).unwrap();

    play.make_effective(&id);

    assert!(matches!(play.status(&id), Status::Effective { .. }));
}

#[test]
fn a_mind_that_is_restored_from_what_was_stored_does_the_same() {
    let mut play = Play::new();
    let ready = play.propose(1, play.raise_threshold());
    let waiting = play.propose(2, play.add_owner(2));
    play.approve(0, &ready);
    play.approve(1, &ready);
    play.approve(2, &waiting);
    let before: BTreeMap<CaseId, Case> = play.mind.cases().map(|case| (case.id(), case.clone())).collect();
    let first = play.submitted.pop().unwrap();

    play.mind = new_mind(&play.owners);
    for statement in play.stored.clone() {
        play.mind.restore(statement).unwrap();
    }
    let after: BTreeMap<CaseId, Case> = play.mind.cases().map(|case| (case.id(), case.clone())).collect();
    play.see_topology();

    assert_eq!(before, after);
    let second = play.submitted.pop().unwrap();
    assert_eq!((first.0, first.1, first.2), (second.0, second.1, second.2));
}

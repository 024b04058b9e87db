//! What is refused, and what is taken once.

use super::*;

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
fn an_offer_that_another_owner_signs_than_the_proposer_is_refused_and_so_is_an_owner_s_outcome() {
    let mut play = Play::new();
    let id = play.propose(1, play.raise_threshold());
    let mut offer: Offer = play.case(&id).offer().unwrap().offer.clone();
    offer.round = 1;

    assert!(play.take(&Statement::sign(&offer, &play.owners[1].identity)).is_err());
    play.take(&Statement::sign(&offer, &play.owners[0].identity)).unwrap();
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

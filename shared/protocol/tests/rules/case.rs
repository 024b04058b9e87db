//! Who may say what in a case, and what becomes of it.

use canton_topology::{id::SynchronizerId, signature::Signature};
use ed25519_dalek::SigningKey;
use protocol::{
    case::{Appended, Case, CaseError},
    directory::Directory,
    identity::{CertificateError, IdentityCertificate, IdentityClaim},
    limits,
    plan::plan,
    registry::Kind,
    statement::{
        Approval, Checkpoint, Contribution, Decline, EncodedSignature, Offer, Outcome, OutcomeResult, SignStatements,
        Statement, StatementError, StatementHash, Withdrawal,
    },
};

use crate::world::{Owner, World};

fn offered() -> (World, Case) {
    let world = World::with_party();
    let case = world.offered("alice", world.thresholds(None, Some(1), None));
    (world, case)
}

fn field(error: &CaseError) -> &str {
    match error {
        CaseError::Field { field, .. } => field,
        other => panic!("not about a field: {other}"),
    }
}

#[test]
fn only_the_proposer_that_it_names_opens_a_case() {
    let world = World::new();
    let intent = world.intent("alice", world.create_party());
    let open = |signer: &SigningKey| Case::open(Statement::sign(&intent, signer), &world.directory);
    assert!(open(&world.owner("alice").identity).is_ok());
    for stranger in [&world.owner("bob").identity, &world.coordinator, &Owner::new("mallory").identity] {
        let refused = open(stranger).unwrap_err();
        assert!(matches!(refused, CaseError::Speaker { kind: Kind::Intent, .. }), "{refused}");
    }
}

#[test]
fn a_deadline_must_lie_ahead_and_within_ninety_days() {
    let world = World::new();
    for (micros, taken) in [
        (-1, false),
        (0, false),
        (1, true),
        (limits::DEADLINE_MICROS_MAX, true),
        (limits::DEADLINE_MICROS_MAX + 1, false),
    ] {
        let mut intent = world.intent("alice", world.create_party());
        intent.deadline = intent.created_at.plus_micros(micros);
        let opened = Case::open(Statement::sign(&intent, &world.owner("alice").identity), &world.directory);
        assert_eq!(opened.is_ok(), taken, "{micros}");
    }
}

#[test]
fn a_statement_is_appended_once_and_the_same_again_changes_nothing() {
    let (world, mut case) = offered();
    world.must_approve("bob", &mut case);
    let before = case.clone();
    let again = case.statements().last().unwrap().clone();
    assert_eq!(case.append(again, &world.directory), Ok(Appended::AlreadyThere));
    let intent = case.intent_statement().clone();
    assert_eq!(case.append(intent, &world.directory), Ok(Appended::AlreadyThere));
    assert_eq!(case, before);
}

#[test]
fn a_case_rebuilt_from_its_statements_elsewhere_is_equal() {
    let (world, mut case) = offered();
    world.must_approve("bob", &mut case);
    world.must_decline("carol", &mut case);
    world.must_withdraw("alice", &mut case);
    let bytes: Vec<Vec<u8>> = case.statements().iter().map(|statement| statement.bytes().to_vec()).collect();

    let mut read = bytes.iter().map(|bytes| Statement::parse(bytes).unwrap());
    let mut rebuilt = Case::open(read.next().unwrap(), &world.directory).unwrap();
    for statement in read {
        assert_eq!(rebuilt.append(statement, &world.directory), Ok(Appended::New));
    }
    assert_eq!(rebuilt, case);
    assert_eq!(rebuilt.checkpoint(), case.checkpoint());
}

#[test]
fn every_head_commits_to_all_statements_before_it() {
    let (world, mut case) = offered();
    let mut heads = vec![case.head_at(0).unwrap(), case.head_at(1).unwrap(), case.checkpoint().head];
    world.must_approve("bob", &mut case);
    heads.push(case.checkpoint().head);
    for (length, head) in heads.iter().enumerate() {
        assert_eq!(case.head_at(length as u64), Some(*head));
        assert_eq!(heads.iter().filter(|other| *other == head).count(), 1);
    }
    assert_eq!(case.head_at(5), None);
}

#[test]
fn a_second_intent_for_a_case_is_refused() {
    let (world, mut case) = offered();
    let mut other = case.intent().clone();
    other.reason = "something else".to_owned();
    let refused = world.say(&mut case, &other, &world.owner("alice").identity);
    assert_eq!(refused, Err(CaseError::SecondIntent(case.id())));
}

#[test]
fn a_statement_about_another_case_is_refused() {
    let (world, mut case) = offered();
    let mut other = world.offered("alice", world.thresholds(None, Some(1), None));
    let approval = world.approval("bob", &case);
    let refused = world.say(&mut other, &approval, &world.owner("bob").identity).unwrap_err();
    assert_eq!(refused, CaseError::OtherCase { expected: other.id(), found: case.id() });
    world.must_approve("bob", &mut case);
}

#[test]
fn the_coordinator_and_the_proposer_offer_and_the_coordinator_alone_reports() {
    let (world, mut case) = offered();
    let offer = Offer { round: 1, ..case.offer().unwrap().offer.clone() };
    let hash = case.offer().unwrap().hash;
    let outcome = Outcome { case: case.id(), offer: hash, result: OutcomeResult::Submitted { at: world.now } };
    let (alice, bob) = (&world.owner("alice").identity, &world.owner("bob").identity);
    assert!(matches!(world.say(&mut case, &offer, bob), Err(CaseError::Speaker { kind: Kind::Offer, .. })));
    assert!(matches!(world.say(&mut case, &outcome, alice), Err(CaseError::Speaker { kind: Kind::Outcome, .. })));
    assert_eq!(world.say(&mut case, &outcome, &world.coordinator), Ok(Appended::New));
    assert_eq!(world.say(&mut case, &offer, &world.coordinator), Ok(Appended::New));
    let offer = Offer { round: 2, ..offer };
    assert_eq!(world.say(&mut case, &offer, alice), Ok(Appended::New));
}

#[test]
fn an_offer_must_be_the_next_round_of_this_intent_with_readable_transactions() {
    let (world, mut case) = offered();
    let good = Offer { round: 1, ..case.offer().unwrap().offer.clone() };
    let cases: [(&str, Offer); 7] = [
        ("intent", Offer { intent: StatementHash::from_bytes([9; 32]), ..good.clone() }),
        ("round", Offer { round: 0, base: vec![], ..good.clone() }),
        ("round", Offer { round: 2, ..good.clone() }),
        ("transactions", Offer { transactions: vec![], ..good.clone() }),
        ("transactions", Offer { transactions: vec![vec![1, 2, 3]], ..good.clone() }),
        ("transactions", Offer { transactions: vec![good.transactions[0].clone(); 2], ..good.clone() }),
        ("transactions", Offer { transactions: vec![good.transactions[0].clone(); 101], ..good.clone() }),
    ];
    for (expected, offer) in cases {
        assert_eq!(field(&world.say(&mut case, &offer, &world.coordinator).unwrap_err()), expected);
    }
    assert_eq!(case.offers().len(), 1);
}

#[test]
fn an_approval_is_its_owners_own() {
    let (world, mut case) = offered();
    let approval = world.approval("bob", &case);
    for signer in [&world.owner("alice").identity, &world.coordinator, &Owner::new("mallory").identity] {
        let refused = world.say(&mut case, &approval, signer).unwrap_err();
        assert!(matches!(refused, CaseError::Speaker { kind: Kind::Approval, .. }), "{refused}");
    }
    assert!(!case.is_approved_by(&world.owner("bob").namespace()));
}

#[test]
fn an_approval_for_another_offer_or_of_other_content_is_refused_by_field() {
    let (world, mut case) = offered();
    let good = world.approval("bob", &case);
    let other: SynchronizerId = "other::1220bb".parse().unwrap();
    let elsewhere = case.intent_hash();
    let bob = &world.owner("bob").identity;
    let refused = world.say(&mut case, &Approval { offer: elsewhere, ..good.clone() }, bob).unwrap_err();
    assert_eq!(refused, CaseError::UnknownOffer { kind: Kind::Approval, offer: elsewhere });

    let hash = canton_topology::hash::TransactionHash::of(b"something else");
    let stray = EncodedSignature { transaction: hash, signature: good.signatures[0].signature.clone() };
    let garbage = EncodedSignature { signature: vec![0xff], ..good.signatures[0].clone() };
    let cases: [(&str, Approval); 6] = [
        ("transactions", Approval { transactions: vec![], ..good.clone() }),
        ("transactions", Approval { transactions: vec![hash], ..good.clone() }),
        ("base", Approval { base: vec![], ..good.clone() }),
        ("synchronizer", Approval { synchronizer: other, ..good.clone() }),
        ("signatures", Approval { signatures: vec![stray], ..good.clone() }),
        ("signatures", Approval { signatures: vec![garbage], ..good.clone() }),
    ];
    for (expected, approval) in cases {
        assert_eq!(field(&world.say(&mut case, &approval, bob).unwrap_err()), expected);
    }
    assert!(case.approvals().is_empty());
}

#[test]
fn an_approval_that_saw_another_history_is_refused_and_both_heads_are_named() {
    let (world, case) = offered();
    let plan = plan(case.intent(), &world.state).unwrap();
    // The coordinator tells bob another story: first the offer that carol saw, then the same as round 1.
    let mut for_bob = case.clone();
    world.offer(&mut for_bob, &plan.transactions, plan.base);
    let approval = Approval { offer: case.offer().unwrap().hash, ..world.approval("bob", &case) };
    let ahead = Approval { checkpoint: Some(for_bob.checkpoint()), ..approval.clone() };
    let forged = Checkpoint { head: [1; 32], ..case.checkpoint() };
    let forked = Approval { checkpoint: Some(forged), ..approval.clone() };
    for (approval, here) in [(ahead, "none".to_owned()), (forked, hex::encode(case.checkpoint().head))] {
        let refused = world.say(&mut case.clone(), &approval, &world.owner("bob").identity).unwrap_err();
        let seen = approval.checkpoint.unwrap();
        let found = hex::encode(seen.head);
        assert_eq!(refused, CaseError::Forked { statements: seen.statements, here, found });
    }
    let silent = Approval { checkpoint: None, ..approval };
    assert_eq!(world.say(&mut case.clone(), &silent, &world.owner("bob").identity), Ok(Appended::New));
}

#[test]
fn any_enrolled_owner_may_carry_signatures_of_others_and_nobody_else() {
    let (world, mut case) = offered();
    let (offer, transaction) = (case.offer().unwrap().hash, case.offer().unwrap().transactions[0].hash());
    let key = world.owner("carol").namespace_key().fingerprint();
    let signature = world.sign(&key, transaction).encode();
    let signatures = vec![EncodedSignature { transaction, signature }];
    let contribution = Contribution { case: case.id(), offer, signatures };
    let mallory = Owner::new("mallory");
    let refused = world.say(&mut case, &contribution, &mallory.identity).unwrap_err();
    assert!(matches!(refused, CaseError::Speaker { kind: Kind::Contribution, .. }));
    assert_eq!(world.say(&mut case, &contribution, &world.owner("bob").identity), Ok(Appended::New));
    assert_eq!(world.standing(&case).live[0].signers, [key]);
    assert!(case.approvals().is_empty(), "a contribution is nobody's yes");
}

#[test]
fn a_forged_signature_that_came_first_does_not_hide_the_real_one() {
    let (world, mut case) = offered();
    let (offer, transaction) = (case.offer().unwrap().hash, case.offer().unwrap().transactions[0].hash());
    let key = world.owner("bob").namespace_key().fingerprint();
    let forged = Signature::new_ed25519([3; 64], key.clone()).encode();
    let signatures = vec![EncodedSignature { transaction, signature: forged }];
    let contribution = Contribution { case: case.id(), offer, signatures };
    world.say(&mut case, &contribution, &world.owner("carol").identity).unwrap();
    assert!(world.standing(&case).live.is_empty());
    world.must_approve("bob", &mut case);
    assert_eq!(world.standing(&case).live[0].signers, [key]);
}

#[test]
fn one_owner_can_neither_fill_a_case_nor_pile_up_signatures_of_a_key() {
    let (world, mut case) = offered();
    let (offer, transaction) = (case.offer().unwrap().hash, case.offer().unwrap().transactions[0].hash());
    let key = world.owner("bob").namespace_key().fingerprint();
    let carol = world.owner("carol");
    let forged = |byte: u8| EncodedSignature {
        transaction,
        signature: Signature::new_ed25519([byte; 64], key.clone()).encode(),
    };
    let carries =
        |bytes: std::ops::Range<u8>| Contribution { case: case.id(), offer, signatures: bytes.map(forged).collect() };
    let max = u8::try_from(limits::SIGNATURES_PER_KEY_AND_CARRIER_MAX).unwrap();
    let (all, one_more, at_once) = (carries(0..max), carries(max..max + 1), carries(0..max + 1));
    assert_eq!(field(&world.say(&mut case, &at_once, &carol.identity).unwrap_err()), "signatures");
    assert_eq!(world.say(&mut case, &all, &carol.identity), Ok(Appended::New));
    assert_eq!(field(&world.say(&mut case, &one_more, &carol.identity).unwrap_err()), "signatures");
    world.must_approve("bob", &mut case);

    let max = limits::STATEMENTS_PER_OWNER_AND_CASE_MAX;
    for number in 1..max {
        let owner = carol.namespace();
        let decline = Decline { case: case.id(), offer, owner, reason: number.to_string() };
        assert_eq!(world.say(&mut case, &decline, &carol.identity), Ok(Appended::New), "{number}");
    }
    let decline = Decline { case: case.id(), offer, owner: carol.namespace(), reason: "once more".to_owned() };
    let refused = world.say(&mut case, &decline, &carol.identity);
    assert_eq!(refused, Err(CaseError::TooManyStatements { owner: carol.namespace().to_string(), max }));
    world.must_withdraw("alice", &mut case);
}

#[test]
fn a_decline_is_its_owners_own_and_about_an_offer() {
    let (world, mut case) = offered();
    let offer = case.offer().unwrap().hash;
    let decline = |offer, reason: &str| Decline {
        case: case.id(),
        offer,
        owner: world.owner("bob").namespace(),
        reason: reason.to_owned(),
    };
    let (good, elsewhere) = (decline(offer, "no"), decline(case.intent_hash(), "no"));
    let long = decline(offer, &"n".repeat(limits::REASON_BYTES_MAX + 1));
    let bob = &world.owner("bob").identity;
    assert!(matches!(
        world.say(&mut case, &good, &world.owner("carol").identity),
        Err(CaseError::Speaker { kind: Kind::Decline, .. })
    ));
    assert!(matches!(world.say(&mut case, &elsewhere, bob), Err(CaseError::UnknownOffer { .. })));
    assert_eq!(field(&world.say(&mut case, &long, bob).unwrap_err()), "reason");
    assert_eq!(world.say(&mut case, &good, bob), Ok(Appended::New));
}

#[test]
fn only_the_proposers_own_key_withdraws_its_intent() {
    let (world, mut case) = offered();
    let good = Withdrawal { case: case.id(), intent: case.intent_hash(), reason: "never mind".to_owned() };
    for signer in [&world.owner("bob").identity, &world.coordinator] {
        let refused = world.say(&mut case, &good, signer).unwrap_err();
        assert!(matches!(refused, CaseError::Speaker { kind: Kind::Withdrawal, .. }));
    }
    let alice = &world.owner("alice").identity;
    let other = Withdrawal { intent: StatementHash::from_bytes([1; 32]), ..good.clone() };
    assert_eq!(field(&world.say(&mut case, &other, alice).unwrap_err()), "intent");
    assert_eq!(world.say(&mut case, &good, alice), Ok(Appended::New));
    assert_eq!(case.withdrawal(), Some(&good));
}

#[test]
fn a_refused_statement_leaves_a_case_as_it_was() {
    let (world, case) = offered();
    let mut tried = case.clone();
    let approval = Approval { base: vec![], ..world.approval("bob", &case) };
    world.say(&mut tried, &approval, &world.owner("bob").identity).unwrap_err();
    assert_eq!(tried, case);
}

#[test]
fn a_statement_whose_bytes_were_changed_anywhere_is_none() {
    let (world, case) = offered();
    let approval = Statement::sign(&world.approval("bob", &case), &world.owner("bob").identity);
    for index in 0..approval.bytes().len() {
        let mut bytes = approval.bytes().to_vec();
        bytes[index] ^= 1;
        assert!(Statement::parse(&bytes).is_err(), "byte {index}");
    }
}

#[test]
fn an_identity_key_never_comes_to_speak_for_another_owner() {
    let world = World::new();
    let (alice, bob) = (world.owner("alice"), world.owner("bob"));
    let coordinator = SignStatements::identity(&world.coordinator);
    let mut directory = Directory::new(coordinator);
    let of_alice = SignStatements::identity(&alice.identity);
    assert!(directory.enroll(&certificate(&world, alice, of_alice)));
    assert!(directory.enroll(&certificate(&world, alice, of_alice)), "the same once more is fine");
    assert!(!directory.enroll(&certificate(&world, bob, of_alice)));
    assert!(!directory.enroll(&certificate(&world, bob, coordinator)));
    assert_eq!(directory.owner(&of_alice), Some(&alice.namespace()));
}

#[test]
fn a_certificate_that_another_key_signed_is_refused() {
    let world = World::new();
    let (alice, bob) = (world.owner("alice"), world.owner("bob"));
    let claim = claim(&world, alice, SignStatements::identity(&alice.identity));
    let signature = bob.sign(bob.namespace_key().fingerprint_ref(), &claim.message()).unwrap();
    let refused = IdentityCertificate::new(claim, signature).unwrap_err();
    assert_eq!(refused, CertificateError::NotSigned { namespace: alice.namespace() });

    let good = certificate(&world, alice, SignStatements::identity(&alice.identity));
    assert_eq!(IdentityCertificate::parse(good.bytes()), Ok(good.clone()));
    for index in 0..good.bytes().len() {
        let mut bytes = good.bytes().to_vec();
        bytes[index] ^= 1;
        assert!(IdentityCertificate::parse(&bytes).is_err(), "byte {index}");
    }
}

#[test]
fn a_statement_of_a_kind_that_no_case_has_enters_none() {
    let world = World::new();
    let case = world.proposed("alice", world.create_party());
    let statement = case.intent_statement();
    assert_eq!(
        statement.open::<Offer>(),
        Err(StatementError::WrongKind { expected: Kind::Offer, found: Kind::Intent })
    );
}

fn claim(world: &World, owner: &Owner, identity: protocol::identity::IdentityPublicKey) -> IdentityClaim {
    IdentityClaim {
        namespace_key: owner.namespace_key(),
        identity,
        synchronizer: world.synchronizer.logical.clone(),
        issued_at: world.now,
    }
}

fn certificate(world: &World, owner: &Owner, identity: protocol::identity::IdentityPublicKey) -> IdentityCertificate {
    let claim = claim(world, owner, identity);
    let signature = owner.sign(owner.namespace_key().fingerprint_ref(), &claim.message()).unwrap();
    IdentityCertificate::new(claim, signature).unwrap()
}

//! Every refusal of an agent, what makes it wait, and which of its keys sign.

use canton_topology::{
    Timestamp,
    id::SynchronizerId,
    mapping::{Mapping, Permission, definition_key},
    state::{State, StaticParameters},
    transaction::Transaction,
};
use protocol::{
    book::Book,
    case::Case,
    difference::DifferenceClass,
    intent::{CaseId, Slot, Void},
    limits,
    plan::{base_of, plan},
    reader::Context,
    refusal::Refusal,
    request::Holder,
    statement::{BaseRow, Statement},
    verify::{Behind, Verification, Wait, still_wanted, verify},
    workflow::error::PlanError,
};

use crate::world::{MINUTE, Owner, World, build};

fn refused(world: &World, name: &str, case: &Case, book: &Book) -> Refusal {
    let me = world.owner(name).me(&world.synchronizer);
    let context =
        Context { me: &me, book, state: &world.state, seen: world.now, live: &[], now: world.now, frozen: false };
    match verify(case, &context) {
        Verification::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn thresholds_offered(world: &World) -> Case {
    world.offered("alice", world.thresholds(Some(3), Some(1), None))
}

#[test]
fn an_honest_offer_is_verified_by_everybody_whom_it_needs() {
    let world = World::new();
    let case = world.offered("alice", world.create_party());
    for name in ["alice", "bob", "carol"] {
        let verified = world.must_verify(name, &case);
        assert_eq!(verified.case(), case.id());
        assert_eq!(verified.offer(), case.offer().unwrap().hash);
        assert_eq!(verified.deadline(), case.intent().deadline);
        assert_eq!(verified.synchronizer(), &world.synchronizer.logical);
        assert_eq!(verified.differences().len(), 5);
        assert_eq!(verified.class(), DifferenceClass::Other, "a new party is for humans");
    }
}

#[test]
fn an_owner_with_a_host_of_its_own_signs_as_both_and_its_root_alone() {
    let world = World::new();
    let case = world.offered("alice", world.create_party());
    let bob = world.owner("bob");
    let verified = world.must_verify("bob", &case);
    let kind = |index: usize| verified.transactions()[index].mapping().code().letters();
    let requests: Vec<_> =
        verified.requests().iter().map(|one| (kind(one.index), one.key.clone(), one.holder)).collect();
    let own = bob.namespace_key().fingerprint();
    let mut agents = vec![own.clone(), bob.party_key().fingerprint()];
    agents.sort();
    let mut expected = vec![("nsd", own.clone(), Holder::Agent), ("dnd", own, Holder::Agent)];
    expected.extend(agents.into_iter().map(|key| ("ptp", key, Holder::Agent)));
    expected.push(("ptp", bob.node_key().fingerprint(), Holder::Participant));
    assert_eq!(requests, expected);
    let roots = verified.requests().iter().filter(|one| kind(one.index) == "nsd").count();
    assert_eq!(roots, 1, "nobody signs another owner's root");
}

#[test]
fn hosts_and_party_keys_that_need_not_agree_to_a_change_are_not_asked_to() {
    let world = World::with_party();
    let case = thresholds_offered(&world);
    let verified = world.must_verify("bob", &case);
    let own = world.owner("bob").namespace_key().fingerprint();
    assert_eq!(verified.requests().len(), 2);
    assert!(verified.requests().iter().all(|one| one.key == own && one.holder == Holder::Agent));
}

#[test]
fn a_case_without_an_offer_is_refused() {
    let world = World::new();
    let case = world.proposed("alice", world.create_party());
    assert_eq!(world.must_refuse("bob", &case), Refusal::NoOffer);
}

#[test]
fn an_intent_for_another_synchronizer_is_refused_although_its_bytes_would_be_the_same() {
    let world = World::with_party();
    let mut intent = world.intent("alice", world.thresholds(None, Some(1), None));
    let honest = plan(&intent, &world.state).unwrap();
    let found: SynchronizerId = "other::1220bb".parse().unwrap();
    intent.synchronizer = found.clone();
    let mut case = Case::open(Statement::sign(&intent, &world.owner("alice").identity), &world.directory).unwrap();
    world.offer(&mut case, &honest.transactions, honest.base);
    let pinned = world.synchronizer.logical.clone();
    assert_eq!(world.must_refuse("bob", &case), Refusal::OtherSynchronizer { found, pinned });
}

#[test]
fn topology_of_another_synchronizer_is_refused() {
    let mut world = World::with_party();
    let case = thresholds_offered(&world);
    world.state = State::new("other::1220bb::34-0".parse().unwrap(), StaticParameters::default());
    let refusal = world.must_refuse("bob", &case);
    assert!(matches!(refusal, Refusal::OtherTopology { .. }), "{refusal}");
}

#[test]
fn an_intent_of_an_identity_that_the_book_does_not_have_is_refused() {
    let world = World::with_party();
    let case = thresholds_offered(&world);
    let refusal = refused(&world, "bob", &case, &Book::default());
    let Refusal::UnknownProposer { proposer, .. } = &refusal else { panic!("{refusal}") };
    assert_eq!(*proposer, world.owner("alice").namespace());

    // The directory of the coordinator vouches for a key that is not in alice's card.
    let mut world = world;
    let impostor = Owner::new("mallory").identity;
    world.directory.admit(protocol::statement::SignStatements::identity(&impostor), world.owner("alice").namespace());
    let intent = world.intent("alice", world.thresholds(None, Some(1), None));
    let mut case = Case::open(Statement::sign(&intent, &impostor), &world.directory).unwrap();
    let honest = plan(&intent, &world.state).unwrap();
    world.offer(&mut case, &honest.transactions, honest.base);
    let refusal = world.must_refuse("bob", &case);
    assert!(matches!(refusal, Refusal::UnknownProposer { .. }), "{refusal}");
    let refusal = world.must_refuse("alice", &case);
    assert!(matches!(refusal, Refusal::UnknownProposer { .. }), "not even in my own name: {refusal}");
}

#[test]
fn an_intent_beyond_its_deadline_or_from_the_future_is_refused() {
    let mut world = World::with_party();
    let case = thresholds_offered(&world);
    let (created_at, deadline) = (case.intent().created_at, case.intent().deadline);
    world.now = deadline;
    world.must_verify("bob", &case);
    world.now = deadline.plus_micros(1);
    assert_eq!(world.must_refuse("bob", &case), Refusal::DeadlinePassed { deadline, now: world.now });
    world.now = created_at.plus_micros(-limits::CLOCK_SKEW_MICROS_MAX);
    world.must_verify("bob", &case);
    world.now = world.now.plus_micros(-1);
    assert_eq!(world.must_refuse("bob", &case), Refusal::FromTheFuture { created_at, now: world.now });
}

#[test]
fn a_withdrawn_intent_is_refused_and_so_is_everything_by_a_frozen_agent() {
    let world = World::with_party();
    let mut case = thresholds_offered(&world);
    let (me, book) = (world.owner("bob").me(&world.synchronizer), world.book_of("bob"));
    let context =
        Context { me: &me, book: &book, state: &world.state, seen: world.now, live: &[], now: world.now, frozen: true };
    assert_eq!(still_wanted(&case, &context), Err(Refusal::Frozen));
    assert!(matches!(verify(&case, &context), Verification::Refused(Refusal::Frozen)));
    world.must_withdraw("alice", &mut case);
    assert_eq!(world.must_refuse("bob", &case), Refusal::Withdrawn);
}

#[test]
fn stale_state_refuses_and_so_does_a_clock_that_was_set_back_behind_it() {
    let world = World::with_party();
    let case = thresholds_offered(&world);
    let (me, book) = (world.owner("bob").me(&world.synchronizer), world.book_of("bob"));
    let seen_at = |seen| {
        let context =
            Context { me: &me, book: &book, state: &world.state, seen, live: &[], now: world.now, frozen: false };
        (still_wanted(&case, &context), matches!(verify(&case, &context), Verification::Verified(_)))
    };
    let refused = |seen| (Err(Refusal::StaleState { seen, now: world.now }), false);
    let oldest = world.now.plus_micros(-limits::TOPOLOGY_AGE_MICROS_MAX);
    assert_eq!(seen_at(oldest), (Ok(()), true));
    assert_eq!(seen_at(oldest.plus_micros(-1)), refused(oldest.plus_micros(-1)));
    assert_eq!(seen_at(Timestamp(0)), refused(Timestamp(0)), "never read");
    let ahead = world.now.plus_micros(limits::CLOCK_SKEW_MICROS_MAX);
    assert_eq!(seen_at(ahead), (Ok(()), true));
    assert_eq!(seen_at(ahead.plus_micros(1)), refused(ahead.plus_micros(1)));
}

#[test]
fn bytes_that_say_more_than_is_shown_are_refused_by_field_and_byte() {
    let world = World::with_party();
    let mut case = world.proposed("alice", world.thresholds(None, Some(1), None));
    let honest = plan(case.intent(), &world.state).unwrap();
    let mut bytes = honest.transactions[0].bytes().to_vec();
    // A field of number 15 behind the wrapper's own.
    bytes.extend([0x78, 0x01]);
    world.offer_bytes(&mut case, vec![bytes], honest.base).unwrap();
    let refusal = world.must_refuse("bob", &case);
    let Refusal::NotShown { index: 0, place, .. } = &refusal else { panic!("{refusal}") };
    assert!(place.contains("byte"), "{place}");
}

#[test]
fn a_base_that_does_not_fit_the_transactions_is_refused_by_row() {
    let world = World::with_party();
    let honest = thresholds_offered(&world);
    let (transactions, base) = (&honest.offer().unwrap().transactions, &honest.offer().unwrap().offer.base);
    let stranger = BaseRow { unique_key: definition_key(&world.owner("dave").namespace()), active: None };
    let cases = [
        (0, vec![]),
        (1, vec![base[0].clone()]),
        (2, vec![base[0].clone(), base[1].clone(), stranger.clone()]),
        (0, vec![base[1].clone(), base[0].clone()]),
        (1, vec![base[0].clone(), base[0].clone()]),
        (1, vec![base[0].clone(), stranger]),
    ];
    for (expected, base) in cases {
        let mut case = world.proposed("alice", honest.intent().change.clone());
        world.offer(&mut case, transactions, base);
        let refusal = world.must_refuse("bob", &case);
        assert!(matches!(refusal, Refusal::BaseMismatch { row, .. } if row == expected), "{refusal}");
    }
}

#[test]
fn an_offer_on_a_base_that_is_gone_is_refused_and_one_ahead_of_us_waits() {
    let mut world = World::with_party();
    let case = thresholds_offered(&world);
    let before = world.state.clone();
    world.must_change(world.thresholds(None, Some(3), None), &["alice", "bob"]);
    let refusal = world.must_refuse("bob", &case);
    assert!(matches!(refusal, Refusal::StaleBase { index: 0, .. }), "{refusal}");

    let ahead = world.offered("alice", world.thresholds(None, Some(1), None));
    world.state = before;
    let Verification::NotYet(wait) = world.verify("bob", &ahead) else { panic!("does not wait") };
    assert_eq!(wait, Wait::Base(Behind { index: 0, expected: 2, seen: 1 }));
}

#[test]
fn a_base_of_the_same_serial_and_another_hash_is_refused() {
    let world = World::with_party();
    let honest = thresholds_offered(&world);
    let offered = honest.offer().unwrap();
    let mut base = offered.offer.base.clone();
    base[1].active = base[1].active.map(|(serial, _)| (serial, offered.transactions[0].hash()));
    let mut case = world.proposed("alice", honest.intent().change.clone());
    world.offer(&mut case, &offered.transactions, base);
    let refusal = world.must_refuse("bob", &case);
    assert!(matches!(refusal, Refusal::StaleBase { index: 1, .. }), "{refusal}");
}

#[test]
fn a_stale_row_is_a_no_even_where_another_row_is_ahead() {
    let world = World::with_party();
    let honest = thresholds_offered(&world);
    let offered = honest.offer().unwrap();
    let mut base = offered.offer.base.clone();
    base[0].active = base[0].active.map(|(serial, hash)| (serial.next().unwrap(), hash));
    base[1].active = None;
    let mut case = world.proposed("alice", honest.intent().change.clone());
    world.offer(&mut case, &offered.transactions, base);
    let refusal = world.must_refuse("bob", &case);
    assert!(matches!(refusal, Refusal::StaleBase { index: 1, .. }), "{refusal}");
}

#[test]
fn only_active_serial_plus_one_is_signed_and_a_first_serial_is_one() {
    let world = World::with_party();
    let offer = |transaction: &Transaction| {
        let mut case = world.proposed("alice", world.raw(std::slice::from_ref(transaction)));
        world.offer_on_top(&mut case, std::slice::from_ref(transaction));
        world.must_refuse("bob", &case)
    };
    let definition = world.definition().mapping().clone();
    for serial in [1, 3, 77] {
        let refusal = offer(&build(serial, definition.clone()));
        assert_eq!(refusal, Refusal::SerialNotNext { index: 0, expected: 2, found: serial });
    }
    let root = crate::world::root(world.owner("dave").namespace_key());
    let refusal = offer(&build(2, root.mapping().clone()));
    assert_eq!(refusal, Refusal::SerialNotNext { index: 0, expected: 1, found: 2 });
}

#[test]
fn an_intent_that_means_nothing_here_is_refused() {
    let mut world = World::with_party();
    let case = world.offered("alice", world.add_dave());
    let mut other = world.proposed("alice", case.intent().change.clone());
    world.must_change(world.add_dave(), &["alice", "bob", "dave"]);
    let offered = &case.offer().unwrap().transactions[1];
    let next = build(3, offered.mapping().clone());
    world.offer_on_top(&mut other, &[next]);
    let refusal = world.must_refuse("bob", &other);
    assert!(matches!(refusal, Refusal::Unplannable(PlanError::NoChange { .. })), "{refusal}");
}

#[test]
fn an_offer_of_more_or_fewer_transactions_than_the_intent_means_is_refused() {
    let world = World::with_party();
    let honest = thresholds_offered(&world);
    let offered = honest.offer().unwrap();
    let mut fewer = world.proposed("alice", honest.intent().change.clone());
    world.offer_on_top(&mut fewer, &offered.transactions[..1]);
    assert_eq!(world.must_refuse("bob", &fewer), Refusal::PlanLength { expected: 2, found: 1 });

    let mut more = world.proposed("alice", honest.intent().change.clone());
    let root = crate::world::root(world.owner("bob").namespace_key());
    let extra = build(2, root.mapping().clone());
    world.offer_on_top(&mut more, &[offered.transactions.clone(), vec![extra]].concat());
    assert_eq!(world.must_refuse("bob", &more), Refusal::PlanLength { expected: 2, found: 3 });
}

#[test]
fn an_offer_that_says_something_else_than_the_intent_is_refused_by_field() {
    let world = World::with_party();
    let mut case = world.proposed("alice", world.thresholds(None, Some(1), None));
    let mut mapping = world.party_mapping();
    mapping.threshold = 1;
    mapping.participants[1].permission = Permission::Submission;
    world.offer_on_top(&mut case, &[build(2, Mapping::PartyToParticipant(mapping))]);
    let refusal = world.must_refuse("bob", &case);
    let Refusal::PlanMismatch { index: 0, field, expected, found } = &refusal else { panic!("{refusal}") };
    assert!(field.ends_with("participants[1].permission"), "{field}");
    assert!(expected.contains("CONFIRMATION") && found.contains("SUBMISSION"), "{expected} {found}");
}

#[test]
fn everybody_new_must_be_in_the_book() {
    let world = World::with_party();
    let add_dave = world.offered("alice", world.add_dave());
    let mut book = world.book_of("bob");
    book.remove("dave");
    let dave = world.owner("dave");
    let unknown = |what: &str, id: String| Refusal::UnknownPrincipal { what: what.to_owned(), id };
    let refusal = refused(&world, "bob", &add_dave, &book);
    assert_eq!(refusal, unknown("key", dave.namespace_key().fingerprint().to_string()));
    world.must_verify("bob", &add_dave);

    // Through raw bytes too: a host and a key.
    let raw = |edit: &dyn Fn(&mut canton_topology::mapping::PartyToParticipant)| {
        let mut mapping = world.party_mapping();
        edit(&mut mapping);
        let transaction = build(2, Mapping::PartyToParticipant(mapping));
        world.offered("alice", world.raw(&[transaction]))
    };
    let host = raw(&|mapping| mapping.participants[0].participant = dave.host());
    assert_eq!(refused(&world, "bob", &host, &book), unknown("host", dave.host().to_string()));
    world.must_verify("bob", &host);
    let key = raw(&|mapping| mapping.signing_keys.as_mut().unwrap().keys[0] = dave.party_key());
    let expected = unknown("key", dave.party_key().fingerprint().to_string());
    assert_eq!(refused(&world, "bob", &key, &book), expected);
    world.must_verify("bob", &key);
}

#[test]
fn a_node_is_known_by_its_owners_namespace_or_as_an_owners_participant() {
    let world = World::with_party();
    let member = |text: &str| text.parse::<canton_topology::id::Member>().unwrap();
    let state = |member| {
        build(
            1,
            Mapping::MediatorSynchronizerState(canton_topology::mapping::MediatorSynchronizerState {
                synchronizer: world.synchronizer.logical.clone(),
                group: 0,
                threshold: 1,
                active: vec![member],
                observers: vec![],
            }),
        )
    };
    let known = member(&format!("MED::m::{}", world.owner("carol").namespace()));
    let unknown = member(&format!("MED::m::{}", Owner::new("mallory").namespace()));
    let added = |member| protocol::principal::added(&state(member), &world.state);
    assert_eq!(added(known.clone()).len(), 1);
    for (member, expected) in [(known, "NothingToSign"), (unknown.clone(), "UnknownPrincipal")] {
        // What the synchronizer would refuse for lack of keys is not planned; so the keys are there first.
        let mut world = World::with_party();
        world.state.assume(&build(
            1,
            Mapping::OwnerToKeyMapping(canton_topology::mapping::OwnerToKeyMapping {
                member: member.clone(),
                keys: vec![canton_topology::mapping::OwnerKey::Signing(world.owner("carol").node_key())],
            }),
        ));
        let case = world.offered("alice", world.raw(&[state(member)]));
        assert_eq!(world.must_refuse("bob", &case).name(), expected);
    }
}

#[test]
fn an_agent_without_a_key_that_counts_has_nothing_to_sign() {
    let mut world = World::with_party();
    let mut case = thresholds_offered(&world);
    assert_eq!(world.must_refuse("dave", &case), Refusal::NothingToSign);
    world.must_approve("alice", &mut case);
    world.must_approve("bob", &mut case);
    world.must_submit(&case);
    assert_eq!(world.must_refuse("carol", &case), Refusal::NothingToSign, "all of it is effective");
}

#[test]
fn a_void_that_names_something_else_than_what_is_alive_is_told_so() {
    let world = World::with_party();
    let mut case = thresholds_offered(&world);
    world.must_approve("bob", &mut case);
    let slot = world.standing(&case).live[0].slot.clone();
    let other_case = Void { case: CaseId::from_bytes([99; 16]), slots: vec![slot.clone()] };
    let hash = case.offer().unwrap().transactions[1].hash();
    let other_transaction = Slot { transaction: hash, ..slot.clone() };
    let never_offered = Slot { transaction: world.definition().hash(), ..slot.clone() };
    let names = |void: &Void| protocol::verify::frame::names_what_is_alive(void, &case);
    for void in [
        other_case,
        Void { case: case.id(), slots: vec![other_transaction] },
        Void { case: case.id(), slots: vec![never_offered] },
    ] {
        assert!(matches!(names(&void), Err(Refusal::VoidMismatch { .. })));
    }
    assert_eq!(names(&Void { case: case.id(), slots: vec![slot] }), Ok(()));
}

#[test]
fn every_refusal_says_its_name_and_survives_json() {
    let world = World::with_party();
    let case = thresholds_offered(&world);
    let hash = case.offer().unwrap().transactions[0].hash();
    let offer = case.offer().unwrap().hash;
    let text = || "x".to_owned();
    let (synchronizer, owner) = (world.synchronizer.logical.clone(), world.namespace());
    let all = [
        Refusal::NoOffer,
        Refusal::OtherSynchronizer { found: synchronizer.clone(), pinned: synchronizer.clone() },
        Refusal::OtherTopology { found: synchronizer.clone(), pinned: synchronizer },
        Refusal::UnknownProposer { proposer: owner, identity: text() },
        Refusal::DeadlinePassed { deadline: world.now, now: world.now.plus_micros(MINUTE) },
        Refusal::FromTheFuture { created_at: world.now, now: world.now },
        Refusal::Withdrawn,
        Refusal::StaleState { seen: Timestamp(1), now: Timestamp(2) },
        Refusal::Frozen,
        Refusal::NotShown { index: 1, place: text(), reason: text() },
        Refusal::BaseMismatch { row: 1, expected: text(), found: text() },
        Refusal::StaleBase { index: 1, claimed: text(), seen: text() },
        Refusal::SerialNotNext { index: 1, expected: 1, found: 2 },
        Refusal::Unplannable(PlanError::OtherSynchronizer),
        Refusal::Unplannable(PlanError::NotFound { what: text() }),
        Refusal::PlanLength { expected: 1, found: 2 },
        Refusal::PlanMismatch { index: 1, field: text(), expected: text(), found: text() },
        Refusal::OutsideFrame { index: 1, field: text(), expected: text(), found: text() },
        Refusal::FrameNotFilled { what: text() },
        Refusal::UnknownPrincipal { what: text(), id: text() },
        Refusal::NothingToSign,
        Refusal::ForkedHistory,
        Refusal::VoidMismatch { reason: text() },
        Refusal::Conflict { existing: hash },
        Refusal::OtherOffer { decided: offer, newest: offer },
        Refusal::Finished { at: world.now },
    ];
    for refusal in all {
        let json = serde_json::to_string(&refusal).unwrap();
        assert_eq!(serde_json::from_str::<Refusal>(&json).unwrap(), refusal, "{json}");
        assert!(refusal.to_string().len() > 20, "{refusal}");
        let kebab: String = refusal
            .name()
            .chars()
            .enumerate()
            .flat_map(|(at, c)| {
                let dash = (at > 0 && c.is_uppercase()).then_some('-');
                dash.into_iter().chain(c.to_lowercase())
            })
            .collect();
        assert!(json.contains(&format!("\"refusal\":\"{kebab}\"")), "{json}");
    }
}

#[test]
fn a_base_names_each_touched_chain_once() {
    let world = World::with_party();
    let definition = world.definition();
    let (two, three) = (build(2, definition.mapping().clone()), build(3, definition.mapping().clone()));
    assert_eq!(base_of(&[two, three], &world.state).len(), 1);
}

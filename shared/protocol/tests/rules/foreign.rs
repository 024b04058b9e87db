//! Proposals made elsewhere: what is shown of them, what is not, and how one becomes a case.

use canton_topology::{
    hash::TransactionHash,
    id::{Fingerprint, Namespace},
    judge::Verifier,
    mapping::{DecentralizedNamespaceDefinition, Mapping, PartyToParticipant},
    signature::Signature,
    snapshot::Item,
    transaction::{SignedTransaction, Transaction},
};
use protocol::{
    accepted::Accepted,
    difference::DifferenceClass,
    foreign::{Quarantine, find, offered, quarantine, waiting_for},
    intent::{Adopt, Change},
    life::Status,
    limits,
    plan::plan,
    refusal::Refusal,
    workflow::error::PlanError,
};

use crate::world::{World, build};

fn key(world: &World, name: &str) -> Fingerprint {
    world.owner(name).namespace_key().fingerprint()
}

fn look(world: &World) -> Quarantine {
    quarantine(&world.state, &Default::default(), &|_| false, &mut Verifier::default())
}

fn adopt(transaction: &Transaction) -> Change {
    Change::Adopt(Adopt { transaction: transaction.bytes().to_vec() })
}

/// Parties that nobody has hosted yet, each proposed by one owner alone.
fn flood(world: &mut World, name: &str, count: usize) -> Vec<TransactionHash> {
    let (namespace, host) = (world.owner(name).namespace(), world.owner("dave").host());
    world.state.assume(&crate::world::root(world.owner(name).namespace_key()));
    let mut all = Vec::new();
    for number in 0..count {
        let mapping = PartyToParticipant {
            party: format!("junk{number}::{namespace}").parse().unwrap(),
            threshold: 1,
            participants: vec![canton_topology::mapping::HostingParticipant {
                participant: host.clone(),
                permission: canton_topology::mapping::Permission::Confirmation,
                onboarding: false,
            }],
            signing_keys: None,
        };
        let transaction = build(1, Mapping::PartyToParticipant(mapping));
        world.must_propose_elsewhere(&transaction, &[name]);
        all.push(transaction.hash());
    }
    all
}

#[test]
fn a_proposal_of_a_console_is_shown_with_who_signed_and_who_is_missing() {
    let mut world = World::with_party();
    let transaction = world.other_threshold(3);
    let alice = key(&world, "alice");
    world.must_propose_elsewhere(&transaction, &["alice"]);

    let all = look(&world);

    let [one] = all.shown.as_slice() else { panic!("{all:?}") };
    assert_eq!(all.total(), 1);
    assert_eq!(one.transaction(), &transaction);
    assert_eq!(one.signers(), [alice.clone()].into());
    assert_eq!(one.merged.from_synchronizer, [alice].into());
    assert_eq!(one.namespaces, [world.owner("alice").namespace()].into());
    let [lacking] = one.merged.missing.namespaces.as_slice() else { panic!("{:?}", one.merged.missing) };
    assert_eq!((lacking.namespace.clone(), lacking.more), (world.namespace(), 1));
    assert_eq!(one.sequenced, world.now);
    assert!(!one.merged.asleep);
}

#[test]
fn what_a_case_has_offered_is_nothing_foreign() {
    let mut world = World::with_party();
    let case = world.offered("alice", world.thresholds(Some(3), None, None));
    let transaction = case.offer().unwrap().transactions[0].clone();
    world.must_propose_elsewhere(&transaction, &["alice"]);
    assert_eq!(look(&world).total(), 1, "whoever knows no case sees it");

    let known = offered([&case].into_iter());

    assert_eq!(quarantine(&world.state, &known, &|_| false, &mut Verifier::default()).total(), 0);
    assert!(find(&world.state, &known, &transaction.hash(), &mut Verifier::default()).is_none());
}

#[test]
fn t20_who_floods_the_synchronizer_hides_its_own_proposals_and_nobody_elses() {
    let mut world = World::with_party();
    let junk = flood(&mut world, "dave", limits::FOREIGN_PER_NAMESPACE_MAX + 5);
    let honest = world.other_threshold(3);
    // The flooder cannot sign it, and another owner's signature is enough to be shown.
    world.must_propose_elsewhere(&honest, &["alice"]);

    let all = look(&world);

    assert_eq!(all.shown.len(), limits::FOREIGN_PER_NAMESPACE_MAX + 1);
    assert!(all.shown.iter().any(|one| one.transaction() == &honest));
    assert_eq!(all.hidden_total, 5);
    assert_eq!(all.hidden, [(world.owner("dave").namespace(), 5)].into());
    assert_eq!(all.total(), junk.len() + 1);
    let hidden = junk.last().unwrap();
    assert!(all.shown.iter().all(|one| one.transaction().hash() != *hidden), "the newest are those too many");
    assert!(find(&world.state, &Default::default(), hidden, &mut Verifier::default()).is_some(), "asked for by name");
}

/// A proposal for a namespace of its own, by a key of its own.
fn keep_a_stranger_s(world: &mut World, number: usize) {
    let stranger: Fingerprint = format!("1220{number:064x}").parse().unwrap();
    let namespace = Namespace::from(stranger.clone());
    let definition =
        DecentralizedNamespaceDefinition { namespace: namespace.clone(), threshold: 1, owners: vec![namespace] };
    let transaction = build(1, Mapping::DecentralizedNamespaceDefinition(definition));
    let signature = Signature::new_ed25519([7; 64], stranger);
    world.state.keep_open(&Item {
        sequenced: world.now,
        valid_from: world.now,
        valid_until: None,
        transaction: SignedTransaction::new(transaction, vec![signature], true),
        rejection: None,
    });
}

#[test]
fn t20_no_number_of_namespaces_hides_what_an_owner_of_the_book_has_signed() {
    let mut world = World::with_party();
    for number in 0..limits::FOREIGN_SHOWN_MAX + 5 {
        keep_a_stranger_s(&mut world, number);
    }
    let honest = world.other_threshold(3);
    world.must_propose_elsewhere(&honest, &["alice"]);
    let alice = world.owner("alice").namespace();
    let is_there = |all: &Quarantine| all.shown.iter().any(|one| one.transaction() == &honest);

    let (known, mut verifier) = (Default::default(), Verifier::default());
    assert!(!is_there(&look(&world)), "it is the newest");
    let all = quarantine(&world.state, &known, &|one| *one == alice, &mut verifier);
    assert!(is_there(&all));
    assert_eq!((all.shown.len(), all.hidden_total), (limits::FOREIGN_SHOWN_MAX, 6));

    // Hidden or not, it is a rival of whoever waits for the same serial.
    let slots = [(honest.unique_key(), honest.serial())].into();
    let [rival] = &waiting_for(&slots, &world.state, &known, &|_| false, &mut verifier)[..] else { panic!() };
    assert_eq!(rival.transaction(), &honest);
}

#[test]
fn t19_a_signature_that_does_not_verify_is_not_shown_as_one() {
    let mut world = World::with_party();
    let (transaction, other) = (world.other_threshold(3), world.other_threshold(1));
    // Its own participant shows the owner a row that the synchronizer would never hold.
    let forged = world.sign(&key(&world, "alice"), other.hash());
    let item = Item {
        sequenced: world.now,
        valid_from: world.now,
        valid_until: None,
        transaction: SignedTransaction::new(transaction, vec![forged], true),
        rejection: None,
    };
    world.state.keep_open(&item);

    let all = look(&world);

    assert_eq!(all.shown[0].signers(), Default::default());
    assert_eq!(all.shown[0].merged.missing.namespaces[0].more, 2);
}

#[test]
fn an_adopted_proposal_becomes_a_case_in_which_the_signatures_from_elsewhere_count() {
    let mut world = World::with_party();
    let transaction = world.other_threshold(3);
    let alice = key(&world, "alice");
    world.must_propose_elsewhere(&transaction, &["alice"]);

    let mut case = world.offered("bob", adopt(&transaction));
    assert_eq!(case.offer().unwrap().transactions[..], std::slice::from_ref(&transaction)[..]);
    let verified = world.must_verify("carol", &case);
    assert_eq!(verified.class(), DifferenceClass::Other, "a rule never permits it, though it only raises a threshold");
    assert_eq!(world.standing(&case).merged[0].from_synchronizer, [alice].into());

    world.must_approve("carol", &mut case);
    assert_eq!(world.standing(&case).status, Status::Ready);
    world.must_submit(&case);
    assert!(matches!(world.standing(&case).status, Status::Effective { .. }));
}

#[test]
fn an_offer_that_is_not_exactly_the_adopted_bytes_is_refused() {
    let world = World::with_party();
    let (wanted, other) = (world.other_threshold(3), world.other_threshold(1));
    let mut case = world.proposed("bob", adopt(&wanted));
    world.offer_on_top(&mut case, &[other]);
    assert_eq!(world.must_refuse("carol", &case).name(), "PlanMismatch");

    // The same meaning in other bytes is another thing to sign.
    let longer = [wanted.bytes(), &[0x78, 0x01]].concat();
    let mut case = world.proposed("bob", adopt(&wanted));
    let base = protocol::plan::base_of(&[wanted], &world.state);
    world.offer_bytes(&mut case, vec![longer], base).unwrap();
    assert_eq!(world.must_refuse("carol", &case).name(), "NotShown");
}

#[test]
fn what_is_not_shown_or_waits_for_a_consumed_serial_is_not_adopted() {
    let mut world = World::with_party();
    let transaction = world.other_threshold(3);
    let longer = [transaction.bytes(), &[0x78, 0x01]].concat();
    let refused = |world: &World, bytes: Vec<u8>| {
        let change = Change::Adopt(Adopt { transaction: bytes });
        match plan(&world.intent("bob", change), &world.state) {
            Err(PlanError::Field { field, reason }) => (field, reason),
            other => panic!("{other:?}"),
        }
    };
    let (field, reason) = refused(&world, longer);
    assert!(field == "transaction" && reason.contains("nobody adopts what is not shown"), "{reason}");
    assert!(refused(&world, vec![1, 2, 3]).0.starts_with("transaction"));

    let mut case = world.offered("bob", adopt(&transaction));
    world.must_approve("alice", &mut case);
    world.must_change(world.thresholds(Some(1), None, None), &["bob", "carol"]);
    let (_, reason) = refused(&world, transaction.bytes().to_vec());
    assert!(reason.contains("waits for serial 2, and the next one there is 3"), "{reason}");
    assert!(matches!(world.must_refuse("carol", &case), Refusal::StaleBase { .. }));
}

#[test]
fn a_stranger_whom_an_adopted_proposal_adds_must_stand_in_the_book() {
    let mut world = World::with_party();
    let mut mapping = world.party_mapping();
    let mallory = crate::world::Owner::new("mallory");
    mapping.signing_keys.as_mut().unwrap().keys[0] = mallory.party_key();
    let transaction = build(2, Mapping::PartyToParticipant(mapping));
    world.must_propose_elsewhere(&transaction, &["alice"]);
    let case = world.offered("bob", adopt(&transaction));
    assert!(matches!(world.must_refuse("carol", &case), Refusal::UnknownPrincipal { .. }));
}

#[test]
fn a_signature_given_in_a_console_completes_a_case_once() {
    let mut world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(Some(3), None, None));
    let transaction = case.offer().unwrap().transactions[0].clone();
    let (alice, bob) = (key(&world, "alice"), key(&world, "bob"));
    world.must_propose_elsewhere(&transaction, &["alice"]);
    world.must_approve("alice", &mut case);

    let once = world.standing(&case);
    assert_eq!(once.merged[0].signed.signers(), [alice.clone()].into());
    assert_eq!(once.merged[0].signed.signatures.len(), 1, "the same key counts once");
    assert_eq!(once.merged[0].from_synchronizer, Default::default(), "what a statement brought is not from elsewhere");
    assert_eq!(once.status, Status::Collecting);

    world.must_approve("bob", &mut case);
    let ready = world.standing(&case);
    assert_eq!((ready.status, ready.complete.unwrap()[0].signers()), (Status::Ready, [alice, bob].into()));
}

#[test]
fn a_sleeping_proposal_is_called_asleep() {
    let mut world = World::with_party();
    world.must_change(world.thresholds(Some(3), None, None), &["alice", "bob"]);
    let mut mapping = world.party_mapping();
    mapping.threshold = 3;
    let sleeper = build(2, Mapping::PartyToParticipant(mapping));
    world.must_propose_elsewhere(&sleeper, &["alice", "bob"]);
    assert!(!look(&world).shown[0].merged.asleep);

    let mut accepts = Accepted::PLAIN.map(|(danger, _)| danger).to_vec();
    accepts.push(Accepted::Awakens(sleeper.hash()));
    let mut lowering = world.offered_accepting("alice", world.thresholds(Some(2), None, None), accepts);
    for name in ["alice", "bob", "carol"] {
        world.must_approve(name, &mut lowering);
    }
    world.must_submit(&lowering);

    let all = look(&world);
    assert!(all.shown[0].merged.asleep && all.shown[0].merged.missing.is_empty());
}

//! A case that another coordinator had, and signatures that no statement brought.

use std::{sync::Arc, time::Duration};

use canton_topology::Timestamp;
use coordinator::coordinator::{Coordinator, Effect, Refused};
use ed25519_dalek::SigningKey;
use protocol::{
    api::CaseDetail,
    case::Case,
    intent::CaseId,
    life::Status,
    plan::plan,
    statement::{SignStatements as _, Statement},
};
use tokio::time::Instant;

use crate::{
    statements::{now, raise_threshold},
    support::{
        Owner,
        client::{Api, Service, slug},
        signed,
        world::{World, synchronizer},
    },
};

const START: Timestamp = Timestamp(1_000_000_000_000);

fn mind(seed: u8, owners: &[Owner]) -> Coordinator {
    let mut mind = Coordinator::new(Box::new(SigningKey::from_bytes(&[seed; 32])), plan);
    for owner in owners {
        assert!(mind.admit(owner.identity.identity(), owner.namespace()));
    }
    mind
}

/// A mind with a case that the first of these owners has approved.
fn begun(owners: &[Owner; 3], world: &World) -> (Coordinator, CaseId) {
    let mut mind = mind(99, owners);
    mind.topology_changed(world.state(), START);
    let intent = owners[0].intent(1, &synchronizer(), START, raise_threshold(owners));
    mind.take(intent, START).unwrap();
    let id = CaseId::from_bytes([1; 16]);
    let approval = owners[0].approval(mind.case(&id).unwrap());
    mind.take(approval, START).unwrap();
    (mind, id)
}

fn appended(effects: &[Effect]) -> Vec<u64> {
    let positions = effects.iter().filter_map(|effect| match effect {
        Effect::Append { position, .. } => Some(*position),
        Effect::Submit { .. } => None,
    });
    positions.collect()
}

#[test]
fn a_case_is_taken_over_whole_and_goes_on_with_the_next_signature() {
    let owners = [1, 2, 3].map(Owner::new);
    let world = World::of(&owners.each_ref(), 2);
    let (first, id) = begun(&owners, &world);
    let history = first.case(&id).unwrap().statements().to_vec();
    let mut second = mind(98, &owners);
    assert!(second.succeed(SigningKey::from_bytes(&[99; 32]).identity()));
    second.topology_changed(world.state(), START);

    let (taken, effects) = second.take_over(&history, START).unwrap();

    assert_eq!((taken.case, taken.position), (id, history.len() as u64 - 1));
    assert_eq!(appended(&effects), (0..history.len() as u64).collect::<Vec<_>>(), "no offer of its own");
    assert_eq!(second.case(&id), first.case(&id));
    let (_, again) = second.take_over(&history, START).unwrap();
    assert!(appended(&again).is_empty(), "the same again changes nothing");

    let approval = owners[1].approval(second.case(&id).unwrap());
    let (_, effects) = second.take(approval, START).unwrap();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Submit { .. })), "{effects:?}");
}

#[test]
fn what_is_longer_goes_on_where_the_case_ends_and_another_history_is_refused() {
    let owners = [1, 2, 3].map(Owner::new);
    let world = World::of(&owners.each_ref(), 2);
    let (mut first, id) = begun(&owners, &world);
    let short = first.case(&id).unwrap().statements().to_vec();
    let approval = owners[1].approval(first.case(&id).unwrap());
    first.take(approval, START).unwrap();
    let long = first.case(&id).unwrap().statements().to_vec();
    let mut second = mind(98, &owners);
    second.succeed(SigningKey::from_bytes(&[99; 32]).identity());

    second.take_over(&short, START).unwrap();
    let (_, effects) = second.take_over(&long, START).unwrap();
    assert_eq!(appended(&effects), [short.len() as u64]);
    assert_eq!(second.case(&id), first.case(&id));

    let mut forked = long.clone();
    forked.swap(2, 3);
    assert_eq!(second.take_over(&forked, START).unwrap_err(), Refused::OtherHistory { case: id, position: 2 });
    assert_eq!(second.take_over(&[], START).unwrap_err(), Refused::EmptyHistory);
    assert_eq!(second.case(&id), first.case(&id), "nothing changed");
}

#[test]
fn nothing_is_taken_over_from_a_coordinator_that_the_operator_did_not_name() {
    let owners = [1, 2, 3].map(Owner::new);
    let world = World::of(&owners.each_ref(), 2);
    let (first, id) = begun(&owners, &world);
    let history = first.case(&id).unwrap().statements().to_vec();
    let mut second = mind(98, &owners);

    assert!(matches!(second.take_over(&history, START), Err(Refused::Case(_))));
    assert!(second.case(&id).is_none(), "not even its intent");

    let mut third = mind(97, &owners[..1]);
    third.succeed(SigningKey::from_bytes(&[99; 32]).identity());
    let second_owner = owners[1].approval(first.case(&id).unwrap());
    let with_stranger = [history, vec![second_owner]].concat();
    assert!(matches!(third.take_over(&with_stranger, START), Err(Refused::Case(_))), "an owner who is not enrolled");
    assert!(third.case(&id).is_none());
}

#[test]
fn a_junk_signature_in_a_history_is_refused_with_all_of_it() {
    let owners = [1, 2, 3].map(Owner::new);
    let world = World::of(&owners.each_ref(), 2);
    let (first, id) = begun(&owners, &world);
    let case = first.case(&id).unwrap();
    // The third owner's statement, with a Canton signature that is not over this transaction.
    let approval: protocol::statement::Approval = owners[2].approval(case).open().unwrap();
    let mut junk = approval;
    let mut bytes = junk.signatures[0].signature.clone();
    let at = bytes.iter().position(|byte| *byte == 64).unwrap() + 10;
    bytes[at] ^= 1;
    junk.signatures[0].signature = bytes;
    let junk = Statement::sign(&junk, &owners[2].identity);
    let history = [case.statements().to_vec(), vec![junk]].concat();
    let mut second = mind(98, &owners);
    second.succeed(SigningKey::from_bytes(&[99; 32]).identity());
    second.topology_changed(world.state(), START);

    let refused = second.take_over(&history, START).unwrap_err();

    assert!(matches!(refused, Refused::CantonSignature { .. }), "{refused}");
    assert!(second.case(&id).is_none());
}

#[test]
fn a_signature_that_a_console_gave_makes_a_case_ready() {
    let owners = [1, 2, 3].map(Owner::new);
    let world = World::of(&owners.each_ref(), 2);
    let (mut mind, id) = begun(&owners, &world);
    assert_eq!(mind.standing(&id, START).unwrap().status, Status::Collecting);
    let transaction = mind.case(&id).unwrap().offer().unwrap().transactions[0].clone();
    world.propose_elsewhere(&[signed(transaction, &[&owners[2]])]);

    let effects = mind.topology_changed(world.state(), START);

    let standing = mind.standing(&id, START).unwrap();
    assert_eq!(standing.status, Status::Ready);
    assert_eq!(standing.merged[0].from_synchronizer, [owners[2].key.fingerprint()].into());
    let [Effect::Submit { transactions, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(transactions[0].signers().len(), 2);
}

async fn effective(api: &Api, case: &str) -> CaseDetail {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let detail: CaseDetail = api.must_get(&format!("/v1/cases/{case}")).await;
        if detail.summary.status == "effective" {
            return detail;
        }
        assert!(Instant::now() < until, "{}", detail.summary.status);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn over_the_wire_a_second_coordinator_carries_on_with_the_same_case() {
    let owners = [1, 2, 3].map(Owner::new);
    let world = Arc::new(World::of(&owners.each_ref(), 2));
    // The first one has no participant that submits: it dies with the case half done.
    let first = Service::start_with(Arc::clone(&world) as _).await;
    let alice = first.enroll("alice", &owners[0]).await;
    let posted = alice.must_post(&owners[0].intent(1, &synchronizer(), now(), raise_threshold(&owners))).await;
    let detail: CaseDetail = loop {
        let detail: CaseDetail = alice.must_get(&format!("/v1/cases/{}", posted.case)).await;
        if detail.statements.len() == 2 {
            break detail;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let statements: Vec<Statement> =
        detail.statements.iter().map(|bytes| Statement::parse(&bytes.0).unwrap()).collect();
    let former = alice.coordinator().await;
    first.stop().await;

    let second = Service::start_after(former, Some(Arc::clone(&world) as _)).await;
    let alice = second.enroll("alice", &owners[0]).await;
    let bob = second.enroll("bob", &owners[1]).await;
    let taken = alice.hand_over(&statements).await.unwrap();
    assert_eq!((taken.case.clone(), taken.statements, taken.head.clone()), (posted.case.clone(), 2, detail.head));
    assert_eq!(bob.hand_over(&statements).await.unwrap(), taken, "the same again gets the same answer");
    assert_eq!(slug(bob.hand_over(&[]).await), "statement-refused");
    let reversed: Vec<Statement> = statements.iter().rev().cloned().collect();
    assert_eq!(slug(bob.hand_over(&reversed).await), "history-forked");

    let mut directory = protocol::directory::Directory::new(alice.coordinator().await);
    assert!(directory.succeed(former));
    for owner in &owners {
        directory.admit(owner.identity.identity(), owner.namespace());
    }
    let mut case = Case::open(statements[0].clone(), &directory).unwrap();
    case.append(statements[1].clone(), &directory).unwrap();
    alice.must_post(&owners[0].approval(&case)).await;
    bob.must_post(&owners[1].approval(&case)).await;
    let detail = effective(&bob, &posted.case).await;
    assert_eq!(
        detail.statements[..2],
        [statements[0].bytes(), statements[1].bytes()].map(|b| protocol::api::Base64(b.to_vec()))
    );
}

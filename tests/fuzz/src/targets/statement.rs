//! Statements: the envelope, every body, certificates, and a case to which a hostile speaker appends.

use std::fmt::Debug;

use canton_topology::{id::Namespace, judge::Verifier};
use ed25519_dalek::SigningKey;
use protocol::{
    book::{Book, Card},
    case::Case,
    encoding::{decode, encode},
    identity::{IdentityCertificate, IdentityClaim},
    intent::Intent,
    introduction::Introduction,
    life::standing,
    statement::{Approval, Contribution, Decline, InCase, Offer, Outcome, Statement, Withdrawal},
    todo::todo,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::world::World;

thread_local! {
    static OPEN: (World, Case) = {
        let world = World::with_party();
        let mut case = world.offered("alice", world.thresholds(Some(3), None, None));
        world.must_approve("bob", &mut case);
        (world, case)
    };
}

/// A case that waits for approvals, and its world.
pub(crate) fn with_open_case<R>(act: impl FnOnce(&World, &Case) -> R) -> R {
    OPEN.with(|(world, case)| act(world, case))
}

/// What reads is written back to the very same bytes, and whoever says it, the case only ever grows.
pub fn run(bytes: &[u8]) {
    if let Ok(statement) = Statement::parse(bytes) {
        assert_eq!(statement.bytes(), bytes);
        let _ = statement.case();
        append(&statement);
    }
    if let Ok(certificate) = IdentityCertificate::parse(bytes) {
        assert_eq!(certificate.bytes(), bytes);
        assert_eq!(certificate.owner(), Namespace::from(certificate.claim().namespace_key.fingerprint()));
    }
    introduction(bytes);
    value::<Introduction>(bytes);
    value::<IdentityClaim>(bytes);
    value::<Card>(bytes);
    value::<Book>(bytes);
    body::<Intent>(bytes);
    body::<Offer>(bytes);
    body::<Approval>(bytes);
    body::<Contribution>(bytes);
    body::<Decline>(bytes);
    body::<Withdrawal>(bytes);
    body::<Outcome>(bytes);
}

/// What opens is what its identity key has signed, and what a book enters of it has its code.
pub(crate) fn introduction(bytes: &[u8]) {
    let Ok(introduction) = Introduction::open(bytes) else { return };
    let statement = Statement::parse(bytes).expect("what opens is a statement");
    assert_eq!(statement.signer(), introduction.card.identity);
    assert_eq!(statement.open::<Introduction>().as_ref(), Ok(&introduction));
    assert!(statement.case().is_err(), "it belongs to no case");
    assert_eq!(introduction.entry("somebody").code(), introduction.code());
    let _ = introduction.check_proofs();
}

fn value<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let value = decode::<T>("value", bytes).ok()?;
    assert_eq!(encode(&value), bytes, "two ways to write {value:?}");
    Some(value)
}

/// A body that reads, said by each speaker of the case in turn.
fn body<B: InCase + PartialEq + Debug>(bytes: &[u8]) {
    let Some(body) = value::<B>(bytes) else { return };
    let speakers: Vec<SigningKey> = with_open_case(|world, _| {
        [world.owner("alice"), world.owner("bob")]
            .map(|owner| owner.identity.clone())
            .into_iter()
            .chain([world.coordinator.clone()])
            .collect()
    });
    for speaker in speakers {
        let statement = Statement::sign(&body, &speaker);
        assert_eq!(Statement::parse(statement.bytes()).as_ref(), Ok(&statement));
        assert_eq!(statement.open::<B>().as_ref(), Ok(&body));
        assert_eq!(statement.case(), Ok(body.case()));
        append(&statement);
    }
}

fn append(statement: &Statement) {
    with_open_case(|world, before| {
        let mut case = before.clone();
        match case.append(statement.clone(), &world.directory) {
            Ok(_) => assert!(case.statements().starts_with(before.statements())),
            Err(_) => assert_eq!(case, *before, "a refused statement changes nothing"),
        }
        let standing = standing(&case, Some(&world.state), &mut Verifier::default(), world.now);
        let _ = (standing.status.name(), todo(&case, &standing, Some(&world.state), world.now, 0));
        for owner in &world.owners {
            let _ = world.verify(owner.name, &case);
        }
    });
}

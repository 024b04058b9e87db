//! Introductions: what is read is what was made, its code covers all of it, and the book knows it.

use canton_topology::{Timestamp, id::SynchronizerId, key::SigningPublicKey};
use ed25519_dalek::SigningKey;
use protocol::{
    book::{Book, BookError, Entry},
    encoding::{decode, encode},
    identity::IdentityPublicKey,
    introduction::{Expected, IntroducedKey, Introduction, IntroductionError, NAMESPACE, PARTY, ProofError},
    registry::Kind,
    statement::{SignStatements, Statement, StatementError},
};
use sha2::{Digest as _, Sha256};

use crate::world::Owner;

const STABLE_INTRODUCTION: &str = "ac38178a6eed0656";
const STABLE_CODE_WITH_A_KEY_MORE: &str = "91f6-680f-3d93-2332-1b60";

pub fn coordinator(byte: u8) -> IdentityPublicKey {
    SignStatements::identity(&SigningKey::from_bytes(&[byte; 32]))
}

pub fn synchronizer() -> SynchronizerId {
    format!("sync::1220{}", "ab".repeat(32)).parse().unwrap()
}

pub fn expected() -> Expected {
    Expected { coordinator: coordinator(1), synchronizer: Some(synchronizer()) }
}

pub fn blank(owner: &Owner) -> Introduction {
    Introduction {
        card: owner.card(),
        synchronizer: synchronizer(),
        coordinator: coordinator(1),
        nonce: [7; 32],
        at: Timestamp(1_000_000),
        keys: Vec::new(),
    }
}

/// Lets one of the owner's keys answer.
pub fn proved(introduction: &Introduction, owner: &Owner, key: &SigningPublicKey, purpose: &str) -> IntroducedKey {
    let message = introduction.possession(key, purpose).message();
    let proof = owner.sign(&key.fingerprint(), &message).unwrap().encode();
    IntroducedKey {
        key: key.clone(),
        purpose: purpose.to_owned(),
        backend: "memory".to_owned(),
        proof,
        attestation: None,
    }
}

pub fn introduction(owner: &Owner) -> Introduction {
    let mut made = blank(owner);
    let keys = [(owner.namespace_key(), NAMESPACE), (owner.party_key(), PARTY)];
    made.keys = keys.iter().map(|(key, purpose)| proved(&made, owner, key, purpose)).collect();
    made
}

pub fn signed(introduction: &Introduction, owner: &Owner) -> Vec<u8> {
    Statement::sign(introduction, &owner.identity).bytes().to_vec()
}

/// What a reader makes of an introduction that its own owner has signed.
pub fn verdict(introduction: &Introduction, owner: &Owner) -> Result<(), IntroductionError> {
    Introduction::open(&signed(introduction, owner))?.check(&expected())
}

pub fn proof_error(verdict: Result<(), IntroductionError>) -> ProofError {
    match verdict {
        Err(IntroductionError::Proof { error, .. }) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_honest_introduction_is_read_as_it_was_made() {
    let alice = Owner::new("alice");
    let made = introduction(&alice);

    let read = Introduction::open(&signed(&made, &alice)).unwrap();

    assert_eq!(read, made);
    assert_eq!(read.check(&expected()), Ok(()));
    assert_eq!(read.code(), alice.card().code());
    assert_eq!(read.unproved(), Vec::<&SigningPublicKey>::new());
}

#[test]
fn an_introduction_belongs_to_no_case() {
    let alice = Owner::new("alice");

    let statement = Statement::parse(&signed(&introduction(&alice), &alice)).unwrap();

    assert!(matches!(statement.case(), Err(StatementError::WrongKind { found: Kind::Card, .. })));
}

#[test]
fn the_code_covers_the_card_and_every_key_beside_it() {
    let (alice, bob) = (Owner::new("alice"), Owner::new("bob"));
    let mut more = introduction(&alice);
    more.keys.push(proved(&more, &bob, &bob.party_key(), PARTY));
    more.keys.push(proved(&more, &bob, &bob.namespace_key(), NAMESPACE));
    assert_eq!(verdict(&more, &alice), Ok(()));
    let mut reordered = more.clone();
    reordered.keys.reverse();
    let mut fewer = more.clone();
    fewer.keys.pop();

    assert_eq!(more.code(), reordered.code(), "the order says nothing");
    let codes = [&introduction(&alice), &more, &fewer].map(Introduction::code);
    assert!(codes[0] != codes[1] && codes[1] != codes[2] && codes[0] != codes[2], "{codes:?}");
    assert_eq!(more.entry("al").code(), more.code(), "what the book entered has the code that was read");
    assert!(codes.iter().all(|code| code.len() == 24));
}

#[test]
fn the_book_knows_every_key_that_was_confirmed() {
    let (alice, bob) = (Owner::new("alice"), Owner::new("bob"));
    let mut more = introduction(&alice);
    more.keys.push(proved(&more, &bob, &bob.party_key(), PARTY));
    let mut book = Book::default();
    book.add(more.entry("alice")).unwrap();

    for key in [alice.namespace_key(), alice.party_key(), bob.party_key()] {
        assert_eq!(book.by_key(&key.fingerprint()).unwrap().name, "alice");
        assert_eq!(book.key(&key.fingerprint()), Some(&key));
    }
    assert_eq!(book.by_key(&bob.namespace_key().fingerprint()), None);
}

#[test]
fn an_entry_is_replaced_by_the_same_owner_s_alone() {
    let (alice, bob) = (Owner::new("alice"), Owner::new("bob"));
    let entry = |name: &str, owner: &Owner| Entry { name: name.to_owned(), card: owner.card(), more_keys: Vec::new() };
    let mut book = Book::default();
    book.add(entry("alice", &alice)).unwrap();
    book.add(entry("bob", &bob)).unwrap();
    let mut changed = entry("al", &alice);
    changed.card.party_key = None;

    book.replace(changed.clone()).unwrap();
    let refused = book.replace(Entry { name: "bob".to_owned(), ..changed.clone() });

    assert_eq!(refused, Err(BookError::NameTaken("bob".to_owned())));
    assert_eq!(book.by_namespace(&alice.namespace()), Some(&changed));
    assert_eq!(book.entries().len(), 2);
}

#[test]
fn a_book_without_further_keys_is_read() {
    let entry = Entry { name: "alice".to_owned(), card: Owner::new("alice").card(), more_keys: Vec::new() };
    let mut json = serde_json::to_value(&entry).unwrap();
    json.as_object_mut().unwrap().remove("more_keys");

    assert_eq!(serde_json::from_value::<Entry>(json).unwrap(), entry);
}

#[test]
fn the_layout_of_an_introduction_and_its_code_are_stable() {
    let (alice, bob) = (Owner::new("alice"), Owner::new("bob"));
    let mut made = introduction(&alice);
    made.keys[0].attestation = Some(vec![1, 2, 3]);
    made.keys.push(proved(&made, &bob, &bob.party_key(), PARTY));

    let bytes = signed(&made, &alice);

    assert_eq!(hex::encode(&Sha256::digest(&bytes)[..8]), STABLE_INTRODUCTION);
    assert_eq!(made.code(), STABLE_CODE_WITH_A_KEY_MORE);
    assert_eq!(decode::<Introduction>("introduction", &encode(&made)), Ok(made));
}

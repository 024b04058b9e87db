//! Introductions: whatever somebody in between changes, or an owner makes up, the reader finds it, by name.

use canton_topology::{
    Timestamp,
    id::SynchronizerId,
    key::{KeyUsage, SigningPublicKey},
    signature::Signature,
};
use protocol::{
    drill::{Drill, WORDS},
    introduction::{IntroducedKey, Introduction, IntroductionError, NAMESPACE, PARTY, ProofError},
    limits,
    registry::Kind,
    statement::{Decline, SignStatements, Statement, StatementError, StatementHash},
};

use crate::{
    introduction::{blank, coordinator, introduction, proof_error, proved, signed, synchronizer, verdict},
    world::Owner,
};

#[test]
fn t40_a_proof_for_another_coordinator_is_refused() {
    let alice = Owner::new("alice");
    let mut elsewhere = blank(&alice);
    elsewhere.coordinator = coordinator(2);
    elsewhere.keys = vec![proved(&elsewhere, &alice, &alice.namespace_key(), NAMESPACE)];

    // As it was made, by its name; and with the coordinator's name exchanged, by its proof.
    let as_made = verdict(&elsewhere, &alice);
    let (found, expected) = (coordinator(2), coordinator(1));
    assert_eq!(as_made, Err(IntroductionError::OtherCoordinator { found, expected }));
    let replayed = Introduction { coordinator: coordinator(1), ..elsewhere };
    assert_eq!(proof_error(verdict(&replayed, &alice)), ProofError::NotSigned);
}

#[test]
fn t40_a_proof_for_another_synchronizer_s_mailbox_is_refused() {
    let alice = Owner::new("alice");
    let other: SynchronizerId = format!("other::1220{}", "ab".repeat(32)).parse().unwrap();

    let refused = verdict(&Introduction { synchronizer: other.clone(), ..introduction(&alice) }, &alice);

    let (found, expected) = (other, synchronizer());
    assert_eq!(refused, Err(IntroductionError::OtherSynchronizer { found, expected }));
}

#[test]
fn t40_a_proof_for_another_nonce_or_another_card_is_refused() {
    let alice = Owner::new("alice");
    let honest = introduction(&alice);

    let stale = Introduction { nonce: [8; 32], ..honest.clone() };
    assert_eq!(proof_error(verdict(&stale, &alice)), ProofError::NotSigned);
    let mut card = honest.clone();
    card.card.parcel_key = Owner::new("mallory").card().parcel_key;
    assert_eq!(proof_error(verdict(&card, &alice)), ProofError::NotSigned);
    let mut card = honest;
    card.card.host = Some(Owner::new("mallory").host());
    assert_eq!(proof_error(verdict(&card, &alice)), ProofError::NotSigned);
}

#[test]
fn t40_a_proof_for_another_purpose_is_refused() {
    let alice = Owner::new("alice");
    let both =
        SigningPublicKey::ed25519(&alice.party.verifying_key().to_bytes(), &[KeyUsage::Namespace, KeyUsage::Protocol]);
    let both = both.unwrap();
    let mut made = introduction(&alice);
    made.card.party_key = None;
    made.keys = vec![proved(&made, &alice, &alice.namespace_key(), NAMESPACE), proved(&made, &alice, &both, PARTY)];
    assert_eq!(verdict(&made, &alice), Ok(()));

    // A key that Canton would take for both: what it proved for one is nothing for the other.
    made.keys[1].purpose = NAMESPACE.to_owned();
    assert_eq!(proof_error(verdict(&made, &alice)), ProofError::NotSigned);

    for (purpose, expected) in
        [(NAMESPACE, ProofError::Usage(NAMESPACE.to_owned())), ("treasury", ProofError::Purpose("treasury".to_owned()))]
    {
        let mut made = blank(&alice);
        let keys = [(alice.namespace_key(), NAMESPACE), (alice.party_key(), purpose)];
        made.keys = keys.iter().map(|(key, purpose)| proved(&made, &alice, key, purpose)).collect();
        assert_eq!(proof_error(verdict(&made, &alice)), expected);
    }
}

#[test]
fn t40_a_key_that_is_on_the_card_for_something_else_is_refused() {
    let alice = Owner::new("alice");
    let usage = [KeyUsage::Namespace, KeyUsage::Protocol];
    let both = SigningPublicKey::ed25519(&alice.party.verifying_key().to_bytes(), &usage).unwrap();
    let mut made = blank(&alice);
    made.card.party_key = Some(both.clone());
    made.keys = vec![proved(&made, &alice, &alice.namespace_key(), NAMESPACE), proved(&made, &alice, &both, NAMESPACE)];

    let refused = proof_error(verdict(&made, &alice));

    assert_eq!(refused, ProofError::OtherPurpose { found: NAMESPACE.to_owned(), expected: PARTY });
}

#[test]
fn t40_a_swapped_key_with_the_proof_of_the_old_one_is_refused() {
    let (alice, mallory) = (Owner::new("alice"), Owner::new("mallory"));
    // On the card and in the list, by somebody who holds the identity key.
    let mut swapped = introduction(&alice);
    swapped.card.party_key = Some(mallory.party_key());
    swapped.keys[1].key = mallory.party_key();
    // The namespace key comes first, and has vouched for another card.
    assert_eq!(proof_error(verdict(&swapped, &alice)), ProofError::NotSigned);
    // Its namespace key vouches, and the party key's proof is still that of the old one.
    swapped.keys[0] = proved(&swapped, &alice, &alice.namespace_key(), NAMESPACE);
    assert_eq!(proof_error(verdict(&swapped, &alice)), ProofError::NotSigned);
    // A key of somebody else beside the card, with a proof that names another signer.
    let mut beside = introduction(&alice);
    let message = beside.possession(&mallory.party_key(), PARTY).message();
    let proof = Signature::new_ed25519(SignStatements::sign(&mallory.party, &message), alice.party_key().fingerprint());
    let key = mallory.party_key();
    let backend = "memory".to_owned();
    beside.keys.push(IntroducedKey {
        key,
        purpose: PARTY.to_owned(),
        backend,
        proof: proof.encode(),
        attestation: None,
    });
    assert_eq!(proof_error(verdict(&beside, &alice)), ProofError::NotSigned);
}

#[test]
fn t40_an_introduction_signed_by_another_identity_is_refused() {
    let (alice, mallory) = (Owner::new("alice"), Owner::new("mallory"));

    let refused = Introduction::open(&signed(&introduction(&alice), &mallory));

    let (identity, signer) = (alice.card().identity, mallory.card().identity);
    assert_eq!(refused, Err(IntroductionError::Signer { identity, signer }));
}

#[test]
fn t40_the_proofs_of_one_owner_are_worth_nothing_in_the_introduction_of_another() {
    let (alice, mallory) = (Owner::new("alice"), Owner::new("mallory"));
    // Alice's name, keys and proofs with mallory's identity key: the keys have vouched for another card.
    let mut posing = introduction(&alice);
    posing.card.identity = mallory.card().identity;
    assert_eq!(proof_error(verdict(&posing, &mallory)), ProofError::NotSigned);
    // Mallory's own card, and alice's party key with alice's proof beside it.
    let mut stolen = introduction(&mallory);
    stolen.keys.push(introduction(&alice).keys[1].clone());
    assert_eq!(proof_error(verdict(&stolen, &mallory)), ProofError::NotSigned);
}

#[test]
fn t40_nobody_vouches_for_a_card_without_its_namespace_key() {
    let alice = Owner::new("alice");
    let mut made = introduction(&alice);
    made.keys.remove(0);
    let missing = IntroductionError::NoNamespaceKey(alice.namespace_key().fingerprint());
    assert_eq!(verdict(&made, &alice), Err(missing.clone()));

    // The same fingerprint with other usages is not it.
    let usage = [KeyUsage::Namespace, KeyUsage::Protocol];
    let both = SigningPublicKey::ed25519(&alice.namespace.verifying_key().to_bytes(), &usage).unwrap();
    made.keys = vec![proved(&made, &alice, &both, PARTY)];
    assert_eq!(verdict(&made, &alice), Err(missing));
}

#[test]
fn a_signature_of_another_kind_is_no_proof_and_no_introduction() {
    let alice = Owner::new("alice");
    let mut made = introduction(&alice);
    let key = alice.namespace_key();
    let drill = Drill {
        words: WORDS.to_owned(),
        key: key.fingerprint(),
        owner: alice.namespace(),
        synchronizer: synchronizer(),
        at: Timestamp(1),
        nonce: [7; 32],
    };
    made.keys[0].proof = alice.sign(&key.fingerprint(), &drill.message()).unwrap().encode();
    assert_eq!(proof_error(verdict(&made, &alice)), ProofError::NotSigned);

    let case = protocol::intent::CaseId::from_bytes([1; 16]);
    let offer = StatementHash::from_bytes([2; 32]);
    let decline = Decline { case, offer, owner: alice.namespace(), reason: "no".to_owned() };
    let statement = Statement::sign(&decline, &alice.identity);
    let wrong = StatementError::WrongKind { expected: Kind::Card, found: Kind::Decline };
    assert_eq!(Introduction::open(statement.bytes()), Err(wrong.into()));
}

#[test]
fn what_is_too_long_or_too_much_or_misleading_is_refused() {
    let alice = Owner::new("alice");
    let honest = introduction(&alice);

    assert_eq!(
        Introduction::open(&vec![1; limits::INTRODUCTION_BYTES_MAX + 1]),
        Err(IntroductionError::TooLong { found: limits::INTRODUCTION_BYTES_MAX + 1 })
    );
    let mut many = honest.clone();
    many.keys = vec![honest.keys[0].clone(); limits::INTRODUCED_KEYS_MAX + 1];
    let found = limits::INTRODUCED_KEYS_MAX + 1;
    assert_eq!(verdict(&many, &alice), Err(IntroductionError::TooManyKeys { found }));
    let mut twice = honest.clone();
    twice.keys.push(honest.keys[1].clone());
    assert_eq!(verdict(&twice, &alice), Err(IntroductionError::KeyTwice(alice.party_key().fingerprint())));
    let mut name = honest.clone();
    name.card.name = "al\u{202e}ice".to_owned();
    assert_eq!(verdict(&name, &alice), Err(IntroductionError::Name(name.card.name.clone())));
    let mut backend = honest.clone();
    backend.keys[1].backend = "hsm\nverified".to_owned();
    assert_eq!(proof_error(verdict(&backend, &alice)), ProofError::Backend("hsm\nverified".to_owned()));
    let mut attested = honest.clone();
    attested.keys[1].attestation = Some(vec![0; limits::ATTESTATION_BYTES_MAX + 1]);
    let found = limits::ATTESTATION_BYTES_MAX + 1;
    assert_eq!(proof_error(verdict(&attested, &alice)), ProofError::Attestation { found });
    let mut proof = honest;
    proof.keys[1].proof = vec![1, 2, 3];
    assert!(matches!(proof_error(verdict(&proof, &alice)), ProofError::Unreadable(_)));
}

#[test]
fn no_byte_of_an_introduction_can_be_changed() {
    let alice = Owner::new("alice");
    let honest = signed(&introduction(&alice), &alice);
    for at in 0..honest.len() {
        let mut changed = honest.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(Introduction::open(&changed).is_err(), "byte {at}");
    }
}

//! What is signed and sent: one encoding for each value, one value for each encoding, and layouts that never change.

use canton_topology::{
    Timestamp,
    hash::{TransactionHash, UniqueKey},
    mapping::{Permission, definition_key},
    transaction::Serial,
};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use protocol::{
    api::Invitation,
    book::Card,
    encoding::{EncodingError, decode, encode},
    intent::{
        CaseId, Change, CreateParty, Delegate, Host, Intent, LeaveHost, Membership, MigrateKeys, Order, OwnersChange,
        PartyChange, Raw, Revoke, RotateOwnerKey, Scope, Slot, Void,
    },
    limits,
    registry::Kind,
    statement::{
        Approval, BaseRow, Body, Checkpoint, Contribution, Decline, EncodedSignature, Offer, Outcome, OutcomeResult,
        SignStatements, Statement, StatementError, StatementHash, Withdrawal,
    },
};
use sha2::{Digest as _, Sha256};

use crate::world::{Owner, World};

fn alice() -> Owner {
    Owner::new("alice")
}

fn key(byte: u8) -> UniqueKey {
    let namespace = format!("1220{}", hex::encode([byte; 32])).parse().unwrap();
    definition_key(&namespace)
}

fn transaction(byte: u8) -> TransactionHash {
    TransactionHash::of(&[byte])
}

fn case() -> CaseId {
    CaseId::from_bytes([1; 16])
}

fn intent(change: Change) -> Intent {
    Intent {
        case: case(),
        synchronizer: "sync::1220aa".parse().unwrap(),
        proposer: alice().namespace(),
        created_at: Timestamp(1_000_000),
        deadline: Timestamp(2_000_000),
        reason: "because".to_owned(),
        change,
        accepts: Vec::new(),
    }
}

fn slot(byte: u8) -> Slot {
    Slot { unique_key: key(byte), serial: Serial::FIRST, transaction: transaction(byte) }
}

fn new_party() -> CreateParty {
    let owner = alice();
    CreateParty {
        hint: "p".to_owned(),
        owners: vec![owner.namespace_key()],
        namespace_threshold: 1,
        hosts: vec![Host { participant: owner.host(), permission: Permission::Confirmation }],
        confirmation_threshold: 1,
        signing_keys: vec![owner.party_key()],
        signing_threshold: 1,
    }
}

fn change_set() -> Membership {
    let (owner, other) = (alice(), Owner::new("bob"));
    let host = |owner: &Owner| Host { participant: owner.host(), permission: Permission::Observation };
    Membership {
        owners: Some(OwnersChange {
            namespace: owner.namespace(),
            add: vec![owner.namespace_key()],
            remove: vec![other.namespace()],
            threshold: Some(2),
        }),
        party: Some(PartyChange {
            party: format!("p::{}", owner.namespace()).parse().unwrap(),
            add_hosts: vec![host(&owner)],
            remove_hosts: vec![other.host()],
            permissions: vec![host(&other)],
            confirmation_threshold: Some(3),
            add_keys: vec![owner.party_key()],
            remove_keys: vec![other.party_key().fingerprint()],
            signing_threshold: None,
        }),
        order: Order::Together,
    }
}

/// One of each, in the order of their numbers.
fn changes() -> Vec<Change> {
    let owner = alice();
    let party: canton_topology::id::PartyId = format!("p::{}", owner.namespace()).parse().unwrap();
    let (namespace, key) = (owner.namespace(), owner.namespace_key());
    vec![
        Change::CreateParty(new_party()),
        Change::Membership(change_set()),
        Change::Delegate(Delegate { namespace: namespace.clone(), key: key.clone(), scope: Scope::Parties }),
        Change::Raw(Raw { transactions: vec![vec![1, 2, 3]] }),
        Change::Void(Void { case: case(), slots: vec![slot(3)] }),
        Change::Revoke(Revoke { namespace: namespace.clone(), key: key.fingerprint() }),
        Change::RotateOwnerKey(RotateOwnerKey {
            namespace: namespace.clone(),
            old: namespace,
            new: key,
            revoke_old: true,
        }),
        Change::LeaveHost(LeaveHost { party: party.clone(), participant: owner.host() }),
        Change::MigrateKeys(MigrateKeys { party }),
        Change::CreatePartyWithKeyMapping(new_party()),
    ]
}

fn offer() -> Offer {
    Offer {
        case: case(),
        intent: StatementHash::from_bytes([2; 32]),
        round: 1,
        base: vec![
            BaseRow { unique_key: key(3), active: Some((Serial::FIRST, transaction(4))) },
            BaseRow { unique_key: key(5), active: None },
        ],
        transactions: vec![vec![6, 7]],
    }
}

fn approval() -> Approval {
    Approval {
        case: case(),
        offer: StatementHash::from_bytes([2; 32]),
        owner: alice().namespace(),
        synchronizer: "sync::1220aa".parse().unwrap(),
        transactions: vec![transaction(4)],
        base: offer().base,
        policy: Some([8; 32]),
        checkpoint: Some(Checkpoint { statements: 2, head: [9; 32] }),
        signatures: vec![EncodedSignature { transaction: transaction(4), signature: vec![1, 2] }],
    }
}

fn contribution() -> Contribution {
    Contribution { case: case(), offer: StatementHash::from_bytes([2; 32]), signatures: approval().signatures }
}

fn decline() -> Decline {
    Decline {
        case: case(),
        offer: StatementHash::from_bytes([2; 32]),
        owner: alice().namespace(),
        reason: "no".to_owned(),
    }
}

fn withdrawal() -> Withdrawal {
    Withdrawal { case: case(), intent: StatementHash::from_bytes([2; 32]), reason: "no".to_owned() }
}

fn outcome(result: OutcomeResult) -> Outcome {
    Outcome { case: case(), offer: StatementHash::from_bytes([2; 32]), result }
}

fn results() -> [OutcomeResult; 4] {
    [
        OutcomeResult::Submitted { at: Timestamp(1) },
        OutcomeResult::Effective { at: Timestamp(2) },
        OutcomeResult::Superseded { by: transaction(3) },
        OutcomeResult::Rejected { reason: "no".to_owned() },
    ]
}

/// One statement of each kind that a case has.
fn one_of_each() -> Vec<Statement> {
    let signer = alice().identity;
    let raw = intent(changes().remove(3));
    vec![
        Statement::sign(&raw, &signer),
        Statement::sign(&offer(), &signer),
        Statement::sign(&approval(), &signer),
        Statement::sign(&contribution(), &signer),
        Statement::sign(&decline(), &signer),
        Statement::sign(&withdrawal(), &signer),
        Statement::sign(&outcome(results()[0].clone()), &signer),
    ]
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..8])
}

#[test]
fn a_signature_of_one_kind_verifies_as_that_kind_alone() {
    let signer = alice().identity;
    let identity = SignStatements::identity(&signer);
    let payload = encode(&approval());
    for made in Kind::ALL {
        let signature = SignStatements::sign(&signer, &made.message(&payload).unwrap());
        for read in Kind::ALL {
            assert_eq!(
                identity.verifies(&read.message(&payload).unwrap(), &signature),
                made == read,
                "{made:?} {read:?}"
            );
        }
        assert!(!identity.verifies(&payload, &signature), "nor without a kind");
    }
}

#[test]
fn a_statement_whose_kind_is_exchanged_is_none() {
    for statement in one_of_each() {
        let bytes = statement.bytes();
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            let mut other = bytes.to_vec();
            other[1] = u8::try_from(index).unwrap();
            let parsed = Statement::parse(&other);
            if kind == statement.kind() {
                assert_eq!(parsed, Ok(statement.clone()));
            } else {
                assert_eq!(parsed, Err(StatementError::NotSigned { signer: statement.signer(), kind }));
            }
        }
    }
}

#[test]
fn no_prefix_begins_another_and_no_message_has_the_length_of_one_of_cantons() {
    for a in Kind::ALL {
        let prefix = a.message(&[]).unwrap_or_default();
        for b in Kind::ALL.into_iter().filter(|b| *b != a) {
            assert!(!b.message(&[0; 64]).unwrap().starts_with(&prefix) || prefix.is_empty());
        }
        for length in 0..64 {
            let total = a.message(&vec![0; length]).map(|message| message.len());
            assert!(!matches!(total, Some(32 | 34)), "{a:?} {length}");
        }
    }
}

#[test]
fn only_its_own_kind_opens_a_statement() {
    for statement in one_of_each() {
        let opens = [
            statement.open::<Intent>().is_ok(),
            statement.open::<Offer>().is_ok(),
            statement.open::<Approval>().is_ok(),
            statement.open::<Contribution>().is_ok(),
            statement.open::<Decline>().is_ok(),
            statement.open::<Withdrawal>().is_ok(),
            statement.open::<Outcome>().is_ok(),
        ];
        assert_eq!(opens.into_iter().filter(|opens| *opens).count(), 1, "{statement:?}");
        assert_eq!(statement.case(), Ok(case()));
    }
}

#[test]
fn an_unknown_version_is_refused_with_its_number_and_the_fix() {
    let mut bytes = encode(&decline());
    bytes[0] = 2;
    let error = decode::<Decline>("decline", &bytes).unwrap_err();
    assert_eq!(error, EncodingError::UnknownVersion { what: "decline", found: 2 });
    assert!(error.to_string().contains("upgrade"));
    assert_eq!(decode::<Decline>("decline", &[]), Err(EncodingError::Empty { what: "decline" }));
    let long = vec![1; limits::STATEMENT_BYTES_MAX + 1];
    assert!(matches!(decode::<Decline>("decline", &long), Err(EncodingError::TooLong { .. })));
}

#[test]
fn a_second_way_to_write_the_same_value_is_refused() {
    let good = encode(&vec![5_u8]);
    assert_eq!(good, [1, 1, 5]);
    assert_eq!(decode::<Vec<u8>>("bytes", &good), Ok(vec![5]));
    let overlong = [1, 0x81, 0x00, 5];
    assert_eq!(decode::<Vec<u8>>("bytes", &overlong), Err(EncodingError::NotCanonical { what: "bytes" }));
    let trailing = [1, 1, 5, 0];
    assert_eq!(decode::<Vec<u8>>("bytes", &trailing), Err(EncodingError::NotCanonical { what: "bytes" }));
}

#[test]
fn the_layout_of_intents_is_stable() {
    let found: Vec<String> =
        changes().into_iter().map(|change| format!("{} {}", change.name(), digest(&encode(&intent(change))))).collect();
    assert_eq!(found, STABLE_INTENTS);
}

#[test]
fn the_layout_of_a_raw_intent_is_stable_byte_for_byte() {
    assert_eq!(hex::encode(encode(&intent(changes().remove(3)))), STABLE_RAW_INTENT);
}

#[test]
fn the_layout_of_statements_is_stable() {
    let found: Vec<String> = one_of_each()
        .iter()
        .map(|statement| format!("{} {}", statement.kind().name(), digest(statement.bytes())))
        .collect();
    assert_eq!(found, STABLE_STATEMENTS);
}

#[test]
fn the_layout_of_outcomes_is_stable() {
    let found: Vec<String> = results().map(|result| digest(&encode(&outcome(result)))).to_vec();
    assert_eq!(found, STABLE_OUTCOMES);
}

#[test]
fn the_layout_of_a_chain_of_statements_is_stable() {
    let world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(None, Some(1), None));
    world.must_approve("bob", &mut case);
    assert_eq!(digest(&case.checkpoint().head), STABLE_HEAD);
}

#[test]
fn the_text_and_the_code_of_a_card_are_stable() {
    let card = alice().card();
    assert_eq!(digest(card.text().as_bytes()), STABLE_CARD);
    assert_eq!(card.code(), STABLE_CARD_CODE);
    assert_eq!(Card::parse(&card.text()), Ok(card));
}

#[test]
fn an_invitation_is_stable_and_says_what_is_wrong_with_it() {
    let text = format!("countersign-enroll1/localhost:7000/{}/{}", "A".repeat(43), "ab".repeat(32));
    let invitation: Invitation = text.parse().unwrap();
    assert_eq!(invitation.to_string(), text);
    for (broken, expected) in [
        (text.replace("enroll1", "enroll2"), "not an invitation"),
        (text.replace(":7000", ""), "has no port"),
        (text.replace(&"A".repeat(43), &"A".repeat(42)), "the token is not 43 characters"),
        (text[..text.len() - 2].to_owned(), "CA key hash is not 64 hex digits"),
    ] {
        let error = broken.parse::<Invitation>().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

fn a_change() -> impl Strategy<Value = Change> {
    let bytes = prop::collection::vec(any::<u8>(), 0..40);
    let slots = prop::collection::vec(any::<u8>().prop_map(slot), 0..4);
    let namespace = || alice().namespace();
    let thresholds = prop::option::of(any::<u32>());
    prop_oneof![
        (0..10_usize).prop_map(|index| changes().swap_remove(index)),
        prop::collection::vec(bytes, 0..4).prop_map(|transactions| Change::Raw(Raw { transactions })),
        slots.prop_map(|slots| Change::Void(Void { case: case(), slots })),
        thresholds.prop_map(move |threshold| {
            let owners = OwnersChange { namespace: namespace(), add: Vec::new(), remove: Vec::new(), threshold };
            Change::Membership(Membership { owners: Some(owners), party: None, order: Order::Staged })
        }),
    ]
}

fn an_intent() -> impl Strategy<Value = Intent> {
    (any::<[u8; 16]>(), any::<i64>(), any::<i64>(), "\\PC{0,40}", a_change()).prop_map(
        |(case, created_at, deadline, reason, change)| Intent {
            case: CaseId::from_bytes(case),
            created_at: Timestamp(created_at),
            deadline: Timestamp(deadline),
            reason,
            ..intent(change)
        },
    )
}

fn an_approval() -> impl Strategy<Value = Approval> {
    let signatures = prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..70)), 0..4);
    let checkpoint = prop::option::of((any::<u64>(), any::<[u8; 32]>()));
    (signatures, checkpoint, prop::option::of(any::<[u8; 32]>()), any::<[u8; 32]>()).prop_map(
        |(signatures, checkpoint, policy, offer)| Approval {
            offer: StatementHash::from_bytes(offer),
            policy,
            checkpoint: checkpoint.map(|(statements, head)| Checkpoint { statements, head }),
            signatures: signatures
                .into_iter()
                .map(|(byte, signature)| EncodedSignature { transaction: transaction(byte), signature })
                .collect(),
            ..approval()
        },
    )
}

fn comes_back<B: Body + PartialEq + std::fmt::Debug>(body: &B, seed: [u8; 32]) {
    let statement = Statement::sign(body, &SigningKey::from_bytes(&seed));
    let read = Statement::parse(statement.bytes()).unwrap();
    assert_eq!(read, statement);
    assert_eq!(read.open::<B>().unwrap(), *body);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_signed_is_read_as_it_was(intent in an_intent(), approval in an_approval(), seed in any::<[u8; 32]>()) {
        comes_back(&intent, seed);
        comes_back(&approval, seed);
    }

    #[test]
    fn no_two_encodings_mean_one_value(intent in an_intent(), at in any::<prop::sample::Index>(), mask in 1..=255_u8) {
        let bytes = encode(&intent);
        let mut other = bytes.clone();
        let index = at.index(bytes.len());
        other[index] ^= mask;
        if let Ok(read) = decode::<Intent>("intent", &other) {
            prop_assert_ne!(&read, &intent);
            prop_assert_eq!(encode(&read), other);
        }
    }

    #[test]
    fn whatever_bytes_come_nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Statement::parse(&bytes);
        let mut versioned = bytes;
        versioned.insert(0, 1);
        let _ = Statement::parse(&versioned);
        let _ = decode::<Intent>("intent", &versioned);
        let _ = decode::<Offer>("offer", &versioned);
        let _ = decode::<Approval>("approval", &versioned);
    }

    #[test]
    fn a_cut_statement_is_refused(intent in an_intent(), at in any::<prop::sample::Index>()) {
        let statement = Statement::sign(&intent, &alice().identity);
        let cut = &statement.bytes()[..at.index(statement.bytes().len())];
        prop_assert!(Statement::parse(cut).is_err());
    }
}

// Digests are the first eight bytes of SHA-256. A change here is a new version of the layout, never a new number.
const STABLE_INTENTS: [&str; 10] = [
    "create-party b6aad53907b64cdc",
    "membership e0f0b1f5216ee943",
    "delegate 25bb88de63d64cd1",
    "raw f4a851474fa3e33e",
    "void d542ffbc8e00c3a9",
    "revoke 44c36a78c71fe520",
    "rotate-owner-key c35c28279fb56349",
    "leave-host 50912c2644897991",
    "migrate-keys efb555b18159cc7d",
    "create-party-with-key-mapping 6cfe4e6384d480af",
];
// Version, case, synchronizer, proposer, both times, reason, the change's number, its transactions, no accepted danger.
const STABLE_RAW_INTENT: &str = "01\
    01010101010101010101010101010101\
    0c73796e633a3a313232306161\
    44313232306466376639653866386231336134343338623532663538653438356566396336326464\
    3436323635623065383838613862363830333636633562363439623938\
    80897a8092f401\
    0762656361757365\
    03\
    0103010203\
    00";
const STABLE_STATEMENTS: [&str; 7] = [
    "intent 36695df4d561f831",
    "offer 23344e045bbe8ffe",
    "approval 8400ede080c31500",
    "contribution f545b11ccfaef46a",
    "decline 19c0d8fb27faec57",
    "withdrawal 5ad3fd3dc203efe8",
    "outcome 9756020447b70e16",
];
const STABLE_OUTCOMES: [&str; 4] = ["215ed94c428e8d2d", "7ba3e5df62a2175f", "271b743900f8f55f", "17ea3088ab17efc5"];
const STABLE_HEAD: &str = "031630f465412efb";
const STABLE_CARD: &str = "4c5c0f83052b40a3";
const STABLE_CARD_CODE: &str = "5631-b989-abc9-2133-d3a2";

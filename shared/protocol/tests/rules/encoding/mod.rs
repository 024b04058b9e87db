//! What is signed and sent: one encoding for each value, one value for each encoding, and layouts that never change.

mod kinds;
mod round_trip;
mod stable;

use canton_topology::{
    Timestamp,
    hash::{TransactionHash, UniqueKey},
    mapping::{Permission, definition_key},
    transaction::Serial,
};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use protocol::{
    accepted::Accepted,
    api::Invitation,
    book::Card,
    encoding::{EncodingError, decode, encode},
    intent::{
        Adopt, After, CaseId, Change, CreateParty, Delegate, Former, Host, HostParty, HostingPath, Intent, LeaveHost,
        Membership, MigrateKeys, Order, OwnersChange, PartyChange, Raw, Revoke, RotateOwnerKey, Scope, Seat, Slot,
        Void,
    },
    limits,
    registry::Kind,
    statement::{
        Approval, Attestation, BaseRow, Body, Checkpoint, Claim, Contribution, Decline, EncodedSignature, Offer,
        Outcome, OutcomeResult, Question, SignStatements, Statement, StatementError, StatementHash, Withdrawal,
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
        after: None,
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

/// Both that may come first, in the order of their numbers.
fn afters() -> [After; 2] {
    let Change::HostParty(hosting) = changes().remove(10) else { panic!("not a hosting") };
    let host = Former::Host { party: hosting.party, participant: hosting.target.participant };
    [Former::Membership(change_set()), host].map(|stands| After { case: CaseId::from_bytes([4; 16]), stands })
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
        Change::MigrateKeys(MigrateKeys { party: party.clone() }),
        Change::CreatePartyWithKeyMapping(new_party()),
        Change::HostParty(HostParty {
            party,
            source: Seat { owner: owner.namespace(), participant: owner.host() },
            target: Seat { owner: owner.namespace(), participant: owner.host() },
            permission: Permission::Confirmation,
            confirmation_threshold: Some(1),
            path: HostingPath::Replicated { second: None, ahead: Vec::new() },
        }),
        Change::Adopt(Adopt { transaction: vec![1, 2, 3] }),
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

fn attestation() -> Attestation {
    Attestation {
        case: case(),
        intent: StatementHash::from_bytes([2; 32]),
        owner: alice().namespace(),
        participant: alice().host(),
        at: Timestamp(1),
        human: true,
        claim: Claim::Disconnected { nonce: Some([3; 32]) },
    }
}

fn question() -> Question {
    Question {
        case: case(),
        intent: StatementHash::from_bytes([2; 32]),
        owner: alice().namespace(),
        nonce: [3; 32],
        at: Timestamp(1),
    }
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
        Statement::sign(&attestation(), &signer),
        Statement::sign(&question(), &signer),
    ]
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..8])
}

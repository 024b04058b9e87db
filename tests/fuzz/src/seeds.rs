//! Where the fuzzer begins: real transactions, snapshots and keys from the recordings that lie beside the project, and
//! statements of a world of our own. Where the recordings are absent, the world alone.

mod recorded;

use canton_topology::{
    Timestamp,
    snapshot::{self, Format, Item},
    transaction::{SignedTransaction, Transaction},
};
use protocol::{
    api::{
        Base64, CaseDetail, CaseList, CaseSummary, Directory, DirectoryEntry, EnrollRequest, Inbox, InboxEntry,
        Introduced, Introductions, Nonce, PostIntroduction, PostStatement, Posted, Problem,
    },
    encoding::encode,
    identity::{IdentityCertificate, IdentityClaim},
    intent::{Change, Delegate, LeaveHost, MigrateKeys, Order, Revoke, RotateOwnerKey, Scope, Slot, Void},
    introduction::{IntroducedKey, Introduction, NAMESPACE},
    plan::plan,
    statement::{
        Contribution, Decline, EncodedSignature, Outcome, OutcomeResult, SignStatements, Statement, Withdrawal,
    },
};
use serde::Serialize;

use crate::{targets::statement::with_open_case, world::World};

/// Wrapped transactions.
pub fn transactions() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = items().iter().map(|item| item.transaction.transaction.bytes().to_vec()).collect();
    all.extend(recorded::odd_transactions());
    all
}

/// Signed transactions, in both forms.
pub fn signed() -> Vec<Vec<u8>> {
    let both = |item: Item| [item.transaction.encode_wrapped(), item.transaction.encode_plain()];
    items().into_iter().flat_map(both).chain(recorded::odd_signed()).collect()
}

/// Snapshots in both formats: small real ones, and one for each transaction.
pub fn snapshots() -> Vec<Vec<u8>> {
    let both = |item: Item| [Format::V1, Format::V2].map(|format| snapshot::write(format, std::slice::from_ref(&item)));
    items().into_iter().flat_map(both).chain(recorded::small_snapshots()).collect()
}

/// Whole short histories as snapshots.
pub fn histories() -> Vec<Vec<u8>> {
    let mut all = recorded::histories();
    all.push(snapshot::write(Format::V2, &of_the_world()));
    all
}

/// Keys and signatures.
pub fn keys() -> Vec<Vec<u8>> {
    let mut all = recorded::keys();
    for item in items() {
        let mapping = item.transaction.transaction.mapping();
        all.extend(mapping.mapped_signing_keys().into_iter().map(|key| key.encode()));
        all.extend(item.transaction.distinct_signatures().iter().map(|over| over.signature.encode()));
    }
    all.sort();
    all.dedup();
    all.truncate(600);
    all
}

/// Everything that has a text.
pub fn names() -> Vec<Vec<u8>> {
    let mut texts: Vec<String> = Vec::new();
    with_open_case(|world, case| {
        let alice = world.owner("alice");
        texts.extend([alice.host().to_string(), format!("PAR::{}", alice.host()), world.party().to_string()]);
        texts.extend([world.synchronizer.to_string(), world.synchronizer.logical.to_string()]);
        texts.extend([alice.card().text(), alice.namespace().to_string(), case.id().to_string()]);
        texts.extend([case.intent_hash().to_string(), SignStatements::identity(&alice.identity).to_string()]);
        texts.push(format!("countersign-enroll1/localhost:7000/{}/{}", "A".repeat(43), "ab".repeat(32)));
        texts.extend([alice.namespace_key().to_string(), world.definition().hash().to_string()]);
    });
    texts.extend(["EC_P256", "NAMESPACE", "PTP", "\u{1b}[31m", "\u{202e}abc"].map(str::to_owned));
    for item in items() {
        texts.extend(item.transaction.transaction.mapping().referenced().into_iter().map(ToString::to_string));
    }
    texts.sort();
    texts.dedup();
    texts.truncate(200);
    texts.into_iter().map(String::into_bytes).collect()
}

/// Statements of every kind, and their bodies.
pub fn statements() -> Vec<Vec<u8>> {
    let mut all = intents();
    with_open_case(|world, case| {
        for statement in case.statements() {
            all.push(statement.bytes().to_vec());
        }
        if let Some(offered) = case.offer() {
            all.push(encode(&offered.offer));
            all.extend(
                outcomes(world)
                    .into_iter()
                    .map(|result| encode(&Outcome { case: case.id(), offer: offered.hash, result })),
            );
            let alice = world.owner("alice").namespace();
            let reason = "no".to_owned();
            all.push(encode(&Decline { case: case.id(), offer: offered.hash, owner: alice, reason }));
        }
        all.push(encode(&Withdrawal { case: case.id(), intent: case.intent_hash(), reason: "no".to_owned() }));
        let approval = world.approval("alice", case);
        let signatures: Vec<EncodedSignature> = approval.signatures.clone();
        all.push(encode(&Contribution { case: case.id(), offer: approval.offer, signatures }));
        all.push(encode(&approval));
        all.push(Statement::sign(&approval, &world.owner("alice").identity).bytes().to_vec());
        all.push(encode(&world.owner("alice").card()));
        all.push(encode(&world.book_of("alice")));
        all.push(encode(&introduction(world)));
        all.push(Statement::sign(&introduction(world), &world.owner("alice").identity).bytes().to_vec());
        all.push(certificate(world).bytes().to_vec());
        all.push(encode(certificate(world).claim()));
    });
    all
}

/// Alice's, with a proof of her namespace key.
fn introduction(world: &World) -> Introduction {
    let alice = world.owner("alice");
    let mut made = Introduction {
        card: alice.card(),
        synchronizer: world.synchronizer.logical.clone(),
        coordinator: SignStatements::identity(&world.coordinator),
        nonce: [7; 32],
        at: world.now,
        keys: Vec::new(),
    };
    let key = alice.namespace_key();
    let proof = alice.sign(&key.fingerprint(), &made.possession(&key, NAMESPACE).message());
    let proof = proof.map(|signature| signature.encode()).unwrap_or_default();
    let (purpose, backend) = (NAMESPACE.to_owned(), "memory".to_owned());
    made.keys.push(IntroducedKey { key, purpose, backend, proof, attestation: Some(vec![1, 2, 3]) });
    made
}

fn outcomes(world: &World) -> [OutcomeResult; 4] {
    [
        OutcomeResult::Submitted { at: world.now },
        OutcomeResult::Effective { at: world.now },
        OutcomeResult::Superseded { by: world.definition().hash() },
        OutcomeResult::Rejected { reason: "no".to_owned() },
    ]
}

fn certificate(world: &World) -> IdentityCertificate {
    let alice = world.owner("alice");
    let claim = IdentityClaim {
        namespace_key: alice.namespace_key(),
        identity: SignStatements::identity(&alice.identity),
        synchronizer: world.synchronizer.logical.clone(),
        issued_at: Timestamp(1),
    };
    let signature = alice.sign(alice.namespace_key().fingerprint_ref(), &claim.message());
    IdentityCertificate::new(claim, signature.expect("the key is alice's")).expect("alice signed it")
}

/// Intents of every kind, most of which can be planned.
pub fn intents() -> Vec<Vec<u8>> {
    with_open_case(|world, case| {
        let slots = case.offer().map_or_else(Vec::new, |offered| {
            let slot = |one: &Transaction| Slot {
                unique_key: one.unique_key(),
                serial: one.serial(),
                transaction: one.hash(),
            };
            offered.transactions.iter().map(slot).collect()
        });
        let mut other = world.new_party();
        other.hint = "other".to_owned();
        other.owners.truncate(2);
        let mut other_keys = other.clone();
        other_keys.hint = "old".to_owned();
        let (alice, dave) = (world.owner("alice"), world.owner("dave"));
        let planned = plan(case.intent(), &world.state).map(|plan| plan.transactions).unwrap_or_default();
        let changes = [
            Change::CreateParty(other),
            world.create_party(),
            world.add_dave(),
            world.replace_carol(Order::Staged),
            world.replace_carol(Order::Together),
            world.thresholds(Some(1), None, None),
            world.thresholds(None, Some(1), Some(1)),
            world.raw(&planned),
            Change::Delegate(Delegate {
                namespace: alice.namespace(),
                key: dave.namespace_key(),
                scope: Scope::Parties,
            }),
            Change::Revoke(Revoke { namespace: alice.namespace(), key: alice.namespace_key().fingerprint() }),
            Change::RotateOwnerKey(RotateOwnerKey {
                namespace: world.namespace(),
                old: alice.namespace(),
                new: dave.namespace_key(),
                revoke_old: true,
            }),
            Change::LeaveHost(LeaveHost { party: world.party(), participant: alice.host() }),
            Change::MigrateKeys(MigrateKeys { party: world.party() }),
            Change::CreatePartyWithKeyMapping(other_keys),
            Change::Void(Void { case: case.id(), slots }),
        ];
        changes.into_iter().map(|change| encode(&world.intent("alice", change))).collect()
    })
}

/// Bodies of the API.
pub fn bodies() -> Vec<Vec<u8>> {
    with_open_case(|world, case| {
        let base64 = |bytes: &[u8]| Base64(bytes.to_vec());
        let statement = base64(case.intent_statement().bytes());
        let certificate = base64(certificate(world).bytes());
        let coordinator = SignStatements::identity(&world.coordinator);
        let owners = vec![DirectoryEntry { name: "alice".to_owned(), certificate: certificate.clone() }];
        let (token, csr_pem) = ("A".repeat(43), "-----BEGIN CERTIFICATE REQUEST-----".to_owned());
        let id = case.id().to_string();
        let summary = CaseSummary {
            case: id.clone(),
            workflow: "raw".to_owned(),
            proposer: world.owner("alice").namespace().to_string(),
            status: "ready".to_owned(),
            statements: 1,
            live: 0,
        };
        let entries = vec![InboxEntry { sequence: 1, case: id.clone(), position: 0, statement: statement.clone() }];
        let statements = vec![statement.clone()];
        let introduction = Statement::sign(&introduction(world), &world.owner("alice").identity);
        let introduction = Base64(introduction.bytes().to_vec());
        let head = "ab".repeat(32);
        vec![
            json(&EnrollRequest { token, csr_pem, certificate }),
            json(&Directory { coordinator, owners }),
            json(&Nonce { nonce: Base64(vec![7; 32]), expires_at: 1 }),
            json(&PostIntroduction { introduction: introduction.clone() }),
            json(&Introduced { introduction: "ab".repeat(32) }),
            json(&Introductions { introductions: vec![introduction], next: Some("1220".to_owned()) }),
            json(&PostStatement { statement }),
            json(&Posted { sequence: 1, case: id, position: 0, head: head.clone() }),
            json(&Inbox { entries, next: 2, reads_topology: false }),
            json(&CaseList { cases: vec![summary.clone()] }),
            json(&CaseDetail { summary, head, missing: vec!["bob".to_owned()], statements }),
            json(&Problem { kind: "urn".to_owned(), title: "no".to_owned(), status: 400, detail: String::new() }),
        ]
    })
}

fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("a body of texts and numbers can be written")
}

/// The shortest transactions of each kind, from the recordings and from our own world.
fn items() -> Vec<Item> {
    recorded::shortest_of_each_kind().into_iter().map(item).chain(of_the_world()).collect()
}

fn item(transaction: SignedTransaction) -> Item {
    let at = Timestamp(1_800_000_000_000_000);
    Item { sequenced: at, valid_from: at, valid_until: None, transaction, rejection: None }
}

/// What stands in the world: not signed by whom it should be, but of every kind that our workflows touch.
fn of_the_world() -> Vec<Item> {
    with_open_case(|world, _| {
        let alice = world.owner("alice");
        let key = alice.namespace_key().fingerprint();
        let signed = |transaction: &Transaction| {
            let signature = world.sign(&key, transaction.hash());
            item(SignedTransaction::new(transaction.clone(), vec![signature], true))
        };
        world.state.rows().map(|row| signed(&row.transaction)).collect()
    })
}

//! A small world for tests: a synchronizer's topology, four owners with all their keys, a coordinator, and the way from
//! an intent to an effective change, without any shell.
#![allow(dead_code, clippy::unwrap_used)]

pub mod owner;

use std::cell::Cell;

use canton_topology::{
    Timestamp,
    hash::TransactionHash,
    id::{Fingerprint, Member, MemberKind, Namespace, PartyId, PhysicalSynchronizerId, decentralized_namespace},
    judge::{Time, Verdict, Verifier, fold_batch},
    key::{EncryptionPublicKey, SigningPublicKey},
    mapping::{
        Mapping, NamespaceDelegation, OwnerKey, OwnerToKeyMapping, PartyToParticipant, Permission,
        SynchronizerTrustCertificate, definition_key, party_key,
    },
    signature::Signature,
    state::{State, StaticParameters},
    transaction::{Operation, Serial, SignedTransaction, Transaction},
};
use ed25519_dalek::SigningKey;
use protocol::{
    accepted::Accepted,
    book::{Book, Entry},
    case::{Appended, Case, CaseError},
    danger::{Danger, dangers_of_plan},
    directory::Directory,
    intent::{CaseId, Change, CreateParty, Host, Intent, Membership, Order, OwnersChange, PartyChange, Raw},
    life::{Standing, Status, standing},
    plan::{base_of, plan},
    reader::Context,
    refusal::Refusal,
    statement::{
        Approval, BaseRow, Body, Decline, EncodedSignature, Offer, Outcome, OutcomeResult, SignStatements, Statement,
        Withdrawal,
    },
    todo::{Step, todo},
    verify::{Verification, Verified, verify},
    witness::verdict,
};

pub use self::owner::Owner;

/// One minute in microseconds.
pub const MINUTE: i64 = 60 * 1_000_000;

pub struct World {
    pub synchronizer: PhysicalSynchronizerId,
    pub coordinator: SigningKey,
    pub directory: Directory,
    pub owners: Vec<Owner>,
    pub state: State,
    pub now: Timestamp,
    /// Signatures that the agents know of from other cases.
    pub live: Vec<SignedTransaction>,
    cases: Cell<u128>,
}

impl World {
    /// Four owners whose participants are on the synchronizer; nothing else.
    pub fn new() -> Self {
        let synchronizer: PhysicalSynchronizerId = "sync::1220aa::34-0".parse().unwrap();
        let coordinator = SigningKey::from_bytes(&[7; 32]);
        let mut directory = Directory::new(SignStatements::identity(&coordinator));
        let mut state = State::new(synchronizer.clone(), StaticParameters::default());
        let owners: Vec<Owner> = ["alice", "bob", "carol", "dave"].into_iter().map(Owner::new).collect();
        for owner in &owners {
            assert!(directory.admit(SignStatements::identity(&owner.identity), owner.namespace()));
            on_board(&mut state, owner);
        }
        let now = Timestamp(1_800_000_000_000_000);
        Self { synchronizer, coordinator, directory, owners, state, now, live: Vec::new(), cases: Cell::new(0) }
    }

    /// The same with the party of alice, bob and carol.
    pub fn with_party() -> Self {
        let mut world = Self::new();
        let mut case = world.offered("alice", world.create_party());
        for owner in ["alice", "bob", "carol"] {
            world.must_approve(owner, &mut case);
        }
        world.must_submit(&case);
        world
    }

    pub fn owner(&self, name: &str) -> &Owner {
        self.owners.iter().find(|owner| owner.name == name).unwrap()
    }

    /// The book of an owner: everybody else.
    pub fn book_of(&self, name: &str) -> Book {
        let mut book = Book::default();
        for owner in self.owners.iter().filter(|owner| owner.name != name) {
            book.add(Entry { name: owner.name.to_owned(), card: owner.card(), more_keys: Vec::new() }).unwrap();
        }
        book
    }

    /// The decentralized namespace of alice, bob and carol.
    pub fn namespace(&self) -> Namespace {
        decentralized_namespace(&[
            self.owner("alice").namespace(),
            self.owner("bob").namespace(),
            self.owner("carol").namespace(),
        ])
    }

    pub fn party(&self) -> PartyId {
        format!("treasury::{}", self.namespace()).parse().unwrap()
    }

    /// The party's mapping as it stands.
    pub fn party_mapping(&self) -> PartyToParticipant {
        match self.state.active(&party_key(&self.party())).unwrap().transaction.mapping() {
            Mapping::PartyToParticipant(mapping) => mapping.clone(),
            other => panic!("not a party's mapping: {other:?}"),
        }
    }

    /// The active transaction of the namespace's definition.
    pub fn definition(&self) -> Transaction {
        (*self.state.active(&definition_key(&self.namespace())).unwrap().transaction).clone()
    }

    pub fn create_party(&self) -> Change {
        Change::CreateParty(self.new_party())
    }

    pub fn new_party(&self) -> CreateParty {
        let three = ["alice", "bob", "carol"].map(|name| self.owner(name));
        CreateParty {
            hint: "treasury".to_owned(),
            owners: three.map(Owner::namespace_key).to_vec(),
            namespace_threshold: 2,
            hosts: three.map(|owner| Host { participant: owner.host(), permission: Permission::Confirmation }).to_vec(),
            confirmation_threshold: 2,
            signing_keys: three.map(Owner::party_key).to_vec(),
            signing_threshold: 2,
        }
    }

    pub fn add_dave(&self) -> Change {
        let mut owners = self.owners_change();
        owners.add.push(self.owner("dave").namespace_key());
        owners.threshold = Some(3);
        self.membership(Some(owners), None)
    }

    /// Dave comes, and the threshold stays.
    pub fn add_dave_alone(&self) -> Change {
        let mut owners = self.owners_change();
        owners.add.push(self.owner("dave").namespace_key());
        self.membership(Some(owners), None)
    }

    /// A change of the namespace that names nothing yet.
    pub fn owners_change(&self) -> OwnersChange {
        OwnersChange { namespace: self.namespace(), add: Vec::new(), remove: Vec::new(), threshold: None }
    }

    /// A change of the party that names nothing yet.
    pub fn party_change(&self) -> PartyChange {
        PartyChange::of(self.party())
    }

    /// A change set in stages.
    pub fn membership(&self, owners: Option<OwnersChange>, party: Option<PartyChange>) -> Change {
        Change::Membership(Membership { owners, party, order: Order::Staged })
    }

    /// Carol goes and dave comes, as owner, host and key.
    pub fn replace_carol(&self, order: Order) -> Change {
        let (carol, dave) = (self.owner("carol"), self.owner("dave"));
        let mut owners = self.owners_change();
        owners.remove.push(carol.namespace());
        owners.add.push(dave.namespace_key());
        let mut party = self.party_change();
        party.remove_hosts.push(carol.host());
        party.add_hosts.push(Host { participant: dave.host(), permission: Permission::Confirmation });
        party.remove_keys.push(carol.party_key().fingerprint());
        party.add_keys.push(dave.party_key());
        Change::Membership(Membership { owners: Some(owners), party: Some(party), order })
    }

    /// Other thresholds in one offer; `None` leaves one as it is.
    pub fn thresholds(&self, namespace: Option<u32>, confirmation: Option<u32>, signing: Option<u32>) -> Change {
        let owners = namespace.map(|threshold| OwnersChange { threshold: Some(threshold), ..self.owners_change() });
        let party = (confirmation.is_some() || signing.is_some()).then(|| PartyChange {
            confirmation_threshold: confirmation,
            signing_threshold: signing,
            ..self.party_change()
        });
        Change::Membership(Membership { owners, party, order: Order::Together })
    }

    pub fn raw(&self, transactions: &[Transaction]) -> Change {
        Change::Raw(Raw { transactions: transactions.iter().map(|one| one.bytes().to_vec()).collect() })
    }

    pub fn intent(&self, proposer: &str, change: Change) -> Intent {
        self.cases.set(self.cases.get() + 1);
        let mut intent = Intent {
            case: CaseId::from_bytes(self.cases.get().to_be_bytes()),
            synchronizer: self.synchronizer.logical.clone(),
            proposer: self.owner(proposer).namespace(),
            created_at: self.now,
            deadline: self.now.plus_micros(60 * MINUTE),
            reason: "because".to_owned(),
            change,
            accepts: Accepted::PLAIN.map(|(danger, _)| danger).to_vec(),
            after: None,
        };
        let parts = self.dangers(&intent).into_iter().filter(|danger| matches!(danger, Danger::Part { .. }));
        let parts: Vec<Accepted> = parts.map(|danger| danger.accepted_as()).collect();
        intent.accepts.extend(parts);
        intent
    }

    /// The dangers of what is wanted, where it means anything.
    pub fn dangers(&self, intent: &Intent) -> Vec<Danger> {
        let Ok(plan) = plan(intent, &self.state) else { return Vec::new() };
        dangers_of_plan(&intent.change, &plan, &self.state, &self.live)
    }

    pub fn proposed(&self, proposer: &str, change: Change) -> Case {
        self.proposed_as(proposer, self.intent(proposer, change))
    }

    /// The same for a whole intent.
    pub fn proposed_as(&self, proposer: &str, intent: Intent) -> Case {
        Case::open(Statement::sign(&intent, &self.owner(proposer).identity), &self.directory).unwrap()
    }

    /// A case with an offer, as an honest coordinator makes it. Its intent accepts whatever is dangerous but sleepers.
    pub fn offered(&self, proposer: &str, change: Change) -> Case {
        self.offered_as(proposer, self.intent(proposer, change))
    }

    /// The same for an intent that accepts these dangers alone.
    pub fn offered_accepting(&self, proposer: &str, change: Change, accepts: Vec<Accepted>) -> Case {
        self.offered_as(proposer, Intent { accepts, ..self.intent(proposer, change) })
    }

    /// The same for a whole intent.
    pub fn offered_as(&self, proposer: &str, intent: Intent) -> Case {
        let mut case = self.proposed_as(proposer, intent);
        let plan = plan(case.intent(), &self.state).unwrap();
        self.offer(&mut case, &plan.transactions, plan.base);
        case
    }

    /// The coordinator offers whatever it likes.
    pub fn offer(&self, case: &mut Case, transactions: &[Transaction], base: Vec<BaseRow>) {
        self.offer_bytes(case, transactions.iter().map(|one| one.bytes().to_vec()).collect(), base).unwrap();
    }

    pub fn offer_bytes(
        &self,
        case: &mut Case,
        transactions: Vec<Vec<u8>>,
        base: Vec<BaseRow>,
    ) -> Result<Appended, CaseError> {
        let round = u32::try_from(case.offers().len()).unwrap();
        let offer = Offer { case: case.id(), intent: case.intent_hash(), round, base, transactions };
        self.say(case, &offer, &self.coordinator)
    }

    /// The coordinator offers these transactions with the base that they have on today's topology.
    pub fn offer_on_top(&self, case: &mut Case, transactions: &[Transaction]) {
        self.offer(case, transactions, base_of(transactions, &self.state));
    }

    pub fn say<B: Body>(&self, case: &mut Case, body: &B, signer: &SigningKey) -> Result<Appended, CaseError> {
        case.append(Statement::sign(body, signer), &self.directory)
    }

    /// Asks something of an owner's knowledge.
    pub fn as_owner<T>(&self, name: &str, ask: impl FnOnce(&Context<'_>) -> T) -> T {
        let (me, book) = (self.owner(name).me(&self.synchronizer), self.book_of(name));
        ask(&Context {
            me: &me,
            book: &book,
            state: &self.state,
            seen: self.now,
            live: &self.live,
            now: self.now,
            frozen: false,
        })
    }

    pub fn verify(&self, name: &str, case: &Case) -> Verification {
        self.as_owner(name, |context| verify(case, context))
    }

    pub fn must_verify(&self, name: &str, case: &Case) -> Verified {
        match self.verify(name, case) {
            Verification::Verified(verified) => verified,
            Verification::Refused(refusal) => panic!("{name} refuses: {}: {refusal}", refusal.name()),
            Verification::NotYet(wait) => panic!("{name} waits: {wait:?}"),
        }
    }

    pub fn must_refuse(&self, name: &str, case: &Case) -> Refusal {
        match self.verify(name, case) {
            Verification::Refused(refusal) => refusal,
            Verification::Verified(verified) => panic!("{name} would sign {:?}", verified.transactions()),
            Verification::NotYet(wait) => panic!("{name} waits: {wait:?}"),
        }
    }

    /// The approval of an owner whose agent verified the offer.
    pub fn approval(&self, name: &str, case: &Case) -> Approval {
        let verified = self.must_verify(name, case);
        Approval {
            case: case.id(),
            offer: verified.offer(),
            owner: self.owner(name).namespace(),
            synchronizer: verified.synchronizer().clone(),
            transactions: verified.transactions().iter().map(Transaction::hash).collect(),
            base: verified.base().to_vec(),
            policy: None,
            checkpoint: Some(case.checkpoint()),
            signatures: verified
                .requests()
                .iter()
                .map(|request| EncodedSignature {
                    transaction: request.transaction,
                    signature: self.sign(&request.key, request.transaction).encode(),
                })
                .collect(),
        }
    }

    pub fn must_approve(&self, name: &str, case: &mut Case) {
        let approval = self.approval(name, case);
        assert_eq!(self.say(case, &approval, &self.owner(name).identity), Ok(Appended::New));
    }

    pub fn must_decline(&self, name: &str, case: &mut Case) {
        let offer = case.offer().unwrap().hash;
        let owner = self.owner(name);
        let decline = Decline { case: case.id(), offer, owner: owner.namespace(), reason: "no".to_owned() };
        assert_eq!(self.say(case, &decline, &owner.identity), Ok(Appended::New));
    }

    pub fn must_withdraw(&self, name: &str, case: &mut Case) {
        let withdrawal = Withdrawal { case: case.id(), intent: case.intent_hash(), reason: "never mind".to_owned() };
        assert_eq!(self.say(case, &withdrawal, &self.owner(name).identity), Ok(Appended::New));
    }

    pub fn must_report(&self, case: &mut Case, result: OutcomeResult) {
        let outcome = Outcome { case: case.id(), offer: case.offer().unwrap().hash, result };
        assert_eq!(self.say(case, &outcome, &self.coordinator), Ok(Appended::New));
    }

    /// The signature of whoever holds the key.
    pub fn sign(&self, key: &Fingerprint, transaction: TransactionHash) -> Signature {
        self.owners.iter().find_map(|owner| owner.sign(key, transaction.as_bytes())).unwrap()
    }

    pub fn standing(&self, case: &Case) -> Standing {
        standing(case, Some(&self.state), &mut Verifier::default(), self.now)
    }

    /// The signatures of a case, as another case's agents know of them.
    pub fn signed_in(&self, case: &Case) -> Vec<SignedTransaction> {
        let offered = case.offer().unwrap();
        let signed = offered.transactions.iter().map(|transaction| {
            let signatures = case.signatures(&transaction.hash()).cloned().collect();
            SignedTransaction::new(transaction.clone(), signatures, true)
        });
        signed.collect()
    }

    /// These owners hand a transaction in as a proposal, past every coordinator.
    pub fn must_propose_elsewhere(&mut self, transaction: &Transaction, signers: &[&str]) {
        let key = |name: &&str| self.owner(name).namespace_key().fingerprint();
        let signatures = signers.iter().map(|name| self.sign(&key(name), transaction.hash())).collect();
        self.now = self.now.plus_micros(1_000);
        let time = Time { sequenced: self.now, effective: self.now };
        let signed = SignedTransaction::new(transaction.clone(), signatures, true);
        for verdict in fold_batch(&mut self.state, &mut Verifier::default(), &[signed], time) {
            assert!(!matches!(verdict, Verdict::Rejected(_)), "{verdict:?}");
        }
    }

    /// The namespace's definition with another threshold, at the next serial.
    pub fn other_threshold(&self, threshold: u32) -> Transaction {
        let before = self.definition();
        let Mapping::DecentralizedNamespaceDefinition(mut definition) = before.mapping().clone() else {
            panic!("not a definition");
        };
        definition.threshold = threshold;
        build(before.serial().next().unwrap().get(), Mapping::DecentralizedNamespaceDefinition(definition))
    }

    /// What is complete becomes effective a second from now.
    pub fn must_submit(&mut self, case: &Case) {
        let transactions = self.standing(case).complete.expect("the case is complete");
        self.now = self.now.plus_micros(1_000_000);
        let time = Time { sequenced: self.now, effective: self.now };
        for verdict in fold_batch(&mut self.state, &mut Verifier::default(), &transactions, time) {
            assert!(matches!(verdict, Verdict::Active { .. }), "{verdict:?}");
        }
    }

    /// A change of several stages, each signed by everybody who has anything to sign; how many there were.
    pub fn must_change_in_stages(&mut self, change: Change) -> usize {
        let mut case = self.offered("alice", change);
        for stage in 1..=8 {
            let names: Vec<&'static str> = self.owners.iter().map(|owner| owner.name).collect();
            for name in names {
                if matches!(self.verify(name, &case), Verification::Verified(_)) {
                    self.must_approve(name, &mut case);
                }
            }
            self.must_submit(&case);
            let is_vouched_for = verdict(&case, &self.state).is_ok();
            let is_over = !self.must_offer_next(&mut case);
            assert_eq!(is_vouched_for, is_over, "vouched for at the end alone");
            if is_over {
                return stage;
            }
        }
        panic!("the stages do not come to an end");
    }

    /// The next stage is offered, as an honest coordinator does it; `false` where there is none.
    pub fn must_offer_next(&self, case: &mut Case) -> bool {
        let standing = self.standing(case);
        let steps = todo(case, &standing, Some(&self.state), self.now, 0);
        if steps != [Step::Offer] {
            assert!(matches!(standing.status, Status::Effective { .. }), "{:?}", standing.status);
            return false;
        }
        let plan = plan(case.intent(), &self.state).unwrap();
        self.offer(case, &plan.transactions, plan.base);
        true
    }

    /// A change that goes through with everybody's help.
    pub fn must_change(&mut self, change: Change, approving: &[&str]) {
        let mut case = self.offered(approving[0], change);
        for name in approving {
            self.must_approve(name, &mut case);
        }
        self.must_submit(&case);
    }
}

pub fn build(serial: u32, mapping: Mapping) -> Transaction {
    Transaction::build(Operation::AddReplace, Serial::try_from(serial).unwrap(), &mapping)
}

pub fn root(key: SigningPublicKey) -> Transaction {
    build(1, Mapping::NamespaceDelegation(NamespaceDelegation::root(key)))
}

/// An owner's participant joins the synchronizer.
fn on_board(state: &mut State, owner: &Owner) {
    let member = Member { kind: MemberKind::Participant, uid: owner.host().uid().clone() };
    let encryption = EncryptionPublicKey { format: 10_000, bytes: vec![1; 32], scheme: 0, spec: 1 };
    let keys = vec![OwnerKey::Signing(owner.node_key()), OwnerKey::Encryption(encryption)];
    let synchronizer = state.synchronizer().logical.clone();
    let (participant, feature_flags) = (owner.host(), Vec::new());
    state.assume(&root(owner.node_key()));
    state.assume(&build(1, Mapping::OwnerToKeyMapping(OwnerToKeyMapping { member, keys })));
    let certificate = SynchronizerTrustCertificate { participant, synchronizer, feature_flags };
    state.assume(&build(1, Mapping::SynchronizerTrustCertificate(certificate)));
}

//! Sleepers: what a change does for signatures that were given before it, and that the judge says the same.
#![allow(clippy::unwrap_used)]

use canton_topology::{
    Timestamp,
    awakening::{Awakening, awakened_by},
    id::{Namespace, PartyId, PhysicalSynchronizerId, UniqueIdentifier, decentralized_namespace},
    judge::{Time, Verdict, Verifier, fold_batch},
    key::{KeyUsage, SigningPublicKey},
    mapping::{Code, DecentralizedNamespaceDefinition, Mapping, NamespaceDelegation, PartyHostingLimits, Restriction},
    signature::Signature,
    state::{State, StaticParameters},
    transaction::{Operation, Serial, SignedTransaction, Transaction},
};
use ed25519_dalek::Signer as _;

struct Key(ed25519_dalek::SigningKey);

impl Key {
    fn new(seed: u8) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&[seed; 32]))
    }

    fn public(&self) -> SigningPublicKey {
        SigningPublicKey::ed25519(self.0.verifying_key().as_bytes(), &[KeyUsage::Namespace]).unwrap()
    }

    fn namespace(&self) -> Namespace {
        Namespace::from(self.public().fingerprint())
    }

    fn sign(&self, transaction: &Transaction) -> Signature {
        let signature = self.0.sign(transaction.hash().as_bytes());
        Signature::new_ed25519(signature.to_bytes(), self.public().fingerprint())
    }
}

/// Owners 1 to 4; the first three have a namespace of threshold 3.
struct World {
    state: State,
    owners: Vec<Key>,
    namespace: Namespace,
    verifier: Verifier,
    clock: i64,
}

fn build(serial: u32, mapping: Mapping) -> Transaction {
    Transaction::build(Operation::AddReplace, Serial::try_from(serial).unwrap(), &mapping)
}

fn signed(transaction: &Transaction, keys: &[&Key]) -> SignedTransaction {
    SignedTransaction::new(transaction.clone(), keys.iter().map(|key| key.sign(transaction)).collect(), true)
}

impl World {
    fn new() -> Self {
        let owners: Vec<Key> = (1..=4).map(Key::new).collect();
        let members: Vec<Namespace> = owners[..3].iter().map(Key::namespace).collect();
        let namespace = decentralized_namespace(&members);
        let synchronizer: PhysicalSynchronizerId = format!("sync::{namespace}::34-0").parse().unwrap();
        let state = State::new(synchronizer, StaticParameters::default());
        let mut world = Self { state, owners, namespace, verifier: Verifier::default(), clock: 0 };
        for index in 0..4 {
            let root = build(1, Mapping::NamespaceDelegation(NamespaceDelegation::root(world.owners[index].public())));
            let root = signed(&root, &[&world.owners[index]]);
            world.must_become_active(&root);
        }
        let definition = world.definition(1, 3, 3);
        let definition = signed(&definition, &world.owners[..3].iter().collect::<Vec<_>>());
        world.must_become_active(&definition);
        world
    }

    fn judge(&mut self, transaction: &SignedTransaction) -> Verdict {
        self.clock += 1;
        let time = Time { sequenced: Timestamp(self.clock), effective: Timestamp(self.clock) };
        fold_batch(&mut self.state, &mut self.verifier, std::slice::from_ref(transaction), time).remove(0)
    }

    fn must_become_active(&mut self, transaction: &SignedTransaction) {
        let verdict = self.judge(transaction);
        assert!(matches!(verdict, Verdict::Active { .. }), "{verdict:?}");
    }

    fn must_become_proposal(&mut self, transaction: &SignedTransaction) {
        let verdict = self.judge(transaction);
        assert!(matches!(verdict, Verdict::Proposal { .. }), "{verdict:?}");
    }

    /// The namespace with its first `owners` owners.
    fn definition(&self, serial: u32, owners: usize, threshold: u32) -> Transaction {
        let owners = self.owners[..owners].iter().map(Key::namespace).collect();
        let namespace = self.namespace.clone();
        build(
            serial,
            Mapping::DecentralizedNamespaceDefinition(DecentralizedNamespaceDefinition {
                namespace,
                threshold,
                owners,
            }),
        )
    }

    fn awakened(&mut self, changes: &[&Transaction], live: &[SignedTransaction]) -> Vec<(Transaction, Awakening)> {
        let changes: Vec<Transaction> = changes.iter().map(|change| (*change).clone()).collect();
        let found = awakened_by(&self.state, &changes, live, &mut self.verifier);
        let open: Vec<SignedTransaction> = self.state.proposals().map(|row| row.to_signed()).collect();
        let named = |hash| {
            let all = open.iter().chain(live).find(|one| one.transaction.hash() == hash);
            all.unwrap().transaction.clone()
        };
        found.into_iter().map(|one| (named(one.transaction), one.how)).collect()
    }
}

/// What only the namespace has to sign: it is the synchronizer's own. A chain that nothing else depends on.
fn limits(world: &World, serial: u32) -> Transaction {
    let synchronizer = world.state.synchronizer().logical.clone();
    let party = PartyId::from(UniqueIdentifier::new("sleeper", world.namespace.clone()).unwrap());
    build(serial, Mapping::PartyHostingLimits(PartyHostingLimits { synchronizer, party }))
}

#[test]
fn a_lower_threshold_completes_what_two_had_signed_and_a_stranger_makes_it_effective() {
    let mut world = World::new();
    let sleeper = limits(&world, 1);
    let two = signed(&sleeper, &[&world.owners[0], &world.owners[1]]);
    world.must_become_proposal(&two);
    let lower = world.definition(2, 3, 2);

    assert_eq!(world.awakened(&[&lower], &[]), [(sleeper.clone(), Awakening::Completed)]);
    assert_eq!(world.awakened(&[&world.definition(2, 4, 3)], &[]), []);
    assert_eq!(world.awakened(&[&world.definition(2, 4, 4)], &[]), []);

    let lower = signed(&lower, &world.owners[..3].iter().collect::<Vec<_>>());
    world.must_become_active(&lower);
    let stranger = signed(&sleeper, &[&Key::new(77)]);
    world.must_become_active(&stranger);
}

#[test]
fn one_signature_of_three_comes_nearer_and_none_stays_far() {
    let mut world = World::new();
    let sleeper = limits(&world, 1);
    let one = signed(&sleeper, &[&world.owners[0]]);
    let nobody = limits(&world, 2);
    let lower = world.definition(2, 3, 2);

    let near = Awakening::WithinReach([(world.namespace.clone(), 1)].into());
    assert_eq!(world.awakened(&[&lower], &[one, signed(&nobody, &[])]), [(sleeper, near)]);
}

#[test]
fn an_owner_who_signed_before_joining_counts_from_then_on() {
    let mut world = World::new();
    let sleeper = limits(&world, 1);
    let early = signed(&sleeper, &[&world.owners[3]]);
    let joins = world.definition(2, 4, 3);

    let near = Awakening::WithinReach([(world.namespace.clone(), 2)].into());
    assert_eq!(world.awakened(&[&joins], &[early]), [(sleeper.clone(), near)]);
    let with_two = signed(&sleeper, &[&world.owners[0], &world.owners[1], &world.owners[3]]);
    assert_eq!(world.awakened(&[&joins], &[with_two]), [(sleeper, Awakening::Completed)]);
}

#[test]
fn a_delegation_completes_what_its_key_had_signed_before() {
    let mut world = World::new();
    let delegate = Key::new(50);
    let sleeper = limits(&world, 1);
    let early = signed(&sleeper, &[&world.owners[0], &world.owners[1], &delegate]);
    let namespace = world.owners[2].namespace();
    let to = |restriction| {
        let target = delegate.public();
        build(
            1,
            Mapping::NamespaceDelegation(NamespaceDelegation { namespace: namespace.clone(), target, restriction }),
        )
    };
    let useless = Restriction::Specific([Code::PartyToParticipant].into());

    assert_eq!(world.awakened(&[&to(useless)], std::slice::from_ref(&early)), []);
    assert_eq!(world.awakened(&[&to(Restriction::All)], &[early]), [(sleeper, Awakening::Completed)]);
}

#[test]
fn what_is_consumed_forged_or_the_change_itself_wakes_nobody() {
    let mut world = World::new();
    let lower = world.definition(2, 3, 2);
    let rival = world.definition(2, 4, 2);
    let two = [&world.owners[0], &world.owners[1]];
    let consumed = [signed(&rival, &two), signed(&lower, &two)];
    let sleeper = limits(&world, 1);
    let mut forged = signed(&sleeper, &[&world.owners[0]]);
    let other = world.owners[1].sign(&rival);
    forged.signatures.push(other);
    // The forged one does not count, the other one does.
    let near = Awakening::WithinReach([(world.namespace.clone(), 1)].into());
    assert_eq!(world.awakened(&[&lower], &consumed), []);
    assert_eq!(world.awakened(&[&lower], &[forged]), [(sleeper, near)]);
}

#[test]
fn a_proposal_that_is_complete_by_now_still_sleeps_in_a_state_that_was_told_of_it() {
    let mut world = World::new();
    let sleeper = signed(&limits(&world, 1), &[&world.owners[0], &world.owners[1]]);
    world.must_become_proposal(&sleeper);
    let open: Vec<_> = world.state.proposals().map(|row| row.to_item()).collect();
    let lower = signed(&world.definition(2, 3, 2), &world.owners[..3].iter().collect::<Vec<_>>());
    world.must_become_active(&lower);
    let rows: Vec<_> = world.state.rows().filter(|row| !row.proposal).map(|row| row.to_item()).collect();

    let mut told = State::new(world.state.synchronizer().clone(), StaticParameters::default());
    canton_topology::judge::replay(&mut told, &mut world.verifier, &rows);
    told.keep_open(&open[0]);
    let mut consumed = rows.last().unwrap().clone();
    consumed.transaction = signed(&world.definition(2, 4, 2), &[&world.owners[0]]);
    told.keep_open(&consumed);

    assert!(told.active(&sleeper.transaction.unique_key()).is_none());
    assert_eq!(told.proposals().map(|row| row.to_signed()).collect::<Vec<_>>(), [sleeper]);
}

#[test]
fn what_waits_behind_a_gap_wakes_when_the_chain_has_come_so_far_and_not_before() {
    let mut world = World::new();
    let all = [0, 1, 2];
    let by_all = |world: &World, transaction: &Transaction| signed(transaction, &all.map(|owner| &world.owners[owner]));
    let first = by_all(&world, &limits(&world, 1));
    world.must_become_active(&first);
    let sleeper = limits(&world, 3);
    let live = [by_all(&world, &sleeper)];
    // Two serials ahead nobody can send it, whatever the threshold.
    let (lower, second) = (world.definition(2, 3, 2), limits(&world, 2));
    assert_eq!(world.awakened(&[&lower], &live), []);
    assert_eq!(world.awakened(&[&second], &live), [(sleeper, Awakening::Completed)]);
}

#[test]
fn a_rival_that_is_complete_already_is_told_unless_the_change_only_consumes_its_serial() {
    let mut world = World::new();
    let rival = world.definition(2, 4, 3);
    let live = [signed(&rival, &world.owners.iter().collect::<Vec<_>>())];
    let (lower, again, other) = (world.definition(2, 3, 2), world.definition(2, 3, 3), limits(&world, 1));
    assert_eq!(world.awakened(&[&lower], &live), [(rival, Awakening::AlreadyComplete)]);
    assert_eq!(world.awakened(&[&again], &live), []);
    // Another chain's changes are no rivals.
    assert_eq!(world.awakened(&[&other], &live), []);
}

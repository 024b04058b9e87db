//! Random histories walked step by step, with every accepted row held against a second, naive statement of who must
//! sign: written from the rules' text, not from the judge.
#![allow(clippy::unwrap_used)]

#[path = "walk/naive.rs"]
mod naive;

use std::collections::{BTreeMap, BTreeSet};

use canton_sandbox::genesis::NodeKey;
use canton_topology::{
    Timestamp,
    completing::{Completing, Helper, completing_sets},
    hash::UniqueKey,
    id::decentralized_namespace,
    id::{Fingerprint, Member, MemberKind, Namespace, PartyId, PhysicalSynchronizerId, UniqueIdentifier},
    judge::{Time, Verdict, Verifier, fold_batch},
    key::KeyUsage,
    mapping::{
        Code, DecentralizedNamespaceDefinition, Mapping, NamespaceDelegation, OwnerKey, OwnerToKeyMapping,
        PartyHostingLimits, Restriction,
    },
    rejection::Rejection,
    state::{Row, State, StaticParameters},
    transaction::{Operation, Serial, SignedTransaction, Transaction},
};
use rand::{Rng as _, SeedableRng as _, seq::SliceRandom as _};
use rand_chacha::ChaCha8Rng;

/// Keys that own namespaces, and one more that belongs to a node.
const KEYS: u8 = 6;

struct Walk {
    random: ChaCha8Rng,
    keys: Vec<NodeKey>,
    node_key: NodeKey,
    state: State,
    verifier: Verifier,
    clock: i64,
    /// What was tried, so that it can be tried again.
    past: Vec<SignedTransaction>,
}

#[derive(Debug, Default)]
struct Tally {
    active: usize,
    proposals: usize,
    planned: usize,
    rejected: BTreeMap<&'static str, usize>,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let usage = [KeyUsage::Namespace];
        let keys: Vec<NodeKey> = (0..KEYS).map(|index| NodeKey::from_seed([index + 1; 32], &usage)).collect();
        let node_key = NodeKey::from_seed([99; 32], &[KeyUsage::Protocol, KeyUsage::SequencerAuthentication]);
        let synchronizer: PhysicalSynchronizerId = format!("sync::{}::34-0", keys[0].namespace()).parse().unwrap();
        let state = State::new(synchronizer, StaticParameters::default());
        let random = ChaCha8Rng::seed_from_u64(seed);
        Self { random, keys, node_key, state, verifier: Verifier::default(), clock: 0, past: Vec::new() }
    }

    fn one(&mut self) -> NodeKey {
        let index = self.random.gen_range(0..self.keys.len());
        self.keys[index].clone()
    }

    /// Three fixed sets of owners found namespaces; what follows changes their owners at will.
    fn founded(&mut self) -> Namespace {
        let sets: [&[usize]; 3] = [&[0, 1], &[1, 2, 3], &[2, 3, 4, 5]];
        let set = sets[self.random.gen_range(0..sets.len())];
        decentralized_namespace(&set.iter().map(|index| self.keys[*index].namespace()).collect::<Vec<_>>())
    }

    fn mapping(&mut self) -> Mapping {
        match self.random.gen_range(0..10) {
            0..=2 => Mapping::NamespaceDelegation(NamespaceDelegation::root(self.one().public().clone())),
            3..=4 => {
                let (namespace, target) = (self.one().namespace(), self.one().public().clone());
                let restriction = match self.random.gen_range(0..4) {
                    0 => Restriction::AllButNamespaceDelegations,
                    1 => Restriction::Specific([Code::DecentralizedNamespaceDefinition].into()),
                    2 => Restriction::Specific([Code::NamespaceDelegation, Code::PartyHostingLimits].into()),
                    _ => Restriction::All,
                };
                Mapping::NamespaceDelegation(NamespaceDelegation { namespace, target, restriction })
            }
            5..=7 => {
                let namespace = self.founded();
                let founders =
                    (0..64_u8).map(|bits| self.set(bits)).find(|set| decentralized_namespace(set) == namespace);
                let mut owners = founders.unwrap();
                if self.state.definition(&namespace).is_some() && self.random.gen_bool(0.7) {
                    let bits = self.random.gen_range(1..64);
                    owners = self.set(bits);
                }
                let threshold = self.random.gen_range(1..=owners.len() as u32);
                Mapping::DecentralizedNamespaceDefinition(DecentralizedNamespaceDefinition {
                    namespace,
                    threshold,
                    owners,
                })
            }
            8 => {
                let party = PartyId::from(UniqueIdentifier::new("party", self.one().namespace()).unwrap());
                let synchronizer = self.state.synchronizer().logical.clone();
                Mapping::PartyHostingLimits(PartyHostingLimits { synchronizer, party })
            }
            _ => {
                let namespace = if self.random.gen_bool(0.5) { self.one().namespace() } else { self.founded() };
                let uid = UniqueIdentifier::new("node", namespace).unwrap();
                let member = Member { kind: MemberKind::Sequencer, uid };
                let keys = vec![OwnerKey::Signing(self.node_key.public().clone())];
                Mapping::OwnerToKeyMapping(OwnerToKeyMapping { member, keys })
            }
        }
    }

    fn set(&self, bits: u8) -> Vec<Namespace> {
        let chosen = self.keys.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1);
        chosen.map(|(_, key)| key.namespace()).collect()
    }

    fn step(&mut self) -> SignedTransaction {
        if !self.past.is_empty() && self.random.gen_bool(0.25) {
            // Again, with more signatures or others.
            let again = self.past.choose(&mut self.random).unwrap().transaction.clone();
            return self.signed(again);
        }
        let mapping = self.mapping();
        let active = self.state.active(&mapping.unique_key()).map(|row| row.transaction.clone());
        let removes = active.is_some() && self.random.gen_bool(0.12);
        let mapping = match &active {
            Some(active) if removes && self.random.gen_bool(0.9) => active.mapping().clone(),
            _ => mapping,
        };
        let next = active.map_or(1, |active| active.serial().get() + 1);
        let serial = if self.random.gen_bool(0.9) { next } else { self.random.gen_range(1..=next + 2) };
        let operation = if removes { Operation::Remove } else { Operation::AddReplace };
        self.signed(Transaction::build(operation, Serial::try_from(serial).unwrap(), &mapping))
    }

    fn signed(&mut self, transaction: Transaction) -> SignedTransaction {
        let eager = self.random.gen_range(0.2..1.0);
        let mut signers: Vec<NodeKey> =
            self.keys.iter().chain([&self.node_key]).filter(|_| self.random.gen_bool(eager)).cloned().collect();
        // A root alone, as roots are published.
        if let Mapping::NamespaceDelegation(delegation) = transaction.mapping()
            && delegation.is_root()
            && self.random.gen_bool(0.8)
        {
            signers = self.keys.iter().filter(|key| key.public() == &delegation.target).cloned().collect();
        }
        if signers.is_empty() {
            signers.push(self.one());
        }
        signers.shuffle(&mut self.random);
        let mut signatures: Vec<_> = signers.iter().map(|key| key.sign(&transaction)).collect();
        if self.random.gen_bool(0.05) {
            // One of them is over something else.
            let other = Transaction::build(Operation::AddReplace, Serial::LAST, transaction.mapping());
            signatures[0] = signers[0].sign(&other);
        }
        SignedTransaction::new(transaction, signatures, self.random.gen_bool(0.7))
    }

    fn walk(&mut self, steps: usize, tally: &mut Tally) {
        for _ in 0..steps {
            let signed = self.step();
            self.past.push(signed.clone());
            if self.random.gen_bool(0.1) {
                tally.planned += self.hold_plan(&signed.transaction);
            }
            let before = self.state.clone();
            self.clock += 1;
            let time = Time { sequenced: Timestamp(self.clock), effective: Timestamp(self.clock) };
            let verdict =
                fold_batch(&mut self.state, &mut self.verifier, std::slice::from_ref(&signed), time).remove(0);
            self.hold(&before, &signed, &verdict);
            match verdict {
                Verdict::Active { .. } => tally.active += 1,
                Verdict::Proposal { .. } => tally.proposals += 1,
                Verdict::Rejected(rejection) => *tally.rejected.entry(rejection.name()).or_default() += 1,
            }
        }
    }

    /// Holds the planner's smallest sets against every subset of the keys by the naive rule; says how many sets there were.
    fn hold_plan(&self, transaction: &Transaction) -> usize {
        let state = &self.state;
        let keys: Vec<Fingerprint> = self.keys.iter().chain([&self.node_key]).map(NodeKey::fingerprint).collect();
        let nobody = BTreeSet::new();
        let Completing { sets, more, .. } = completing_sets(state, transaction, &nobody);
        assert!(!more);
        let code = transaction.mapping().code();
        let able = |helper: &Helper| -> BTreeSet<Fingerprint> {
            match helper {
                Helper::Owner(owner) => state.keys_of(owner, code).into_keys().collect(),
                Helper::Key(key) => [key.clone()].into(),
            }
        };
        let is_met = |signers: &BTreeSet<Fingerprint>| naive::is_met(state, transaction, signers);
        let owners: Vec<Namespace> = self.keys.iter().map(NodeKey::namespace).collect();
        let each_speaks_for_one = keys
            .iter()
            .all(|key| owners.iter().filter(|owner| state.keys_of(owner, code).contains_key(key)).count() <= 1);
        for set in &sets {
            // Sufficient, whichever of its keys each owner takes.
            let ways = set.iter().fold(vec![BTreeSet::new()], |ways: Vec<BTreeSet<Fingerprint>>, helper| {
                let with = |way: &BTreeSet<Fingerprint>| {
                    let way = way.clone();
                    able(helper).into_iter().map(move |key| way.iter().cloned().chain([key]).collect())
                };
                ways.iter().flat_map(with).collect()
            });
            for way in &ways {
                assert!(is_met(way), "{transaction:?}: {set:?} by {way:?}");
            }
            // Without a superfluous member; a key that speaks for several owners can make one superfluous all the same.
            for helper in set.iter().filter(|_| each_speaks_for_one) {
                let less: BTreeSet<Fingerprint> = set.iter().filter(|other| *other != helper).flat_map(able).collect();
                assert!(!is_met(&less), "{transaction:?}: {helper:?} of {set:?} is not needed");
            }
        }
        // Complete: whoever suffices fills one of the sets.
        for bits in 0..1_u32 << keys.len() {
            let chosen = keys.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1);
            let signers: BTreeSet<Fingerprint> = chosen.map(|(_, key)| key.clone()).collect();
            let fills = |set: &BTreeSet<Helper>| set.iter().all(|helper| !able(helper).is_disjoint(&signers));
            assert!(!is_met(&signers) || sets.iter().any(fills), "{transaction:?}: {signers:?} fill none of {sets:?}");
        }
        sets.len()
    }

    fn hold(&mut self, before: &State, signed: &SignedTransaction, verdict: &Verdict) {
        let transaction = &signed.transaction;
        let key = transaction.unique_key();
        let previous = before.active(&key);
        let again = previous.is_some_and(|row| row.hash() == transaction.hash());
        match verdict {
            Verdict::Rejected(rejection) => {
                assert_eq!(self.state.rows().count(), before.rows().count(), "a refusal changes nothing");
                assert_eq!(open(&self.state), open(before), "a refusal changes nothing");
                // What it calls too little is too little by the naive rule, with what was pending before counted in.
                if let Rejection::NotFullyAuthorized { .. } = rejection {
                    let pending = before.proposal(&key, &transaction.hash()).map(Row::signers).unwrap_or_default();
                    let all = signed.signers().union(&pending).cloned().collect();
                    assert!(!naive::is_met(before, transaction, &all), "{transaction:?} by {all:?}");
                }
            }
            Verdict::Active { signers } => {
                let row = self.state.active(&key).unwrap();
                assert_eq!((row.hash(), &row.signers()), (transaction.hash(), signers));
                if !again {
                    if let Some(previous) = previous {
                        assert_eq!(Some(row.serial()), previous.serial().next(), "the serial grows by one");
                    }
                    assert!(naive::is_met(before, transaction, signers), "{transaction:?} by {signers:?}");
                }
                let waiting = self.state.proposals_for(&key).filter(|open| open.serial() <= row.serial());
                assert_eq!(waiting.count(), 0, "what waits for a consumed serial is gone");
            }
            Verdict::Proposal { signers } => {
                assert!(!naive::is_met(before, transaction, signers), "{transaction:?} by {signers:?}");
                assert_eq!(self.state.active(&key).map(Row::hash), previous.map(Row::hash));
            }
        }
        let mut seen: BTreeSet<UniqueKey> = BTreeSet::new();
        for row in self.state.rows().filter(|row| row.valid_until.is_none()) {
            assert!(row.proposal || seen.insert(row.transaction.unique_key()), "one effective row for each chain");
        }
        let stored = self.state.rows().last().into_iter().flat_map(|row| row.signatures.values());
        for over in stored {
            let key =
                self.keys.iter().chain([&self.node_key]).find(|key| &key.fingerprint() == over.signature.signed_by());
            assert_eq!(over.signature.verify(key.unwrap().public(), &over.message), Ok(()));
        }
    }
}

/// What stands and what waits, with who signed.
fn open(state: &State) -> BTreeSet<(UniqueKey, bool, u32, BTreeSet<Fingerprint>)> {
    let rows = state.rows().filter(|row| row.valid_until.is_none());
    rows.map(|row| (row.transaction.unique_key(), row.proposal, row.serial().get(), row.signers())).collect()
}

#[test]
fn every_accepted_row_of_a_random_history_satisfies_the_rules_stated_a_second_time() {
    let walks = if std::env::var_os("COUNTERSIGN_TESTS_FULL").is_some() { 5_000 } else { 60 };
    let mut tally = Tally::default();
    for seed in 0..walks {
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Walk::new(seed).walk(120, &mut tally)));
        assert!(told.is_ok(), "seed {seed}");
    }
    println!("{walks} walks of 120 steps: {tally:?}");
    assert!(tally.active > 10 * walks as usize && tally.proposals > walks as usize, "{tally:?}");
    assert!(tally.rejected.len() >= 6, "{tally:?}");
}

//! One bit of MainNet's genesis state changed, anywhere in a transaction or a signature: it is refused. What Canton drops
//! unseen is the only exception: a signature whose key has no say, or whose key has signed before.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use canton_topology::{
    id::{Fingerprint, PhysicalSynchronizerId},
    judge::{Time, Verdict, Verifier, fold_batch},
    mapping::{Code, Mapping},
    planner::permissible,
    signature::Signature,
    snapshot::Item,
    state::{State, StaticParameters},
    transaction::{SignedTransaction, Transaction},
};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tests::recorded::genesis;

fn empty(items: &[Item]) -> State {
    let found = items.iter().find_map(|item| match item.transaction.transaction.mapping() {
        Mapping::SynchronizerParametersState(parameters) => Some(parameters.synchronizer.clone()),
        _ => None,
    });
    let synchronizer = PhysicalSynchronizerId { logical: found.unwrap(), serial: 0, protocol_version: 34 };
    State::new(synchronizer, StaticParameters::default())
}

/// Which bits of a row are tried.
struct Bits {
    /// Of the transaction's bytes.
    transaction: Vec<usize>,
    /// Of each signature's bytes and of the name of its key.
    signature: Vec<Vec<usize>>,
}

/// A row with other signatures or another transaction, judged where the row itself was accepted.
fn judged(state: &State, changed: SignedTransaction, time: Time) -> Verdict {
    fold_batch(&mut state.clone(), &mut Verifier::default(), &[changed], time).remove(0)
}

fn hold(state: &State, item: &Item, bits: &Bits, tried: &AtomicUsize, dropped: &[AtomicUsize; 2]) {
    let signed = &item.transaction;
    let mut bytes = signed.transaction.bytes().to_vec();
    for bit in &bits.transaction {
        bytes[bit / 8] ^= 1 << (bit % 8);
        // What does not even read is refused.
        if let Ok(transaction) = Transaction::parse(&bytes) {
            let verdict = judged(state, SignedTransaction { transaction, ..signed.clone() }, item.time());
            assert!(matches!(verdict, Verdict::Rejected(_)), "{:?} bit {bit}: {verdict:?}", signed.transaction);
        }
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    for (index, bits) in bits.signature.iter().enumerate() {
        let whole = signed.signatures[index].encode();
        for bit in bits {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let Ok(signature) = Signature::parse(&changed) else { continue };
            let mut with = signed.clone();
            with.signatures[index] = signature.clone();
            let verdict = judged(state, with, item.time());
            if matches!(verdict, Verdict::Rejected(_)) {
                continue;
            }
            let why = is_dropped(state, signed, index, signature.signed_by());
            let why =
                why.unwrap_or_else(|| panic!("{:?} signature {index} bit {bit}: {verdict:?}", signed.transaction));
            dropped[why as usize].fetch_add(1, Ordering::Relaxed);
        }
        tried.fetch_add(bits.len(), Ordering::Relaxed);
    }
    tried.fetch_add(bits.transaction.len(), Ordering::Relaxed);
}

/// Why Canton does not look at a signature.
#[derive(Clone, Copy, Debug)]
enum Dropped {
    /// Its key may say nothing here: a stranger's, or that of a name with a flipped bit.
    NoRole,
    /// Another one of the same key stands before it in the row, or in the active row that this one repeats.
    Repeated,
}

/// Whether Canton drops a signature of that key unseen, were it to stand at that place of the row.
fn is_dropped(state: &State, signed: &SignedTransaction, index: usize, signer: &Fingerprint) -> Option<Dropped> {
    let transaction = &signed.transaction;
    let active = state.active(&transaction.unique_key()).filter(|row| row.hash() == transaction.hash());
    let stands = signed.signatures[..index].iter().any(|other| other.signed_by() == signer);
    if stands || active.is_some_and(|row| row.signatures.contains_key(signer)) {
        return Some(Dropped::Repeated);
    }
    permissible(state, transaction, &[signer.clone()].into()).is_empty().then_some(Dropped::NoRole)
}

/// The bits of the signature's own bytes and of its key's name within the message. The labels of format and algorithm
/// say the same in several ways, and Canton takes them all.
fn signature_bits(signature: &Signature) -> Vec<usize> {
    let whole = signature.encode();
    let place = |part: &[u8]| whole.windows(part.len()).position(|window| window == part).unwrap() * 8;
    let parts = [signature.bytes(), signature.signed_by().as_str().as_bytes()];
    parts.into_iter().flat_map(|part| place(part)..place(part) + 8 * part.len()).collect()
}

fn everything_holds(choose: impl Fn(usize, &Item) -> Bits + Sync) -> usize {
    let Some(items) = genesis() else { return usize::MAX };
    let tried = AtomicUsize::new(0);
    let dropped = [const { AtomicUsize::new(0) }; 2];
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (items, tried, dropped, choose) = (&items, &tried, &dropped, &choose);
            scope.spawn(move || {
                let mut state = empty(items);
                let mut verifier = Verifier::ahead(items, 1);
                for (index, item) in items.iter().enumerate() {
                    if index % threads == thread {
                        hold(&state, item, &choose(index, item), tried, dropped);
                        if index % 500 < threads {
                            eprintln!("row {index} of {}, {} bits", items.len(), tried.load(Ordering::Relaxed));
                        }
                    }
                    canton_topology::judge::replay(&mut state, &mut verifier, std::slice::from_ref(item));
                }
            });
        }
    });
    let [no_role, repeated] = dropped.map(AtomicUsize::into_inner);
    println!("dropped unseen, as Canton drops them: {no_role} of keys without a role, {repeated} repeated ones");
    tried.into_inner()
}

#[test]
fn one_flipped_bit_anywhere_in_mainnets_genesis_is_refused() {
    let is_full = std::env::var_os("COUNTERSIGN_TESTS_FULL").is_some();
    let tried = everything_holds(|index, item| {
        let signed = &item.transaction;
        let mut random = ChaCha8Rng::seed_from_u64(index as u64);
        let all = 8 * signed.transaction.bytes().len();
        let is_long = signed.transaction.mapping().code() == Code::VettedPackages;
        let (of_transaction, of_signature) = match (is_full, is_long) {
            (true, false) => (all, usize::MAX),
            // Nine tenths of all bytes are lists of packages; each is tried in places of its own.
            (true, true) => (200, usize::MAX),
            (false, _) => (1, 1),
        };
        let transaction = if of_transaction == all {
            (0..all).collect()
        } else {
            (0..of_transaction).map(|_| random.gen_range(0..all)).collect()
        };
        let signature = signed.signatures.iter().map(|signature| {
            let bits = signature_bits(signature);
            if of_signature == usize::MAX { bits } else { vec![bits[random.gen_range(0..bits.len())]] }
        });
        Bits { transaction, signature: signature.collect() }
    });
    println!("{tried} flipped bits, none of them taken");
}

//! The judge and everything that an agent asks about a transaction, on a topology that hostile transactions made.

use canton_topology::{
    Timestamp,
    completing::{SETS_MAX, completing_sets},
    judge::{Time, Verdict, Verifier, fold_batch, replay},
    planner, snapshot,
    state::{State, StaticParameters},
    transaction::SignedTransaction,
};
use protocol::{danger::dangers, difference::difference, principal::added};

/// More than this tells nothing new, and a judgement grows with what stands already.
const ITEMS_MAX: usize = 24;

/// A snapshot of either format, replayed; then each of its transactions is asked about and taken for accepted.
pub fn run(bytes: &[u8]) {
    let Ok((_, mut items)) = snapshot::read(bytes) else { return };
    items.truncate(ITEMS_MAX);
    let Ok(synchronizer) = "sync::1220aa::34-0".parse() else { return };
    let mut verifier = Verifier::default();
    let mut judged = State::new(synchronizer, StaticParameters::default());
    let mut assumed = judged.clone();
    assert_eq!(replay(&mut judged, &mut verifier, &items).len(), items.iter().filter(is_accepted).count());
    for item in &items {
        ask(&judged, &item.transaction);
        ask(&assumed, &item.transaction);
        one_by_one(&assumed, &mut verifier, &item.transaction);
        assumed.assume(&item.transaction.transaction);
    }
    for row in judged.rows() {
        assert!(!row.signatures.is_empty(), "a row that nobody signed");
        assert_eq!(row.to_signed().transaction, *row.transaction);
    }
}

fn is_accepted(item: &&snapshot::Item) -> bool {
    item.rejection.is_none()
}

fn ask(state: &State, signed: &SignedTransaction) {
    let (transaction, signers) = (&signed.transaction, signed.signers());
    let assessment = planner::assess(state, transaction, &signers);
    let ways = completing_sets(state, transaction, &signers);
    assert!(ways.sets.len() <= SETS_MAX);
    if assessment.satisfied {
        assert!(assessment.missing.is_empty(), "nothing is missing where all is there");
    }
    let _ = planner::permissible(state, transaction, &signers);
    let _ = difference(transaction, state).lines();
    let _ = (dangers(std::slice::from_ref(transaction), state, &[]), added(transaction, state));
}

/// What is refused changes nothing.
fn one_by_one(state: &State, verifier: &mut Verifier, signed: &SignedTransaction) {
    let time = Time { sequenced: Timestamp(1), effective: Timestamp(1) };
    let mut after = state.clone();
    let verdict = fold_batch(&mut after, verifier, std::slice::from_ref(signed), time).pop();
    if let Some(Verdict::Rejected(rejection)) = &verdict {
        let _ = (rejection.name(), rejection.error_code(), rejection.to_string());
        assert!(state.rows().map(|row| (row.hash(), row.proposal, row.valid_until)).eq(after.rows().map(|row| (
            row.hash(),
            row.proposal,
            row.valid_until
        ))));
    }
    assert!(verdict.is_some());
}

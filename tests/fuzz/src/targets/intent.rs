//! Intents: what any enrolled owner may want of a coordinator's and of every agent's planner.

use canton_topology::transaction::Transaction;
use protocol::{
    case::Case,
    danger::dangers,
    difference::differences,
    encoding::decode,
    intent::{Change, Intent},
    plan::plan,
    statement::Statement,
    verify::{Verification, frame},
};

use super::{statement::with_open_case, transaction};
use crate::world::World;

/// Whatever is wanted, nothing panics; what is planned stays in its frame, reads as it was meant, and no agent finds
/// fault with an honest coordinator's offer of it.
pub fn run(bytes: &[u8]) {
    let Ok(intent) = decode::<Intent>("intent", bytes) else { return };
    with_open_case(|world, _| {
        let Ok(plan) = plan(&intent, &world.state) else { return };
        let _ = (differences(&plan.transactions, &world.state), dangers(&plan.transactions, &world.state, &[]));
        plan.transactions.iter().for_each(transaction::check);
        assert_eq!(frame::check(&intent, &plan.transactions, &world.state), Ok(()), "{intent:?}");
        if !matches!(intent.change, Change::Raw(_)) {
            assert!(plan.transactions.iter().all(|planned| planned.unshown().is_empty()));
        }
        offer(world, &intent, &plan.transactions);
    });
}

fn offer(world: &World, intent: &Intent, transactions: &[Transaction]) {
    for owner in &world.owners {
        let Ok(mut case) = Case::open(Statement::sign(intent, &owner.identity), &world.directory) else { continue };
        world.offer_on_top(&mut case, transactions);
        for reader in &world.owners {
            if let Verification::Verified(verified) = world.verify(reader.name, &case) {
                assert_eq!(verified.transactions(), transactions);
                assert!(!verified.requests().is_empty());
            }
        }
    }
}

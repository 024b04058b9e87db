//! The pure cores in thousands of orders: late, repeated and lost messages, a coordinator that dies at any moment.
//!
//! What counts as a failure: a case that all owners want and that does not become effective; an agent that meets a history
//! which contradicts what it saw; a coordinator that is another one after a crash; a journal with two hashes in a slot.
#![allow(clippy::unwrap_used)]

mod world;

use protocol::{
    intent::{CaseId, OwnersChange, PartyChange},
    life::Status,
};
use rand::{Rng as _, SeedableRng as _};
use world::World;

const OWNERS: usize = 3;

/// Lets things happen in a random order for a while.
fn disturb(world: &mut World, case: &CaseId, random: &mut rand_chacha::ChaCha8Rng) {
    for _ in 0..random.gen_range(0..60) {
        let owner = random.gen_range(0..OWNERS);
        match random.gen_range(0..8) {
            0 | 1 => {
                world.deliver(owner);
            }
            2 => world.show_owner(owner),
            3 => {
                // Sent twice, as after a lost answer.
                if let Ok(statement) = world.approve(owner, case) {
                    world.post(statement.clone()).unwrap();
                    world.post(statement).unwrap();
                }
            }
            4 => world.show_coordinator(),
            5 => {
                world.submit();
            }
            6 => world.crash_coordinator(),
            _ => world.tick(11_000_000),
        }
    }
}

fn live_through(seed: u64) {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut world = World::new(seed, OWNERS as u8);
    let founding = world.founding(OWNERS, 2);
    let first = world.propose(0, founding).unwrap();
    disturb(&mut world, &first, &mut random);
    world.settle(&first);
    assert_effective(&mut world, &first, seed);

    // Two stages: the party's threshold, then the owners'.
    let owners = OwnersChange { threshold: Some(3), ..world.owners_change(OWNERS) };
    let party = PartyChange { confirmation_threshold: Some(2), ..world.party_change(OWNERS) };
    let raise = world.membership(Some(owners), Some(party));
    world.show_coordinator();
    let second = world.propose(random.gen_range(0..OWNERS), raise).unwrap();
    disturb(&mut world, &second, &mut random);
    world.settle(&second);
    assert_effective(&mut world, &second, seed);
    assert_eq!(world.network.definition(&world.namespace(OWNERS)).unwrap().threshold, 3, "seed {seed}");

    for owner in &world.owners {
        for (slot, entries) in owner.journal.entries().unwrap() {
            assert_eq!(entries.len(), 1, "seed {seed}: two hashes in {slot:?}");
        }
    }
    let before: Vec<_> = world.coordinator.cases().cloned().collect();
    world.crash_coordinator();
    let after: Vec<_> = world.coordinator.cases().cloned().collect();
    assert_eq!(before, after, "seed {seed}: the store holds another coordinator");
}

fn assert_effective(world: &mut World, case: &CaseId, seed: u64) {
    let now = world.at();
    let status = world.coordinator.standing(case, now).unwrap().status;
    assert!(matches!(status, Status::Effective { .. }), "seed {seed}: {status:?}");
    for transaction in world.offered(case) {
        assert!(world.network.effective_since(&transaction.hash()).is_some(), "seed {seed}: {transaction:?}");
    }
}

#[test]
fn every_order_of_events_ends_in_the_change_that_all_owners_wanted() {
    let seeds = if std::env::var_os("COUNTERSIGN_TESTS_FULL").is_some() { 2_000 } else { 100 };
    for seed in 0..seeds {
        live_through(seed);
    }
}

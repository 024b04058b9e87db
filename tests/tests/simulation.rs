//! The pure cores in thousands of orders: late, repeated and lost messages, a coordinator and agents that die at any
//! moment, owners who say no and think again, proposers who take a change back.
//!
//! What counts as a failure: a case that all owners want in the end and that does not become effective; one that was taken
//! back and is anything but withdrawn, or effective because it was too late; a signature for it by an agent that knew; an
//! agent that meets a history which contradicts what it saw; a coordinator that is another one after a crash; a journal
//! with two hashes in a slot.
#![allow(clippy::unwrap_used)]

mod world;

use protocol::{
    intent::{CaseId, OwnersChange, PartyChange},
    life::Status,
};
use rand::{Rng as _, SeedableRng as _};
use world::World;

const OWNERS: usize = 3;

/// Lets things happen in a random order for a while; whether the proposer took the case back is what comes out.
fn disturb(world: &mut World, case: &CaseId, proposer: Option<usize>, random: &mut rand_chacha::ChaCha8Rng) -> bool {
    let mut is_withdrawn = false;
    for _ in 0..random.gen_range(0..60) {
        let owner = random.gen_range(0..OWNERS);
        match random.gen_range(0..24) {
            0..=5 => {
                world.deliver(owner);
            }
            6..=8 => world.show_owner(owner),
            9..=11 => {
                if let Ok(statement) = world.approve(owner, case) {
                    assert!(proposer != Some(owner) || !is_withdrawn, "signed by the agent that took it back");
                    // Sent twice, as after a lost answer; or kept, and not sent yet.
                    for _ in 0..random.gen_range(0..3) {
                        world.post(statement.clone()).unwrap();
                    }
                }
            }
            12..=14 => world.show_coordinator(),
            15..=17 => {
                world.submit();
            }
            18..=19 => world.crash_coordinator(),
            20 => world.crash_agent(owner),
            21 => world.post_waiting(owner),
            22 => {
                if world.decline(owner, case).is_ok() && random.gen_bool(0.5) {
                    world.post_waiting(owner);
                }
            }
            _ => world.tick(11_000_000),
        }
        if let Some(owner) = proposer.filter(|_| !is_withdrawn && random.gen_ratio(1, 40)) {
            is_withdrawn = world.withdraw(owner, case).is_ok();
        }
    }
    for owner in 0..OWNERS {
        world.post_waiting(owner);
    }
    is_withdrawn
}

fn live_through(seed: u64) {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut world = World::new(seed, OWNERS as u8);
    let founding = world.founding(OWNERS, 2);
    let first = world.propose(0, founding).unwrap();
    disturb(&mut world, &first, None, &mut random);
    world.settle(&first);
    assert_effective(&mut world, &first, seed);

    // Two stages: the party's threshold, then the owners'.
    let owners = OwnersChange { threshold: Some(3), ..world.owners_change(OWNERS) };
    let party = PartyChange { confirmation_threshold: Some(2), ..world.party_change(OWNERS) };
    let raise = world.membership(Some(owners), Some(party));
    world.show_coordinator();
    let proposer = random.gen_range(0..OWNERS);
    let second = world.propose(proposer, raise).unwrap();
    let is_withdrawn = disturb(&mut world, &second, Some(proposer), &mut random);
    world.settle(&second);
    if is_withdrawn {
        let status = world.coordinator.standing(&second, world.at()).unwrap().status;
        assert!(matches!(status, Status::Withdrawn | Status::Effective { .. }), "seed {seed}: {status:?}");
        for owner in 0..OWNERS {
            assert!(world.approve(owner, &second).is_err(), "seed {seed}: signed although it was taken back");
        }
    } else {
        assert_effective(&mut world, &second, seed);
        assert_eq!(world.network.definition(&world.namespace(OWNERS)).unwrap().threshold, 3, "seed {seed}");
    }

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

//! On whose nodes a case was verified: who is asked, who is believed, and what nobody vouches for.

use canton_topology::mapping::Permission;
use protocol::{
    case::Case,
    intent::{Change, Host, Order, PartyChange},
    progress::{Actor, Alarm, Item, Progress},
    refusal::Refusal,
    statement::{Attestation, Claim, StatementHash},
    todo::{Step, to_verify},
    witness::{NotVerified, WitnessedStep, checklist, verdict, witnesses},
};

use crate::world::World;

fn claim(world: &World, case: &mut Case, name: &str, offer: StatementHash) {
    let owner = world.owner(name);
    let attestation = Attestation {
        case: case.id(),
        intent: case.intent_hash(),
        owner: owner.namespace(),
        participant: owner.host(),
        at: world.now,
        human: false,
        claim: Claim::Verified { offer, on_ledger: true },
    };
    world.say(case, &attestation, &owner.identity).unwrap();
}

fn newest(case: &Case) -> StatementHash {
    case.offer().unwrap().hash
}

/// The names of those on whose nodes it was verified, and of the others.
fn seen(world: &World, reader: &str, case: &Case) -> (Vec<&'static str>, Vec<&'static str>) {
    let name = |owner: &_| world.owners.iter().find(|one| one.namespace() == *owner).unwrap().name;
    let all = world.as_owner(reader, |context| witnesses(case, context));
    let (on, not_yet): (Vec<_>, Vec<_>) = all.iter().partition(|witness| witness.since.is_some());
    let sorted = |all: Vec<&protocol::progress::Witness>| {
        let mut names: Vec<&'static str> = all.iter().map(|witness| name(&witness.owner)).collect();
        names.sort_unstable();
        names
    };
    (sorted(on), sorted(not_yet))
}

fn list(world: &World, reader: &str, case: &Case) -> Vec<Item<WitnessedStep>> {
    world.as_owner(reader, |context| checklist(case, &world.standing(case), context))
}

fn states(list: &[Item<WitnessedStep>]) -> Vec<(&'static str, &'static str)> {
    let state = |item: &Item<WitnessedStep>| match item.progress {
        Progress::Done(_) => "done",
        Progress::Due => "due",
        Progress::Waiting(_) => "waiting",
        Progress::After(_) => "after",
        Progress::Stopped(_) => "stopped",
    };
    list.iter().map(|item| (item.step.name(), state(item))).collect()
}

#[test]
fn each_owner_vouches_for_its_own_node_and_the_others_see_who_has_not() {
    let mut world = World::new();
    let mut case = world.offered("alice", world.create_party());
    world.must_approve("alice", &mut case);
    let before = states(&list(&world, "bob", &case));
    let sign = [("sign", "done"), ("sign", "due"), ("sign", "due")];
    let verify = [("verify", "waiting"); 3];
    assert_eq!(before, [&[("offer", "done")], &sign[..], &[("submit", "waiting")], &verify].concat());
    for name in ["bob", "carol"] {
        world.must_approve(name, &mut case);
    }
    assert_eq!(verdict(&case, &world.state), Err(NotVerified::NotEffective));
    let lagging = world.state.clone();
    world.must_submit(&case);
    assert_eq!(verdict(&case, &lagging), Err(NotVerified::NotEffective), "on a node that lags");
    assert_eq!(verdict(&case, &world.state), Ok(newest(&case)));
    assert_eq!(seen(&world, "alice", &case), (vec![], vec!["alice", "bob", "carol"]));
    let due = to_verify(&list(&world, "bob", &case));
    assert!(due.contains(&Step::Verify { owner: world.owner("carol").namespace() }) && due.len() == 3, "{due:?}");

    let offer = newest(&case);
    for name in ["alice", "bob"] {
        claim(&world, &mut case, name, offer);
    }
    for reader in ["alice", "carol"] {
        assert_eq!(seen(&world, reader, &case), (vec!["alice", "bob"], vec!["carol"]));
    }
    let owner = world.owner("carol").namespace();
    assert_eq!(to_verify(&list(&world, "bob", &case)), [Step::Verify { owner }]);
    claim(&world, &mut case, "carol", offer);
    assert_eq!(seen(&world, "bob", &case), (vec!["alice", "bob", "carol"], vec![]));
    assert!(list(&world, "bob", &case).iter().all(|item| matches!(item.progress, Progress::Done(_))));
}

#[test]
fn owners_and_hosts_as_they_are_at_the_end_are_asked() {
    let world = World::with_party();
    let swapped = world.offered("alice", world.replace_carol(Order::Staged));
    assert_eq!(seen(&world, "alice", &swapped).1, ["alice", "bob", "dave"], "who goes is not");
    let add_hosts = vec![Host { participant: world.owner("dave").host(), permission: Permission::Observation }];
    let hosted = world.membership(None, Some(PartyChange { add_hosts, ..world.party_change() }));
    let hosted = world.offered("alice", hosted);
    assert_eq!(seen(&world, "alice", &hosted).1, ["alice", "bob", "carol", "dave"], "a host who owns nothing is");
}

#[test]
fn what_is_said_of_another_offer_or_another_node_or_by_a_stranger_counts_for_nobody() {
    let mut world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(None, Some(1), None));
    for name in ["alice", "bob"] {
        world.must_approve(name, &mut case);
    }
    world.must_submit(&case);
    let offer = newest(&case);
    claim(&world, &mut case, "alice", StatementHash::from_bytes([1; 32]));
    let elsewhere = Attestation {
        case: case.id(),
        intent: case.intent_hash(),
        owner: world.owner("bob").namespace(),
        participant: world.owner("dave").host(),
        at: world.now,
        human: false,
        claim: Claim::Verified { offer, on_ledger: false },
    };
    world.say(&mut case, &elsewhere, &world.owner("bob").identity).unwrap();
    // Whoever sits at the coordinator may have enrolled any key as carol's; the book has the right one.
    let forged = ed25519_dalek::SigningKey::from_bytes(&[0x66; 32]);
    let carol = world.owner("carol").namespace();
    assert!(world.directory.admit(protocol::statement::SignStatements::identity(&forged), carol.clone()));
    let of_carol = Attestation { owner: carol, participant: world.owner("carol").host(), ..elsewhere };
    world.say(&mut case, &of_carol, &forged).unwrap();
    assert_eq!(seen(&world, "alice", &case), (vec![], vec!["alice", "bob", "carol"]));
}

#[test]
fn what_enough_owners_signed_against_the_intent_is_an_alarm_for_the_others() {
    let mut world = World::with_party();
    let mut case = world.proposed("alice", world.thresholds(None, Some(1), None));
    // The coordinator offers another threshold, and two owners are in league with it.
    let other = protocol::plan::plan(&world.intent("alice", world.thresholds(None, Some(3), None)), &world.state);
    let transaction = other.unwrap().transactions.remove(0);
    world.offer_on_top(&mut case, std::slice::from_ref(&transaction));
    world.must_propose_elsewhere(&transaction, &["alice", "bob"]);
    world.state.assume(&transaction);
    let Err(NotVerified::NotAsWanted(refusal)) = verdict(&case, &world.state) else { panic!("vouched for") };
    assert!(matches!(refusal, Refusal::OutsideFrame { .. }), "{refusal}");
    let list = list(&world, "carol", &case);
    let stopped: Vec<_> = list.iter().filter(|item| matches!(item.progress, Progress::Stopped(_))).collect();
    let carol = world.owner("carol").namespace();
    assert!(matches!(&stopped[..], [item] if matches!(&item.by, Actor::Owner(owner, _) if *owner == carol)
        && matches!(&item.progress, Progress::Stopped(Alarm::NotAsWanted { .. }))));
    assert!(!to_verify(&list).contains(&Step::Verify { owner: carol }));
}

#[test]
fn a_case_that_has_ended_without_effect_asks_nobody_for_anything() {
    let world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(None, Some(1), None));
    world.must_approve("bob", &mut case);
    world.must_withdraw("alice", &mut case);
    assert_eq!(states(&list(&world, "carol", &case)), [("offer", "done"), ("sign", "done")]);
    let raw = world.offered(
        "alice",
        Change::Raw(protocol::intent::Raw { transactions: vec![world.definition().bytes().to_vec()] }),
    );
    assert!(!seen(&world, "alice", &raw).1.is_empty(), "raw bytes have owners too");
}

//! Cases that come one after the other, and a change set with new hosts that becomes such cases.

use canton_topology::{
    mapping::{Mapping, Permission, party_key},
    state::State,
    transaction::{Operation, Transaction},
};
use protocol::{
    case::Case,
    danger::Danger,
    hosting::{checklist::checklist, record::Record, touched::Touched},
    hosts::hosts_of,
    identity::IdentityPublicKey,
    intent::{
        After, CaseId, Change, Host, HostParty, HostingPath, Intent, Membership, OwnersChange, PartyChange, Seat,
    },
    life::Status,
    plan::plan,
    progress::Progress,
    succession::{Part, in_turn},
    todo::todo,
    verify::{Verification, Wait},
    workflow::after::former,
    workflow::error::PlanError,
};

use crate::world::World;

fn host(world: &World, name: &str) -> Host {
    Host { participant: world.owner(name).host(), permission: Permission::Confirmation }
}

fn seat(world: &World, host: &canton_topology::id::ParticipantId) -> Seat {
    let owner = world.owners.iter().find(|owner| owner.host() == *host).unwrap();
    Seat { owner: owner.namespace(), participant: owner.host() }
}

/// Whose contracts a new host takes over: the first host's, and the second one counts.
fn seating(world: &World, host: &Host, state: &State) -> Result<HostParty, PlanError> {
    let hosts = hosts_of(state, &world.party());
    Ok(HostParty {
        party: world.party(),
        source: seat(world, &hosts[0]),
        target: seat(world, &host.participant),
        permission: host.permission,
        confirmation_threshold: None,
        path: HostingPath::Replicated { second: hosts.get(1).map(|host| seat(world, host)), ahead: Vec::new() },
    })
}

fn split(world: &World, change: Change) -> Result<Vec<Part>, PlanError> {
    let intent = world.intent("alice", change);
    let Change::Membership(set) = &intent.change else { panic!("not a change set") };
    in_turn(&intent, set, &|host, state| seating(world, host, state), &world.state, &[])
}

fn names(parts: &[Part]) -> Vec<&'static str> {
    parts.iter().map(|part| part.change.name()).collect()
}

fn thresholds(parts: &[Part]) -> Vec<Option<u32>> {
    let threshold = |part: &Part| match &part.change {
        Change::Membership(Membership { party, .. }) => party.as_ref().and_then(|party| party.confirmation_threshold),
        Change::HostParty(change) => change.confirmation_threshold,
        other => panic!("{other:?}"),
    };
    parts.iter().map(threshold).collect()
}

/// A new owner who also hosts.
fn dave_owns_and_hosts(world: &World) -> Change {
    let owners =
        OwnersChange { add: vec![world.owner("dave").namespace_key()], threshold: Some(3), ..world.owners_change() };
    let party = PartyChange { add_hosts: vec![host(world, "dave")], ..world.party_change() };
    world.membership(Some(owners), Some(party))
}

#[test]
fn the_rest_of_a_change_set_comes_first_and_each_new_host_after_it() {
    let world = World::with_party();
    let parts = split(&world, dave_owns_and_hosts(&world)).unwrap();
    assert_eq!(names(&parts), ["membership", "host-party"]);
    let Change::Membership(rest) = &parts[0].change else { panic!() };
    assert!(rest.party.is_none() && rest.owners.is_some(), "{rest:?}");
    let lost = |part: &Part| part.dangers.iter().any(|danger| matches!(danger, Danger::HostWithoutContracts { .. }));
    assert!(!parts.iter().any(lost));

    let only =
        PartyChange { add_hosts: vec![host(&world, "dave")], confirmation_threshold: Some(3), ..world.party_change() };
    let parts = split(&world, world.membership(None, Some(only))).unwrap();
    assert_eq!((names(&parts), thresholds(&parts)), (vec!["host-party"], vec![Some(3)]), "nothing else was wanted");
}

#[test]
fn a_threshold_goes_where_it_can_be_met() {
    let mut world = World::with_party();
    let add_hosts = vec![host(&world, "dave")];
    // Four of four can confirm only with the new host.
    let owners = Some(OwnersChange { threshold: Some(3), ..world.owners_change() });
    let four = PartyChange { add_hosts, confirmation_threshold: Some(4), ..world.party_change() };
    let parts = split(&world, world.membership(owners, Some(four))).unwrap();
    assert_eq!((names(&parts), thresholds(&parts)), (vec!["membership", "host-party"], vec![None, Some(4)]));
    // Three of three: nobody may go before the new one is there.
    world.must_change(world.thresholds(None, Some(3), None), &["alice", "bob", "carol"]);
    let swap = PartyChange {
        add_hosts: vec![host(&world, "dave")],
        remove_hosts: vec![world.owner("carol").host()],
        ..world.party_change()
    };
    let parts = split(&world, world.membership(None, Some(swap.clone()))).unwrap();
    assert_eq!(names(&parts), ["host-party", "membership"]);
    // What is possible in no order is not proposed.
    let never = PartyChange { confirmation_threshold: Some(9), ..swap };
    let error = split(&world, world.membership(None, Some(never))).unwrap_err();
    assert!(error.to_string().contains("confirmation_threshold: 9"), "{error}");
}

fn after(world: &World, number: u8, change: &Change) -> (After, Change) {
    let parts = split(world, change.clone()).unwrap();
    let stands = former(&parts[0].change).unwrap();
    (After { case: CaseId::from_bytes([number; 16]), stands }, parts[1].change.clone())
}

fn waiting(world: &World) -> Case {
    let (after, change) = after(world, 7, &dave_owns_and_hosts(world));
    world.proposed_as("alice", Intent { after: Some(after), ..world.intent("alice", change) })
}

#[test]
fn a_case_that_comes_after_another_one_is_neither_offered_nor_signed_nor_begun_before() {
    let mut world = World::with_party();
    let mut case = waiting(&world);
    let first = CaseId::from_bytes([7; 16]);
    assert_eq!(plan(case.intent(), &world.state), Err(PlanError::ComesAfter { case: first }));
    let standing = world.standing(&case);
    assert_eq!(
        (standing.status.clone(), todo(&case, &standing, Some(&world.state), world.now, 0)),
        (Status::Waiting, vec![])
    );
    let open = |world: &World, case: &Case| {
        let speaks = |signer: &IdentityPublicKey, owner: &_| world.directory.owner(signer) == Some(owner);
        let record = Record::of(case, &world.state, &speaks).unwrap();
        let items = checklist(&record, &world.standing(case), &[], Touched::default(), world.now);
        items.into_iter().filter(|item| item.progress == Progress::Due).count()
    };
    assert_eq!(open(&world, &case), 0, "nobody touches a node");

    // A coordinator that cannot wait.
    let early = plan(&Intent { after: None, ..case.intent().clone() }, &world.state).unwrap();
    let mut hasty = case.clone();
    world.offer(&mut hasty, &early.transactions, early.base);
    for name in ["alice", "bob", "dave"] {
        match world.verify(name, &hasty) {
            Verification::NotYet(Wait::After(found)) => assert_eq!(found, first),
            other => panic!("{name}: {other:?}"),
        }
    }

    // What somebody made effective all the same is gone on with: the new host lacks the contracts now.
    let before = world.state.clone();
    world.state.assume(&hasty.offer().unwrap().transactions[0]);
    assert!(open(&world, &hasty) > 0);
    world.state = before;

    let parts = split(&world, dave_owns_and_hosts(&world)).unwrap();
    world.must_change(parts[0].change.clone(), &["alice", "bob", "dave"]);
    assert!(world.must_offer_next(&mut case));
    assert!(open(&world, &case) > 0);
    assert!(!matches!(world.verify("alice", &case), Verification::NotYet(Wait::After(_))));
}

#[test]
fn who_comes_after_a_host_waits_until_that_host_has_the_contracts() {
    let mut world = World::with_party();
    world.must_change(world.thresholds(None, Some(3), None), &["alice", "bob", "carol"]);
    let swap = PartyChange {
        add_hosts: vec![host(&world, "dave")],
        remove_hosts: vec![world.owner("carol").host()],
        ..world.party_change()
    };
    let parts = split(&world, world.membership(None, Some(swap))).unwrap();
    let case = CaseId::from_bytes([7; 16]);
    let after = Some(After { case, stands: former(&parts[0].change).unwrap() });
    let intent = Intent { after, ..world.intent("alice", parts[1].change.clone()) };
    let waits = Err(PlanError::ComesAfter { case });
    assert_eq!(plan(&intent, &world.state), waits);
    let hosting = plan(&world.intent("alice", parts[0].change.clone()), &world.state).unwrap();
    world.state.assume(&hosting.transactions[0]);
    assert_eq!(plan(&intent, &world.state), waits, "the host is onboarding");
    let mut mapping = world.party_mapping();
    mapping.participants.iter_mut().for_each(|host| host.onboarding = false);
    let serial = world.state.active(&party_key(&world.party())).unwrap().serial().next().unwrap();
    world.state.assume(&Transaction::build(Operation::AddReplace, serial, &Mapping::PartyToParticipant(mapping)));
    assert!(plan(&intent, &world.state).is_ok());
}

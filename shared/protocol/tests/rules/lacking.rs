//! Who must sign still, in words, and why it is they.

use protocol::{
    intent::{Change, LeaveHost},
    lacking::{lacking, suffices},
};

use crate::world::World;

fn lines(world: &World, case: &protocol::case::Case) -> Vec<String> {
    let name = |owner: &_| {
        let names = ["alice", "bob", "carol", "dave"].into_iter();
        let known = names.into_iter().find(|name| world.owner(name).namespace() == *owner);
        known.map_or_else(|| "a participant".to_owned(), |name| format!("owner {name}"))
    };
    lacking(&world.standing(case), name)
}

#[test]
fn owners_of_whom_some_must_sign_are_all_named_with_their_namespace() {
    let world = World::with_party();
    let mut case = world.offered("alice", world.thresholds(Some(3), None, None));
    world.must_approve("alice", &mut case);

    let [line] = lines(&world, &case).try_into().unwrap();

    assert!(line.starts_with("missing: 1 of owner "), "{line}");
    assert!(line.contains("owner bob") && line.contains("owner carol") && !line.contains("owner alice"), "{line}");
    let because = format!("needs 1 more of the owners of namespace {}", world.namespace());
    assert!(line.contains(", because DecentralizedNamespaceDefinition of ") && line.ends_with(&because), "{line}");
}

#[test]
fn a_new_owner_hosts_and_keys_are_named_one_by_one_each_for_its_own_reason() {
    let world = World::new();
    let case = world.offered("alice", world.create_party());

    let lines = lines(&world, &case);

    let founders = lines.iter().find(|line| line.contains("because DecentralizedNamespaceDefinition")).unwrap();
    assert!(founders.contains("owner"), "{lines:#?}");
    let host =
        lines.iter().find(|line| line.starts_with("missing: a participant, because PartyToParticipant")).unwrap();
    assert!(host.ends_with("needs the yes of this very namespace"), "{lines:#?}");
    let keys: Vec<&String> = lines.iter().filter(|line| line.starts_with("missing: key 1220")).collect();
    assert!(!keys.is_empty() && keys.iter().all(|line| line.contains("must sign it itself")), "{lines:#?}");
}

#[test]
fn nobody_is_missing_of_what_is_complete() {
    let world = World::with_party();
    let Change::Membership(change) = world.thresholds(None, Some(1), None) else { panic!() };
    let mut case = world.offered("alice", Change::Membership(change));
    for name in ["alice", "bob"] {
        world.must_approve(name, &mut case);
    }
    assert_eq!(lines(&world, &case), Vec::<String>::new());
}

#[test]
fn a_host_that_leaves_is_named_as_enough_alone_and_nobody_else_ever_is() {
    let mut world = World::with_party();
    world.must_change(world.thresholds(None, Some(1), None), &["alice", "bob"]);
    let (party, participant) = (world.party(), world.owner("carol").host());
    let leave = Change::LeaveHost(LeaveHost { party, participant: participant.clone() });
    let words = suffices(&leave, |owner| {
        assert_eq!(owner, participant.namespace());
        "carol's participant".to_owned()
    });
    assert_eq!(words.unwrap(), "or alone: carol's participant, because a host may leave by its own signature");
    assert_eq!(suffices(&world.thresholds(None, None, Some(1)), |_| panic!()), None);

    // It is as the words say.
    let mut case = world.offered("carol", leave);
    assert!(!lines(&world, &case).is_empty());
    world.must_approve("carol", &mut case);
    assert_eq!(lines(&world, &case), Vec::<String>::new());
}

//! A case that ends on the way, and what comes back on the nodes.

use canton_topology::{
    judge::{Time, Verifier, fold_batch},
    mapping::Mapping,
    state::State,
    transaction::{Operation, Transaction},
};
use protocol::{
    case::Case,
    hosting::{HostingStep, checklist::open_questions, record::Record, touched::Touched},
    identity::IdentityPublicKey,
    progress::{Alarm, Progress},
    statement::{Backup, Claim},
};

use super::{
    NONCE, answered, ask, claim, due, due_having, list, list_having, offered, replicated, snapshot, surveyed,
    up_to_disconnected,
};
use crate::world::World;

#[test]
fn what_was_changed_on_the_nodes_comes_back_when_the_case_ends_unless_its_signatures_suffice() {
    let world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    up_to_disconnected(&world, &mut case);
    let mut withdrawn = case.clone();
    world.must_withdraw("alice", &mut withdrawn);
    assert_eq!(due(&world, &withdrawn), [HostingStep::PutBackSource, HostingStep::PutBackTarget]);
    claim(&world, &mut withdrawn, "alice", Claim::PutBack);
    claim(&world, &mut withdrawn, "dave", Claim::PutBack);
    assert_eq!(due(&world, &withdrawn), []);

    for name in ["bob", "carol"] {
        answered(&world, &mut case, name);
        world.must_approve(name, &mut case);
    }
    world.must_withdraw("alice", &mut case);
    let list = list(&world, &case);
    let target = list.iter().find(|item| item.step == HostingStep::PutBackTarget).unwrap();
    assert_eq!(target.progress, Progress::Stopped(Alarm::SignaturesAlive));
}

#[test]
fn an_activation_that_others_brought_about_is_gone_on_with() {
    let mut world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    up_to_disconnected(&world, &mut case);
    for name in ["bob", "carol"] {
        answered(&world, &mut case, name);
        world.must_approve(name, &mut case);
    }
    let complete = world.standing(&case).complete.unwrap();
    world.must_withdraw("alice", &mut case);
    let time = Time { sequenced: world.now, effective: world.now };
    fold_batch(&mut world.state, &mut Verifier::default(), &complete, time);
    assert!(due(&world, &case).contains(&HostingStep::Export));
}

#[test]
fn what_was_begun_and_never_vouched_for_comes_back_when_the_case_ends() {
    let world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    surveyed(&world, &mut case);
    world.must_withdraw("alice", &mut case);
    let due = |touched| due_having(&world, &case, touched);
    assert_eq!(due(Touched::default()), []);
    assert_eq!(due(Touched { pruning: true, ..Touched::default() }), [HostingStep::PutBackSource]);
    assert_eq!(due(Touched { connections: true, ..Touched::default() }), [HostingStep::PutBackTarget]);
}

#[test]
fn what_was_not_touched_is_not_put_back() {
    let world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    surveyed(&world, &mut case);
    let mut untouched = case.clone();
    world.must_withdraw("alice", &mut untouched);
    assert_eq!(due(&world, &untouched), []);
    claim(&world, &mut case, "alice", Claim::Prepared { begin: 7 });
    // The second host turns nothing off.
    claim(&world, &mut case, "bob", Claim::Prepared { begin: 5 });
    world.must_withdraw("alice", &mut case);
    assert_eq!(due(&world, &case), [HostingStep::PutBackSource]);
}

#[test]
fn a_new_host_that_is_of_no_use_connects_again_before_it_is_disconnected_once_more() {
    let world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    surveyed(&world, &mut case);
    claim(&world, &mut case, "alice", Claim::Prepared { begin: 7 });
    claim(&world, &mut case, "bob", Claim::Prepared { begin: 5 });
    world.must_approve("dave", &mut case);
    let touched = Touched { connections: true, gives_up: true, ..Touched::default() };
    let list = list_having(&world, &case, touched);
    let of = |step| list.iter().find(|item| item.step == step).map(|item| item.progress.clone());
    assert_eq!(of(HostingStep::PutBackTarget), Some(Progress::Due));
    assert_eq!(of(HostingStep::Disconnect), Some(Progress::Waiting(vec![HostingStep::PutBackTarget])));
    // Disconnected in the midst of it, it is disconnected again: nobody gives up.
    let touched = Touched { gives_up: false, ..touched };
    assert_eq!(due_having(&world, &case, touched), [HostingStep::Disconnect]);
}

#[test]
fn nothing_is_answered_once_the_new_host_is_to_be_connected_again() {
    let world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    up_to_disconnected(&world, &mut case);
    ask(&world, &mut case, "bob");
    let open = |case: &Case| {
        let speaks = |signer: &IdentityPublicKey, owner: &_| world.directory.owner(signer) == Some(owner);
        let record = Record::of(case, &world.state, &speaks).unwrap();
        open_questions(&record, &list(&world, case), world.now)
    };
    assert_eq!(open(&case), [NONCE]);
    world.must_withdraw("alice", &mut case);
    assert!(open(&case).is_empty());
}

#[test]
fn it_is_too_late_to_prepare_what_others_have_activated() {
    let mut world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    surveyed(&world, &mut case);
    assert_eq!(due(&world, &case), [HostingStep::Prepare, HostingStep::PrepareSecond, HostingStep::Consent]);
    let transaction = case.offer().unwrap().transactions[0].clone();
    world.state.assume(&transaction);
    assert_eq!(due(&world, &case), [HostingStep::Disconnect, HostingStep::Export, HostingStep::Count]);
}

#[test]
fn a_new_host_that_is_disconnected_takes_the_sources_word_for_the_activation() {
    let world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    surveyed(&world, &mut case);
    claim(&world, &mut case, "alice", Claim::Exported(snapshot(&world)));
    for item in list(&world, &case) {
        let is_behind = matches!(item.step, HostingStep::Consent | HostingStep::Sign | HostingStep::Submit);
        assert!(!is_behind || matches!(item.progress, Progress::Done(_)), "{item:?}");
    }
}

/// The case of a new host that is effective, and the state that whoever is disconnected has.
fn activated() -> (World, Case, State) {
    let mut world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    up_to_disconnected(&world, &mut case);
    for name in ["bob", "carol"] {
        answered(&world, &mut case, name);
        world.must_approve(name, &mut case);
    }
    let before = world.state.clone();
    let complete = world.standing(&case).complete.unwrap();
    let time = Time { sequenced: world.now, effective: world.now };
    fold_batch(&mut world.state, &mut Verifier::default(), &complete, time);
    (world, case, before)
}

/// The owners take the new host away again.
fn take_away(world: &mut World, case: &Case) {
    let row = world.state.active(&case.offer().unwrap().transactions[0].unique_key()).unwrap().transaction.clone();
    let Mapping::PartyToParticipant(mut mapping) = row.mapping().clone() else { panic!("{row:?}") };
    mapping.participants.pop();
    let serial = row.serial().next().unwrap();
    world.state.assume(&Transaction::build(Operation::AddReplace, serial, &Mapping::PartyToParticipant(mapping)));
}

#[test]
fn a_new_host_that_is_taken_away_again_before_it_has_the_contracts_leaves_nothing_changed_behind() {
    let (mut world, mut case, before) = activated();
    assert!(due(&world, &case).contains(&HostingStep::Export));
    take_away(&mut world, &case);
    assert_eq!(due(&world, &case), [HostingStep::PutBackSource, HostingStep::PutBackTarget]);

    // The new host's own node is disconnected and shows nothing of it.
    let now = std::mem::replace(&mut world.state, before);
    let target = |world: &World, case: &Case| {
        let list = list(world, case);
        list.iter().find(|item| item.step == HostingStep::PutBackTarget).map(|item| item.progress.clone())
    };
    assert_eq!(target(&world, &case), None);
    claim(&world, &mut case, "alice", Claim::PutBack);
    assert_eq!(target(&world, &case), Some(Progress::Stopped(Alarm::SaidToBeUndone)));
    // What the source says afterwards shows that it is not through.
    let mut goes_on = case.clone();
    claim(&world, &mut goes_on, "alice", Claim::Prepared { begin: 7 });
    assert_eq!(target(&world, &goes_on), None);

    claim(&world, &mut case, "dave", Claim::PutBack);
    assert_eq!(list(&world, &case), []);
    world.state = now;
    assert_eq!(list(&world, &case), []);
}

#[test]
fn a_host_that_has_the_contracts_and_leaves_later_puts_nothing_back() {
    let (mut world, mut case, _) = activated();
    claim(&world, &mut case, "alice", Claim::Exported(snapshot(&world)));
    claim(&world, &mut case, "dave", Claim::BackedUp(Backup::Command));
    let contents = snapshot(&world).contents;
    claim(&world, &mut case, "dave", Claim::Imported { contents, ledger_end: 9 });
    take_away(&mut world, &case);
    assert!(!due(&world, &case).contains(&HostingStep::PutBackSource));
    assert!(!due(&world, &case).contains(&HostingStep::PutBackTarget));
}

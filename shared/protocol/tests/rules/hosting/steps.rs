//! The checklist: what is due, and what it waits for.

use protocol::{
    case::Case,
    hosting::{HostingStep, contract_set::ContractSet},
    intent::Change,
    progress::{Actor, Alarm, Progress},
    statement::{Backup, Claim, Snapshot},
    todo::{Step, on_nodes, todo},
};

use super::{
    answered, claim, clear_flag, contents, due, list, offered, replicated, simple, snapshot, surveyed,
    up_to_disconnected,
};
use crate::world::World;

#[test]
fn the_simple_checklist_goes_from_the_look_to_both_sides_seeing_the_host() {
    use HostingStep as S;
    let world = World::with_party();
    let mut case = offered(&world, simple(&world, &[]));
    assert_eq!(due(&world, &case), [S::Look]);
    claim(&world, &mut case, "alice", Claim::Unused { ledger_end: 3 });
    assert_eq!(due(&world, &case), [S::Consent, S::Sign]);
    world.must_approve("dave", &mut case);
    assert_eq!(due(&world, &case), [S::Sign]);
    for name in ["alice", "bob"] {
        world.must_approve(name, &mut case);
    }
    assert_eq!(due(&world, &case), [S::Submit]);
}

#[test]
fn the_new_host_leaves_only_after_the_sources_are_prepared_and_it_agreed() {
    use HostingStep as S;
    let world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    surveyed(&world, &mut case);
    let waits = |case: &Case| {
        let list = list(&world, case);
        list.into_iter().find(|item| item.step == S::Disconnect).unwrap().progress
    };
    assert_eq!(waits(&case), Progress::Waiting(vec![S::Prepare, S::PrepareSecond, S::Consent]));
    claim(&world, &mut case, "alice", Claim::Prepared { begin: 7 });
    claim(&world, &mut case, "bob", Claim::Prepared { begin: 5 });
    assert_eq!(waits(&case), Progress::Waiting(vec![S::Consent]));
    world.must_approve("dave", &mut case);
    assert_eq!(waits(&case), Progress::Due);
}

#[test]
fn nothing_is_imported_before_the_source_vouched_for_it_and_the_new_host_is_backed_up() {
    let mut world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    up_to_disconnected(&world, &mut case);
    for name in ["bob", "carol"] {
        answered(&world, &mut case, name);
        world.must_approve(name, &mut case);
    }
    world.must_submit(&case);
    claim(&world, &mut case, "bob", Claim::Counted(contents()));
    let import = |world: &World, case: &Case| {
        let list = list(world, case);
        list.into_iter().find(|item| item.step == HostingStep::Import).unwrap().progress
    };
    assert_eq!(import(&world, &case), Progress::Waiting(vec![HostingStep::Export, HostingStep::Backup]));
    let exported = snapshot(&world);
    claim(&world, &mut case, "alice", Claim::Exported(exported));
    assert_eq!(import(&world, &case), Progress::Waiting(vec![HostingStep::Backup]));
    claim(&world, &mut case, "dave", Claim::BackedUp(Backup::Command));
    assert_eq!(import(&world, &case), Progress::Due);
    // Other contracts than the exported ones are not the import.
    let other = ContractSet::default().contents();
    claim(&world, &mut case, "dave", Claim::Imported { contents: other, ledger_end: 3 });
    assert_eq!(import(&world, &case), Progress::Due);
}

#[test]
fn the_checklist_goes_from_the_survey_to_both_sides_seeing_the_host() {
    use HostingStep as S;
    let mut world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    assert_eq!(due(&world, &case), [S::Survey]);
    surveyed(&world, &mut case);
    assert_eq!(due(&world, &case), [S::Prepare, S::PrepareSecond, S::Consent]);
    up_to_disconnected(&world, &mut case);
    assert_eq!(due(&world, &case), [S::Sign, S::Backup]);
    for name in ["bob", "carol"] {
        answered(&world, &mut case, name);
        world.must_approve(name, &mut case);
    }
    assert_eq!(due(&world, &case), [S::Submit, S::Backup]);
    let standing = world.standing(&case);
    assert_eq!(todo(&case, &standing, Some(&world.state), world.now, 0), [Step::Watch], "the source submits");
    let owner = world.owner("alice").namespace();
    assert_eq!(on_nodes(&list(&world, &case))[0], Step::NodeAction { owner, step: S::Submit });

    world.must_submit(&case);
    assert_eq!(due(&world, &case), [S::Export, S::Count, S::Backup]);
    claim(&world, &mut case, "dave", Claim::BackedUp(Backup::Human("tape 7".to_owned())));
    let exported = snapshot(&world);
    claim(&world, &mut case, "alice", Claim::Exported(exported));
    assert_eq!(due(&world, &case), [S::Count, S::RestorePruning]);
    claim(&world, &mut case, "alice", Claim::PruningRestored);
    claim(&world, &mut case, "bob", Claim::Counted(contents()));
    assert_eq!(due(&world, &case), [S::Import]);
    claim(&world, &mut case, "dave", Claim::Imported { contents: contents(), ledger_end: 3 });
    assert_eq!(due(&world, &case), [S::Reconnect]);
    claim(&world, &mut case, "dave", Claim::Reconnected);
    assert_eq!(due(&world, &case), [S::Clear]);
    clear_flag(&mut world);
    assert_eq!(due(&world, &case), [S::VerifySource, S::VerifyTarget, S::Verify, S::Verify]);
    claim(&world, &mut case, "alice", Claim::SeenHosted);
    claim(&world, &mut case, "dave", Claim::SeenHosted);
    assert_eq!(due(&world, &case), [S::Verify, S::Verify]);
    let verified = Claim::Verified { offer: case.offer().unwrap().hash, on_ledger: true };
    claim(&world, &mut case, "bob", verified.clone());
    claim(&world, &mut case, "carol", verified);
    assert_eq!(due(&world, &case), []);
    assert!(list(&world, &case).iter().all(|item| matches!(item.progress, Progress::Done(_))));
}

#[test]
fn two_hosts_that_count_differently_stop_the_import() {
    let mut world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    up_to_disconnected(&world, &mut case);
    claim(&world, &mut case, "dave", Claim::BackedUp(Backup::Command));
    for name in ["bob", "carol"] {
        answered(&world, &mut case, name);
        world.must_approve(name, &mut case);
    }
    world.must_submit(&case);
    let exported = snapshot(&world);
    claim(&world, &mut case, "alice", Claim::Exported(exported));
    claim(&world, &mut case, "bob", Claim::Counted(ContractSet::default().contents()));
    let list = list(&world, &case);
    let of = |step| list.iter().find(|item| item.step == step).unwrap();
    assert!(matches!(of(HostingStep::Count).progress, Progress::Stopped(Alarm::OtherContracts { .. })));
    assert_eq!(of(HostingStep::Import).progress, Progress::Waiting(vec![HostingStep::Count]));
}

#[test]
fn a_snapshot_of_another_party_or_for_another_host_is_none() {
    let mut world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    up_to_disconnected(&world, &mut case);
    for name in ["bob", "carol"] {
        answered(&world, &mut case, name);
        world.must_approve(name, &mut case);
    }
    world.must_submit(&case);
    let right = snapshot(&world);
    let other_party = format!("other::{}", world.namespace()).parse().unwrap();
    for wrong in [
        Snapshot { party: other_party, ..right.clone() },
        Snapshot { target: world.owner("carol").host(), ..right.clone() },
    ] {
        claim(&world, &mut case, "alice", Claim::Exported(wrong));
        assert!(due(&world, &case).contains(&HostingStep::Export));
    }
    // The right one, by somebody who is not the source.
    claim(&world, &mut case, "carol", Claim::Exported(right.clone()));
    assert!(due(&world, &case).contains(&HostingStep::Export));
    claim(&world, &mut case, "alice", Claim::Exported(right));
    assert!(!due(&world, &case).contains(&HostingStep::Export));
}

#[test]
fn a_backup_from_before_the_disconnecting_is_none() {
    let world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    surveyed(&world, &mut case);
    claim(&world, &mut case, "dave", Claim::BackedUp(Backup::Command));
    let backup = list(&world, &case).into_iter().find(|item| item.step == HostingStep::Backup).unwrap();
    assert_eq!(backup.progress, Progress::Waiting(vec![HostingStep::Disconnect]));
    up_to_disconnected(&world, &mut case);
    assert!(due(&world, &case).contains(&HostingStep::Backup));
    claim(&world, &mut case, "dave", Claim::BackedUp(Backup::Command));
    assert!(!due(&world, &case).contains(&HostingStep::Backup));
}

#[test]
fn a_turn_is_whose_it_is_and_only_when_it_is_due() {
    let world = World::with_party();
    let case = offered(&world, replicated(&world));
    let list = list(&world, &case);
    let turn = |step, name: &str| {
        let item = list.iter().find(|item| item.step == step).unwrap();
        item.is_due_for(&world.owner(name).namespace())
    };
    assert!(turn(HostingStep::Survey, "alice") && !turn(HostingStep::Survey, "bob"));
    assert!(!turn(HostingStep::Prepare, "alice"), "the survey comes first");
}

#[test]
fn nobody_signs_in_the_simple_way_while_packages_are_missing_and_nothing_is_submitted_without_the_new_host() {
    use HostingStep as S;
    let world = World::with_party();
    let mut lacking = offered(&world, simple(&world, &["pkg-1"]));
    claim(&world, &mut lacking, "alice", Claim::Unused { ledger_end: 3 });
    assert_eq!(due(&world, &lacking), [S::Vet]);

    let mut case = offered(&world, simple(&world, &[]));
    claim(&world, &mut case, "alice", Claim::Unused { ledger_end: 3 });
    for name in ["alice", "bob"] {
        world.must_approve(name, &mut case);
    }
    assert_eq!(due(&world, &case), [S::Consent]);
}

#[test]
fn those_who_sign_are_the_partys_owners_and_nobody_has_signed_what_nobody_offered() {
    let world = World::with_party();
    let of = |case: &Case, step| list(&world, case).into_iter().find(|item| item.step == step).unwrap();
    let case = offered(&world, replicated(&world));
    let Actor::Owners(mut owners) = of(&case, HostingStep::Sign).by else { panic!() };
    let mut expected = ["alice", "bob", "carol"].map(|name| world.owner(name).namespace()).to_vec();
    owners.sort();
    expected.sort();
    assert_eq!(owners, expected);

    let unoffered = world.proposed("alice", Change::HostParty(replicated(&world)));
    for step in [HostingStep::Consent, HostingStep::Sign] {
        assert!(matches!(of(&unoffered, step).progress, Progress::Waiting(_)));
    }
}

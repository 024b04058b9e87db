//! One more host of a party: what it takes before anybody signs, and how far it is.

use canton_topology::{
    Timestamp,
    judge::{Time, Verifier, fold_batch},
    mapping::{HostingParticipant, Mapping, PackageId, Permission, VettedPackage, VettedPackages},
    transaction::{Operation, Transaction},
};
use protocol::{
    case::Case,
    hosting::{
        HostingStep,
        checklist::{Alarm, Item, Progress, checklist},
        contract_set::{Contents, ContractSet},
        gate::Pending,
        record::Record,
    },
    identity::IdentityPublicKey,
    intent::{Change, HostParty, HostingPath, Seat},
    limits,
    parcel::{Content, ContentHash, Sealed},
    plan::{PlanError, plan},
    refusal::Refusal,
    statement::{Attestation, Backup, Claim, Question, Snapshot},
    todo::{Step, on_nodes, todo},
    verify::{Verification, Wait},
};

use crate::world::World;

const NONCE: [u8; 32] = [9; 32];

fn seat(world: &World, name: &str) -> Seat {
    Seat { owner: world.owner(name).namespace(), participant: world.owner(name).host() }
}

fn replicated(world: &World) -> HostParty {
    HostParty {
        party: world.party(),
        source: seat(world, "alice"),
        target: seat(world, "dave"),
        permission: Permission::Confirmation,
        confirmation_threshold: None,
        path: HostingPath::Replicated { second: Some(seat(world, "bob")), ahead: Vec::new() },
    }
}

fn simple(world: &World, packages: &[&str]) -> HostParty {
    let packages = packages.iter().map(|&package| package.to_owned()).collect();
    HostParty { path: HostingPath::Simple { packages }, ..replicated(world) }
}

fn offered(world: &World, change: HostParty) -> Case {
    world.offered("alice", Change::HostParty(change))
}

/// A time of its own for each statement of a case, so that none is another one once more.
fn moment(world: &World, case: &Case) -> Timestamp {
    let place = i64::try_from(case.statements().len()).unwrap();
    world.now.plus_micros(place - 1_000)
}

fn claim(world: &World, case: &mut Case, name: &str, claim: Claim) {
    let owner = world.owner(name);
    let attestation = Attestation {
        case: case.id(),
        intent: case.intent_hash(),
        owner: owner.namespace(),
        participant: owner.host(),
        at: moment(world, case),
        human: claim == Claim::PutBack,
        claim,
    };
    world.say(case, &attestation, &owner.identity).unwrap();
}

fn ask(world: &World, case: &mut Case, name: &str) {
    let (owner, intent) = (world.owner(name), case.intent_hash());
    let question =
        Question { case: case.id(), intent, owner: owner.namespace(), nonce: NONCE, at: moment(world, case) };
    world.say(case, &question, &owner.identity).unwrap();
}

fn surveyed(world: &World, case: &mut Case) {
    claim(world, case, "alice", Claim::Surveyed { contracts: 2, packages: Vec::new() });
}

/// Everything up to the moment in which the owners sign.
fn up_to_disconnected(world: &World, case: &mut Case) {
    surveyed(world, case);
    claim(world, case, "alice", Claim::Prepared { begin: 7 });
    claim(world, case, "bob", Claim::Prepared { begin: 5 });
    world.must_approve("dave", case);
    claim(world, case, "dave", Claim::Disconnected { nonce: None });
}

fn answered(world: &World, case: &mut Case, asking: &str) {
    ask(world, case, asking);
    claim(world, case, "dave", Claim::Disconnected { nonce: Some(NONCE) });
}

fn contents() -> Contents {
    let mut set = ContractSet::default();
    set.add("00aa");
    set.add("00bb");
    set.contents()
}

fn snapshot(world: &World) -> Snapshot {
    let content = Content { hash: ContentHash::from_bytes([1; 32]), length: 10 };
    let (party, target) = (world.party(), world.owner("dave").host());
    let file = Sealed { plain: content, sealed: content };
    Snapshot { party, target, activated_at: world.now, contents: contents(), file }
}

fn waits_for(world: &World, name: &str, case: &Case) -> Pending {
    match world.verify(name, case) {
        Verification::NotYet(Wait::Hosting(pending)) => pending,
        other => panic!("{name} does not wait for a step: {other:?}"),
    }
}

fn list(world: &World, case: &Case) -> Vec<Item> {
    let speaks = |signer: &IdentityPublicKey, owner: &_| world.directory.owner(signer) == Some(owner);
    let record = Record::of(case, &world.state, &speaks).unwrap();
    checklist(&record, &world.standing(case), world.now)
}

fn due(world: &World, case: &Case) -> Vec<HostingStep> {
    let list = list(world, case);
    list.iter().filter(|item| item.progress == Progress::Due).map(|item| item.step).collect()
}

fn clear_flag(world: &mut World) {
    let mut mapping = world.party_mapping();
    mapping.participants.iter_mut().for_each(|host| host.onboarding = false);
    let serial = world.state.active(&protocol_party_key(world)).unwrap().serial().next().unwrap();
    let cleared = Transaction::build(Operation::AddReplace, serial, &Mapping::PartyToParticipant(mapping));
    world.state.assume(&cleared);
}

fn protocol_party_key(world: &World) -> canton_topology::hash::UniqueKey {
    canton_topology::mapping::party_key(&world.party())
}

#[test]
fn a_new_host_stands_at_the_end_flagged_where_contracts_are_carried_over() {
    let world = World::with_party();
    for (change, onboarding) in [(replicated(&world), true), (simple(&world, &[]), false)] {
        let case = offered(&world, change);
        let Mapping::PartyToParticipant(after) = case.offer().unwrap().transactions[0].mapping() else { panic!() };
        let (participant, permission) = (world.owner("dave").host(), Permission::Confirmation);
        assert_eq!(after.participants.last(), Some(&HostingParticipant { participant, permission, onboarding }));
        assert_eq!(after.participants.len(), 4);
    }
}

#[test]
fn what_cannot_be_hosted_so_is_named_with_its_field() {
    let world = World::with_party();
    let right = replicated(&world);
    let path = |second: Option<&str>, ahead: &[&str]| HostingPath::Replicated {
        second: second.map(|name| seat(&world, name)),
        ahead: ahead.iter().map(|name| world.owner(name).namespace()).collect(),
    };
    let wrong = [
        ("AlreadyThere", HostParty { target: seat(&world, "bob"), ..right.clone() }),
        ("source", HostParty { source: seat(&world, "dave"), target: seat(&world, "dave"), ..right.clone() }),
        ("permission", HostParty { permission: Permission::Submission, ..right.clone() }),
        ("confirmation_threshold", HostParty { confirmation_threshold: Some(5), ..right.clone() }),
        ("second", HostParty { path: path(Some("alice"), &[]), ..right.clone() }),
        ("second", HostParty { path: path(Some("dave"), &[]), ..right.clone() }),
        ("second", HostParty { path: path(None, &[]), ..right.clone() }),
        ("ahead", HostParty { path: path(Some("bob"), &["dave"]), ..right.clone() }),
        ("ahead", HostParty { path: path(Some("bob"), &["bob", "carol"]), ..right.clone() }),
        ("packages", HostParty { path: HostingPath::Simple { packages: vec!["no id!".to_owned()] }, ..right.clone() }),
    ];
    for (expected, change) in wrong {
        let found = match plan(&world.intent("alice", Change::HostParty(change.clone())), &world.state) {
            Err(PlanError::Field { field, .. } | PlanError::OutOfRange { field, .. }) => field,
            Err(PlanError::AlreadyThere { .. }) if change.target == change.source => "source".to_owned(),
            Err(PlanError::AlreadyThere { .. }) => "AlreadyThere".to_owned(),
            other => panic!("{expected}: {other:?}"),
        };
        assert_eq!(found, expected);
    }
}

#[test]
fn a_seat_that_the_book_gives_to_somebody_else_is_refused() {
    let world = World::with_party();
    let wrong = Seat { owner: world.owner("carol").namespace(), participant: world.owner("dave").host() };
    let case = offered(&world, HostParty { target: wrong, ..replicated(&world) });
    for name in ["alice", "bob", "carol"] {
        assert!(matches!(world.must_refuse(name, &case), Refusal::UnknownSeat { seat, .. } if seat == "target"));
    }
}

#[test]
fn nobody_signs_a_simple_hosting_before_the_source_has_looked() {
    let world = World::with_party();
    let mut case = offered(&world, simple(&world, &[]));
    for name in ["alice", "bob", "carol", "dave"] {
        assert_eq!(waits_for(&world, name, &case).step, HostingStep::Look);
    }
    // Another owner's word is not the source's.
    claim(&world, &mut case, "bob", Claim::Unused { ledger_end: 3 });
    assert_eq!(waits_for(&world, "carol", &case).step, HostingStep::Look);

    claim(&world, &mut case, "alice", Claim::Unused { ledger_end: 3 });
    for name in ["alice", "bob", "carol", "dave"] {
        world.must_verify(name, &case);
    }
}

#[test]
fn nobody_signs_before_the_packages_are_vetted_on_the_new_host() {
    let mut world = World::with_party();
    let mut case = offered(&world, simple(&world, &["pkg-1"]));
    claim(&world, &mut case, "alice", Claim::Unused { ledger_end: 3 });
    let pending = waits_for(&world, "alice", &case);
    assert_eq!((pending.step, pending.by), (HostingStep::Vet, world.owner("dave").namespace()));
    assert!(pending.detail.contains("pkg-1"), "{}", pending.detail);

    let package: PackageId = "pkg-1".parse().unwrap();
    let package = VettedPackage { package, valid_from: None, valid_until: None, in_old_list: false };
    let vetted = VettedPackages { participant: world.owner("dave").host(), packages: vec![package] };
    world.state.assume(&crate::world::build(1, Mapping::VettedPackages(vetted)));
    world.must_verify("alice", &case);
}

#[test]
fn nobody_completes_a_replication_before_every_step_that_comes_first() {
    let world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Survey);
    surveyed(&world, &mut case);
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Prepare);
    claim(&world, &mut case, "alice", Claim::Prepared { begin: 7 });
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::PrepareSecond);
    claim(&world, &mut case, "bob", Claim::Prepared { begin: 5 });
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Consent);
    world.must_approve("dave", &mut case);
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Disconnect);
    claim(&world, &mut case, "dave", Claim::Disconnected { nonce: None });
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Disconnect);
    // An answer to somebody else's question is none.
    answered(&world, &mut case, "carol");
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Disconnect);
    answered(&world, &mut case, "bob");
    world.must_verify("bob", &case);
}

#[test]
fn an_answer_that_is_old_or_came_before_the_question_or_after_a_reconnect_counts_for_nothing() {
    let mut world = World::with_party();
    let mut case = offered(&world, replicated(&world));
    up_to_disconnected(&world, &mut case);
    claim(&world, &mut case, "dave", Claim::Disconnected { nonce: Some(NONCE) });
    ask(&world, &mut case, "bob");
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Disconnect);
    claim(&world, &mut case, "dave", Claim::Disconnected { nonce: Some(NONCE) });
    world.must_verify("bob", &case);

    let mut reconnected = case.clone();
    claim(&world, &mut reconnected, "dave", Claim::Reconnected);
    assert_eq!(waits_for(&world, "bob", &reconnected).step, HostingStep::Disconnect);
    let mut put_back = case.clone();
    claim(&world, &mut put_back, "dave", Claim::PutBack);
    assert_eq!(waits_for(&world, "bob", &put_back).step, HostingStep::Disconnect);

    world.now = world.now.plus_micros(limits::FRESH_MICROS_MAX + 1);
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Disconnect);
}

#[test]
fn those_who_sign_ahead_need_no_answer_and_cannot_complete() {
    let world = World::with_party();
    let ahead = vec![world.owner("carol").namespace()];
    let path = HostingPath::Replicated { second: Some(seat(&world, "bob")), ahead };
    let mut case = offered(&world, HostParty { path, ..replicated(&world) });
    surveyed(&world, &mut case);
    world.must_approve("carol", &mut case);
    world.must_approve("dave", &mut case);
    assert!(world.standing(&case).complete.is_none());
    assert_eq!(waits_for(&world, "bob", &case).step, HostingStep::Prepare);
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
    assert_eq!(due(&world, &case), [S::VerifySource, S::VerifyTarget]);
    claim(&world, &mut case, "alice", Claim::SeenHosted);
    claim(&world, &mut case, "dave", Claim::SeenHosted);
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
    up_to_disconnected(&world, &mut case);
    assert!(due(&world, &case).contains(&HostingStep::Backup));
    claim(&world, &mut case, "dave", Claim::BackedUp(Backup::Command));
    assert!(!due(&world, &case).contains(&HostingStep::Backup));
}

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
fn sets_of_contracts_are_equal_whatever_their_order_and_differ_in_any_member() {
    let of = |ids: &[&str]| {
        let mut set = ContractSet::default();
        ids.iter().for_each(|id| set.add(id));
        set
    };
    assert_eq!(of(&["00aa", "00bb", "00cc"]), of(&["00cc", "00aa", "00bb"]));
    assert_eq!(of(&["00aa"]).with(&of(&["00bb", "00cc"])).contents(), of(&["00bb", "00cc", "00aa"]).contents());
    assert_ne!(of(&["00aa", "00bb"]).contents(), of(&["00aa", "00bc"]).contents());
    assert_ne!(of(&["00aa"]).contents(), of(&["00aa", "00aa"]).contents());
    let set = of(&["00aa", "00bb"]);
    assert_eq!(ContractSet::from_bytes(&set.to_bytes()), Some(set.clone()));
    assert_eq!(ContractSet::from_bytes(&set.to_bytes()[1..]), None);
    assert_eq!(hex::encode(set.contents().ids), STABLE_SET);
}

const STABLE_SET: &str = "aa642c90a850729e9d8d03e3fffb7eb547a62359e5d6b4bad10ebc9b5736592a";

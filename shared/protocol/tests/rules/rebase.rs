//! A change that lost its serial is put on what stands now: what each side changed alone is kept, and what both changed in
//! different ways is left to people.

use canton_topology::{
    Timestamp,
    id::{Member, SynchronizerId},
    mapping::{
        Code, CommitmentCatchUp, DecentralizedNamespaceDefinition, Duration, DynamicParameters,
        DynamicSequencingParametersState, HostingParticipant, LsuAnnouncement, LsuSequencerConnectionSuccessor,
        Mapping, MediatorSynchronizerState, NamespaceDelegation, OnboardingRestriction, OwnerKey, OwnerToKeyMapping,
        ParticipantSynchronizerPermission, PartyHostingLimits, PartyToKeyMapping, PartyToParticipant, Permission,
        Restriction, SequencerSynchronizerState, SynchronizerParametersState, SynchronizerTrustCertificate,
        VettedPackage, VettedPackages,
    },
    state::State,
    transaction::{Operation, Serial, Transaction},
};
use protocol::{
    case::Case,
    intent::{Change, Raw},
    plan::plan,
    rebase::{Rebase, RebaseError, rebase},
    workflow::error::PlanError,
};

use crate::world::{World, build};

/// What becomes of a case with these bytes, when these transactions have won instead.
fn rebased(world: &mut World, lost: &[Transaction], won: &[Transaction]) -> Result<Rebase, RebaseError> {
    let loser = lost_case(world, lost);
    won.iter().for_each(|one| world.state.assume(one));
    rebase(&loser, &world.standing(&loser), &world.state)
}

fn lost_case(world: &World, lost: &[Transaction]) -> Case {
    let mut loser = world.proposed("alice", world.raw(lost));
    world.offer_on_top(&mut loser, lost);
    loser
}

fn transactions(rebased: &Rebase) -> Vec<Transaction> {
    let Change::Raw(Raw { transactions }) = &rebased.change else { panic!("{:?}", rebased.change) };
    transactions.iter().map(|bytes| Transaction::parse(bytes).unwrap()).collect()
}

fn conflict(rebased: Result<Rebase, RebaseError>) -> (String, Option<String>, Option<String>) {
    match rebased {
        Err(RebaseError::Conflict { field, stands, wanted, .. }) => (field, stands, wanted),
        other => panic!("{other:?}"),
    }
}

fn definition(world: &World, change: impl FnOnce(&mut DecentralizedNamespaceDefinition)) -> Mapping {
    let Mapping::DecentralizedNamespaceDefinition(mut one) = world.definition().mapping().clone() else { panic!() };
    change(&mut one);
    Mapping::DecentralizedNamespaceDefinition(one)
}

fn party(world: &World, change: impl FnOnce(&mut PartyToParticipant)) -> Mapping {
    let mut one = world.party_mapping();
    change(&mut one);
    Mapping::PartyToParticipant(one)
}

fn host(world: &World, name: &str, permission: Permission) -> HostingParticipant {
    HostingParticipant { participant: world.owner(name).host(), permission, onboarding: false }
}

#[test]
fn what_the_winner_changed_stays_and_what_the_loser_changed_is_put_on_it() {
    let mut world = World::with_party();
    let (bob, carol, dave) = (world.owner("bob").host(), world.owner("carol").host(), world.owner("dave").party_key());
    let observes = host(&world, "dave", Permission::Observation);
    let won = party(&world, |one| {
        one.threshold = 1;
        one.participants.retain(|host| host.participant != carol);
        one.signing_keys.as_mut().unwrap().keys.push(dave.clone());
    });
    let lost = party(&world, |one| {
        one.signing_keys.as_mut().unwrap().threshold = 1;
        one.signing_keys.as_mut().unwrap().keys.remove(0);
        one.participants.push(observes.clone());
        one.participants.iter_mut().find(|host| host.participant == bob).unwrap().permission = Permission::Observation;
    });
    let merged = party(&world, |one| {
        one.threshold = 1;
        one.participants.retain(|host| host.participant != carol);
        one.participants.iter_mut().find(|host| host.participant == bob).unwrap().permission = Permission::Observation;
        one.participants.push(observes);
        let keys = one.signing_keys.as_mut().unwrap();
        keys.threshold = 1;
        keys.keys.remove(0);
        keys.keys.push(dave);
    });

    let rebased = rebased(&mut world, &[build(2, lost)], &[build(2, won)]).unwrap();

    let [new] = &transactions(&rebased)[..] else { panic!("{rebased:?}") };
    assert_eq!((new.serial().get(), new.mapping()), (3, &merged));
    assert_eq!(new.unshown(), []);
}

#[test]
fn what_both_changed_in_different_ways_is_a_conflict_that_names_both() {
    let mut world = World::with_party();
    let carol = world.owner("carol").host();
    let permission = |world: &World, permission| {
        let carol = carol.clone();
        party(world, |one| {
            one.participants.iter_mut().find(|host| host.participant == carol).unwrap().permission = permission;
        })
    };
    let (won, lost) = (permission(&world, Permission::Observation), permission(&world, Permission::Submission));

    let refused = rebased(&mut world, &[build(2, lost)], &[build(2, won)]);

    let words = refused.as_ref().unwrap_err().to_string();
    assert_eq!(
        words,
        format!(
            "PartyToParticipant {}: both changed the host {carol}: observation stands there now, and the case wants \
             submission; propose the change anew on what stands now",
            world.party()
        )
    );
    let (field, ..) = conflict(refused);
    assert_eq!(field, format!("host {carol}"));
}

#[test]
fn a_host_that_the_winner_removed_and_the_loser_changed_is_a_conflict() {
    let mut world = World::with_party();
    let carol = world.owner("carol").host();
    let won = party(&world, |one| one.participants.retain(|host| host.participant != carol));
    let lost = party(&world, |one| one.participants[2].permission = Permission::Observation);

    let refused = conflict(rebased(&mut world, &[build(2, lost.clone())], &[build(2, won.clone())]));
    assert_eq!(refused, (format!("host {carol}"), None, Some("observation".to_owned())));

    let mut world = World::with_party();
    let refused = conflict(rebased(&mut world, &[build(2, won)], &[build(2, lost)]));
    assert_eq!(refused, (format!("host {carol}"), Some("observation".to_owned()), None));
}

#[test]
fn keys_without_a_threshold_are_a_conflict() {
    let mut world = World::with_party();
    let dave = world.owner("dave").party_key();
    let won = party(&world, |one| one.signing_keys = None);
    let lost = party(&world, |one| one.signing_keys.as_mut().unwrap().keys.push(dave));

    let refused = conflict(rebased(&mut world, &[build(2, lost)], &[build(2, won)]));

    assert_eq!(refused, ("signing-key threshold".to_owned(), Some("none".to_owned()), Some("2".to_owned())));
}

#[test]
fn a_loser_several_serials_behind_is_put_on_what_stands_at_the_end() {
    let mut world = World::with_party();
    let (dave, lost) = (world.owner("dave").namespace(), definition(&world, |one| one.threshold = 3));
    let first = definition(&world, |one| one.owners.push(dave.clone()));
    let second = definition(&world, |one| one.owners = vec![one.owners[0].clone(), one.owners[1].clone(), dave]);
    let merged = match second.clone() {
        Mapping::DecentralizedNamespaceDefinition(mut one) => {
            one.threshold = 3;
            Mapping::DecentralizedNamespaceDefinition(one)
        }
        other => panic!("{other:?}"),
    };

    let rebased = rebased(&mut world, &[build(2, lost)], &[build(2, first), build(3, second)]).unwrap();

    assert_eq!(transactions(&rebased), [build(4, merged)]);
}

#[test]
fn what_stands_already_is_not_wanted_again() {
    let mut world = World::with_party();
    let lost = definition(&world, |one| one.threshold = 3);
    let owners = world.owner("dave").namespace();
    let won = definition(&world, |one| (one.threshold = 3, one.owners.push(owners)).0);
    assert_eq!(rebased(&mut world, &[build(2, lost)], &[build(2, won)]), Err(RebaseError::NothingLeft));

    // In a batch only what is done stays out.
    let mut world = World::with_party();
    let (same, own) = (definition(&world, |one| one.threshold = 3), party(&world, |one| one.threshold = 1));
    let repeated = [build(2, same.clone()), build(2, own.clone())];
    let won = [build(2, definition(&world, |one| one.threshold = 1)), build(3, same)];
    let rebased = rebased(&mut world, &repeated, &won).unwrap();
    assert_eq!(transactions(&rebased), [build(2, own)]);
}

#[test]
fn a_batch_is_put_on_what_stands_link_by_link() {
    let mut world = World::with_party();
    let dave = world.owner("dave").namespace();
    let first = definition(&world, |one| one.owners.push(dave.clone()));
    let second = definition(&world, |one| (one.owners.push(dave.clone()), one.threshold = 3).1);
    let won = definition(&world, |one| one.threshold = 3);

    // The second link wants the same threshold as what won, so that the first one alone is left.
    let lost = [build(2, first), build(3, second.clone())];
    let left = rebased(&mut world, &lost, &[build(2, won)]).unwrap();

    assert_eq!(transactions(&left), [build(3, second.clone())]);

    // What a link changes it changes on the one before it, not on the winner.
    let mut world = World::with_party();
    let first = definition(&world, |one| one.owners.push(dave.clone()));
    let won = definition(&world, |one| one.threshold = 1);
    let refused = conflict(rebased(&mut world, &[build(2, first), build(3, second)], &[build(2, won)]));
    assert_eq!(refused, ("threshold".to_owned(), Some("1".to_owned()), Some("3".to_owned())));
}

#[test]
fn a_removal_goes_on_only_where_the_winner_changed_nothing() {
    let removal = |world: &World, serial: u32| {
        let serial = Serial::try_from(serial).unwrap();
        Transaction::build(Operation::Remove, serial, &Mapping::PartyToParticipant(world.party_mapping()))
    };
    let mut world = World::with_party();
    let (lost, same) = (removal(&world, 2), build(2, Mapping::PartyToParticipant(world.party_mapping())));
    let repeated = rebased(&mut world, std::slice::from_ref(&lost), &[same]).unwrap();
    assert_eq!(transactions(&repeated), [removal(&world, 3)]);

    let mut world = World::with_party();
    let won = build(2, party(&world, |one| one.threshold = 1));
    let refused = conflict(rebased(&mut world, std::slice::from_ref(&lost), std::slice::from_ref(&won)));
    assert_eq!(refused, ("mapping".to_owned(), Some("another version".to_owned()), None));

    let mut world = World::with_party();
    let refused = conflict(rebased(&mut world, std::slice::from_ref(&won), std::slice::from_ref(&lost)));
    assert_eq!(refused, ("mapping".to_owned(), None, Some("its own version".to_owned())));

    let mut world = World::with_party();
    let other = removal(&world, 2);
    world.state.assume(&build(2, Mapping::PartyToParticipant(world.party_mapping())));
    let loser = lost_case(&world, &[other]);
    world.state.assume(&removal(&world, 3));
    assert_eq!(rebase(&loser, &world.standing(&loser), &world.state), Err(RebaseError::NothingLeft));
}

#[test]
fn two_that_make_the_same_thing_in_different_ways_are_a_conflict() {
    let mut world = World::new();
    let mapping = |threshold| {
        let Mapping::PartyToParticipant(mut one) = party(&World::with_party(), |_| {}) else { panic!() };
        one.threshold = threshold;
        Mapping::PartyToParticipant(one)
    };
    let refused = conflict(rebased(&mut world, &[build(1, mapping(2))], &[build(1, mapping(1))]));
    let (stands, wanted) = (Some("another version".to_owned()), Some("its own version".to_owned()));
    assert_eq!(refused, ("mapping".to_owned(), stands, wanted));
}

#[test]
fn where_history_begins_in_the_middle_nobody_guesses_what_the_loser_changed() {
    let world = World::with_party();
    let lost = build(2, party(&world, |one| one.threshold = 1));
    let won = build(2, party(&world, |one| one.signing_keys = None));
    let loser = lost_case(&world, std::slice::from_ref(&lost));
    let mut late = State::new(world.synchronizer.clone(), world.state.parameters().clone());
    late.assume(&won);

    let refused = rebase(&loser, &world.standing(&loser), &late);

    let subject = world.party().to_string();
    assert_eq!(refused, Err(RebaseError::BaseUnknown { subject, serial: lost.serial() }));

    // Nor where a part of it is missing.
    let mut late = World::with_party();
    let lost = build(4, party(&late, |one| one.threshold = 1));
    let refused = rebased(&mut late, std::slice::from_ref(&lost), &[build(4, party(&world, |one| one.threshold = 3))]);
    assert!(matches!(refused, Err(RebaseError::BaseUnknown { .. })), "{refused:?}");
}

#[test]
fn what_is_written_twice_is_not_merged() {
    let world = World::new();
    let flags = |feature_flags| {
        let (participant, synchronizer) = (world.owner("alice").host(), world.synchronizer.logical.clone());
        let one = SynchronizerTrustCertificate { participant, synchronizer, feature_flags };
        Mapping::SynchronizerTrustCertificate(one)
    };
    let mut world = World::new();
    world.state.assume(&build(2, flags(vec![7, 7])));
    let (lost, won) = (build(3, flags(vec![7, 7, 8])), build(3, flags(vec![7, 7, 9])));

    let (field, ..) = conflict(rebased(&mut world, &[lost], &[won]));

    assert_eq!(field, "feature flag 7");
}

#[test]
fn what_comes_out_is_planned_like_everything_else() {
    let mut world = World::with_party();
    let (won, lost) = (
        definition(&world, |one| one.threshold = 3),
        definition(&world, |one| {
            one.owners.pop();
        }),
    );

    // Three of two owners: each side alone was fine.
    let rebased = rebased(&mut world, &[build(2, lost)], &[build(2, won)]).unwrap();

    let refused = plan(&world.intent("alice", rebased.change), &world.state).unwrap_err();
    let PlanError::Field { field, reason } = refused else { panic!("{refused:?}") };
    assert_eq!(field, "transactions[0]");
    assert!(reason.contains("3, but there are only 2 owners"), "{reason}");
}

#[test]
fn every_kind_of_mapping_has_its_rule() {
    for code in Code::ALL {
        let world = World::with_party();
        let Some([base, won, lost, merged]) = versions(&world, code) else {
            assert_eq!(code, Code::PartyHostingLimits, "it says nothing that could be changed");
            continue;
        };
        let serial = world.state.active(&base.unique_key()).map_or(0, |row| row.serial().get());
        let mut world = world;
        world.state.assume(&build(serial + 1, base.clone()));
        let again = rebased(&mut world, &[build(serial + 2, lost.clone())], &[build(serial + 2, won.clone())]).unwrap();
        assert_eq!(transactions(&again), [build(serial + 3, merged.clone())], "{code:?}");

        // The other way round the same comes out, up to the order of what is written.
        let mut world = World::with_party();
        world.state.assume(&build(serial + 1, base.clone()));
        let is_change = won != base;
        let again = rebased(&mut world, &[build(serial + 2, won)], &[build(serial + 2, lost)]);
        if !is_change {
            assert_eq!(again, Err(RebaseError::NothingLeft), "{code:?} has one field alone");
            continue;
        }
        let new = transactions(&again.unwrap())[0].mapping().clone();
        assert!(same(&new, &merged), "{code:?}: {new:?}");
    }
    assert_eq!(Mapping::PartyHostingLimits(limits(&World::new())).code(), Code::PartyHostingLimits);
}

#[test]
fn a_field_that_both_changed_is_named_in_kinds_that_have_few() {
    let synchronizer = World::new().synchronizer.logical;
    let payload = |byte: u8| {
        let synchronizer = synchronizer.clone();
        let payload = vec![byte; usize::from(byte)];
        Mapping::DynamicSequencingParametersState(DynamicSequencingParametersState { synchronizer, payload })
    };
    let delegation = |restriction| {
        let Some([Mapping::NamespaceDelegation(mut one), ..]) = versions(&World::new(), Code::NamespaceDelegation)
        else {
            panic!()
        };
        one.restriction = restriction;
        Mapping::NamespaceDelegation(one)
    };
    let request = |bytes| {
        let [Mapping::SynchronizerParametersState(mut one), ..] = parameters(synchronizer.clone()) else { panic!() };
        one.parameters.max_request_size = bytes;
        Mapping::SynchronizerParametersState(one)
    };
    let few = Restriction::Specific([Code::PartyToParticipant].into());
    let all = [
        ("payload", [payload(1), payload(2), payload(3)], ["2 bytes", "3 bytes"]),
        (
            "restriction",
            [Restriction::AllButNamespaceDelegations, Restriction::All, few].map(delegation),
            ["every mapping", "PartyToParticipant"],
        ),
        ("max_request_size", [1, 2, 3].map(request), ["2", "3"]),
    ];
    for (field, [base, won, lost], [stands, wanted]) in all {
        let mut world = World::new();
        world.state.assume(&build(1, base));
        let refused = conflict(rebased(&mut world, &[build(2, lost)], &[build(2, won)]));
        assert_eq!(refused, (field.to_owned(), Some(stands.to_owned()), Some(wanted.to_owned())));
    }
}

/// Whether two say the same but for the order of nodes' keys and packages.
fn same(a: &Mapping, b: &Mapping) -> bool {
    let sorted = |mapping: &Mapping| {
        let mut bytes: Vec<String> =
            canton_topology::show::mapping(mapping).into_iter().map(|line| line.value).collect();
        bytes.sort();
        bytes
    };
    sorted(a) == sorted(b)
}

fn limits(world: &World) -> PartyHostingLimits {
    PartyHostingLimits { synchronizer: world.synchronizer.logical.clone(), party: world.party() }
}

/// What stood, what won, what lost, and what comes out.
fn versions(world: &World, code: Code) -> Option<[Mapping; 4]> {
    let synchronizer = world.synchronizer.logical.clone();
    Some(match code {
        Code::NamespaceDelegation => delegations(world),
        Code::DecentralizedNamespaceDefinition => {
            let dave = world.owner("dave").namespace();
            [
                definition(world, |_| {}),
                definition(world, |one| one.threshold = 3),
                definition(world, |one| one.owners.push(dave.clone())),
                definition(world, |one| (one.threshold = 3, one.owners.push(dave.clone())).0),
            ]
        }
        Code::OwnerToKeyMapping => node_keys(world),
        Code::SynchronizerTrustCertificate => {
            let participant = world.owner("alice").host();
            [vec![1], vec![1, 2], vec![], vec![2]].map(|feature_flags| {
                let (participant, synchronizer) = (participant.clone(), synchronizer.clone());
                Mapping::SynchronizerTrustCertificate(SynchronizerTrustCertificate {
                    participant,
                    synchronizer,
                    feature_flags,
                })
            })
        }
        Code::ParticipantSynchronizerPermission => permissions(world),
        Code::PartyHostingLimits => return None,
        Code::VettedPackages => packages(world),
        Code::PartyToParticipant => [
            party(world, |_| {}),
            party(world, |one| one.threshold = 1),
            party(world, |one| one.signing_keys.as_mut().unwrap().threshold = 1),
            party(world, |one| (one.threshold = 1, one.signing_keys.as_mut().unwrap().threshold = 1).0),
        ],
        Code::SynchronizerParametersState => parameters(synchronizer),
        Code::MediatorSynchronizerState => members("MED").map(|(threshold, active, observers)| {
            let synchronizer = synchronizer.clone();
            Mapping::MediatorSynchronizerState(MediatorSynchronizerState {
                synchronizer,
                group: 0,
                threshold,
                active,
                observers,
            })
        }),
        Code::SequencerSynchronizerState => members("SEQ").map(|(threshold, active, observers)| {
            let synchronizer = synchronizer.clone();
            Mapping::SequencerSynchronizerState(SequencerSynchronizerState {
                synchronizer,
                threshold,
                active,
                observers,
            })
        }),
        Code::DynamicSequencingParametersState => [vec![1], vec![1], vec![2], vec![2]].map(|payload| {
            let synchronizer = synchronizer.clone();
            Mapping::DynamicSequencingParametersState(DynamicSequencingParametersState { synchronizer, payload })
        }),
        Code::PartyToKeyMapping => party_keys(world),
        Code::LsuAnnouncement => [("34-1", 1), ("34-2", 1), ("34-1", 2), ("34-2", 2)].map(|(version, time)| {
            let successor = format!("{synchronizer}::{version}").parse().unwrap();
            Mapping::LsuAnnouncement(LsuAnnouncement { successor, upgrade_time: Timestamp(time * 1_000_000) })
        }),
        Code::LsuSequencerConnectionSuccessor => {
            let (a, b) = ("https://a.example".to_owned(), "https://b.example".to_owned());
            let all = [(&a, None), (&b, None), (&a, Some(vec![7])), (&b, Some(vec![7]))];
            all.map(|(endpoint, custom_trust_certificates)| {
                Mapping::LsuSequencerConnectionSuccessor(LsuSequencerConnectionSuccessor {
                    sequencer: format!("one::{}", world.namespace()).parse().unwrap(),
                    successor: format!("{synchronizer}::34-1").parse().unwrap(),
                    endpoints: vec![endpoint.clone()],
                    custom_trust_certificates,
                })
            })
        }
    })
}

fn delegations(world: &World) -> [Mapping; 4] {
    let (alice, dave) = (world.owner("alice").namespace(), world.owner("dave").namespace_key());
    let few = || Restriction::Specific([Code::PartyToParticipant].into());
    let all = [Restriction::AllButNamespaceDelegations, Restriction::AllButNamespaceDelegations, few(), few()];
    all.map(|restriction| {
        let (namespace, target) = (alice.clone(), dave.clone());
        Mapping::NamespaceDelegation(NamespaceDelegation { namespace, target, restriction })
    })
}

fn node_keys(world: &World) -> [Mapping; 4] {
    let key = |name: &str| OwnerKey::Signing(world.owner(name).party_key());
    let member: Member = format!("PAR::{}", world.owner("alice").host()).parse().unwrap();
    let all = [vec!["alice", "bob"], vec!["alice", "bob", "carol"], vec!["bob", "dave"], vec!["bob", "carol", "dave"]];
    all.map(|names| {
        let keys = names.into_iter().map(key).collect();
        Mapping::OwnerToKeyMapping(OwnerToKeyMapping { member: member.clone(), keys })
    })
}

fn party_keys(world: &World) -> [Mapping; 4] {
    let all =
        [(2, vec!["alice", "bob"]), (1, vec!["alice", "bob"]), (2, vec!["bob", "dave"]), (1, vec!["bob", "dave"])];
    all.map(|(threshold, names)| {
        let keys = names.into_iter().map(|name| world.owner(name).party_key()).collect();
        Mapping::PartyToKeyMapping(PartyToKeyMapping { party: world.party(), threshold, keys })
    })
}

fn permissions(world: &World) -> [Mapping; 4] {
    let all = [
        (Permission::Submission, None, None),
        (Permission::Observation, Some(5), None),
        (Permission::Submission, None, Some(Timestamp(7))),
        (Permission::Observation, Some(5), Some(Timestamp(7))),
    ];
    all.map(|(permission, confirmation_requests_max_rate, login_after)| {
        Mapping::ParticipantSynchronizerPermission(ParticipantSynchronizerPermission {
            synchronizer: world.synchronizer.logical.clone(),
            participant: world.owner("alice").host(),
            permission,
            confirmation_requests_max_rate,
            login_after,
        })
    })
}

fn packages(world: &World) -> [Mapping; 4] {
    let package = |name: &str, in_old_list, valid_until: Option<i64>| {
        let valid_until = valid_until.map(Timestamp);
        VettedPackage { package: name.parse().unwrap(), valid_from: None, valid_until, in_old_list }
    };
    let (old, new) = (package("a", true, None), package("b", false, None));
    let (ends, more, third) = (package("b", false, Some(9)), package("c", true, None), package("d", false, None));
    let all = [
        vec![old.clone(), new.clone()],
        vec![old.clone(), new.clone(), third.clone()],
        vec![old.clone(), more.clone(), ends.clone()],
        vec![old, more, ends, third],
    ];
    all.map(|packages| Mapping::VettedPackages(VettedPackages { participant: world.owner("alice").host(), packages }))
}

fn members(kind: &str) -> [(u32, Vec<Member>, Vec<Member>); 4] {
    let member = |name: &str| -> Member { format!("{kind}::{name}::1220aa").parse().unwrap() };
    let (a, b, c) = (member("a"), member("b"), member("c"));
    [
        (1, vec![a.clone()], vec![b.clone()]),
        (1, vec![a.clone(), b.clone()], vec![]),
        (1, vec![a.clone(), c.clone()], vec![b.clone()]),
        (1, vec![a, b, c], vec![]),
    ]
}

fn parameters(synchronizer: SynchronizerId) -> [Mapping; 4] {
    let second = |seconds| Duration { seconds, nanos: 0 };
    let plain = SynchronizerParametersState {
        synchronizer,
        onboarding_restriction: OnboardingRestriction::UnrestrictedOpen,
        parameters: DynamicParameters {
            confirmation_response_timeout: second(30),
            mediator_reaction_timeout: second(30),
            assignment_exclusivity_timeout: second(60),
            ledger_time_record_time_tolerance: second(60),
            reconciliation_interval: second(60),
            mediator_deduplication_timeout: second(7 * 24 * 3600),
            max_request_size: 10 << 20,
            confirmation_requests_max_rate: 1_000_000,
            sequencer_aggregate_submission_timeout: second(300),
            traffic_control: None,
            commitment_catch_up: None,
            preparation_time_record_time_tolerance: None,
        },
    };
    let mut won = plain.clone();
    won.onboarding_restriction = OnboardingRestriction::RestrictedOpen;
    won.parameters.mediator_reaction_timeout = second(40);
    let mut lost = plain.clone();
    lost.parameters.max_request_size = 20 << 20;
    lost.parameters.commitment_catch_up = Some(CommitmentCatchUp { interval_skip: 5, intervals_to_trigger: 2 });
    let mut merged = won.clone();
    merged.parameters.max_request_size = lost.parameters.max_request_size;
    merged.parameters.commitment_catch_up = lost.parameters.commitment_catch_up;
    [plain, won, lost, merged].map(Mapping::SynchronizerParametersState)
}

//! The time in which the hosts rightly disagree.

use canton_topology::mapping::{
    Duration, DynamicParameters, Mapping, OnboardingRestriction, SynchronizerParametersState,
};
use protocol::{
    case::Case,
    hosting::{onboarding::Onboarding, record::Record},
    identity::IdentityPublicKey,
    statement::Claim,
};

use super::{answered, claim, clear_flag, offered, replicated, snapshot, up_to_disconnected};
use crate::world::World;

fn onboarding(world: &World, case: &Case) -> Option<Onboarding> {
    let speaks = |signer: &IdentityPublicKey, owner: &_| world.directory.owner(signer) == Some(owner);
    Onboarding::of(&Record::of(case, &world.state, &speaks).unwrap(), &world.state)
}

/// Canton's own defaults: 30 s and 30 s until everything is decided, a comparison each minute.
fn assume_parameters(world: &mut World) {
    let seconds = |seconds| Duration { seconds, nanos: 0 };
    let parameters = DynamicParameters {
        confirmation_response_timeout: seconds(30),
        mediator_reaction_timeout: seconds(30),
        assignment_exclusivity_timeout: seconds(0),
        ledger_time_record_time_tolerance: seconds(60),
        reconciliation_interval: seconds(60),
        mediator_deduplication_timeout: seconds(172_800),
        max_request_size: 10_485_760,
        confirmation_requests_max_rate: 10_000,
        sequencer_aggregate_submission_timeout: seconds(300),
        traffic_control: None,
        commitment_catch_up: None,
        preparation_time_record_time_tolerance: None,
    };
    let synchronizer = world.state.synchronizer().logical.clone();
    let onboarding_restriction = OnboardingRestriction::UnrestrictedOpen;
    let mapping = SynchronizerParametersState { synchronizer, onboarding_restriction, parameters };
    world.state.assume(&crate::world::build(1, Mapping::SynchronizerParametersState(mapping)));
}

#[test]
fn warnings_of_other_contracts_are_expected_from_the_activation_until_the_flag_is_gone() {
    let mut world = World::with_party();
    assume_parameters(&mut world);
    let mut case = offered(&world, replicated(&world));
    up_to_disconnected(&world, &mut case);
    for name in ["bob", "carol"] {
        answered(&world, &mut case, name);
        world.must_approve(name, &mut case);
    }
    assert_eq!(onboarding(&world, &case), None);
    let before = world.state.clone();
    world.must_submit(&case);

    let expected = onboarding(&world, &case).unwrap();
    assert_eq!(expected.flag_until, expected.since.plus_micros(60_000_000));
    assert_eq!(expected.compared_every_s, 60);
    assert!(expected.to_string().contains("ACS_COMMITMENT_MISMATCH"), "{expected}");
    clear_flag(&mut world);
    assert_eq!(onboarding(&world, &case), None);

    // A node that is disconnected hears of it from the source alone.
    world.state = before;
    claim(&world, &mut case, "alice", Claim::Exported(snapshot(&world)));
    assert_eq!(onboarding(&world, &case).unwrap().since, world.now);
}

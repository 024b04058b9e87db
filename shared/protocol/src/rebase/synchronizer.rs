//! The rules for what a synchronizer says of itself.

use canton_topology::{
    id::Member,
    mapping::{DynamicParameters, MediatorSynchronizerState, SequencerSynchronizerState, SynchronizerParametersState},
};

use super::three::{Clash, Three};

pub(super) fn parameters(three: &Three<'_, SynchronizerParametersState>) -> Result<SynchronizerParametersState, Clash> {
    macro_rules! parameter {
        ($name:ident) => {
            three.field(stringify!($name), |one| one.parameters.$name.clone(), |value| format!("{value:?}"))?
        };
    }
    Ok(SynchronizerParametersState {
        synchronizer: three.stands.synchronizer.clone(),
        onboarding_restriction: three.field(
            "onboarding_restriction",
            |one| one.onboarding_restriction,
            |value| format!("{value:?}"),
        )?,
        parameters: DynamicParameters {
            confirmation_response_timeout: parameter!(confirmation_response_timeout),
            mediator_reaction_timeout: parameter!(mediator_reaction_timeout),
            assignment_exclusivity_timeout: parameter!(assignment_exclusivity_timeout),
            ledger_time_record_time_tolerance: parameter!(ledger_time_record_time_tolerance),
            reconciliation_interval: parameter!(reconciliation_interval),
            mediator_deduplication_timeout: parameter!(mediator_deduplication_timeout),
            max_request_size: parameter!(max_request_size),
            confirmation_requests_max_rate: parameter!(confirmation_requests_max_rate),
            sequencer_aggregate_submission_timeout: parameter!(sequencer_aggregate_submission_timeout),
            traffic_control: parameter!(traffic_control),
            commitment_catch_up: parameter!(commitment_catch_up),
            preparation_time_record_time_tolerance: parameter!(preparation_time_record_time_tolerance),
        },
    })
}

pub(super) fn mediators(three: &Three<'_, MediatorSynchronizerState>) -> Result<MediatorSynchronizerState, Clash> {
    let (active, observers) = members(three, |one| (&one.active, &one.observers))?;
    Ok(MediatorSynchronizerState {
        synchronizer: three.stands.synchronizer.clone(),
        group: three.stands.group,
        threshold: three.field("threshold", |one| one.threshold, u32::to_string)?,
        active,
        observers,
    })
}

pub(super) fn sequencers(three: &Three<'_, SequencerSynchronizerState>) -> Result<SequencerSynchronizerState, Clash> {
    let (active, observers) = members(three, |one| (&one.active, &one.observers))?;
    Ok(SequencerSynchronizerState {
        synchronizer: three.stands.synchronizer.clone(),
        threshold: three.field("threshold", |one| one.threshold, u32::to_string)?,
        active,
        observers,
    })
}

/// Those that decide and those that only look. A member is one or the other.
fn members<T>(
    three: &Three<'_, T>,
    of: impl Fn(&T) -> (&Vec<Member>, &Vec<Member>),
) -> Result<(Vec<Member>, Vec<Member>), Clash> {
    let entries = three.entries(
        |one| {
            let (active, observers) = of(one);
            let active = active.iter().map(|member| (member.clone(), true));
            active.chain(observers.iter().map(|member| (member.clone(), false))).collect()
        },
        ToString::to_string,
        |decides| if *decides { "active" } else { "observer" }.to_owned(),
    )?;
    let (active, observers): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(_, decides)| *decides);
    let names = |all: Vec<(Member, bool)>| all.into_iter().map(|(member, _)| member).collect();
    Ok((names(active), names(observers)))
}

//! The parameters that a synchronizer can change while it runs.

use super::{OnboardingRestriction, non_negative, positive};
use crate::wire::{DecodeError, DecodeErrorKind, Node, Writer};

/// A duration of zero or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Duration {
    /// Whole seconds.
    pub seconds: u64,
    /// Nanoseconds behind them, below 1,000,000,000.
    pub nanos: u32,
}

/// How members pay for their traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficControl {
    /// Most bytes of base traffic that a member gathers.
    pub max_base_traffic_amount: u64,
    /// How long it takes to gather them; more than zero.
    pub max_base_traffic_accumulation_duration: Duration,
    /// What reading costs compared with writing, in ten thousandths.
    pub read_vs_write_scaling_factor: u32,
    /// Within which time a purchase must be sequenced; more than zero.
    pub set_balance_request_submission_window_size: Duration,
    /// Whether members without traffic are refused.
    pub enforce_rate_limiting: bool,
    /// What every event costs at least, as written: nothing and `Some(0)` mean the same.
    pub base_event_cost: Option<u64>,
    /// Whether confirmations are free.
    pub free_confirmation_responses: bool,
}

/// When participants that lag behind skip commitments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitmentCatchUp {
    /// How many intervals are skipped.
    pub interval_skip: u32,
    /// How many intervals of lag begin it.
    pub intervals_to_trigger: u32,
}

/// `DynamicSynchronizerParameters`, but for who may join, which stands beside it. Equality is Canton's.
#[derive(Clone, Debug)]
pub struct DynamicParameters {
    /// How long participants have for confirming.
    pub confirmation_response_timeout: Duration,
    /// How long the mediator has behind that.
    pub mediator_reaction_timeout: Duration,
    /// How long only the submitter may finish a reassignment.
    pub assignment_exclusivity_timeout: Duration,
    /// How far ledger time and record time may be apart.
    pub ledger_time_record_time_tolerance: Duration,
    /// How far apart commitments are: whole seconds, one at least.
    pub reconciliation_interval: Duration,
    /// How long the mediator remembers requests.
    pub mediator_deduplication_timeout: Duration,
    /// Greatest request, in bytes.
    pub max_request_size: u32,
    /// Most confirmation requests per second of one participant.
    pub confirmation_requests_max_rate: u32,
    /// How long the sequencer waits for an aggregation to complete.
    pub sequencer_aggregate_submission_timeout: Duration,
    /// How traffic is paid for; free, where absent.
    pub traffic_control: Option<TrafficControl>,
    /// When commitments are skipped; never, where absent.
    pub commitment_catch_up: Option<CommitmentCatchUp>,
    /// How far preparation time and record time may be apart, as written; old releases left it out.
    pub preparation_time_record_time_tolerance: Option<Duration>,
}

impl DynamicParameters {
    /// How far preparation time and record time may be apart: as far as ledger time, where nothing is written.
    pub fn preparation_tolerance(&self) -> Duration {
        self.preparation_time_record_time_tolerance.unwrap_or(self.ledger_time_record_time_tolerance)
    }

    /// Reads the message, and who may join.
    pub(super) fn from_node(node: &Node<'_>) -> Result<(Self, OnboardingRestriction), DecodeError> {
        // In Canton's order, so that of several faults the same one is named.
        let confirmation_response_timeout = required(node, 1)?;
        let mediator_reaction_timeout = required(node, 2)?;
        let assignment_exclusivity_timeout = required(node, 3)?;
        let ledger_time_record_time_tolerance = required(node, 5)?;
        let reconciliation_interval = required(node, 6)?;
        if reconciliation_interval.seconds == 0 || reconciliation_interval.nanos != 0 {
            let reason = "must be whole seconds, one at least".to_owned();
            return Err(node.error(6, DecodeErrorKind::ValueConversion(reason)));
        }
        let mediator_deduplication_timeout = required(node, 7)?;
        let max_request_size = non_negative(node, 8)?;
        let sequencer_aggregate_submission_timeout = required(node, 15)?;
        let traffic_control = node.child(16).map(|child| TrafficControl::from_node(&child)).transpose()?;
        let restriction = OnboardingRestriction::from_node(node, 9)?;
        let commitment_catch_up = node.child(17).map(|child| CommitmentCatchUp::from_node(&child)).transpose()?;
        let limits = node.child(13).ok_or_else(|| node.error(13, DecodeErrorKind::FieldNotSet))?;
        let parameters = Self {
            confirmation_response_timeout,
            mediator_reaction_timeout,
            assignment_exclusivity_timeout,
            ledger_time_record_time_tolerance,
            reconciliation_interval,
            mediator_deduplication_timeout,
            max_request_size,
            confirmation_requests_max_rate: non_negative(&limits, 1)?,
            sequencer_aggregate_submission_timeout,
            traffic_control,
            commitment_catch_up,
            preparation_time_record_time_tolerance: duration(node, 18)?,
        };
        if parameters.preparation_tolerance().doubled() > mediator_deduplication_timeout {
            let reason = "must be at most half of the mediator's deduplication timeout".to_owned();
            return Err(node.error(18, DecodeErrorKind::Invariant(reason)));
        }
        Ok((parameters, restriction))
    }

    pub(super) fn encode(&self, restriction: OnboardingRestriction) -> Vec<u8> {
        let mut writer = Writer::default();
        self.confirmation_response_timeout.write(&mut writer, 1);
        self.mediator_reaction_timeout.write(&mut writer, 2);
        self.assignment_exclusivity_timeout.write(&mut writer, 3);
        self.ledger_time_record_time_tolerance.write(&mut writer, 5);
        self.reconciliation_interval.write(&mut writer, 6);
        self.mediator_deduplication_timeout.write(&mut writer, 7);
        writer.number(8, i64::from(self.max_request_size));
        writer.number(9, restriction as i64);
        let mut limits = Writer::default();
        limits.number(1, i64::from(self.confirmation_requests_max_rate));
        writer.bytes(13, &limits.finish());
        self.sequencer_aggregate_submission_timeout.write(&mut writer, 15);
        if let Some(traffic) = &self.traffic_control {
            writer.bytes(16, &traffic.encode());
        }
        if let Some(catch_up) = &self.commitment_catch_up {
            let mut inner = Writer::default();
            inner.number(1, i64::from(catch_up.interval_skip));
            inner.number(2, i64::from(catch_up.intervals_to_trigger));
            writer.bytes(17, &inner.finish());
        }
        if let Some(tolerance) = self.preparation_time_record_time_tolerance {
            tolerance.write(&mut writer, 18);
        }
        writer.finish()
    }

    /// Everything, as Canton compares it.
    fn said(&self) -> impl PartialEq {
        let traffic = self.traffic_control.clone();
        (
            [
                self.confirmation_response_timeout,
                self.mediator_reaction_timeout,
                self.assignment_exclusivity_timeout,
                self.ledger_time_record_time_tolerance,
                self.reconciliation_interval,
                self.mediator_deduplication_timeout,
                self.sequencer_aggregate_submission_timeout,
                self.preparation_tolerance(),
            ],
            [self.max_request_size, self.confirmation_requests_max_rate],
            traffic.map(|t| TrafficControl { base_event_cost: Some(t.base_event_cost.unwrap_or(0)), ..t }),
            self.commitment_catch_up,
        )
    }
}

impl PartialEq for DynamicParameters {
    fn eq(&self, other: &Self) -> bool {
        self.said() == other.said()
    }
}

impl Eq for DynamicParameters {}

impl TrafficControl {
    fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let max_base_traffic_amount = non_negative_long(node, 1)?;
        let max_base_traffic_accumulation_duration = more_than_zero(node, 3)?;
        let set_balance_request_submission_window_size = more_than_zero(node, 5)?;
        let read_vs_write_scaling_factor = positive(node, 4)?;
        let base_event_cost = node.has(7).then(|| non_negative_long(node, 7)).transpose()?;
        Ok(Self {
            max_base_traffic_amount,
            max_base_traffic_accumulation_duration,
            read_vs_write_scaling_factor,
            set_balance_request_submission_window_size,
            enforce_rate_limiting: node.number(6) != 0,
            base_event_cost,
            free_confirmation_responses: node.number(8) != 0,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(1, self.max_base_traffic_amount as i64);
        self.max_base_traffic_accumulation_duration.write(&mut writer, 3);
        writer.number(4, i64::from(self.read_vs_write_scaling_factor));
        self.set_balance_request_submission_window_size.write(&mut writer, 5);
        writer.number(6, i64::from(self.enforce_rate_limiting));
        if let Some(cost) = self.base_event_cost {
            writer.varint(7, cost);
        }
        writer.number(8, i64::from(self.free_confirmation_responses));
        writer.finish()
    }
}

impl CommitmentCatchUp {
    fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        Ok(Self { interval_skip: positive(node, 1)?, intervals_to_trigger: positive(node, 2)? })
    }
}

impl Duration {
    const NANOS: u32 = 1_000_000_000;

    fn doubled(self) -> Self {
        let nanos = self.nanos * 2;
        let carried = u64::from(nanos / Self::NANOS);
        Self { seconds: self.seconds.saturating_mul(2).saturating_add(carried), nanos: nanos % Self::NANOS }
    }

    fn write(self, writer: &mut Writer, number: u32) {
        let mut inner = Writer::default();
        inner.number(1, self.seconds as i64);
        inner.number(2, i64::from(self.nanos));
        writer.bytes(number, &inner.finish());
    }
}

/// Reads a `google.protobuf.Duration` that Canton wants to be zero or more.
fn duration(node: &Node<'_>, number: u32) -> Result<Option<Duration>, DecodeError> {
    let Some(inner) = node.child(number) else { return Ok(None) };
    let nanos = inner.number(2);
    let nanos_per_second = i64::from(Duration::NANOS);
    let seconds = inner.number(1).checked_add(nanos.div_euclid(nanos_per_second));
    let seconds = seconds
        .ok_or_else(|| node.error(number, DecodeErrorKind::Duration("more seconds than can be counted".to_owned())))?;
    let seconds = u64::try_from(seconds).map_err(|_| {
        node.error(number, DecodeErrorKind::ValueConversion(format!("{seconds} s: must be zero or more")))
    })?;
    Ok(Some(Duration { seconds, nanos: nanos.rem_euclid(nanos_per_second) as u32 }))
}

fn required(node: &Node<'_>, number: u32) -> Result<Duration, DecodeError> {
    duration(node, number)?.ok_or_else(|| node.error(number, DecodeErrorKind::FieldNotSet))
}

fn more_than_zero(node: &Node<'_>, number: u32) -> Result<Duration, DecodeError> {
    let duration = required(node, number)?;
    if duration == (Duration { seconds: 0, nanos: 0 }) {
        return Err(node.error(number, DecodeErrorKind::ValueConversion("0 s: must be more".to_owned())));
    }
    Ok(duration)
}

fn non_negative_long(node: &Node<'_>, number: u32) -> Result<u64, DecodeError> {
    let value = node.number(number);
    u64::try_from(value)
        .map_err(|_| node.error(number, DecodeErrorKind::Invariant(format!("{value}: must be from 0 to {}", i64::MAX))))
}

//! How a participant of the sandbox is registered with its synchronizer.

use canton_proto::canton::admin::{
    participant::v30::SynchronizerConnectionConfig,
    sequencer::v30::{
        SequencerConnection, SequencerConnectionPoolDelays, SequencerConnections, SubmissionRequestAmplification,
        sequencer_connection,
    },
    time::v30::{SynchronizerTimeTrackerConfig, TimeProofRequestConfig},
};
use canton_topology::id::PhysicalSynchronizerId;

/// The name that a participant gives its synchronizer.
pub(crate) fn alias(synchronizer: &PhysicalSynchronizerId) -> &str {
    synchronizer.logical.uid().identifier()
}

/// The registration that a node makes of its defaults.
pub(crate) fn config(synchronizer: &PhysicalSynchronizerId) -> SynchronizerConnectionConfig {
    let millis =
        |millis: i32| prost_types::Duration { seconds: i64::from(millis / 1_000), nanos: millis % 1_000 * 1_000_000 };
    let sequencer = SequencerConnection {
        alias: "sequencer".to_owned(),
        sequencer_id: None,
        r#type: Some(sequencer_connection::Type::Grpc(sequencer_connection::Grpc {
            connections: vec!["http://127.0.0.1:5001".to_owned()],
            transport_security: false,
            custom_trust_certificates: None,
        })),
    };
    SynchronizerConnectionConfig {
        synchronizer_alias: alias(synchronizer).to_owned(),
        sequencer_connections: Some(SequencerConnections {
            sequencer_connections: vec![sequencer],
            sequencer_trust_threshold: 1,
            submission_request_amplification: Some(SubmissionRequestAmplification {
                factor: 1,
                patience: Some(millis(0)),
                confirmation_response_factor: None,
                confirmation_response_patience: None,
            }),
            sequencer_liveness_margin: 0,
            sequencer_connection_pool_delays: Some(SequencerConnectionPoolDelays {
                min_restart_delay: Some(millis(10)),
                max_restart_delay: Some(millis(10_000)),
                subscription_request_delay: Some(millis(1_000)),
                warn_validation_delay: Some(millis(20_000)),
            }),
        }),
        manual_connect: false,
        physical_synchronizer_id: String::new(),
        priority: 0,
        initial_retry_delay: Some(millis(1_000)),
        max_retry_delay: Some(millis(10_000)),
        time_tracker: Some(SynchronizerTimeTrackerConfig {
            observation_latency: Some(millis(250)),
            patience_duration: Some(millis(500)),
            min_observation_duration: Some(millis(86_400_000)),
            time_proof_request: Some(TimeProofRequestConfig {
                initial_retry_delay: Some(millis(200)),
                max_retry_delay: Some(millis(5_000)),
                max_sequencing_delay: Some(millis(10_000)),
            }),
        }),
        initialize_from_trusted_synchronizer: false,
    }
}

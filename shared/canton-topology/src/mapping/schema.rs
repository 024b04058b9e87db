//! The messages of every mapping, field by field (`topology-protocol`, appendix A.2 to A.5).

use crate::{
    key::{ENCRYPTION_PUBLIC_KEY, SIGNING_PUBLIC_KEY},
    wire::schema::{Field, Kind, Schema},
};

const fn message(schema: &'static Schema) -> Kind {
    Kind::Message(schema)
}

pub(crate) static WRAPPER: Schema = Schema {
    name: "UntypedVersionedMessage",
    fields: &[Field::optional(1, "data", Kind::Bytes), Field::one(2, "version", Kind::Int32)],
};

pub(crate) static TRANSACTION: Schema = Schema {
    name: "TopologyTransaction",
    fields: &[
        Field::one(1, "operation", Kind::Enum(&[(1, "ADD_REPLACE"), (2, "REMOVE")])),
        Field::one(2, "serial", Kind::Uint32),
        Field::one(3, "mapping", message(&MAPPING)),
    ],
};

pub(crate) static MAPPING: Schema = Schema {
    name: "TopologyMapping",
    fields: &[
        Field::one_of(1, "namespace_delegation", message(&NAMESPACE_DELEGATION)),
        Field::one_of(3, "decentralized_namespace_definition", message(&DECENTRALIZED_NAMESPACE_DEFINITION)),
        Field::one_of(4, "owner_to_key_mapping", message(&OWNER_TO_KEY_MAPPING)),
        Field::one_of(5, "synchronizer_trust_certificate", message(&SYNCHRONIZER_TRUST_CERTIFICATE)),
        Field::one_of(6, "participant_permission", message(&PARTICIPANT_SYNCHRONIZER_PERMISSION)),
        Field::one_of(7, "party_hosting_limits", message(&PARTY_HOSTING_LIMITS)),
        Field::one_of(8, "vetted_packages", message(&VETTED_PACKAGES)),
        Field::one_of(9, "party_to_participant", message(&PARTY_TO_PARTICIPANT)),
        Field::one_of(11, "synchronizer_parameters_state", message(&SYNCHRONIZER_PARAMETERS_STATE)),
        Field::one_of(12, "mediator_synchronizer_state", message(&MEDIATOR_SYNCHRONIZER_STATE)),
        Field::one_of(13, "sequencer_synchronizer_state", message(&SEQUENCER_SYNCHRONIZER_STATE)),
        Field::one_of(15, "sequencing_dynamic_parameters_state", message(&DYNAMIC_SEQUENCING_PARAMETERS_STATE)),
        Field::one_of(16, "party_to_key_mapping", message(&PARTY_TO_KEY_MAPPING)),
        Field::one_of(17, "synchronizer_upgrade_announcement", message(&LSU_ANNOUNCEMENT)),
        Field::one_of(18, "sequencer_connection_successor", message(&LSU_SEQUENCER_CONNECTION_SUCCESSOR)),
    ],
};

static EMPTY: Schema = Schema { name: "Empty", fields: &[] };

pub(crate) static CODES: [(i32, &str); 15] = [
    (1, "NAMESPACE_DELEGATION"),
    (3, "DECENTRALIZED_NAMESPACE_DEFINITION"),
    (4, "OWNER_TO_KEY_MAPPING"),
    (5, "SYNCHRONIZER_TRUST_CERTIFICATE"),
    (6, "PARTICIPANT_PERMISSION"),
    (7, "PARTY_HOSTING_LIMITS"),
    (8, "VETTED_PACKAGES"),
    (9, "PARTY_TO_PARTICIPANT"),
    (11, "SYNCHRONIZER_PARAMETERS_STATE"),
    (12, "MEDIATOR_SYNCHRONIZER_STATE"),
    (13, "SEQUENCER_SYNCHRONIZER_STATE"),
    (17, "SEQUENCING_DYNAMIC_PARAMETERS_STATE"),
    (18, "PARTY_TO_KEY_MAPPING"),
    (19, "LSU_ANNOUNCEMENT"),
    (20, "SEQUENCER_CONNECTION_SUCCESSOR"),
];

static PERMISSIONS: [(i32, &str); 3] = [(1, "SUBMISSION"), (2, "CONFIRMATION"), (3, "OBSERVATION")];

static NAMESPACE_DELEGATION: Schema = Schema {
    name: "NamespaceDelegation",
    fields: &[
        Field::one(1, "namespace", Kind::Text),
        Field::one(2, "target_key", message(&SIGNING_PUBLIC_KEY)),
        Field::one(3, "is_root_delegation", Kind::Bool),
        Field::one_of(4, "can_sign_all_mappings", message(&EMPTY)),
        Field::one_of(5, "can_sign_all_but_namespace_delegations", message(&EMPTY)),
        Field::one_of(6, "can_sign_specific_mapings", message(&CAN_SIGN_SPECIFIC_MAPPINGS)),
    ],
};

static CAN_SIGN_SPECIFIC_MAPPINGS: Schema =
    Schema { name: "CanSignSpecificMappings", fields: &[Field::many(1, "mappings", Kind::Enum(&CODES))] };

static DECENTRALIZED_NAMESPACE_DEFINITION: Schema = Schema {
    name: "DecentralizedNamespaceDefinition",
    fields: &[
        Field::one(1, "decentralized_namespace", Kind::Text),
        Field::one(2, "threshold", Kind::Int32),
        Field::many(3, "owners", Kind::Text),
    ],
};

static PUBLIC_KEY: Schema = Schema {
    name: "PublicKey",
    fields: &[
        Field::one_of(1, "signing_public_key", message(&SIGNING_PUBLIC_KEY)),
        Field::one_of(2, "encryption_public_key", message(&ENCRYPTION_PUBLIC_KEY)),
    ],
};

static OWNER_TO_KEY_MAPPING: Schema = Schema {
    name: "OwnerToKeyMapping",
    fields: &[Field::one(1, "member", Kind::Text), Field::many(2, "public_keys", message(&PUBLIC_KEY))],
};

static PARTY_TO_KEY_MAPPING: Schema = Schema {
    name: "PartyToKeyMapping",
    fields: &[
        Field::one(1, "party", Kind::Text),
        Field::one(3, "threshold", Kind::Uint32),
        Field::many(4, "signing_keys", message(&SIGNING_PUBLIC_KEY)),
    ],
};

static SYNCHRONIZER_TRUST_CERTIFICATE: Schema = Schema {
    name: "SynchronizerTrustCertificate",
    fields: &[
        Field::one(1, "participant_uid", Kind::Text),
        Field::one(2, "synchronizer_id", Kind::Text),
        Field::many(
            5,
            "feature_flags",
            Kind::Enum(&[(1, "PV33_EXTERNAL_SIGNING_LOCAL_CONTRACT_IN_SUBVIEW"), (2, "ENABLE_MULTI_SYNCHRONIZER")]),
        ),
    ],
};

static PARTICIPANT_SYNCHRONIZER_LIMITS: Schema = Schema {
    name: "ParticipantSynchronizerLimits",
    fields: &[
        Field::one(1, "confirmation_requests_max_rate", Kind::Uint32),
        Field::one(2, "max_num_parties_retired", Kind::Uint32),
        Field::one(3, "max_num_packages_retired", Kind::Uint32),
    ],
};

static PARTICIPANT_SYNCHRONIZER_PERMISSION: Schema = Schema {
    name: "ParticipantSynchronizerPermission",
    fields: &[
        Field::one(1, "synchronizer_id", Kind::Text),
        Field::one(2, "participant_uid", Kind::Text),
        Field::one(3, "permission", Kind::Enum(&PERMISSIONS)),
        Field::one(4, "limits", message(&PARTICIPANT_SYNCHRONIZER_LIMITS)),
        Field::optional(5, "login_after", Kind::Int64),
    ],
};

static PARTY_HOSTING_LIMITS: Schema = Schema {
    name: "PartyHostingLimits",
    fields: &[Field::one(1, "synchronizer_id", Kind::Text), Field::one(2, "party", Kind::Text)],
};

pub(crate) static TIMESTAMP: Schema =
    Schema { name: "Timestamp", fields: &[Field::one(1, "seconds", Kind::Int64), Field::one(2, "nanos", Kind::Int32)] };

static VETTED_PACKAGE: Schema = Schema {
    name: "VettedPackage",
    fields: &[
        Field::one(1, "package_id", Kind::Text),
        Field::one(2, "valid_from_inclusive", message(&TIMESTAMP)),
        Field::one(3, "valid_until_exclusive", message(&TIMESTAMP)),
    ],
};

static VETTED_PACKAGES: Schema = Schema {
    name: "VettedPackages",
    fields: &[
        Field::one(1, "participant_uid", Kind::Text),
        Field::many(2, "package_ids", Kind::Text),
        Field::many(4, "packages", message(&VETTED_PACKAGE)),
    ],
};

static HOSTING_PARTICIPANT: Schema = Schema {
    name: "HostingParticipant",
    fields: &[
        Field::one(1, "participant_uid", Kind::Text),
        Field::one(2, "permission", Kind::Enum(&PERMISSIONS)),
        Field::one(3, "onboarding", message(&EMPTY)),
    ],
};

static SIGNING_KEYS_WITH_THRESHOLD: Schema = Schema {
    name: "SigningKeysWithThreshold",
    fields: &[Field::many(1, "keys", message(&SIGNING_PUBLIC_KEY)), Field::one(2, "threshold", Kind::Uint32)],
};

static PARTY_TO_PARTICIPANT: Schema = Schema {
    name: "PartyToParticipant",
    fields: &[
        Field::one(1, "party", Kind::Text),
        Field::one(2, "threshold", Kind::Uint32),
        Field::many(3, "participants", message(&HOSTING_PARTICIPANT)),
        Field::optional(6, "party_signing_keys", message(&SIGNING_KEYS_WITH_THRESHOLD)),
    ],
};

static SYNCHRONIZER_PARAMETERS_STATE: Schema = Schema {
    name: "SynchronizerParametersState",
    fields: &[
        Field::one(1, "synchronizer_id", Kind::Text),
        Field::one(2, "synchronizer_parameters", message(&DYNAMIC_SYNCHRONIZER_PARAMETERS)),
    ],
};

static DURATION: Schema =
    Schema { name: "Duration", fields: &[Field::one(1, "seconds", Kind::Int64), Field::one(2, "nanos", Kind::Int32)] };

static TRAFFIC_CONTROL_PARAMETERS: Schema = Schema {
    name: "TrafficControlParameters",
    fields: &[
        Field::one(1, "max_base_traffic_amount", Kind::Int64),
        Field::one(3, "max_base_traffic_accumulation_duration", message(&DURATION)),
        Field::one(4, "read_vs_write_scaling_factor", Kind::Uint32),
        Field::one(5, "set_balance_request_submission_window_size", message(&DURATION)),
        Field::one(6, "enforce_rate_limiting", Kind::Bool),
        Field::optional(7, "base_event_cost", Kind::Int64),
        Field::one(8, "free_confirmation_responses", Kind::Bool),
    ],
};

static ACS_COMMITMENTS_CATCH_UP: Schema = Schema {
    name: "AcsCommitmentsCatchUpConfig",
    fields: &[
        Field::one(1, "catchup_interval_skip", Kind::Uint32),
        Field::one(2, "nr_intervals_to_trigger_catchup", Kind::Uint32),
    ],
};

pub(crate) static DYNAMIC_SYNCHRONIZER_PARAMETERS: Schema = Schema {
    name: "DynamicSynchronizerParameters",
    fields: &[
        Field::one(1, "confirmation_response_timeout", message(&DURATION)),
        Field::one(2, "mediator_reaction_timeout", message(&DURATION)),
        Field::one(3, "assignment_exclusivity_timeout", message(&DURATION)),
        Field::retired(4, "topology_change_delay_retired"),
        Field::one(5, "ledger_time_record_time_tolerance", message(&DURATION)),
        Field::one(6, "reconciliation_interval", message(&DURATION)),
        Field::one(7, "mediator_deduplication_timeout", message(&DURATION)),
        Field::one(8, "max_request_size", Kind::Uint32),
        Field::one(9, "onboarding_restriction", Kind::Enum(&RESTRICTIONS)),
        Field::one(13, "participant_synchronizer_limits", message(&PARTICIPANT_SYNCHRONIZER_LIMITS)),
        Field::one(15, "sequencer_aggregate_submission_timeout", message(&DURATION)),
        Field::one(16, "traffic_control", message(&TRAFFIC_CONTROL_PARAMETERS)),
        Field::one(17, "acs_commitments_catchup", message(&ACS_COMMITMENTS_CATCH_UP)),
        Field::one(18, "preparation_time_record_time_tolerance", message(&DURATION)),
    ],
};

static RESTRICTIONS: [(i32, &str); 4] =
    [(1, "UNRESTRICTED_OPEN"), (2, "UNRESTRICTED_LOCKED"), (3, "RESTRICTED_OPEN"), (4, "RESTRICTED_LOCKED")];

static MEDIATOR_SYNCHRONIZER_STATE: Schema = Schema {
    name: "MediatorSynchronizerState",
    fields: &[
        Field::one(1, "synchronizer_id", Kind::Text),
        Field::one(2, "group", Kind::Uint32),
        Field::one(3, "threshold", Kind::Uint32),
        Field::many(4, "active", Kind::Text),
        Field::many(5, "observers", Kind::Text),
    ],
};

static SEQUENCER_SYNCHRONIZER_STATE: Schema = Schema {
    name: "SequencerSynchronizerState",
    fields: &[
        Field::one(1, "synchronizer_id", Kind::Text),
        Field::one(2, "threshold", Kind::Uint32),
        Field::many(3, "active", Kind::Text),
        Field::many(4, "observers", Kind::Text),
    ],
};

static DYNAMIC_SEQUENCING_PARAMETERS: Schema =
    Schema { name: "DynamicSequencingParameters", fields: &[Field::one(1, "payload", Kind::Bytes)] };

static DYNAMIC_SEQUENCING_PARAMETERS_STATE: Schema = Schema {
    name: "DynamicSequencingParametersState",
    fields: &[
        Field::one(1, "synchronizer_id", Kind::Text),
        Field::one(2, "sequencing_parameters", message(&DYNAMIC_SEQUENCING_PARAMETERS)),
    ],
};

static LSU_ANNOUNCEMENT: Schema = Schema {
    name: "LsuAnnouncement",
    fields: &[
        Field::one(1, "successor_physical_synchronizer_id", Kind::Text),
        Field::one(2, "upgrade_time", message(&TIMESTAMP)),
    ],
};

static SEQUENCER_CONNECTION: Schema = Schema {
    name: "SequencerConnection",
    fields: &[Field::many(1, "endpoints", Kind::Text), Field::optional(2, "custom_trust_certificates", Kind::Bytes)],
};

static LSU_SEQUENCER_CONNECTION_SUCCESSOR: Schema = Schema {
    name: "LsuSequencerConnectionSuccessor",
    fields: &[
        Field::one(1, "sequencer_id", Kind::Text),
        Field::one(2, "successor_physical_synchronizer_id", Kind::Text),
        Field::one(3, "connection", message(&SEQUENCER_CONNECTION)),
    ],
};

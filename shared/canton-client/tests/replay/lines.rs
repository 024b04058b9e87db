//! The lines of the runbook's tables of errors that only a constructed answer can bring about here: each goes through the
//! client's own call that would meet it, and comes out as a person reads it.

use canton_client::explain::Then;
use canton_proto::{canton::topology::admin::v30::GetIdResponse, google::rpc};
use tonic::{Code, Status};

use super::*;

/// The client's call that meets a refusal.
#[derive(Clone, Copy)]
enum Call {
    Add,
    Upload,
    Prune,
    Export,
    Clear,
    Reconnect,
    Read,
}

impl Call {
    fn rpc(self) -> &'static str {
        match self {
            Self::Add => "TopologyManagerWriteService/AddTransactions",
            Self::Upload => "PackageService/UploadDar",
            Self::Prune => "PruningService/SetParticipantSchedule",
            Self::Export => "PartyManagementService/ExportPartyAcs",
            Self::Clear => "PartyManagementService/ClearPartyOnboardingFlag",
            Self::Reconnect => "SynchronizerConnectivityService/ReconnectSynchronizer",
            Self::Read => "TopologyManagerReadService/ListAllV2",
        }
    }

    async fn refused(self, node: &Participant) -> NodeError {
        let synchronizer = SYNCHRONIZER.parse().unwrap();
        match self {
            Self::Add => node.add(&synchronizer, &[]).await.unwrap_err(),
            Self::Upload => node.upload_dar(vec![1], &synchronizer).await.unwrap_err(),
            Self::Prune => node.set_schedule(&schedule()).await.unwrap_err(),
            Self::Export => {
                let export = Export {
                    party: PARTY.parse().unwrap(),
                    synchronizer,
                    target: TARGET.parse().unwrap(),
                    begin_exclusive: Offset(1),
                    wait_for_activation: Duration::from_secs(1),
                };
                match node.export_party(&export).await {
                    Ok(mut chunks) => chunks.next().await.unwrap_err(),
                    Err(error) => error,
                }
            }
            Self::Clear => {
                let wait = Duration::from_secs(1);
                node.clear_onboarding_flag(&PARTY.parse().unwrap(), &synchronizer, Offset(1), wait).await.unwrap_err()
            }
            Self::Reconnect => node.reconnect("sync").await.unwrap_err(),
            Self::Read => node.topology(&synchronizer).await.unwrap_err(),
        }
    }
}

fn schedule() -> Schedule {
    let hour = Duration::from_secs(3_600);
    Schedule { cron: "0 0 20 * * ?".to_owned(), max_duration: hour, retention: hour, prune_internally_only: false }
}

/// An answer as Canton gives it: by name, with the category that the tables have.
fn named(code: Code, category: u8, id: &str) -> Status {
    let metadata = [("category".to_owned(), category.to_string())].into();
    let info = rpc::ErrorInfo { reason: id.to_owned(), domain: String::new(), metadata };
    let type_url = "type.googleapis.com/google.rpc.ErrorInfo".to_owned();
    let details = vec![prost_types::Any { type_url, value: info.encode_to_vec() }];
    let message = format!("{id}({category},0): the node's own words");
    let body = rpc::Status { code: code as i32, message: message.clone(), details };
    Status::with_details(code, message, body.encode_to_vec().into())
}

/// An answer whose reason Canton hides.
fn hidden(code: Code) -> Status {
    let trace = "4cb634ac49f671beb865791cf22956fa";
    Status::new(
        code,
        format!(
            "An error occurred. Please contact the operator and inquire about the request {trace} with tid {trace}"
        ),
    )
}

async fn meets(call: Call, status: Status) -> NodeError {
    let replay = Replay::default();
    replay.answer(call.rpc(), Answer(Err(status)));
    call.refused(&participant(&replay).await).await
}

/// What becomes of a refusal, and what a person reads.
fn reads(error: &NodeError, id: &str, then: Then, cause: &str, fix: &str) {
    let line = error.explanation().unwrap_or_else(|| panic!("nobody explains {error}"));
    assert_eq!((line.id, error.name(), line.then), (id, id, then), "{error}");
    let as_meant = match then {
        Then::Again => matches!(error, NodeError::Retry(_) | NodeError::OutcomeUnknown(_)),
        Then::Done => matches!(error, NodeError::OutcomeUnknown(_)),
        Then::Mend | Then::Other => matches!(error, NodeError::Rejected { .. }),
    };
    assert!(as_meant, "{error:?}");
    let read = line.to_string();
    let (told_cause, told_fix) = read.split_once("; what to do: ").unwrap();
    assert!(told_cause.starts_with("cause: ") && told_cause.contains(cause), "{read}");
    assert!(told_fix.contains(fix), "{read}");
    assert!(error.to_string().contains("the node's own words"), "{error}");
}

macro_rules! lines {
    ($($name:ident: $call:ident, $code:ident $category:literal $id:literal, $then:ident, $cause:literal, $fix:literal;)*) => {
        $(#[tokio::test]
        async fn $name() {
            let error = meets(Call::$call, named(Code::$code, $category, $id)).await;
            reads(&error, $id, Then::$then, $cause, $fix);
        })*
    };
}

mod topology {
    use super::*;

    lines! {
        too_many_unsent_changes_pass: Add, Aborted 2 "TOPOLOGY_TOO_MANY_PENDING_TOPOLOGY_TRANSACTIONS", Again, "not sent yet", "wait";
        a_hash_that_nobody_knows_yet_passes: Add, NotFound 11 "TOPOLOGY_TRANSACTION_NOT_FOUND", Again, "not reached the node", "effective already";
        a_store_that_is_not_read_yet_passes: Add, FailedPrecondition 9 "TOPOLOGY_STORE_NOT_INITIALIZED", Again, "not read its topology", "wait";
        one_hash_twice_is_the_operators: Add, FailedPrecondition 9 "TOPOLOGY_TOO_MANY_TRANSACTION_WITH_HASH", Mend, "more than once", "operator";
        a_secret_key_that_is_gone_is_brought_back: Add, FailedPrecondition 9 "TOPOLOGY_SECRET_KEY_NOT_IN_STORE", Mend, "secret half", "backup";
        a_signature_over_other_changes_is_made_again: Add, FailedPrecondition 9 "TOPOLOGY_MULTI_TRANSACTION_HASH_MISMATCH", Other, "does not name this one", "sign again";
        what_stands_already_counts_as_done: Add, AlreadyExists 10 "TOPOLOGY_MAPPING_ALREADY_EXISTS", Done, "stands already", "read back";
        a_mapping_for_ever_is_replaced: Add, InvalidArgument 8 "TOPOLOGY_CANNOT_REMOVE_MAPPING", Other, "never removes", "replace it";
        a_member_without_keys_registers_them: Add, FailedPrecondition 9 "TOPOLOGY_INSUFFICIENT_KEYS", Mend, "no encryption key", "register its keys";
        a_threshold_above_the_hosts_is_lowered: Add, AlreadyExists 10 "TOPOLOGY_CONFIRMING_THRESHOLD_CANNOT_BE_REACHED", Other, "more confirmations", "fewer confirmations";
        a_threshold_above_the_keys_is_lowered: Add, AlreadyExists 10 "TOPOLOGY_SIGNING_THRESHOLD_CANNOT_BE_REACHED", Other, "more signatures", "fewer signatures";
        a_participant_with_the_id_of_a_party_is_renamed: Add, AlreadyExists 10 "TOPOLOGY_PARTICIPANT_ID_CONFLICT_WITH_PARTY", Other, "id of a party", "another name";
        a_temporary_store_that_is_there_is_used: Add, AlreadyExists 10 "TOPOLOGY_TEMPORARY_STORE_ALREADY_EXISTS", Done, "of that name", "use it";
        a_frozen_topology_waits_for_the_upgrade: Add, FailedPrecondition 9 "TOPOLOGY_LSU_TOPOLOGY_FREEZE", Mend, "upgrade", "wait until the upgrade";
        another_nodes_keys_are_its_own: Add, FailedPrecondition 9 "TOPOLOGY_DANGEROUS_COMMAND_REQUIRES_FORCE_ALIEN_MEMBER", Other, "another node", "ask that node";
        a_host_with_contracts_does_not_just_leave: Add, FailedPrecondition 9 "TOPOLOGY_DISABLE_PARTY_WITH_ACTIVE_CONTRACTS", Mend, "has contracts", "propose host";
        enough_hosts_must_reassign: Add, FailedPrecondition 9 "TOPOLOGY_INSUFFICIENT_SIGNATORY_ASSIGNING_PARTICIPANTS", Mend, "reassign", "more hosts";
        somebody_must_confirm: Add, FailedPrecondition 9 "TOPOLOGY_INSUFFICIENT_PERMISSION_FOR_SIGNATORY_PARTY", Mend, "only observe", "confirms";
        a_closed_synchronizer_gives_permission_first: Add, FailedPrecondition 9 "TOPOLOGY_PARTICIPANT_ONBOARDING_REFUSED", Mend, "lets no participant in", "permission";
        who_left_does_not_come_back: Add, FailedPrecondition 9 "TOPOLOGY_MEMBER_CANNOT_REJOIN_SYNCHRONIZER", Other, "for good", "new node";
        what_others_need_goes_last: Add, FailedPrecondition 9 "TOPOLOGY_ILLEGAL_REMOVAL_OF_ACTIVE_TRANSACTIONS", Mend, "other things", "first";
        a_time_that_cannot_be_asked_for_is_changed: Read, FailedPrecondition 9 "TOPOLOGY_INVALID_QUERY_TIME", Other, "at a time", "later time";
        another_synchronizer_is_named: Add, InvalidArgument 8 "TOPOLOGY_INVALID_SYNCHRONIZER", Other, "another synchronizer", "check";
        a_namespace_of_another_kind_is_made_anew: Add, AlreadyExists 10 "TOPOLOGY_NAMESPACE_ALREADY_IN_USE", Other, "another kind", "new key";
    }
}

mod hidden_by_canton {
    use super::*;

    /// The log has the id; the client has the code and the trace alone.
    macro_rules! hidden {
        ($($name:ident: $call:ident, $code:ident, $id:literal, $cause:literal, $of_log:literal;)*) => {
            $(#[tokio::test]
            async fn $name() {
                let error = meets(Call::$call, hidden(Code::$code)).await;
                let line = error.explanation().unwrap();
                assert_eq!(line.id, format!("{:?}", Code::$code));
                assert!(line.cause.contains("hides the reason") && line.cause.contains($cause), "{line}");
                assert!(line.fix.contains("trace id"), "{line}");
                let trace = canton_client::explain::trace_id(&error.to_string()).map(str::to_owned);
                assert_eq!(trace.as_deref(), Some("4cb634ac49f671beb865791cf22956fa"));
                // Who looks the log's own id up finds it too.
                let of_log = canton_client::explain::of($id, "").unwrap();
                assert!(of_log.cause.contains($of_log), "{of_log}");
            })*
        };
    }

    hidden! {
        a_missing_signature: Add, InvalidArgument, "TOPOLOGY_UNAUTHORIZED_TRANSACTION", "signature is missing", "signature is missing";
        a_signature_that_does_not_verify: Add, InvalidArgument, "TOPOLOGY_INVALID_TX_SIGNATURE", "does not verify", "does not verify";
        a_broken_rule: Add, InvalidArgument, "TOPOLOGY_MANAGER_ALARM", "hides", "breaks a rule";
        an_inner_error_of_topology: Add, Internal, "TOPOLOGY_MANAGER_INTERNAL_ERROR", "did not expect", "did not expect";
        an_inner_error_of_packages: Upload, Internal, "PACKAGE_SERVICE_INTERNAL_ERROR", "did not expect", "store the archive";
        an_inner_error_of_parties: Clear, Internal, "INTERNAL_INVARIANT_VIOLATION", "did not expect", "did not expect";
        a_lost_synchronizer: Reconnect, Internal, "SYNC_SERVICE_SYNCHRONIZER_DISCONNECTED", "did not expect", "lost the synchronizer";
        an_inner_error_of_the_connection: Reconnect, Internal, "SYNC_SERVICE_INTERNAL_ERROR", "did not expect", "did not expect";
    }
}

mod packages {
    use super::*;

    lines! {
        dependencies_are_uploaded_too: Upload, FailedPrecondition 9 "TOPOLOGY_DEPENDENCIES_NOT_VETTED", Mend, "not vetted", "all dependencies";
        a_package_that_is_not_there_is_uploaded: Upload, NotFound 11 "TOPOLOGY_CANNOT_VET_DUE_TO_MISSING_PACKAGES", Mend, "does not have", "--archive";
        what_is_no_upgrade_is_compared: Upload, InvalidArgument 8 "NOT_VALID_UPGRADE_PACKAGE", Other, "no upgrade", "compare";
        one_version_twice_is_renamed: Upload, InvalidArgument 8 "KNOWN_PACKAGE_VERSION", Other, "same name and version", "another version";
        a_false_prim_package_is_built_again: Upload, InvalidArgument 8 "DAML_PRIM_NOT_UTILITY_PACKAGE", Other, "daml-prim", "build the archive again";
        no_synchronizer_to_vet_on: Upload, FailedPrecondition 9 "PACKAGE_SERVICE_CANNOT_AUTODETECT_SYNCHRONIZER", Mend, "no synchronizer or to several", "connect";
        an_archive_that_is_not_there: Upload, NotFound 11 "DAR_NOT_FOUND", Mend, "no archive", "upload";
        an_archive_in_use_stays: Upload, FailedPrecondition 9 "PACKAGE_OR_DAR_REMOVAL_ERROR", Mend, "in use", "leave it";
        a_file_that_is_no_archive: Upload, InvalidArgument 8 "INVALID_DAR", Other, "no archive", ".dar";
        a_name_that_is_not_taken: Upload, InvalidArgument 8 "INVALID_DAR_FILE_NAME", Other, "name", "rename";
        a_damaged_entry: Upload, InvalidArgument 8 "INVALID_ZIP_ENTRY", Other, "damaged", "again";
        an_old_form: Upload, InvalidArgument 8 "INVALID_LEGACY_DAR", Other, "does not read any more", "compiler";
        an_archive_that_unpacks_too_large: Upload, InvalidArgument 8 "ZIP_BOMB", Other, "unpacks", "limit";
        a_package_that_does_not_read: Upload, InvalidArgument 8 "DAR_PARSE_ERROR", Other, "does not read", "damaged";
        a_package_that_breaks_rules: Upload, InvalidArgument 8 "DAR_VALIDATION_ERROR", Other, "own rules", "build it again";
        an_archive_without_its_dependencies: Upload, InvalidArgument 8 "DAR_DEPENDENCIES_NOT_VALID", Other, "all packages", "all dependencies";
        another_main_package: Upload, FailedPrecondition 9 "MAIN_PACKAGE_IN_DAR_DOES_NOT_MATCH_EXPECTED", Other, "another one", "right file";
        a_vetting_of_nothing: Upload, NotFound 11 "UNRESOLVED_VETTING_REFERENCE", Mend, "not on the node", "upload";
        a_vetting_of_several: Upload, FailedPrecondition 9 "AMBIGUOUS_VETTING_REFERENCE", Other, "several", "by its id";
    }
}

mod pruning {
    use super::*;

    #[tokio::test]
    async fn a_schedule_on_a_passive_node_is_read_back_and_the_active_one_named() {
        let error = meets(Call::Prune, Status::unavailable("the node's own words")).await;
        reads(&error, "Unavailable", Then::Again, "passive one", "check");
    }
}

mod parties {
    use super::*;

    lines! {
        a_host_that_never_saw_the_proposal: Export, FailedPrecondition 9 "PARTY_ACS_IMPORT_MISSING_ONBOARDING_MAPPING", Mend, "never seen", "connect it";
        no_event_at_that_time: Export, NotFound 11 "EXACT_RECORD_TIME_MATCH_NOT_FOUND", Other, "exactly this time", "offset";
        an_export_that_breaks_off: Export, FailedPrecondition 9 "IO_STREAM_PARTY_MANAGEMENT_ERROR", Mend, "broke off", "backup";
        a_time_that_is_not_processed: Clear, OutOfRange 12 "INVALID_TIMESTAMP_PARTY_MANAGEMENT_ERROR", Again, "not processed", "wait";
        a_time_that_is_not_clean: Clear, FailedPrecondition 9 "UNPROCESSED_REQUESTED_TIMESTAMP", Again, "not processed", "wait";
        a_party_on_a_disconnected_node: Add, FailedPrecondition 9 "PARTY_ALLOCATION_WITHOUT_CONNECTED_SYNCHRONIZER", Mend, "no synchronizer", "connect";
        a_party_on_several_synchronizers: Add, FailedPrecondition 9 "PARTY_ALLOCATION_CANNOT_DETERMINE_SYNCHRONIZER", Mend, "several", "name the synchronizer";
        a_flag_that_is_gone_already_counts_as_done: Clear, FailedPrecondition 9 "PARTY_ONBOARDING_CLEARANCE_MISSING_MAPPING", Done, "gone already", "topology";
        an_activation_that_is_not_there_yet_passes: Clear, FailedPrecondition 9 "EFFECTIVE_PARTY_TO_PARTICIPANT_MAPPING_NOT_FOUND", Again, "not effective yet", "wait";
    }

    #[test]
    fn a_difference_of_commitments_is_expected_in_a_window_and_an_alarm_outside() {
        let line = canton_client::explain::of_text("ACS_COMMITMENT_MISMATCH(5,0): from the log")
            .or_else(|| canton_client::explain::of("ACS_COMMITMENT_MISMATCH", ""));
        let line = line.unwrap();
        assert!(line.cause.contains("onboarding flag") && line.fix.contains("workflow show"), "{line}");
    }
}

mod connectivity {
    use super::*;

    lines! {
        a_name_that_means_nothing: Reconnect, NotFound 11 "SYNC_SERVICE_ALIAS_RESOLUTION", Mend, "which synchronizer", "check";
        another_physical_id: Reconnect, NotFound 11 "SYNC_SERVICE_PHYSICAL_ID_REGISTRATION", Mend, "upgraded", "compare";
        a_name_that_is_registered: Reconnect, AlreadyExists 10 "SYNCHRONIZER_REGISTRATION", Done, "already", "right one";
        a_sequencer_that_does_not_answer: Reconnect, FailedPrecondition 9 "SYNC_SERVICE_BAD_CONNECTIVITY", Mend, "sequencer", "address";
        a_synchronizer_put_aside: Reconnect, FailedPrecondition 9 "SYNC_SERVICE_SYNCHRONIZER_STATUS_NOT_ACTIVE", Mend, "aside", "present id";
        a_node_that_is_shut_out: Reconnect, FailedPrecondition 9 "SYNC_SERVICE_SYNCHRONIZER_DISABLED_US", Mend, "shut this node out", "operator";
        what_is_done_offline_only: Reconnect, FailedPrecondition 9 "SYNC_SERVICE_SYNCHRONIZERS_MUST_BE_OFFLINE", Mend, "connected", "disconnect";
        the_passive_node: Reconnect, Unavailable 1 "SYNC_SERVICE_PASSIVE_REPLICA", Again, "passive", "active one";
        the_passive_node_by_its_other_name: Read, Unavailable 1 "NODE_IS_PASSIVE_REPLICA", Again, "passive", "active one";
        the_node_that_hands_over: Reconnect, Unavailable 1 "SYNC_SERVICE_BECAME_PASSIVE", Again, "twin", "proxy";
        a_start_that_failed: Reconnect, FailedPrecondition 9 "SYNC_SERVICE_STARTUP_ERROR", Mend, "begin its work", "log";
        a_node_that_is_not_active: Reconnect, FailedPrecondition 9 "PARTICIPANT_IS_NOT_ACTIVE", Mend, "active", "connect it once";
        sequencers_that_refuse: Reconnect, FailedPrecondition 9 "FAILED_TO_CONNECT_TO_SEQUENCERS", Mend, "refuse", "compare";
        sequencers_that_are_away: Reconnect, Unavailable 1 "FAILED_TO_CONNECT_TO_SEQUENCERS_TRANSIENT", Again, "no sequencer answers", "wait";
        a_synchronizer_that_is_away: Reconnect, Unavailable 1 "SYNCHRONIZER_IS_NOT_AVAILABLE", Again, "does not answer", "wait";
        another_synchronizer_behind_the_name: Reconnect, FailedPrecondition 9 "SYNCHRONIZER_ID_MISMATCH", Other, "another synchronizer", "stop";
        no_common_protocol_version: Reconnect, FailedPrecondition 9 "SYNCHRONIZER_HANDSHAKE_FAILED", Mend, "protocol version", "upgrade";
    }
}

mod anything {
    use super::*;

    lines! {
        a_node_that_goes_down: Read, Unavailable 1 "ABORTED_DUE_TO_SHUTDOWN", Again, "going down", "wait";
        an_offset_that_is_negative: Read, InvalidArgument 8 "NEGATIVE_OFFSET", Other, "offset that is none", "update";
        an_offset_that_is_zero: Read, InvalidArgument 8 "NON_POSITIVE_OFFSET", Other, "offset that is none", "update";
        an_offset_that_is_out_of_range: Read, OutOfRange 12 "OFFSET_OUT_OF_RANGE", Again, "does not reach", "wait";
        a_ledger_that_ends_before: Read, OutOfRange 12 "OFFSET_AFTER_LEDGER_END", Again, "does not reach", "wait";
        a_ledger_that_ends_before_by_its_other_name: Read, OutOfRange 12 "PARTICIPANT_DATA_ACCESSED_AFTER_LEDGER_END", Again, "does not reach", "wait";
    }

    /// No id at all: the code speaks.
    macro_rules! plain {
        ($($name:ident: $call:ident, $code:ident, $then:ident, $cause:literal, $fix:literal;)*) => {
            $(#[tokio::test]
            async fn $name() {
                let error = meets(Call::$call, Status::new(Code::$code, "the node's own words")).await;
                let line = error.explanation().unwrap();
                assert_eq!((line.id, error.name()), (stringify!($code), stringify!($code)));
                assert_eq!(line.then, Then::$then);
                assert!(line.cause.contains($cause) && line.fix.contains($fix), "{line}");
            })*
        };
    }

    plain! {
        a_wait_that_ran_out: Add, Internal, Again, "taken all the same", "read back";
        no_answer_in_time: Add, DeadlineExceeded, Again, "in time", "read back";
        too_much_at_once: Upload, ResourceExhausted, Again, "larger", "max-inbound-message-size";
        a_service_that_is_not_there: Export, Unimplemented, Other, "no such service", "check";
        a_token_that_is_not_believed: Read, Unauthenticated, Mend, "five minutes", "check";
        a_user_without_the_right: Read, PermissionDenied, Mend, "lacks the right", "check";
    }

    #[tokio::test]
    async fn an_answer_that_is_none_is_explained_too() {
        let replay = Replay::default();
        let answer = GetIdResponse { initialized: true, unique_identifier: "nobody".to_owned() };
        replay.answer("IdentityInitializationService/GetId", Answer::of(answer.encode_to_vec()));
        let error = participant(&replay).await.id().await.unwrap_err();
        assert_eq!(error.name(), "BadAnswer");
        assert!(error.explanation().unwrap().fix.contains("release"));
    }
}

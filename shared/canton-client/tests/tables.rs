//! Every line of the runbook's tables of errors has its explanation.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, path::PathBuf};

use canton_client::explain::{all, is_redacted, of, of_text, trace_id};

/// The ids as the tables have them: topology, packages, party management, connectivity, the ledger, and what the steps of
/// the workflows name besides.
const IDS: [&str; 102] = [
    "PROTO_DESERIALIZATION_FAILURE",
    "TOPOLOGY_TOO_MANY_PENDING_TOPOLOGY_TRANSACTIONS",
    "TOPOLOGY_MANAGER_INTERNAL_ERROR",
    "TOPOLOGY_MANAGER_ALARM",
    "TOPOLOGY_TRANSACTION_NOT_FOUND",
    "TOPOLOGY_STORE_NOT_FOUND",
    "TOPOLOGY_STORE_NOT_INITIALIZED",
    "TOPOLOGY_TOO_MANY_TRANSACTION_WITH_HASH",
    "TOPOLOGY_SECRET_KEY_NOT_IN_STORE",
    "TOPOLOGY_NO_APPROPRIATE_SIGNING_KEY_IN_STORE",
    "TOPOLOGY_INVALID_TX_SIGNATURE",
    "TOPOLOGY_UNAUTHORIZED_TRANSACTION",
    "TOPOLOGY_SERIAL_MISMATCH",
    "TOPOLOGY_MULTI_TRANSACTION_HASH_MISMATCH",
    "TOPOLOGY_INVALID_SYNCHRONIZER",
    "TOPOLOGY_MAPPING_ALREADY_EXISTS",
    "TOPOLOGY_NO_CORRESPONDING_ACTIVE_TX_TO_REVOKE",
    "TOPOLOGY_REMOVE_MUST_NOT_CHANGE_MAPPING",
    "TOPOLOGY_CANNOT_REMOVE_MAPPING",
    "TOPOLOGY_INVALID_MAPPING",
    "TOPOLOGY_UNKNOWN_MEMBERS",
    "TOPOLOGY_INSUFFICIENT_KEYS",
    "TOPOLOGY_NAMESPACE_ALREADY_IN_USE",
    "TOPOLOGY_NAMESPACE_HAS_BEEN_REVOKED",
    "TOPOLOGY_CONFIRMING_THRESHOLD_CANNOT_BE_REACHED",
    "TOPOLOGY_SIGNING_THRESHOLD_CANNOT_BE_REACHED",
    "TOPOLOGY_PARTY_ID_CONFLICT_WITH_ADMIN_PARTY",
    "TOPOLOGY_PARTICIPANT_ID_CONFLICT_WITH_PARTY",
    "TOPOLOGY_TEMPORARY_STORE_ALREADY_EXISTS",
    "TOPOLOGY_LSU_TOPOLOGY_FREEZE",
    "TOPOLOGY_DANGEROUS_COMMAND_REQUIRES_FORCE_ALIEN_MEMBER",
    "TOPOLOGY_DEPENDENCIES_NOT_VETTED",
    "TOPOLOGY_CANNOT_VET_DUE_TO_MISSING_PACKAGES",
    "NOT_VALID_UPGRADE_PACKAGE",
    "KNOWN_PACKAGE_VERSION",
    "DAML_PRIM_NOT_UTILITY_PACKAGE",
    "TOPOLOGY_DISABLE_PARTY_WITH_ACTIVE_CONTRACTS",
    "TOPOLOGY_INSUFFICIENT_SIGNATORY_ASSIGNING_PARTICIPANTS",
    "TOPOLOGY_INSUFFICIENT_PERMISSION_FOR_SIGNATORY_PARTY",
    "TOPOLOGY_PARTICIPANT_ONBOARDING_REFUSED",
    "TOPOLOGY_MEMBER_CANNOT_REJOIN_SYNCHRONIZER",
    "TOPOLOGY_ILLEGAL_REMOVAL_OF_ACTIVE_TRANSACTIONS",
    "TOPOLOGY_INVALID_QUERY_TIME",
    "TOPOLOGY_MISSING_MAPPING",
    "PACKAGE_SERVICE_CANNOT_AUTODETECT_SYNCHRONIZER",
    "PACKAGE_SERVICE_NOT_CONNECTED_TO_SYNCHRONIZER",
    "DAR_NOT_FOUND",
    "PACKAGE_OR_DAR_REMOVAL_ERROR",
    "INVALID_DAR",
    "INVALID_DAR_FILE_NAME",
    "INVALID_ZIP_ENTRY",
    "INVALID_LEGACY_DAR",
    "ZIP_BOMB",
    "DAR_PARSE_ERROR",
    "DAR_VALIDATION_ERROR",
    "DAR_DEPENDENCIES_NOT_VALID",
    "MAIN_PACKAGE_IN_DAR_DOES_NOT_MATCH_EXPECTED",
    "PACKAGE_SERVICE_INTERNAL_ERROR",
    "UNRESOLVED_VETTING_REFERENCE",
    "AMBIGUOUS_VETTING_REFERENCE",
    "INVALID_ARGUMENT_PARTY_MANAGEMENT_ERROR",
    "INVALID_STATE_PARTY_MANAGEMENT_ERROR",
    "PARTY_ACS_EXPORT_MISSING_TARGET_ONBOARDING_MAPPING",
    "PARTY_ACS_IMPORT_MISSING_ONBOARDING_MAPPING",
    "PARTY_ONBOARDING_CLEARANCE_MISSING_MAPPING",
    "EFFECTIVE_PARTY_TO_PARTICIPANT_MAPPING_NOT_FOUND",
    "EXACT_RECORD_TIME_MATCH_NOT_FOUND",
    "IO_STREAM_PARTY_MANAGEMENT_ERROR",
    "INVALID_TIMESTAMP_PARTY_MANAGEMENT_ERROR",
    "UNPROCESSED_REQUESTED_TIMESTAMP",
    "INTERNAL_INVARIANT_VIOLATION",
    "SYNC_SERVICE_UNKNOWN_SYNCHRONIZER",
    "SYNC_SERVICE_ALIAS_RESOLUTION",
    "SYNC_SERVICE_PHYSICAL_ID_REGISTRATION",
    "SYNCHRONIZER_REGISTRATION",
    "SYNC_SERVICE_BAD_CONNECTIVITY",
    "SYNC_SERVICE_SYNCHRONIZER_STATUS_NOT_ACTIVE",
    "SYNC_SERVICE_SYNCHRONIZER_DISABLED_US",
    "SYNC_SERVICE_SYNCHRONIZERS_MUST_BE_OFFLINE",
    "SYNC_SERVICE_PASSIVE_REPLICA",
    "SYNC_SERVICE_BECAME_PASSIVE",
    "SYNC_SERVICE_STARTUP_ERROR",
    "SYNC_SERVICE_SYNCHRONIZER_DISCONNECTED",
    "SYNC_SERVICE_INTERNAL_ERROR",
    "PARTICIPANT_IS_NOT_ACTIVE",
    "FAILED_TO_CONNECT_TO_SEQUENCERS",
    "FAILED_TO_CONNECT_TO_SEQUENCERS_TRANSIENT",
    "SYNCHRONIZER_IS_NOT_AVAILABLE",
    "SYNCHRONIZER_ID_MISMATCH",
    "SYNCHRONIZER_HANDSHAKE_FAILED",
    "PARTICIPANT_PRUNED_DATA_ACCESSED",
    "OFFSET_AFTER_LEDGER_END",
    "PARTICIPANT_DATA_ACCESSED_AFTER_LEDGER_END",
    "NEGATIVE_OFFSET",
    "NON_POSITIVE_OFFSET",
    "OFFSET_OUT_OF_RANGE",
    "NODE_IS_PASSIVE_REPLICA",
    "PARTY_ALLOCATION_WITHOUT_CONNECTED_SYNCHRONIZER",
    "PARTY_ALLOCATION_CANNOT_DETERMINE_SYNCHRONIZER",
    "IMPORT_ACS_ERROR",
    "ACS_COMMITMENT_MISMATCH",
    "ABORTED_DUE_TO_SHUTDOWN",
];

#[test]
fn every_id_of_the_tables_is_explained_with_a_cause_and_a_fix() {
    for id in IDS {
        let line = of(id, "").unwrap_or_else(|| panic!("nobody explains {id}"));
        assert!(!line.cause.is_empty() && !line.fix.is_empty(), "{id}");
        assert_eq!(of_text(&format!("{id}: the node's own words")), Some(line));
    }
}

/// Words that stand in the pages like ids and are none.
fn is_other(word: &str) -> bool {
    const CODES: [&str; 9] = [
        "ADD_REPLACE",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "INVALID_ARGUMENT",
        "FAILED_PRECONDITION",
        "OUT_OF_RANGE",
        "ALIEN_MEMBER",
        "THRESHOLD_ACTIVE",
        "RETRY_INFO",
    ];
    CODES.contains(&word)
}

#[test]
fn the_pages_that_have_the_tables_name_no_other_id() {
    let pages = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/canton/node-api.md");
    let Ok(pages) = std::fs::read_to_string(pages) else {
        println!("skipped: the pages are not beside the project");
        return;
    };
    let lines = pages.lines().skip_while(|line| !line.starts_with("### 1.3"));
    let lines = lines.take_while(|line| !line.starts_with("### 2.7"));
    let mut tables = Vec::new();
    let mut is_topology = true;
    for line in lines {
        is_topology &= !line.starts_with("### 1.4");
        let lists_errors = ["Errors: ", "`UpdateVettedPackages` errors: "].iter().any(|start| line.starts_with(start));
        let is_id_row = line.starts_with("| ") && line.contains("PARTY_") && line.contains(" | 9 | ");
        if is_topology && line.starts_with("| ") || lists_errors || is_id_row {
            tables.push(line);
        }
    }
    let is_id = |word: &&str| word.contains('_') && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let named: BTreeSet<&str> = tables
        .iter()
        .flat_map(|line| {
            let line = if line.starts_with('|') { line.split('|').nth(1).unwrap() } else { line };
            line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        })
        .filter(is_id)
        .filter(|word| !is_other(word))
        .collect();
    assert!(named.len() > 80, "{named:?}");
    let unknown: Vec<&&str> = named.iter().filter(|id| of(id, "").is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn a_line_that_means_one_thing_of_several_comes_before_the_one_for_all() {
    let lines: Vec<_> = all().collect();
    for (place, line) in lines.iter().enumerate() {
        let same = lines[..place].iter().filter(|before| before.id == line.id);
        assert!(same.clone().all(|before| !before.words.is_empty()), "{} is said twice, or never reached", line.id);
        let has_rest = lines.iter().any(|other| other.id == line.id && other.words.is_empty());
        assert!(has_rest, "{} is not explained for other words", line.id);
    }
}

#[test]
fn an_id_is_found_wherever_a_text_of_ours_puts_it_and_a_trace_wherever_canton_does() {
    let found = |text: &str| of_text(text).map(|line| line.id);
    assert_eq!(found("the node refused: TOPOLOGY_SERIAL_MISMATCH: Some(2)"), Some("TOPOLOGY_SERIAL_MISMATCH"));
    let nested = "nobody knows whether it was taken: the node cannot answer now: Unavailable: it is down";
    assert_eq!(found(nested), Some("Unavailable"));
    assert_eq!(found("the owner writes of TOPOLOGY_SERIAL_MISMATCH"), None);
    let redacted =
        "InvalidArgument: An error occurred. Please contact the operator and inquire about the request a with tid 4cb6";
    assert!(is_redacted(redacted));
    assert_eq!(trace_id(redacted), Some("4cb6"));
    assert_eq!(trace_id("An error occurred. … with tid <no-tid>"), None);
    assert_eq!(trace_id("words (trace id 77df)"), Some("77df"));
}

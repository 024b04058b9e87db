//! How a node says no: Canton's codes, ids and words, and its silence where it redacts.

use canton_proto::google::rpc;
use canton_topology::rejection::Rejection;
use prost::Message as _;
use tonic::{Code, Status};

const REDACTED: &str = "An error occurred. Please contact the operator and inquire about the request <no-correlation-id> with tid <no-tid>";

/// The status of a refused transaction.
pub(crate) fn rejection(rejection: &Rejection) -> Status {
    let (id, redacted) = rejection.error_code();
    let code = code_of(id);
    if redacted {
        let info = rpc::RequestInfo { request_id: "sandbox".to_owned(), serving_data: String::new() };
        let details = any("google.rpc.RequestInfo", info.encode_to_vec());
        return status(code, REDACTED, vec![details]);
    }
    with_id(code, id, &rejection.to_string())
}

/// A status that names Canton's error id.
pub(crate) fn with_id(code: Code, id: &str, cause: &str) -> Status {
    let info = rpc::ErrorInfo { reason: id.to_owned(), domain: String::new(), metadata: [].into() };
    let message = format!("{id}({},sandbox0): {cause}", category(code));
    status(code, &message, vec![any("google.rpc.ErrorInfo", info.encode_to_vec())])
}

/// A request that does not read.
pub(crate) fn undecodable(error: &dyn std::fmt::Display) -> Status {
    with_id(Code::InvalidArgument, "PROTO_DESERIALIZATION_FAILURE", &error.to_string())
}

/// A request without a field that must be there.
pub(crate) fn not_set(field: &str) -> Status {
    undecodable(&format!("Field `{field}` is not set"))
}

fn any(name: &str, value: Vec<u8>) -> prost_types::Any {
    prost_types::Any { type_url: format!("type.googleapis.com/{name}"), value }
}

fn status(code: Code, message: &str, details: Vec<prost_types::Any>) -> Status {
    let body = rpc::Status { code: code as i32, message: message.to_owned(), details };
    Status::with_details(code, message, body.encode_to_vec().into())
}

/// The number of Canton's error category for a code.
fn category(code: Code) -> u8 {
    match code {
        Code::NotFound => 11,
        Code::AlreadyExists => 10,
        Code::FailedPrecondition => 9,
        Code::InvalidArgument => 8,
        _ => 4,
    }
}

fn code_of(id: &str) -> Code {
    match id {
        "TOPOLOGY_UNKNOWN_MEMBERS" | "TOPOLOGY_MISSING_MAPPING" => Code::NotFound,
        "TOPOLOGY_NAMESPACE_HAS_BEEN_REVOKED"
        | "TOPOLOGY_NAMESPACE_ALREADY_IN_USE"
        | "TOPOLOGY_PARTY_ID_CONFLICT_WITH_ADMIN_PARTY"
        | "TOPOLOGY_PARTICIPANT_ID_CONFLICT_WITH_PARTY" => Code::AlreadyExists,
        "TOPOLOGY_UNAUTHORIZED_TRANSACTION"
        | "TOPOLOGY_INVALID_TX_SIGNATURE"
        | "TOPOLOGY_MANAGER_ALARM"
        | "TOPOLOGY_INVALID_SYNCHRONIZER"
        | "TOPOLOGY_INVALID_MAPPING"
        | "TOPOLOGY_CANNOT_REMOVE_MAPPING"
        | "TOPOLOGY_INVALID_OWNER_TO_KEY_MAPPING"
        | "TOPOLOGY_INVALID_REMOVAL_OF_OWNER_TO_KEY_MAPPING"
        | "TOPOLOGY_INVALID_SUCCESSOR_PHYSICAL_SYNCHRONIZER_ID"
        | "LSU_SEQUENCER_SUCCESSOR_INVALID_SUCCESSOR_PSID" => Code::InvalidArgument,
        _ => Code::FailedPrecondition,
    }
}

//! How a node says no: Canton's codes, ids and words, and its silence where it redacts.

use std::collections::BTreeMap;

use canton_proto::google::rpc;
use canton_topology::{
    id::{PhysicalSynchronizerId, UniqueIdentifier},
    rejection::Rejection,
};
use prost::Message as _;
use tonic::{Code, Status};

const REDACTED: &str = "An error occurred. Please contact the operator and inquire about the request <no-correlation-id> with tid <no-tid>";

/// A refusal that names Canton's error id.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    code: Code,
    id: &'static str,
    cause: String,
    context: BTreeMap<String, String>,
}

impl Refused {
    /// A refusal.
    pub fn new(code: Code, id: &'static str, cause: impl Into<String>) -> Self {
        Self { code, id, cause: cause.into(), context: BTreeMap::new() }
    }

    /// The same with something more about its circumstances.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.context.insert(key.to_owned(), value.into());
        self
    }

    /// A request that does not read, for a reason in Canton's own notation.
    pub fn unreadable(reason: impl Into<String>) -> Self {
        let cause = "Deserialization of protobuf message failed";
        Self::new(Code::InvalidArgument, "PROTO_DESERIALIZATION_FAILURE", cause).with("reason", reason)
    }

    /// A request without a field that must be there.
    pub fn not_set(field: &str) -> Self {
        Self::unreadable(format!("FieldNotSet({field})"))
    }

    /// What is wanted stands, signed by the same keys.
    pub fn already_exists() -> Self {
        let cause = "A matching topology mapping authorized with the same keys already exists in this state";
        Self::new(Code::AlreadyExists, "TOPOLOGY_MAPPING_ALREADY_EXISTS", cause)
    }

    /// The synchronizer's store is not there: unknown, or the node is not connected.
    pub fn no_store(cause: impl Into<String>) -> Self {
        Self::new(Code::NotFound, "TOPOLOGY_STORE_NOT_FOUND", cause)
    }
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        let Refused { code, id, cause, context } = refused;
        let category = category(code).to_string();
        let message = format!("{id}({category},0): {cause}");
        let metadata = context.into_iter().chain([("category".to_owned(), category)]).collect();
        let info = rpc::ErrorInfo { reason: id.to_owned(), domain: String::new(), metadata };
        let value = info.encode_to_vec();
        let details = vec![prost_types::Any { type_url: "type.googleapis.com/google.rpc.ErrorInfo".to_owned(), value }];
        let body = rpc::Status { code: code as i32, message: message.clone(), details };
        Status::with_details(code, message, body.encode_to_vec().into())
    }
}

/// A bad token, or none, or one for another service: the Admin API tells them apart only in its log.
pub(crate) fn unauthenticated() -> Status {
    Status::unauthenticated(REDACTED)
}

/// A bad token, or none, at the Ledger API, which names the call.
pub(crate) fn unauthenticated_with_trace() -> Status {
    redacted(Code::Unauthenticated)
}

/// A good token without the right.
pub(crate) fn permission_denied() -> Status {
    redacted(Code::PermissionDenied)
}

/// A refusal whose reason stands in the node's log alone.
pub(crate) fn redacted(code: Code) -> Status {
    let request_id = "4cb634ac49f671beb865791cf22956fa".to_owned();
    let message = REDACTED.replace("<no-correlation-id>", &request_id).replace("<no-tid>", &request_id);
    let value = rpc::RequestInfo { request_id, serving_data: String::new() }.encode_to_vec();
    let details = vec![prost_types::Any { type_url: "type.googleapis.com/google.rpc.RequestInfo".to_owned(), value }];
    let body = rpc::Status { code: code as i32, message: message.clone(), details };
    Status::with_details(code, message, body.encode_to_vec().into())
}

/// The status of a refused transaction.
pub(crate) fn rejection(rejection: &Rejection, synchronizer: &PhysicalSynchronizerId) -> Status {
    let (id, redacted) = rejection.error_code();
    let code = code_of(id);
    if redacted {
        return Status::new(code, REDACTED);
    }
    Refused::new(code, id, words(rejection)).with("psid", short_psid(synchronizer)).into()
}

/// What Canton says of it.
fn words(rejection: &Rejection) -> String {
    match rejection {
        Rejection::SerialMismatch { expected, found } => {
            format!("The provided serial Some({found}) did not match the expected serial Some({expected}).")
        }
        Rejection::InvalidTopologyMapping(reason) => {
            format!("The topology transaction was rejected due to an invalid mapping: {reason}")
        }
        Rejection::NamespaceHasBeenRevoked { namespace } => {
            format!("The namespace {} has been revoked.", short(namespace.as_str()))
        }
        Rejection::UnknownMembers { members } => {
            let members: Vec<String> = members.iter().map(|member| short(&member.to_string())).collect();
            format!("Members {} are unknown.", members.join(", "))
        }
        other => other.to_string(),
    }
}

/// An id as Canton's messages shorten it: twelve characters of the fingerprint.
pub(crate) fn short(id: &str) -> String {
    let (before, fingerprint) = id.rsplit_once("::").map_or(("", id), |(before, after)| (before, after));
    let start: String = fingerprint.chars().take(12).collect();
    if before.is_empty() { format!("{start}...") } else { format!("{before}::{start}...") }
}

/// The same of an identifier.
pub(crate) fn short_uid(uid: &UniqueIdentifier) -> String {
    short(&uid.to_string())
}

/// The same of a physical synchronizer.
pub(crate) fn short_psid(synchronizer: &PhysicalSynchronizerId) -> String {
    let PhysicalSynchronizerId { logical, serial, protocol_version } = synchronizer;
    format!("{}::{protocol_version}-{serial}", short_uid(logical.uid()))
}

/// The number of Canton's error category for a code.
fn category(code: Code) -> u8 {
    match code {
        Code::Unavailable => 1,
        Code::Aborted => 2,
        Code::DeadlineExceeded => 3,
        Code::InvalidArgument => 8,
        Code::FailedPrecondition => 9,
        Code::AlreadyExists => 10,
        Code::NotFound => 11,
        Code::OutOfRange => 12,
        Code::Unimplemented => 14,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::Internal
        | Code::DataLoss
        | Code::Unauthenticated => 4,
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

//! Calls of a recording.

use std::{fs::File, io::BufRead as _, io::BufReader, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use canton_proto::google::rpc;
use flate2::bufread::MultiGzDecoder;
use prost::Message as _;
use serde_json::Value;
use tonic::{Code, Status};

use crate::server::Answer;

pub struct Call {
    pub rpc: String,
    pub request: Vec<u8>,
    pub answer: Answer,
    /// The messages of an answer that streams, as JSON.
    pub stream: Vec<Value>,
}

/// All calls of a recording; `None` where it is not beside the project.
pub fn calls(name: &str) -> Option<Vec<Call>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/canton/recordings").join(name);
    let Ok(file) = File::open(path) else {
        println!("skipped: recordings/{name} is not beside the project");
        return None;
    };
    let lines = BufReader::new(MultiGzDecoder::new(BufReader::new(file))).lines();
    Some(lines.map(|line| call(&serde_json::from_str(&line.unwrap()).unwrap())).collect())
}

pub fn bytes(value: &Value) -> Vec<u8> {
    value.as_str().map(|text| STANDARD.decode(text).unwrap()).unwrap_or_default()
}

fn call(line: &Value) -> Call {
    let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let answer = if line.get("error").is_some_and(Value::is_object) {
        Err(refusal(&line["error"]))
    } else {
        Ok(vec![bytes(&line["response_b64"])])
    };
    let stream = line["response_stream"].as_array().cloned().unwrap_or_default();
    let request = bytes(&line["request_b64"]);
    Call { rpc: text("rpc"), request, answer: Answer(answer), stream }
}

fn refusal(error: &Value) -> Status {
    let code = code(error["code"].as_str().unwrap());
    let detail = |detail: &Value| {
        let field = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
        let (name, value) = match detail["type"].as_str().unwrap() {
            "ErrorInfo" => {
                let info = rpc::ErrorInfo { reason: field("reason"), ..rpc::ErrorInfo::default() };
                ("google.rpc.ErrorInfo", info.encode_to_vec())
            }
            "RequestInfo" => {
                let info = rpc::RequestInfo { request_id: field("request_id"), ..rpc::RequestInfo::default() };
                ("google.rpc.RequestInfo", info.encode_to_vec())
            }
            // They say when to try again, and what it was about.
            "RetryInfo" | "ResourceInfo" => return None,
            other => panic!("{other}: name it here"),
        };
        Some(prost_types::Any { type_url: format!("type.googleapis.com/{name}"), value })
    };
    let details = error["details"].as_array().unwrap().iter().filter_map(detail).collect();
    let message = error["message"].as_str().unwrap().to_owned();
    let status = rpc::Status { code: code as i32, message: message.clone(), details };
    Status::with_details(code, message, status.encode_to_vec().into())
}

fn code(name: &str) -> Code {
    match name {
        "INVALID_ARGUMENT" => Code::InvalidArgument,
        "DEADLINE_EXCEEDED" => Code::DeadlineExceeded,
        "NOT_FOUND" => Code::NotFound,
        "ALREADY_EXISTS" => Code::AlreadyExists,
        "PERMISSION_DENIED" => Code::PermissionDenied,
        "FAILED_PRECONDITION" => Code::FailedPrecondition,
        "ABORTED" => Code::Aborted,
        "UNIMPLEMENTED" => Code::Unimplemented,
        "INTERNAL" => Code::Internal,
        "UNAVAILABLE" => Code::Unavailable,
        "UNAUTHENTICATED" => Code::Unauthenticated,
        other => panic!("{other}: name it here"),
    }
}

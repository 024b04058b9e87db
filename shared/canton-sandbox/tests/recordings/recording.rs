//! The recorded calls, as they lie beside the project.
#![allow(clippy::unwrap_used)]

use std::{io::Read as _, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

/// One recorded call.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its file and number.
    pub place: String,
    /// The node that was called, such as `participant1`, `ledger3`, `sequencer`.
    pub node: String,
    /// The path of the rpc.
    pub path: String,
    /// The last part of the path.
    pub rpc: String,
    /// The request, or the first messages of a client stream.
    pub requests: Vec<Vec<u8>>,
    /// What came back.
    pub outcome: Outcome,
}

/// What came back.
#[derive(Clone, Debug)]
pub enum Outcome {
    Answer(Vec<u8>),
    /// A stream, as JSON: its bytes are not recorded.
    Stream(Vec<Value>),
    Refused {
        code: String,
        reason: Option<String>,
    },
}

/// A file of the recordings, unpacked; `None`, and one line that says so, where it is absent.
pub fn file(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/canton/recordings").join(name);
    let Ok(bytes) = std::fs::read(path) else {
        println!("skipped: shared/canton/recordings/{name} is not beside the project");
        return None;
    };
    Some(if name.ends_with(".gz") { unpack(&bytes) } else { bytes })
}

pub fn unpack(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

pub fn base64(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap_or_default()).unwrap()
}

/// The calls of a file, in order.
pub fn calls(name: &str) -> Option<Vec<Call>> {
    let text = String::from_utf8(file(name)?).unwrap();
    Some(text.lines().map(|line| call(name, &serde_json::from_str(line).unwrap())).collect())
}

fn call(name: &str, line: &Value) -> Call {
    let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
    // The recorded name of a service ends with its file's; the rpc begins with the service's.
    let service = text("service");
    let package = service.rsplit_once('.').unwrap().0;
    let rpc = text("rpc");
    let outcome = if let Some(error) = line.get("error") {
        let details = error["details"].as_array().cloned().unwrap_or_default();
        let reason = details.iter().find_map(|detail| detail["reason"].as_str()).map(str::to_owned);
        Outcome::Refused { code: error["code"].as_str().unwrap().to_owned(), reason }
    } else if let Some(stream) = line.get("response_stream") {
        Outcome::Stream(stream.as_array().unwrap().clone())
    } else {
        Outcome::Answer(base64(&line["response_b64"]))
    };
    let requests = match line.get("request_stream") {
        Some(messages) => messages.as_array().unwrap().iter().map(import).collect(),
        None => vec![base64(&line["request_b64"])],
    };
    Call {
        place: format!("{name} #{}", line["n"]),
        node: text("node"),
        path: format!("/{package}.{rpc}"),
        rpc: rpc.rsplit('/').next().unwrap().to_owned(),
        requests,
        outcome,
    }
}

/// The only client stream is the import of contracts.
fn import(message: &Value) -> Vec<u8> {
    use canton_proto::canton::admin::participant::v30::ImportPartyAcsRequest;
    use prost::Message as _;
    let text = |field: &str| message[field].as_str().map(str::to_owned);
    let mode = text("contract_import_mode").map(|mode| match mode.as_str() {
        "CONTRACT_IMPORT_MODE_ACCEPT" => 1,
        "CONTRACT_IMPORT_MODE_VALIDATION" => 2,
        other => panic!("an unknown mode {other}"),
    });
    let request = ImportPartyAcsRequest {
        acs_snapshot: base64(&message["acs_snapshot"]),
        synchronizer_id: text("synchronizer_id"),
        workflow_id_prefix: text("workflow_id_prefix"),
        contract_import_mode: mode,
        representative_package_id_override: None,
        party_id: text("party_id"),
    };
    request.encode_to_vec()
}

//! Recorded answers of server streams, of which only the JSON is there, as messages again.
#![allow(clippy::unwrap_used)]

use canton_proto::{canton::topology::admin::v30::ExportTopologySnapshotV2Response, daml::ledger::api::v2 as ledger};
use prost::Message as _;
use serde_json::Value;

use super::recording;

/// A recorded answer of a stream, of which only the JSON is there.
pub fn to_bytes(rpc: &str, answer: &Value) -> Vec<u8> {
    match rpc {
        "ExportTopologySnapshot" | "ExportTopologySnapshotV2" => {
            ExportTopologySnapshotV2Response { chunk: recording::base64(&answer["chunk"]) }.encode_to_vec()
        }
        "GetActiveContracts" => {
            let contract_id = answer["active_contract"]["created_event"]["contract_id"].as_str().unwrap().to_owned();
            let created_event = Some(ledger::CreatedEvent { contract_id, ..Default::default() });
            let active = ledger::ActiveContract { created_event, ..Default::default() };
            let contract_entry = Some(ledger::get_active_contracts_response::ContractEntry::ActiveContract(active));
            ledger::GetActiveContractsResponse { contract_entry, ..Default::default() }.encode_to_vec()
        }
        "GetUpdates" => {
            let events = answer["topology_transaction"]["events"].as_array().unwrap();
            let events = events.iter().map(event).collect();
            let transaction = ledger::TopologyTransaction { events, ..Default::default() };
            let update = Some(ledger::get_updates_response::Update::TopologyTransaction(transaction));
            ledger::GetUpdatesResponse { update }.encode_to_vec()
        }
        _ => Vec::new(),
    }
}

fn event(event: &Value) -> ledger::TopologyEvent {
    let (kind, body) = event.as_object().unwrap().iter().next().unwrap();
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    let permission = ledger::ParticipantPermission::from_str_name(&text("participant_permission")).map_or(0, i32::from);
    let (party_id, participant_id) = (text("party_id"), text("participant_id"));
    let event = match kind.as_str() {
        "participant_authorization_added" => {
            let added =
                ledger::ParticipantAuthorizationAdded { party_id, participant_id, participant_permission: permission };
            ledger::topology_event::Event::ParticipantAuthorizationAdded(added)
        }
        "participant_authorization_onboarding" => {
            let onboarding = ledger::ParticipantAuthorizationOnboarding {
                party_id,
                participant_id,
                participant_permission: permission,
            };
            ledger::topology_event::Event::ParticipantAuthorizationOnboarding(onboarding)
        }
        "participant_authorization_revoked" => {
            let revoked = ledger::ParticipantAuthorizationRevoked { party_id, participant_id };
            ledger::topology_event::Event::ParticipantAuthorizationRevoked(revoked)
        }
        other => panic!("an unknown event {other}"),
    };
    ledger::TopologyEvent { event: Some(event) }
}

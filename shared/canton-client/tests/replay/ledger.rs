//! The Ledger API's streams.

use std::time::Duration;

use canton_client::{
    access::Access,
    ledger::{
        Ledger, Offset,
        updates::{HostingChange, HostingEvent, UpdateOfParty},
    },
    participant::Options,
};
use canton_proto::daml::ledger::api::v2::{
    ActiveContract, CreatedEvent, GetActiveContractsRequest, GetActiveContractsResponse, GetUpdatesRequest,
    GetUpdatesResponse, Identifier, ParticipantAuthorizationAdded, ParticipantAuthorizationOnboarding,
    ParticipantAuthorizationRevoked, TopologyEvent, TopologyTransaction, Transaction,
    get_active_contracts_response::ContractEntry, get_updates_response::Update, topology_event::Event,
};
use canton_topology::{id::PartyId, mapping::Permission};
use prost::Message as _;
use serde_json::Value;

use crate::{
    recorded::calls,
    server::{Answer, Replay},
};

const UPDATES: &str = "UpdateService/GetUpdates";
const FLAG: &str = "flag::122064a9f1e4ac25bb1456dcbe3ac0078be2cc7cb880e8a36af0f06b456c3fdb709d";

async fn ledger(replay: &Replay) -> Ledger {
    let address = format!("http://{}", replay.serve().await);
    Ledger::new(&Options { address, timeout: Duration::from_secs(10), access: Access::default() }).unwrap()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn offset(value: &Value) -> i64 {
    text(value, "offset").parse().unwrap()
}

/// A recorded update of topology as the message that it was; its time is made up.
fn topology(update: &Value) -> Vec<u8> {
    let update = &update["topology_transaction"];
    let event = |event: &Value| {
        let (name, one) = event.as_object().unwrap().iter().next().unwrap();
        let (party_id, participant_id) = (text(one, "party_id"), text(one, "participant_id"));
        let participant_permission = if text(one, "participant_permission").ends_with("SUBMISSION") { 1 } else { 2 };
        let event = match name.as_str() {
            "participant_authorization_added" => Event::ParticipantAuthorizationAdded(ParticipantAuthorizationAdded {
                party_id,
                participant_id,
                participant_permission,
            }),
            "participant_authorization_onboarding" => {
                Event::ParticipantAuthorizationOnboarding(ParticipantAuthorizationOnboarding {
                    party_id,
                    participant_id,
                    participant_permission,
                })
            }
            "participant_authorization_revoked" => {
                Event::ParticipantAuthorizationRevoked(ParticipantAuthorizationRevoked { party_id, participant_id })
            }
            other => panic!("{other}: name it here"),
        };
        TopologyEvent { event: Some(event) }
    };
    let transaction = TopologyTransaction {
        offset: offset(update),
        synchronizer_id: text(update, "synchronizer_id"),
        record_time: Some(prost_types::Timestamp { seconds: 1, nanos: 2_000 }),
        events: update["events"].as_array().unwrap().iter().map(event).collect(),
        ..TopologyTransaction::default()
    };
    GetUpdatesResponse { update: Some(Update::TopologyTransaction(transaction)) }.encode_to_vec()
}

#[tokio::test]
async fn hosting_events_tell_onboarding_and_its_end_apart() {
    let Some(calls) = calls("pv35/doubts.jsonl.gz") else { return };
    let recorded = calls.iter().find(|call| call.rpc == UPDATES).unwrap();
    let replay = Replay::default();
    replay.answer(UPDATES, Answer(Ok(recorded.stream.iter().map(topology).collect())));
    let party: PartyId = FLAG.parse().unwrap();

    let mut coming = ledger(&replay).await.hosting_events(&party, Offset::BEGIN, Some(Offset(261))).await.unwrap();
    let mut events: Vec<HostingEvent> = Vec::new();
    while let Some(event) = coming.next().await.unwrap() {
        events.push(event);
    }

    let seen: Vec<(i64, HostingChange)> = events.iter().map(|event| (event.offset.0, event.change)).collect();
    let confirmation = Permission::Confirmation;
    assert_eq!(
        seen,
        [
            (252, HostingChange::Added(confirmation)),
            (255, HostingChange::Onboarding(confirmation)),
            (260, HostingChange::Added(confirmation))
        ]
    );
    assert_eq!(events[0].record_time.micros(), 1_000_002);
    let asked = GetUpdatesRequest::decode(replay.asked(UPDATES)[0][0].as_slice()).unwrap();
    assert_eq!((asked.begin_exclusive, asked.end_inclusive), (0, Some(261)));
}

#[tokio::test]
async fn a_party_s_contracts_come_with_both_of_their_packages() {
    let Some(calls) = calls("pv35/more.jsonl.gz") else { return };
    let recorded = calls.iter().find(|call| call.rpc.ends_with("/GetActiveContracts")).unwrap();
    let message = |one: &Value| {
        let (contract, event) = (&one["active_contract"], &one["active_contract"]["created_event"]);
        let template = Identifier { package_id: text(&event["template_id"], "package_id"), ..Identifier::default() };
        let event = CreatedEvent {
            offset: offset(event),
            contract_id: text(event, "contract_id"),
            template_id: Some(template),
            representative_package_id: "another".to_owned(),
            ..CreatedEvent::default()
        };
        let contract = ActiveContract {
            created_event: Some(event),
            synchronizer_id: text(contract, "synchronizer_id"),
            reassignment_counter: 0,
        };
        let entry = Some(ContractEntry::ActiveContract(contract));
        GetActiveContractsResponse { contract_entry: entry, ..GetActiveContractsResponse::default() }.encode_to_vec()
    };
    let replay = Replay::default();
    replay.answer(&recorded.rpc, Answer(Ok(recorded.stream.iter().map(message).collect())));
    let party: PartyId = FLAG.parse().unwrap();

    let mut coming = ledger(&replay).await.active_contracts(&party, Offset(209)).await.unwrap();
    let mut contracts = Vec::new();
    while let Some(contract) = coming.next().await.unwrap() {
        contracts.push(contract);
    }

    assert_eq!(contracts.len(), recorded.stream.len());
    assert_eq!(contracts[0].created_at, Offset(150));
    assert_eq!(contracts[0].packages.len(), 2);
    let asked = GetActiveContractsRequest::decode(replay.asked(&recorded.rpc)[0][0].as_slice()).unwrap();
    assert_eq!(asked.active_at_offset, 209);
    let format = asked.event_format.unwrap();
    assert_eq!(format.filters_by_party.into_keys().collect::<Vec<_>>(), [FLAG]);
    assert_eq!(format.filters_for_any_party, None, "the contracts of nobody else");
}

#[tokio::test]
async fn one_transaction_is_enough_to_know_that_a_party_was_used() {
    let used = Transaction { offset: 17, update_id: "1220ab".to_owned(), ..Transaction::default() };
    let used = GetUpdatesResponse { update: Some(Update::Transaction(used)) }.encode_to_vec();
    let replay = Replay::default();
    replay.answer(UPDATES, Answer(Ok(Vec::new()))).answer(UPDATES, Answer::of(used));
    let ledger = ledger(&replay).await;
    let party: PartyId = FLAG.parse().unwrap();
    let first = async |from, to| ledger.first_update_of(&party, Offset(from), Offset(to)).await.unwrap();

    assert_eq!(first(0, 20).await, None);
    assert_eq!(first(0, 20).await, Some(UpdateOfParty { offset: Offset(17), id: "1220ab".to_owned() }));
    assert_eq!(first(20, 20).await, None, "nothing lies between");
    assert_eq!(replay.asked(UPDATES).len(), 2);
}

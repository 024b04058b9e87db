//! A node's own life: its status, its connection, its schedule, its two sockets, its packages, and what goes wrong.
#![allow(clippy::unwrap_used)]

mod world;

use canton_proto::{
    canton::{
        admin::{
            participant::v30::{
                ListConnectedSynchronizersRequest, ListRegisteredSynchronizersRequest, ModifySynchronizerRequest,
                ParticipantStatusRequest, ReconnectSynchronizersRequest, UploadDarRequest,
                package_service_client::PackageServiceClient, participant_status_response::Kind,
                participant_status_service_client::ParticipantStatusServiceClient,
                pruning_service_client::PruningServiceClient, upload_dar_request::UploadDarData,
            },
            pruning::v30::{
                ClearScheduleRequest, GetParticipantScheduleRequest, GetScheduleRequest, ParticipantPruningSchedule,
                PruningSchedule, SetParticipantScheduleRequest,
            },
        },
        connection::v30::{GetApiInfoRequest, api_info_service_client::ApiInfoServiceClient},
        topology::admin::v30::{
            BaseQuery, ListPartyToParticipantRequest, ListVettedPackagesRequest, base_query::TimeQuery,
            topology_manager_read_service_client::TopologyManagerReadServiceClient,
        },
    },
    daml::ledger::api::v2::{
        CumulativeFilter, EventFormat, Filters, GetActiveContractsRequest, GetLatestPrunedOffsetsRequest,
        GetUpdatesRequest, ParticipantAuthorizationTopologyFormat, TopologyFormat, TransactionFormat, UpdateFormat,
        WildcardFilter, cumulative_filter::IdentifierFilter, get_updates_response::Update,
        state_service_client::StateServiceClient, topology_event::Event, update_service_client::UpdateServiceClient,
    },
};
use canton_sandbox::{faults::Fault, network::Options};
use tonic::{Code, transport::Channel};

use world::{PACKAGE, World, channel, quick, reason, until};

async fn ledger(world: &World, index: usize) -> Channel {
    channel(world.participant(index).ledger_address).await
}

async fn admin(world: &World, index: usize) -> Channel {
    channel(world.participant(index).address).await
}

fn query(world: &World) -> Option<BaseQuery> {
    Some(BaseQuery { store: Some(world.store()), time_query: Some(TimeQuery::HeadState(())), ..Default::default() })
}

async fn is_connected(world: &World, index: usize) -> bool {
    let mut connections = world.connections(index).await;
    let answer = connections.list_connected_synchronizers(ListConnectedSynchronizersRequest {}).await.unwrap();
    !answer.into_inner().connected_synchronizers.is_empty()
}

#[tokio::test]
async fn each_socket_says_which_api_it_speaks_and_knows_nothing_of_the_other() {
    let world = World::start(&quick()).await;
    let names = [(admin(&world, 0).await, "admin-api"), (ledger(&world, 0).await, "ledger-api")];
    for (channel, name) in names {
        let info = ApiInfoServiceClient::new(channel).get_api_info(GetApiInfoRequest {}).await.unwrap();
        assert_eq!(info.into_inner().name, name);
    }
    let wrong = StateServiceClient::new(admin(&world, 0).await);
    let wrong = wrong.clone().get_latest_pruned_offsets(GetLatestPrunedOffsetsRequest {}).await.unwrap_err();
    assert_eq!(wrong.code(), Code::Unimplemented);
    let mut wrong = ParticipantStatusServiceClient::new(ledger(&world, 0).await);
    let wrong = wrong.participant_status(ParticipantStatusRequest {}).await.unwrap_err();
    assert_eq!(wrong.code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_disconnected_node_says_so_hides_its_store_and_sees_nothing_until_it_is_back() {
    let world = World::start(&quick()).await;
    world.disconnect(1).await;
    let mut client = ParticipantStatusServiceClient::new(admin(&world, 1).await);
    let answer = client.participant_status(ParticipantStatusRequest {}).await.unwrap().into_inner();
    let Some(Kind::Status(status)) = answer.kind else { panic!("{answer:?}") };
    assert!(status.active && status.connected_synchronizers.is_empty(), "{status:?}");
    assert_eq!(status.common_status.unwrap().version, "3.5.10");

    let mut reader = TopologyManagerReadServiceClient::new(admin(&world, 1).await);
    let request = ListPartyToParticipantRequest { base_query: query(&world), ..Default::default() };
    let hidden = reader.list_party_to_participant(request.clone()).await.unwrap_err();
    assert_eq!(reason(&hidden), "TOPOLOGY_STORE_NOT_FOUND");
    let end = world.end(1);
    world.contracts(2).await;
    assert_eq!(world.end(1), end);

    world.reconnect(1).await;

    assert_eq!(world.end(1), end + 1);
    assert_eq!(world.network.contracts(&world.participant(1).id).len(), 2);
    reader.list_party_to_participant(request).await.unwrap();
}

#[tokio::test]
async fn a_node_that_connects_by_hand_only_stays_away_when_it_starts_again() {
    let world = World::start(&quick()).await;
    let id = world.participant(2).id.clone();
    let mut connections = world.connections(2).await;
    let all = connections.list_registered_synchronizers(ListRegisteredSynchronizersRequest { all_statuses: false });
    let mut config = all.await.unwrap().into_inner().results.remove(0).config.unwrap();
    for (manual_connect, is_back) in [(true, false), (false, true)] {
        config.manual_connect = manual_connect;
        let request = ModifySynchronizerRequest {
            physical_synchronizer_id: None,
            new_config: Some(config.clone()),
            sequencer_connection_validation: 1,
        };
        connections.modify_synchronizer(request).await.unwrap();
        world.network.stop(&id);
        let down = connections.list_connected_synchronizers(ListConnectedSynchronizersRequest {}).await.unwrap_err();
        assert_eq!(down.code(), Code::Unavailable);
        world.network.restart(&id);
        assert_eq!(is_connected(&world, 2).await, is_back);
        connections.reconnect_synchronizers(ReconnectSynchronizersRequest { ignore_failures: false }).await.unwrap();
        assert_eq!(is_connected(&world, 2).await, is_back);
    }
}

#[tokio::test]
async fn a_pruning_schedule_is_kept_whole_and_can_be_put_back() {
    let world = World::start(&quick()).await;
    let mut pruning = PruningServiceClient::new(admin(&world, 0).await);
    let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    let plain =
        PruningSchedule { cron: "0 0 20 * * ?".to_owned(), max_duration: seconds(7200), retention: seconds(2_592_000) };
    let whole = ParticipantPruningSchedule { schedule: Some(plain.clone()), prune_internally_only: true };
    let set = || SetParticipantScheduleRequest { schedule: Some(whole.clone()) };
    pruning.set_participant_schedule(set()).await.unwrap();
    let read = pruning.get_participant_schedule(GetParticipantScheduleRequest {}).await.unwrap().into_inner().schedule;
    assert_eq!(read, Some(whole.clone()));
    assert_eq!(pruning.get_schedule(GetScheduleRequest {}).await.unwrap().into_inner().schedule, Some(plain));
    for _ in 0..2 {
        pruning.clear_schedule(ClearScheduleRequest {}).await.unwrap();
        assert_eq!(pruning.get_schedule(GetScheduleRequest {}).await.unwrap().into_inner().schedule, None);
    }
    pruning.set_participant_schedule(set()).await.unwrap();
    let senseless = ParticipantPruningSchedule {
        schedule: Some(PruningSchedule { cron: "daily".to_owned(), ..whole.schedule.clone().unwrap() }),
        prune_internally_only: false,
    };
    let refused = pruning.set_participant_schedule(SetParticipantScheduleRequest { schedule: Some(senseless) }).await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn what_was_pruned_cannot_be_read_and_what_came_after_can() {
    let world = World::start(&quick()).await;
    let contracts = world.contracts(2).await;
    world.network.transact(Vec::new(), vec![contracts[0].clone()]).await;
    let end = world.end(0);
    world.network.prune(&world.participant(0).id, end - 1);
    let mut state = StateServiceClient::new(ledger(&world, 0).await);
    let pruned = state.get_latest_pruned_offsets(GetLatestPrunedOffsetsRequest {}).await.unwrap().into_inner();
    assert_eq!(pruned.participant_pruned_up_to_inclusive, end - 1);

    let active = |active_at_offset| GetActiveContractsRequest {
        active_at_offset,
        event_format: Some(everything()),
        stream_continuation_token: None,
    };
    let refused = state.get_active_contracts(active(end - 2)).await.unwrap_err();
    assert_eq!(reason(&refused), "PARTICIPANT_PRUNED_DATA_ACCESSED");
    let refused = state.get_active_contracts(active(end + 1)).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (Code::OutOfRange, "OFFSET_AFTER_LEDGER_END".to_owned()));
    let mut stream = state.get_active_contracts(active(end)).await.unwrap().into_inner();
    let mut count = 0;
    while stream.message().await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 1);

    let mut updates = UpdateServiceClient::new(ledger(&world, 0).await);
    let request = |begin_exclusive| GetUpdatesRequest {
        begin_exclusive,
        end_inclusive: Some(end),
        update_format: Some(updates_of_everything()),
        descending_order: false,
    };
    let refused = updates.get_updates(request(1)).await.unwrap_err();
    assert_eq!(reason(&refused), "PARTICIPANT_PRUNED_DATA_ACCESSED");
    let mut stream = updates.get_updates(request(end - 1)).await.unwrap().into_inner();
    let Some(Update::Transaction(transaction)) = stream.message().await.unwrap().unwrap().update else { panic!() };
    assert!(transaction.offset == end && transaction.events.len() == 1, "{transaction:?}");
    assert!(stream.message().await.unwrap().is_none());
}

fn everything() -> EventFormat {
    let wildcard = IdentifierFilter::WildcardFilter(WildcardFilter { include_created_event_blob: true });
    let filters = Filters { cumulative: vec![CumulativeFilter { identifier_filter: Some(wildcard) }] };
    EventFormat { filters_by_party: [].into(), filters_for_any_party: Some(filters), verbose: false }
}

fn updates_of_everything() -> UpdateFormat {
    UpdateFormat {
        include_transactions: Some(TransactionFormat { event_format: Some(everything()), transaction_shape: 1 }),
        include_reassignments: None,
        include_topology_events: Some(TopologyFormat {
            include_participant_authorization_events: Some(ParticipantAuthorizationTopologyFormat {
                parties: Vec::new(),
            }),
        }),
    }
}

#[tokio::test]
async fn the_updates_tell_each_change_of_a_host_as_it_comes() {
    let world = World::start(&quick()).await;
    let mut updates = UpdateServiceClient::new(ledger(&world, 1).await);
    let request = GetUpdatesRequest {
        begin_exclusive: world.end(1),
        end_inclusive: None,
        update_format: Some(updates_of_everything()),
        descending_order: false,
    };
    let mut stream = updates.get_updates(request).await.unwrap().into_inner();
    world.host(2, &[0, 1, 2], &[2]).await;
    world.host(3, &[0, 1, 2], &[]).await;
    world.host(4, &[0, 1], &[]).await;
    let third = world.participant(2).id.to_string();
    for expected in ["onboarding", "added", "revoked"] {
        let update = stream.message().await.unwrap().unwrap().update;
        let Some(Update::TopologyTransaction(transaction)) = update else { panic!("{update:?}") };
        let [event] = transaction.events.as_slice() else { panic!("{transaction:?}") };
        let (found, participant) = match event.event.as_ref().unwrap() {
            Event::ParticipantAuthorizationOnboarding(event) => ("onboarding", &event.participant_id),
            Event::ParticipantAuthorizationAdded(event) => ("added", &event.participant_id),
            Event::ParticipantAuthorizationRevoked(event) => ("revoked", &event.participant_id),
            Event::ParticipantAuthorizationChanged(event) => ("changed", &event.participant_id),
        };
        assert_eq!((found, participant), (expected, &third));
    }
}

#[tokio::test]
async fn an_uploaded_package_is_vetted_beside_those_from_before() {
    let world = World::start(&quick()).await;
    let listed = "ab".repeat(32);
    let dars = vec![
        UploadDarData { bytes: b"any bytes".to_vec(), description: None, expected_main_package_id: None },
        UploadDarData { bytes: listed.clone().into_bytes(), description: None, expected_main_package_id: None },
    ];
    let request = UploadDarRequest { dars, vet_all_packages: true, synchronize_vetting: true, synchronizer_id: None };
    let mut packages = PackageServiceClient::new(admin(&world, 2).await);
    let ids = packages.upload_dar(request).await.unwrap().into_inner().dar_ids;
    assert_eq!(ids[1], listed);

    // Another node sees it too.
    let filter_participant = world.participant(2).id.to_string();
    let mut reader = TopologyManagerReadServiceClient::new(admin(&world, 0).await);
    let request = ListVettedPackagesRequest { base_query: query(&world), filter_participant };
    let rows = reader.list_vetted_packages(request).await.unwrap().into_inner().results;
    let vetted: Vec<String> =
        rows[0].item.as_ref().unwrap().packages.iter().map(|package| package.package_id.clone()).collect();
    assert_eq!(vetted, [PACKAGE.to_owned(), ids[0].clone(), listed]);
}

#[tokio::test]
async fn an_ordered_fault_meets_one_call_before_or_after_it_acts() {
    let world = World::start(&quick()).await;
    let faults = world.network.faults(&world.participant(0).id);
    let second = world.hosting(2, &[0, 1], &[]);
    let signed = canton_topology::transaction::SignedTransaction::new(
        second.clone(),
        world.owners.iter().map(|owner| owner.sign(&second)).collect(),
        true,
    );
    let proposals = || world.network.head().proposals().count();
    let before = world.network.head().rows().count();

    faults.order("AddTransactions", Fault::Refused);
    assert_eq!(world.add(0, vec![signed.clone()]).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!((world.network.head().rows().count(), proposals()), (before, 0));

    faults.order("AddTransactions", Fault::AnswerLost);
    assert_eq!(world.add(0, vec![signed.clone()]).await.unwrap_err().code(), Code::Unavailable);
    until("it acted all the same", || world.network.head().rows().count() == before + 1).await;

    world.add(0, vec![signed]).await.unwrap();
}

#[tokio::test]
async fn a_node_can_keep_a_row_to_itself() {
    let world = World::start(&quick()).await;
    let second = world.host(2, &[0, 1, 2], &[2]).await;
    let mut reader = TopologyManagerReadServiceClient::new(admin(&world, 1).await);
    let request = ListPartyToParticipantRequest { base_query: query(&world), ..Default::default() };
    let faults = world.network.faults(&world.participant(1).id);
    faults.hide(second.hash());
    let rows = reader.list_party_to_participant(request.clone()).await.unwrap().into_inner().results;
    assert!(rows.is_empty(), "{rows:?}");
    faults.show_all();
    let rows = reader.list_party_to_participant(request).await.unwrap().into_inner().results;
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn what_a_node_has_not_sent_stands_in_its_queue() {
    let world = World::start(&Options { ..quick() }).await;
    world.network.slow_down(std::time::Duration::from_millis(300));
    let second = world.hosting(2, &[0, 1], &[]);
    let signatures = world.owners.iter().map(|owner| owner.sign(&second)).collect();
    let signed = canton_topology::transaction::SignedTransaction::new(second, signatures, true);
    let adding = world.add(0, vec![signed]);
    let mut client = ParticipantStatusServiceClient::new(admin(&world, 0).await);
    let watching = async {
        for _ in 0..1000 {
            let answer = client.participant_status(ParticipantStatusRequest {}).await.unwrap().into_inner();
            let Some(Kind::Status(status)) = answer.kind else { panic!() };
            if status.common_status.unwrap().topology_queues.unwrap().dispatcher > 0 {
                return true;
            }
        }
        false
    };
    let (added, was_seen) = tokio::join!(adding, watching);
    added.unwrap();
    assert!(was_seen);
}

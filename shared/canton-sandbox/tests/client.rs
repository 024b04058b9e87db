//! The client through the whole of an offline replication, step by step as an agent walks it.
#![allow(clippy::unwrap_used)]

mod world;

use std::time::Duration;

use canton_client::{
    access::Access,
    ledger::{Ledger, Offset, updates::HostingChange},
    participant::{Options as ClientOptions, Participant},
    parties::{Export, Import},
    pruning::Schedule,
    snapshot_file::SnapshotFile,
};
use canton_topology::mapping::Permission;

use world::{PACKAGE, World, quick, until};

fn options(address: std::net::SocketAddr) -> ClientOptions {
    let address = format!("http://{address}");
    ClientOptions { address, timeout: Duration::from_secs(10), access: Access::default() }
}

fn participant(world: &World, index: usize) -> Participant {
    Participant::new(&options(world.participant(index).address)).unwrap()
}

fn ledger(world: &World, index: usize) -> Ledger {
    Ledger::new(&options(world.participant(index).ledger_address)).unwrap()
}

#[tokio::test]
async fn an_agent_moves_a_used_party_to_a_third_host() {
    let world = World::start(&quick()).await;
    world.contracts(5).await;
    let (party, synchronizer) = (world.party(), world.network.synchronizer().logical.clone());
    let (source, target) = (participant(&world, 0), participant(&world, 2));
    let (source_ledger, target_ledger) = (ledger(&world, 0), ledger(&world, 2));
    let target_id = world.participant(2).id.clone();

    // The source keeps everything while the move lasts.
    let schedule = Schedule {
        cron: "0 0 20 * * ?".to_owned(),
        max_duration: Duration::from_secs(7_200),
        retention: Duration::from_secs(2_592_000),
        prune_internally_only: true,
    };
    source.set_schedule(&schedule).await.unwrap();
    let kept = source.schedule().await.unwrap().unwrap();
    source.clear_schedule().await.unwrap();
    assert_eq!(kept, schedule);

    // The party was used, so that it must be moved with its contracts.
    let end = source_ledger.ledger_end().await.unwrap();
    assert!(source_ledger.first_update_of(&party, Offset::BEGIN, end).await.unwrap().is_some());
    assert!(!target_ledger.is_hosted_locally(&party).await.unwrap());

    // The target has sent its own consent before it is cut off.
    assert_eq!(target.status().await.unwrap().queues.dispatcher, 0);
    let consent = world.hosting(2, &[0, 1, 2], &[2]);
    let key = world.participant(2).namespace_key.clone();
    target.propose(&synchronizer, &consent, &key).await.unwrap();
    until("the consent is there", || world.network.head().proposals().next().is_some()).await;
    let alias = target.connected().await.unwrap()[0].alias.clone();
    target.disconnect_all().await.unwrap();
    target.set_manual_connect(&alias, true).await.unwrap();
    assert!(target.connected().await.unwrap().is_empty());
    assert!(target.registered().await.unwrap()[0].manual_connect);

    let begin_exclusive = source_ledger.ledger_end().await.unwrap();
    world.host(2, &[0, 1, 2], &[2]).await;
    let mut events = source_ledger.hosting_events(&party, begin_exclusive, None).await.unwrap();
    let event = events.next().await.unwrap().unwrap();
    assert_eq!(
        (event.participant, event.change),
        (target_id.clone(), HostingChange::Onboarding(Permission::Confirmation))
    );

    let file = export(&source, &world, begin_exclusive).await;
    let records: Vec<_> = SnapshotFile::new(file.as_slice()).map(Result::unwrap).collect();
    assert_eq!(records.len(), 5);
    assert!(records.iter().all(|record| record.packages == [PACKAGE] && record.synchronizer == synchronizer));
    assert!(records.iter().all(|record| record.stakeholders.contains(&party.to_string())));

    let version = target.status().await.unwrap().version;
    let import =
        Import { party: party.clone(), synchronizer: synchronizer.clone(), workflow_prefix: "move".to_owned() };
    target.import_party(&version, &import, file.as_slice()).await.unwrap();
    let after = target_ledger.ledger_end().await.unwrap();
    assert_eq!(contracts(&target_ledger, &world, after).await, 5);

    assert!(target.reconnect(&alias).await.unwrap());
    target.set_manual_connect(&alias, false).await.unwrap();
    let clear =
        async || target.clear_onboarding_flag(&party, &synchronizer, after, Duration::from_millis(500)).await.unwrap();
    let first = clear().await;
    assert!(!first.onboarded && first.earliest_retry.is_some());
    until("the flag is gone", || world.is_onboarded(2)).await;
    for _ in 0..200 {
        if clear().await.onboarded {
            source.set_schedule(&kept).await.unwrap();
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the node never said that the party is onboarded");
}

async fn export(source: &Participant, world: &World, begin_exclusive: Offset) -> Vec<u8> {
    let export = Export {
        party: world.party(),
        synchronizer: world.network.synchronizer().logical.clone(),
        target: world.participant(2).id.clone(),
        begin_exclusive,
        wait_for_activation: Duration::from_secs(5),
    };
    let mut chunks = source.export_party(&export).await.unwrap();
    let mut file = Vec::new();
    while let Some(chunk) = chunks.next().await.unwrap() {
        file.extend(chunk);
    }
    file
}

async fn contracts(ledger: &Ledger, world: &World, at: Offset) -> usize {
    let mut coming = ledger.active_contracts(&world.party(), at).await.unwrap();
    let mut count = 0;
    while let Some(contract) = coming.next().await.unwrap() {
        assert_eq!(contract.packages, [PACKAGE]);
        count += 1;
    }
    count
}

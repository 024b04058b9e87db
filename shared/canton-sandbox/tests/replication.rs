//! Offline replication of a used party, as the recorded nodes lived through it: export, import, onboarding flag.
#![allow(clippy::unwrap_used)]

mod world;

use std::time::Duration;

use canton_sandbox::{
    contract::NewContract,
    ledger::Fork,
    network::{Options, Storage},
};
use canton_topology::id::PartyId;

use world::{PACKAGE, World, quick, reason, until};

/// A world whose third participant is disconnected and listed as onboarding: with the source's offset from before, the
/// contracts that the party had then, and the exported file.
async fn exported(options: &Options, contracts: usize) -> (World, Vec<canton_sandbox::contract::ContractId>, Vec<u8>) {
    let world = World::start(options).await;
    let contracts = world.contracts(contracts).await;
    // The target consents while it is connected, the owners once it is not.
    let transaction = world.hosting(2, &[0, 1, 2], &[2]);
    let signed = canton_topology::transaction::SignedTransaction::new(
        transaction.clone(),
        vec![world.owners[0].sign(&transaction)],
        true,
    );
    world.add(0, vec![signed]).await.unwrap();
    let request = canton_proto::canton::topology::admin::v30::AuthorizeRequest {
        r#type: Some(canton_proto::canton::topology::admin::v30::authorize_request::Type::TransactionHash(
            transaction.hash().to_string(),
        )),
        must_fully_authorize: false,
        force_changes: Vec::new(),
        signed_by: Vec::new(),
        store: Some(world.store()),
        wait_to_become_effective: None,
    };
    world.writer(2).await.authorize(request).await.unwrap();
    until("the target's consent is there", || world.network.head().proposals().any(|row| row.signatures.len() == 2))
        .await;
    world.disconnect(2).await;
    let begin = world.end(0);
    world.host(2, &[0, 1, 2], &[2]).await;
    let file = world.export(0, 2, begin).await.unwrap();
    (world, contracts, file)
}

#[tokio::test]
async fn a_used_party_moves_to_a_third_host_by_a_file_and_its_flag_goes_when_it_may() {
    let (world, contracts, file) = exported(&quick(), 5).await;
    let target = world.participant(2).id.clone();

    world.import(2, &file, Some(world.party().to_string())).await.unwrap();
    assert_eq!(world.network.contracts(&target), contracts.iter().cloned().collect());
    // Twice is once, and nobody asks whose contracts these are.
    let end = world.end(2);
    world.import(2, &file, Some(world.party().to_string())).await.unwrap();
    world.import(2, &file, Some(format!("alice::{}", world.namespace()))).await.unwrap();
    assert_eq!(world.network.contracts(&target).len(), contracts.len());
    assert_eq!(world.end(2), end + 2);

    let begin = world.end(2);
    // What happens in the meantime reaches the target when it is back.
    world.network.transact(Vec::new(), vec![contracts[0].clone()]).await;
    assert_eq!(world.network.contracts(&target).len(), contracts.len());
    world.reconnect(2).await;
    assert_eq!(world.network.contracts(&target).len(), contracts.len() - 1);
    assert_eq!(world.network.fork(&target), None);

    let first = world.clear(2, begin).await.unwrap();
    assert!(!first.onboarded && first.earliest_retry_timestamp.is_some());
    until("the flag is gone", || world.is_onboarded(2)).await;
    until("the node says so", || world.end(2) > begin + 2).await;
    assert!(world.clear(2, begin).await.unwrap().onboarded);
}

#[tokio::test]
async fn a_node_of_protocol_35_that_was_told_the_party_clears_its_flag_by_itself_and_one_of_34_does_not() {
    for (protocol_version, clears) in [(35, true), (34, false)] {
        let options = Options { protocol_version, decision_timeout: Duration::from_millis(50), ..quick() };
        let (world, _, file) = exported(&options, 1).await;
        world.import(2, &file, Some(world.party().to_string())).await.unwrap();
        world.reconnect(2).await;
        if clears {
            until("the flag is gone", || world.is_onboarded(2)).await;
        } else {
            // Something later is through, and the flag still there.
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert!(!world.is_onboarded(2));
        }
    }
}

#[tokio::test]
async fn an_import_wants_a_disconnected_node_a_database_a_mode_and_a_whole_file() {
    let (world, contracts, file) = exported(&quick(), 3).await;
    let cut = world.import(2, &file[..file.len() / 2], None).await.unwrap_err();
    assert_eq!(reason(&cut), "PROTO_DESERIALIZATION_FAILURE");
    assert!(world.network.contracts(&world.participant(2).id).is_empty());
    let connected = world.import(1, &file, None).await.unwrap_err();
    assert_eq!(reason(&connected), "IO_STREAM_PARTY_MANAGEMENT_ERROR");
    // No message at all is no import.
    world.import(2, &[], None).await.unwrap();
    let request = canton_proto::canton::admin::participant::v30::ImportPartyAcsRequest {
        acs_snapshot: file,
        synchronizer_id: Some(world.network.synchronizer().logical.to_string()),
        ..Default::default()
    };
    let without_mode = world.parties(2).await.import_party_acs(tokio_stream::iter([request])).await.unwrap_err();
    assert_eq!(reason(&without_mode), "INVALID_ARGUMENT_PARTY_MANAGEMENT_ERROR");
    assert_eq!(contracts.len(), 3);

    let (world, _, file) = exported(&Options { storage: Storage::Memory, ..quick() }, 1).await;
    let in_memory = world.import(2, &file, None).await.unwrap_err();
    assert_eq!(reason(&in_memory), "IMPORT_ACS_ERROR");
    assert!(in_memory.message().contains("is in memory which is not supported by repair"), "{in_memory}");
}

#[tokio::test]
async fn an_import_that_breaks_off_leaves_a_part_and_the_same_file_again_completes_it() {
    let (world, contracts, file) = exported(&quick(), 2500).await;
    let target = world.participant(2).id.clone();
    world.network.faults(&target).stop_import_after(1200);
    let stopped = world.import(2, &file, None).await.unwrap_err();
    assert_eq!(stopped.code(), tonic::Code::Unavailable);
    assert_eq!(world.network.contracts(&target).len(), 1200);
    world.network.restart(&target);
    world.disconnect(2).await;
    world.import(2, &file, None).await.unwrap();
    assert_eq!(world.network.contracts(&target).len(), contracts.len());
}

#[tokio::test]
async fn a_host_that_never_imported_forks_when_one_of_the_contracts_is_archived() {
    let (world, contracts, _) = exported(&quick(), 2).await;
    world.reconnect(2).await;
    assert_eq!(world.network.fork(&world.participant(2).id), None);

    world.network.transact(Vec::new(), vec![contracts[1].clone()]).await;

    let fork = world.network.fork(&world.participant(2).id);
    assert_eq!(fork, Some(Fork::ArchivedUnknown(contracts[1].clone())));
    assert_eq!(world.network.fork(&world.participant(1).id), None);
}

#[tokio::test]
async fn a_node_restored_from_a_backup_of_before_its_import_forks_without_a_word() {
    let (world, contracts, file) = exported(&quick(), 2).await;
    let target = world.participant(2).id.clone();
    let backup = world.network.back_up(&target);
    world.import(2, &file, None).await.unwrap();
    world.reconnect(2).await;
    let end = world.end(2);
    world.network.transact(Vec::new(), vec![contracts[0].clone()]).await;
    assert_eq!(world.network.fork(&target), None);

    world.network.restore(&target, &backup);
    assert!(world.end(2) < end);
    world.reconnect(2).await;

    assert_eq!(world.network.fork(&target), Some(Fork::ArchivedUnknown(contracts[0].clone())));
}

#[tokio::test]
async fn an_export_leaves_out_what_the_target_has_through_another_party() {
    let world = World::start(&quick()).await;
    let mine = world.contracts(1).await;
    // The third participant hosts its own party: that does not count. A party of somebody else there does.
    let own: PartyId = world.participant(2).id.to_string().parse().unwrap();
    let shared_with = |party: PartyId| NewContract {
        package: PACKAGE.parse().unwrap(),
        signatories: [world.party()].into(),
        observers: [party].into(),
        payload: Vec::new(),
    };
    let with_own = world.network.transact(vec![shared_with(own)], Vec::new()).await;
    let begin = world.end(0);
    world.host(2, &[0, 1, 2], &[2]).await;
    let after = world.contracts(1).await;
    let file = world.export(0, 2, begin).await.unwrap();

    world.disconnect(2).await;
    world.import(2, &file, None).await.unwrap();

    let found = world.network.contracts(&world.participant(2).id);
    assert!(mine.iter().chain(&with_own).chain(&after).all(|id| found.contains(id)), "{found:?}");
    // What came after the activation is not in the file: the target has it from the synchronizer.
    let end = world.end(2);
    world.import(2, &file, None).await.unwrap();
    assert_eq!(world.end(2), end + 1);
}

#[tokio::test]
async fn an_export_says_by_name_why_it_cannot_be() {
    let world = World::start(&quick()).await;
    world.contracts(1).await;
    let begin = world.end(0);
    let none = world.export(0, 2, begin).await.unwrap_err();
    assert_eq!(reason(&none), "EFFECTIVE_PARTY_TO_PARTICIPANT_MAPPING_NOT_FOUND");
    assert_eq!(reason(&world.export(0, 2, 0).await.unwrap_err()), "INVALID_ARGUMENT_PARTY_MANAGEMENT_ERROR");
    assert_eq!(reason(&world.export(0, 2, begin + 99).await.unwrap_err()), "INVALID_ARGUMENT_PARTY_MANAGEMENT_ERROR");

    // Without the flag a file is refused.
    world.host(2, &[0, 1, 2], &[]).await;
    let unflagged = world.export(0, 2, begin).await.unwrap_err();
    assert_eq!(reason(&unflagged), "PARTY_ACS_EXPORT_MISSING_TARGET_ONBOARDING_MAPPING");

    world.network.prune(&world.participant(0).id, world.end(0));
    let pruned = world.export(0, 2, begin).await.unwrap_err();
    assert_eq!(reason(&pruned), "IO_STREAM_PARTY_MANAGEMENT_ERROR");
}

#[tokio::test]
async fn a_clearance_says_by_name_why_it_cannot_be() {
    let world = World::start(&Options { decision_timeout: Duration::from_secs(60), ..quick() }).await;
    let begin = world.end(2);
    world.host(2, &[0, 1, 2], &[2]).await;
    assert!(!world.clear(2, begin).await.unwrap().onboarded);
    let late = world.clear(2, world.end(2)).await.unwrap_err();
    assert_eq!(reason(&late), "EFFECTIVE_PARTY_TO_PARTICIPANT_MAPPING_NOT_FOUND");
    assert_eq!(reason(&world.clear(2, 0).await.unwrap_err()), "INVALID_ARGUMENT_PARTY_MANAGEMENT_ERROR");
    assert_eq!(reason(&world.clear(2, 9999).await.unwrap_err()), "INVALID_ARGUMENT_PARTY_MANAGEMENT_ERROR");
    let elsewhere = world.clear(1, 1).await.unwrap_err();
    assert_eq!(reason(&elsewhere), "PARTY_ONBOARDING_CLEARANCE_MISSING_MAPPING");
    world.disconnect(2).await;
    assert_eq!(reason(&world.clear(2, begin).await.unwrap_err()), "INVALID_STATE_PARTY_MANAGEMENT_ERROR");
}

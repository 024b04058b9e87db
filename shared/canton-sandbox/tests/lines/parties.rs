//! Moving a party.

use super::*;

fn export_from(world: &World, begin: i64) -> Export {
    Export {
        party: world.party(),
        synchronizer: synchronizer(world),
        target: world.participant(2).id.clone(),
        begin_exclusive: Offset(begin),
        wait_for_activation: Duration::from_millis(100),
    }
}

async fn exports(world: &World, begin: i64) -> Result<Vec<u8>, NodeError> {
    let mut chunks = node(world, 0).export_party(&export_from(world, begin)).await?;
    let mut file = Vec::new();
    while let Some(chunk) = chunks.next().await? {
        file.extend(chunk);
    }
    Ok(file)
}

async fn imports(world: &World, file: &[u8]) -> NodeError {
    let target = node(world, 2);
    let version = target.status().await.unwrap().version;
    match target.import_party(&version, &import(world), file).await.unwrap_err() {
        ImportError::Node(error) => error,
        other => panic!("{other}"),
    }
}

fn import(world: &World) -> Import {
    Import { party: world.party(), synchronizer: synchronizer(world), workflow_prefix: "move".to_owned() }
}

/// The party's contracts in a file, and the third node disconnected.
async fn exported(options: &Options) -> (World, Vec<u8>) {
    let world = World::start(options).await;
    world.contracts(2).await;
    let begin = world.end(0);
    world.host(2, &[0, 1, 2], &[2]).await;
    let file = exports(&world, begin).await.unwrap();
    world.disconnect(2).await;
    (world, file)
}

async fn clears(world: &World, index: usize, begin: i64) -> NodeError {
    let (party, wait) = (world.party(), Duration::from_millis(100));
    let node = node(world, index);
    node.clear_onboarding_flag(&party, &synchronizer(world), Offset(begin), wait).await.unwrap_err()
}

#[tokio::test]
async fn an_activation_that_never_came_is_waited_for() {
    let world = World::start(&quick()).await;
    let error = exports(&world, world.end(0)).await.unwrap_err();
    reads(&error, "EFFECTIVE_PARTY_TO_PARTICIPANT_MAPPING_NOT_FOUND", Then::Again, "not effective yet", "tried again");
}

#[tokio::test]
async fn a_host_that_was_added_without_the_flag_starts_anew() {
    let world = World::start(&quick()).await;
    let begin = world.end(0);
    world.host(2, &[0, 1, 2], &[]).await;
    let error = exports(&world, begin).await.unwrap_err();
    let id = "PARTY_ACS_EXPORT_MISSING_TARGET_ONBOARDING_MAPPING";
    reads(&error, id, Then::Other, "without the onboarding flag", "propose host --replicate");
}

#[tokio::test]
async fn an_offset_of_nowhere_is_refused() {
    let world = World::start(&quick()).await;
    for begin in [0, 9_999] {
        let error = exports(&world, begin).await.unwrap_err();
        reads(&error, "INVALID_ARGUMENT_PARTY_MANAGEMENT_ERROR", Then::Other, "not on its ledger", "noted anew");
    }
}

#[tokio::test]
async fn a_pruned_source_starts_anew() {
    let world = World::start(&quick()).await;
    world.contracts(1).await;
    let begin = world.end(0);
    world.host(2, &[0, 1, 2], &[2]).await;
    world.network.prune(&world.participant(0).id, world.end(0));
    let error = exports(&world, begin).await.unwrap_err();
    reads(&error, "IO_STREAM_PARTY_MANAGEMENT_ERROR", Then::Other, "has pruned", "before the host is added");
}

#[tokio::test]
async fn an_import_into_a_connected_node_disconnects_it_first() {
    let (world, file) = exported(&quick()).await;
    world.reconnect(2).await;
    let error = imports(&world, &file).await;
    reads(&error, "IO_STREAM_PARTY_MANAGEMENT_ERROR", Then::Mend, "still connected", "disconnect it");
}

#[tokio::test]
async fn an_import_of_a_file_that_is_cut_short_fetches_it_again() {
    let (world, file) = exported(&quick()).await;
    let error = imports(&world, &file[..file.len() / 2]).await;
    reads(&error, "PROTO_DESERIALIZATION_FAILURE", Then::Other, "cut short", "fetch the file again");
}

#[tokio::test]
async fn an_import_without_a_package_uploads_it() {
    let world = World::start(&quick()).await;
    let contract = canton_sandbox::contract::NewContract {
        package: "ab".repeat(32).parse().unwrap(),
        signatories: [world.party()].into(),
        observers: [].into(),
        payload: Vec::new(),
    };
    world.network.transact(vec![contract], Vec::new()).await;
    let begin = world.end(0);
    world.host(2, &[0, 1, 2], &[2]).await;
    let file = exports(&world, begin).await.unwrap();
    world.disconnect(2).await;
    let error = imports(&world, &file).await;
    reads(&error, "IO_STREAM_PARTY_MANAGEMENT_ERROR", Then::Mend, "does not have", "--archive");
}

#[tokio::test]
async fn a_node_in_memory_says_that_it_imports_nothing_before_there_is_anything_to_import() {
    let (world, file) = exported(&Options { storage: Storage::Memory, ..quick() }).await;
    let target = node(&world, 2);
    let version = target.status().await.unwrap().version;
    let told = target.must_be_able_to_import(&version, &import(&world)).await.unwrap_err();
    let ImportError::Node(before) = told else { panic!("{told}") };
    for error in [before, imports(&world, &file).await] {
        reads(&error, "IMPORT_ACS_ERROR", Then::Other, "everything in memory", "give the node a database");
    }
    // One with a database is asked without a trace.
    let (world, _) = exported(&quick()).await;
    let end = world.end(2);
    node(&world, 2).must_be_able_to_import(&version, &import(&world)).await.unwrap();
    assert_eq!(world.end(2), end);
}

#[tokio::test]
async fn a_flag_is_cleared_on_a_connected_node_alone() {
    let world = World::start(&quick()).await;
    let begin = world.end(2);
    world.host(2, &[0, 1, 2], &[2]).await;
    world.disconnect(2).await;
    let error = clears(&world, 2, begin).await;
    reads(&error, "INVALID_STATE_PARTY_MANAGEMENT_ERROR", Then::Mend, "not connected", "connect the node");
}

#[tokio::test]
async fn a_flag_that_is_not_there_counts_as_cleared_once_topology_says_so() {
    let world = World::start(&quick()).await;
    let error = clears(&world, 1, 1).await;
    reads(&error, "PARTY_ONBOARDING_CLEARANCE_MISSING_MAPPING", Then::Done, "gone already", "topology");
}

#[tokio::test]
async fn a_ledger_that_forgot_tells_nothing_of_a_party() {
    let world = World::start(&quick()).await;
    world.contracts(1).await;
    world.network.prune(&world.participant(0).id, world.end(0));
    let ledger = Ledger::new(&options(world.participant(0).ledger_address)).unwrap();
    let end = ledger.ledger_end().await.unwrap();
    let error = ledger.first_update_of(&world.party(), Offset::BEGIN, end).await.unwrap_err();
    reads(&error, "PARTICIPANT_PRUNED_DATA_ACCESSED", Then::Other, "forgotten", "--replicate");
}

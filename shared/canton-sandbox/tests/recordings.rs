//! Every recorded call of the real networks that the sandbox can be asked, asked again: the same code, the same error id,
//! the same state afterwards.
#![allow(clippy::unwrap_used)]

#[path = "recordings/keys.rs"]
mod keys;
#[path = "recordings/projection.rs"]
mod projection;
#[path = "recordings/recording.rs"]
mod recording;
#[path = "recordings/stage.rs"]
mod stage;
#[path = "recordings/streamed.rs"]
mod streamed;
#[path = "recordings/translation.rs"]
mod translation;
#[path = "recordings/wire.rs"]
mod wire;

use canton_sandbox::network::Storage;
use stage::{Recorded, Stage, Tally};

async fn replay(recorded: &Recorded) {
    let Some((mut stage, calls)) = Stage::start(recorded).await else { return };
    let mut tally = Tally::default();
    stage.replay(&calls, &mut tally).await;
    let outside: Vec<String> = tally.outside.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    println!("{} of {} recorded calls compared; outside: {}", tally.compared, calls.len(), outside.join("; "));
    assert_eq!(tally.compared + tally.outside.values().sum::<usize>(), calls.len());
    let differences = &tally.differences;
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

#[tokio::test]
async fn the_network_of_protocol_34_in_memory_answers_as_it_was_recorded() {
    let files = &[
        "pv34/connect.jsonl.gz",
        "pv34/topology.jsonl.gz",
        "pv34/external-parties.jsonl.gz",
        "pv34/w2-memory-storage.jsonl.gz",
    ];
    let genesis = Some("pv34/genesis.v2");
    replay(&Recorded { files, genesis, protocol_version: 34, storage: Storage::Memory }).await;
}

#[tokio::test]
async fn the_network_of_protocol_35_with_databases_answers_as_it_was_recorded() {
    let files = &[
        "pv35/bootstrap.jsonl.gz",
        "pv35/external-parties-and-w2.jsonl.gz",
        "pv35/more.jsonl.gz",
        "pv35/doubts.jsonl.gz",
    ];
    let genesis = Some("pv35/genesis.v2");
    replay(&Recorded { files, genesis, protocol_version: 35, storage: Storage::Database }).await;
}

/// Of this network the genesis is not recorded; it has a new one. `auth.jsonl.gz` is another test's: it is about who may
/// ask, not about what is answered.
#[tokio::test]
async fn the_network_of_batches_and_sleepers_answers_as_it_was_recorded() {
    let files = &["pv35/batches-and-sleepers.jsonl.gz"];
    replay(&Recorded { files, genesis: None, protocol_version: 35, storage: Storage::Database }).await;
}

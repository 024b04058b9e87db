//! The lines of the runbook's tables of errors that a node brings about: the real client against the sandbox, and what a
//! person reads then.
#![allow(clippy::unwrap_used)]

#[path = "lines/parties.rs"]
mod parties;
#[path = "lines/topology.rs"]
mod topology;
mod world;

use std::time::Duration;

use canton_client::{
    access::Access,
    error::NodeError,
    explain::{Then, is_redacted},
    ledger::{Ledger, Offset},
    participant::{Options as ClientOptions, Participant},
    parties::{Export, Import, ImportError},
    pruning::Schedule,
};
use canton_sandbox::{
    faults::Fault,
    genesis::NodeKey,
    network::{Options, Storage},
};
use canton_topology::{
    id::{ParticipantId, SynchronizerId, UniqueIdentifier},
    key::KeyUsage,
    mapping::{DecentralizedNamespaceDefinition, HostingParticipant, Mapping, NamespaceDelegation, Permission},
    transaction::{Operation, Serial, SignedTransaction, Transaction},
};

use world::{World, quick, until};

fn options(address: std::net::SocketAddr) -> ClientOptions {
    ClientOptions { address: format!("http://{address}"), timeout: Duration::from_secs(10), access: Access::default() }
}

fn node(world: &World, index: usize) -> Participant {
    Participant::new(&options(world.participant(index).address)).unwrap()
}

fn synchronizer(world: &World) -> SynchronizerId {
    world.network.synchronizer().logical.clone()
}

/// What a person reads of a refusal, and what the same call is worth.
fn reads(error: &NodeError, id: &str, then: Then, cause: &str, fix: &str) {
    let line = error.explanation().unwrap_or_else(|| panic!("nobody explains {error}"));
    assert_eq!((line.id, error.name(), line.then), (id, id, then), "{error}");
    assert!(line.cause.contains(cause) && line.fix.contains(fix), "{error}: {line}");
    assert_eq!(matches!(error, NodeError::Retry(_)), then == Then::Again, "{error:?}");
    assert_eq!(matches!(error, NodeError::OutcomeUnknown(_)), then == Then::Done, "{error:?}");
}

async fn add(world: &World, signed: SignedTransaction) -> NodeError {
    node(world, 0).add(&synchronizer(world), &[signed]).await.unwrap_err()
}

fn by_two_owners(world: &World, operation: Operation, serial: u32, mapping: &Mapping) -> SignedTransaction {
    let transaction = Transaction::build(operation, Serial::try_from(serial).unwrap(), mapping);
    let signatures = world.owners.iter().take(2).map(|owner| owner.sign(&transaction)).collect();
    SignedTransaction::new(transaction, signatures, false)
}

fn definition(world: &World, threshold: u32) -> Mapping {
    let owners = world.owners.iter().map(NodeKey::namespace).collect();
    Mapping::DecentralizedNamespaceDefinition(DecentralizedNamespaceDefinition {
        namespace: world.namespace(),
        threshold,
        owners,
    })
}

mod packages {
    use super::*;

    #[tokio::test]
    async fn a_disconnected_node_vets_nothing() {
        let world = World::start(&quick()).await;
        world.disconnect(2).await;
        let error = node(&world, 2).upload_dar(vec![1, 2, 3], &synchronizer(&world)).await.unwrap_err();
        reads(&error, "PACKAGE_SERVICE_NOT_CONNECTED_TO_SYNCHRONIZER", Then::Mend, "not connected", "upload again");
    }
}

mod pruning {
    use super::*;

    #[tokio::test]
    async fn a_schedule_that_is_none_is_refused_in_the_node_s_own_words() {
        let world = World::start(&quick()).await;
        let hour = Duration::from_secs(3_600);
        let cron = "every evening".to_owned();
        let schedule = Schedule { cron, max_duration: hour, retention: hour, prune_internally_only: false };
        let error = node(&world, 0).set_schedule(&schedule).await.unwrap_err();
        reads(&error, "InvalidArgument", Then::Other, "a pruning schedule that is none", "node's words");
        assert!(error.to_string().contains("cron"), "{error}");
    }
}

mod connectivity {
    use super::*;

    #[tokio::test]
    async fn a_name_that_the_node_does_not_know_is_told_from_those_that_it_knows() {
        let world = World::start(&quick()).await;
        let error = node(&world, 0).reconnect("nowhere").await.unwrap_err();
        reads(&error, "SYNC_SERVICE_UNKNOWN_SYNCHRONIZER", Then::Mend, "of this name", "check");
    }

    #[tokio::test]
    async fn a_node_that_is_down_is_asked_again() {
        let world = World::start(&quick()).await;
        world.network.stop(&world.participant(0).id);
        let error = node(&world, 0).status().await.unwrap_err();
        reads(&error, "Unavailable", Then::Again, "cannot be reached", "check");
    }
}

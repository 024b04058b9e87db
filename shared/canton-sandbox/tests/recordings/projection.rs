//! What of an answer is compared: everything but times, offsets and what a node invents.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use canton_proto::{
    canton::{
        admin::participant::v30 as admin,
        protocol::v30::SignedTopologyTransaction,
        topology::admin::v30::{self as topology, BaseResult},
    },
    daml::ledger::api::v2::{self as ledger, admin::GenerateExternalPartyTopologyResponse, topology_event::Event},
};
use canton_topology::{snapshot, transaction::SignedTransaction};
use prost::Message;

use super::translation::Translation;

/// The comparable lines of an answer. `None` for an rpc of which nobody has said how it compares.
pub fn lines(rpc: &str, answers: &[Vec<u8>], translation: &Translation) -> Option<BTreeSet<String>> {
    let first = answers.first().map(Vec::as_slice).unwrap_or_default();
    let lines: Vec<String> = match rpc {
        "ListNamespaceDelegation" => {
            let results = decode::<topology::ListNamespaceDelegationResponse>(first).results;
            results.iter().map(|one| row(one.context.as_ref(), one.item.as_ref(), translation)).collect()
        }
        "ListDecentralizedNamespaceDefinition" => {
            let mut results = decode::<topology::ListDecentralizedNamespaceDefinitionResponse>(first).results;
            // Canton keeps owners as a set.
            results.iter_mut().filter_map(|one| one.item.as_mut()).for_each(|item| item.owners.sort());
            results.iter().map(|one| row(one.context.as_ref(), one.item.as_ref(), translation)).collect()
        }
        "ListPartyToParticipant" => {
            let results = decode::<topology::ListPartyToParticipantResponse>(first).results;
            results.iter().map(|one| row(one.context.as_ref(), one.item.as_ref(), translation)).collect()
        }
        // Which packages a release has built in is its own affair.
        "ListVettedPackages" => {
            let results = decode::<topology::ListVettedPackagesResponse>(first).results;
            let vetting = |item: &canton_proto::canton::protocol::v30::VettedPackages| item.participant_uid.clone();
            results.iter().map(|one| format!("{:?}", one.item.as_ref().map(vetting))).collect()
        }
        "ListAvailableStores" => {
            let stores = decode::<topology::ListAvailableStoresResponse>(first).store_ids;
            stores.iter().map(|store| format!("{store:?}")).collect()
        }
        "ListAllV2" => {
            let result = decode::<topology::ListAllV2Response>(first).result.unwrap_or_default();
            items(&snapshot::read_items(&result.encode_to_vec(), 0).unwrap(), translation)
        }
        "ExportTopologySnapshot" | "ExportTopologySnapshotV2" => {
            let chunks =
                answers.iter().flat_map(|answer| decode::<topology::ExportTopologySnapshotV2Response>(answer).chunk);
            items(&snapshot::read(&chunks.collect::<Vec<u8>>()).unwrap().1, translation)
        }
        "SignTransactions" => {
            decode::<topology::SignTransactionsResponse>(first).transactions.iter().map(signed).collect()
        }
        // How many signatures of others a node had seen by then depends on how far it had come.
        "Authorize" => {
            let transaction = decode::<topology::AuthorizeResponse>(first).transaction;
            transaction
                .iter()
                .map(|signed| format!("{} {}", hex::encode(&signed.transaction), signed.proposal))
                .collect()
        }
        "ListConnectedSynchronizers" => {
            let all = decode::<admin::ListConnectedSynchronizersResponse>(first).connected_synchronizers;
            all.iter().map(|one| format!("{one:?}")).collect()
        }
        "ListRegisteredSynchronizers" => {
            let all = decode::<admin::ListRegisteredSynchronizersResponse>(first).results;
            all.iter().map(registered).collect()
        }
        "ParticipantStatus" => vec![status(&decode(first))],
        "ListDars" => decode::<admin::ListDarsResponse>(first).dars.iter().map(|dar| format!("{dar:?}")).collect(),
        "ClearPartyOnboardingFlag" => {
            let answer = decode::<admin::ClearPartyOnboardingFlagResponse>(first);
            vec![format!("{} {}", answer.onboarded, answer.earliest_retry_timestamp.is_some())]
        }
        "GenerateExternalPartyTopology" => {
            let answer = decode::<GenerateExternalPartyTopologyResponse>(first);
            vec![format!("{} {:?}", answer.party_id, answer.topology_transactions)]
        }
        "GetActiveContracts" => {
            let contracts = answers.iter().filter_map(|answer| {
                match decode::<ledger::GetActiveContractsResponse>(answer).contract_entry? {
                    ledger::get_active_contracts_response::ContractEntry::ActiveContract(active) => {
                        Some(active.created_event?.contract_id)
                    }
                    _ => None,
                }
            });
            contracts.collect()
        }
        "GetUpdates" => answers.iter().flat_map(|answer| update(&decode(answer), translation)).collect(),
        // A key that a node makes is its own.
        "GenerateSigningKey" => {
            let answer = decode::<canton_proto::canton::crypto::admin::v30::GenerateSigningKeyResponse>(first);
            answer.public_key.iter().map(|key| format!("{:?} {} {}", key.usage, key.key_spec, key.format)).collect()
        }
        "ListMyKeys" => {
            let answer = decode::<canton_proto::canton::crypto::admin::v30::ListMyKeysResponse>(first);
            let names = answer.private_keys_metadata.into_iter().filter_map(|key| key.public_key_with_name);
            // The sandbox's nodes have one key for logins and messages, and none for encryption.
            let is_kept = |name: &String| !name.ends_with("-encryption") && !name.ends_with("-sequencer-auth");
            names.map(|key| key.name).filter(is_kept).collect()
        }
        "GetLedgerEnd" => Vec::new(),
        "AddTransactions"
        | "GenerateTransactions"
        | "GetId"
        | "GetParticipantId"
        | "AllocateExternalParty"
        | "SetSchedule"
        | "GetSchedule"
        | "ClearSchedule"
        | "ModifySynchronizer"
        | "DisconnectAllSynchronizers"
        | "ReconnectSynchronizer"
        | "ReconnectSynchronizers"
        | "CreateTemporaryTopologyStore"
        | "DropTemporaryTopologyStore"
        | "ImportPartyAcs" => vec![hex::encode(first)],
        _ => return None,
    };
    Some(lines.into_iter().collect())
}

/// Whether a list was read while what it shows was being replaced: it shows rows with an end.
pub fn is_passing(rpc: &str, answer: &[u8]) -> bool {
    let ends = |context: &Option<BaseResult>| context.as_ref().is_some_and(|context| context.valid_until.is_some());
    match rpc {
        "ListNamespaceDelegation" => {
            decode::<topology::ListNamespaceDelegationResponse>(answer).results.iter().any(|one| ends(&one.context))
        }
        "ListDecentralizedNamespaceDefinition" => {
            let results = decode::<topology::ListDecentralizedNamespaceDefinitionResponse>(answer).results;
            results.iter().any(|one| ends(&one.context))
        }
        "ListPartyToParticipant" => {
            decode::<topology::ListPartyToParticipantResponse>(answer).results.iter().any(|one| ends(&one.context))
        }
        _ => false,
    }
}

fn decode<M: Message + Default>(bytes: &[u8]) -> M {
    M::decode(bytes).unwrap()
}

fn row(context: Option<&BaseResult>, item: Option<&impl std::fmt::Debug>, translation: &Translation) -> String {
    let context = context.unwrap();
    let signers: BTreeSet<&String> = context.signed_by_fingerprints.iter().collect();
    // What a node makes by itself has another hash in another world.
    let hash = translation.knows(&context.transaction_hash).then(|| hex::encode(&context.transaction_hash));
    format!("{:?} {} {} {hash:?} {signers:?} {item:?}", context.store, context.operation, context.serial)
}

/// Only what the recording itself handed in: the store has its own beginning.
fn items(items: &[snapshot::Item], translation: &Translation) -> Vec<String> {
    let known = items.iter().filter(|item| translation.knows(item.transaction.transaction.hash().as_bytes()));
    let line = |item: &snapshot::Item| {
        let SignedTransaction { transaction, proposal, .. } = &item.transaction;
        let ended = item.valid_until.is_some();
        format!("{} {proposal} {ended} {:?}", transaction.hash(), item.transaction.signers())
    };
    known.map(line).collect()
}

fn signed(signed: &SignedTopologyTransaction) -> String {
    let signers: BTreeSet<&String> = signed.signatures.iter().map(|signature| &signature.signed_by).collect();
    format!("{} {} {signers:?}", hex::encode(&signed.transaction), signed.proposal)
}

fn registered(one: &admin::list_registered_synchronizers_response::Result) -> String {
    let config = one.config.as_ref().unwrap();
    let (alias, manual) = (&config.synchronizer_alias, config.manual_connect);
    format!("{alias} {manual} {} {:?} {}", one.connected, one.physical_synchronizer_id, one.status)
}

fn status(answer: &admin::ParticipantStatusResponse) -> String {
    let Some(admin::participant_status_response::Kind::Status(status)) = &answer.kind else {
        panic!("not initialized")
    };
    let common = status.common_status.as_ref().unwrap();
    let components: Vec<&String> = common.components.iter().map(|component| &component.name).take(5).collect();
    let version = common.version.trim_end_matches("-SNAPSHOT");
    let (connected, versions) = (&status.connected_synchronizers, &status.supported_protocol_versions);
    let queues = &common.topology_queues;
    format!("{} {version} {} {queues:?} {components:?} {connected:?} {versions:?}", common.uid, status.active)
}

/// Only of parties that the recorded calls name: others have lived before.
fn update(answer: &ledger::GetUpdatesResponse, translation: &Translation) -> Vec<String> {
    match &answer.update {
        Some(ledger::get_updates_response::Update::TopologyTransaction(transaction)) => {
            let named = transaction.events.iter().filter(|event| match &event.event {
                Some(Event::ParticipantAuthorizationAdded(event)) => translation.is_named(&event.party_id),
                Some(Event::ParticipantAuthorizationOnboarding(event)) => translation.is_named(&event.party_id),
                Some(Event::ParticipantAuthorizationChanged(event)) => translation.is_named(&event.party_id),
                Some(Event::ParticipantAuthorizationRevoked(event)) => translation.is_named(&event.party_id),
                None => true,
            });
            named.map(|event| format!("{:?}", event.event)).collect()
        }
        other => panic!("only changes of hosts are recorded, not {other:?}"),
    }
}

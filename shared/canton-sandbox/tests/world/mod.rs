//! A network with one decentralized party on two hosts, and a third participant that is to become one.
#![allow(clippy::unwrap_used, dead_code)]

use std::{collections::BTreeSet, time::Duration};

use canton_proto::{
    canton::{
        admin::participant::v30::{
            ClearPartyOnboardingFlagRequest, ClearPartyOnboardingFlagResponse, DisconnectAllSynchronizersRequest,
            ExportPartyAcsRequest, ImportPartyAcsRequest, ReconnectSynchronizerRequest,
            party_management_service_client::PartyManagementServiceClient,
            synchronizer_connectivity_service_client::SynchronizerConnectivityServiceClient,
        },
        protocol::v30::SignedTopologyTransaction,
        topology::admin::v30::{
            AddTransactionsRequest, StoreId, Synchronizer, store_id, synchronizer,
            topology_manager_write_service_client::TopologyManagerWriteServiceClient,
        },
    },
    google::rpc,
};
use canton_sandbox::{
    contract::{ContractId, NewContract},
    genesis::NodeKey,
    network::{Network, Options, Participant},
};
use canton_topology::{
    id::{Namespace, PartyId, UniqueIdentifier, decentralized_namespace},
    key::KeyUsage,
    mapping::{
        DecentralizedNamespaceDefinition, HostingParticipant, Mapping, NamespaceDelegation, PackageId,
        PartyToParticipant, Permission,
    },
    transaction::{Operation, Serial, SignedTransaction, Transaction},
};
use prost::Message as _;
use tonic::{Status, transport::Channel};

/// The package that every participant has.
pub const PACKAGE: &str = "de2cc2f90eb523414ff54e899951dadd8789a4c07e0f71f6d6c9eaf57d412a54";

pub struct World {
    pub network: Network,
    pub owners: Vec<NodeKey>,
}

/// Options that make nobody wait.
pub fn quick() -> Options {
    Options {
        topology_change_delay: Duration::from_millis(5),
        decision_timeout: Duration::from_millis(300),
        ..Options::default()
    }
}

pub async fn channel(address: std::net::SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// The error id of a refusal, or its code where the node hides it.
pub fn reason(status: &Status) -> String {
    let details = rpc::Status::decode(status.details()).unwrap_or_default().details;
    let info = details.iter().find(|any| any.type_url.ends_with("ErrorInfo"));
    info.map_or_else(
        || format!("{:?}", status.code()),
        |any| rpc::ErrorInfo::decode(any.value.as_slice()).unwrap().reason,
    )
}

/// Waits until something is so, for a few seconds at most.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to pass that {what}");
}

impl World {
    /// The party on the first two participants, and nothing else.
    pub async fn start(options: &Options) -> Self {
        let network = Network::start(options).await.unwrap();
        let owners = (0..3).map(|_| NodeKey::generate(&[KeyUsage::Namespace])).collect();
        let world = Self { network, owners };
        let mut batch: Vec<SignedTransaction> = world
            .owners
            .iter()
            .map(|owner| {
                let root = Mapping::NamespaceDelegation(NamespaceDelegation::root(owner.public().clone()));
                let root = Transaction::build(Operation::AddReplace, Serial::FIRST, &root);
                SignedTransaction::new(root.clone(), vec![owner.sign(&root)], false)
            })
            .collect();
        let owners = world.owners.iter().map(NodeKey::namespace).collect();
        let definition = DecentralizedNamespaceDefinition { namespace: world.namespace(), threshold: 2, owners };
        let definition = Mapping::DecentralizedNamespaceDefinition(definition);
        let definition = Transaction::build(Operation::AddReplace, Serial::FIRST, &definition);
        let signatures = world.owners.iter().map(|owner| owner.sign(&definition)).collect();
        batch.push(SignedTransaction::new(definition, signatures, false));
        world.add(0, batch).await.unwrap();
        world.host(1, &[0, 1], &[]).await;
        world
    }

    pub fn participant(&self, index: usize) -> &Participant {
        &self.network.participants()[index]
    }

    pub fn namespace(&self) -> Namespace {
        decentralized_namespace(&self.owners.iter().map(NodeKey::namespace).collect::<Vec<_>>())
    }

    pub fn party(&self) -> PartyId {
        PartyId::from(UniqueIdentifier::new("treasury", self.namespace()).unwrap())
    }

    /// The hosting of the party by these, of whom some are onboarding.
    pub fn hosting(&self, serial: u32, hosts: &[usize], onboarding: &[usize]) -> Transaction {
        let participants = hosts.iter().map(|index| HostingParticipant {
            participant: self.participant(*index).id.clone(),
            permission: Permission::Confirmation,
            onboarding: onboarding.contains(index),
        });
        let mapping = PartyToParticipant {
            party: self.party(),
            threshold: 1,
            participants: participants.collect(),
            signing_keys: None,
        };
        let serial = Serial::try_from(serial).unwrap();
        Transaction::build(Operation::AddReplace, serial, &Mapping::PartyToParticipant(mapping))
    }

    /// Makes that hosting effective: two owners and all hosts sign.
    pub async fn host(&self, serial: u32, hosts: &[usize], onboarding: &[usize]) -> Transaction {
        let transaction = self.hosting(serial, hosts, onboarding);
        let mut signed = SignedTransaction::new(transaction.clone(), Vec::new(), true);
        signed.signatures.extend(self.owners.iter().take(2).map(|owner| owner.sign(&transaction)));
        self.add(0, vec![signed.clone()]).await.unwrap();
        for index in hosts {
            let request = canton_proto::canton::topology::admin::v30::SignTransactionsRequest {
                transactions: vec![message(&signed)],
                signed_by: Vec::new(),
                store: Some(self.store()),
                force_flags: Vec::new(),
            };
            let mut client = self.writer(*index).await;
            // Somebody who is disconnected has signed before.
            let Ok(answer) = client.sign_transactions(request).await else { continue };
            let answer = answer.into_inner().transactions.remove(0);
            signed = SignedTransaction::parse_plain(&answer.encode_to_vec()).unwrap();
        }
        self.add(0, vec![signed]).await.unwrap();
        let hash = transaction.hash();
        until("the hosting is effective", || self.network.head().effective_since(&hash).is_some()).await;
        transaction
    }

    pub fn store(&self) -> StoreId {
        let kind = Some(synchronizer::Kind::Id(self.network.synchronizer().logical.to_string()));
        StoreId { store: Some(store_id::Store::Synchronizer(Synchronizer { kind })) }
    }

    pub async fn writer(&self, index: usize) -> TopologyManagerWriteServiceClient<Channel> {
        TopologyManagerWriteServiceClient::new(channel(self.participant(index).address).await)
    }

    pub async fn add(&self, index: usize, batch: Vec<SignedTransaction>) -> Result<(), Status> {
        let request = AddTransactionsRequest {
            transactions: batch.iter().map(message).collect(),
            force_changes: Vec::new(),
            store: Some(self.store()),
            wait_to_become_effective: Some(prost_types::Duration { seconds: 10, nanos: 0 }),
        };
        self.writer(index).await.add_transactions(request).await.map(|_| ())
    }

    /// Contracts of the party, each with its number as content.
    pub async fn contracts(&self, count: usize) -> Vec<ContractId> {
        let contract = |number: usize| NewContract {
            package: PACKAGE.parse::<PackageId>().unwrap(),
            signatories: BTreeSet::from([self.party()]),
            observers: BTreeSet::new(),
            payload: number.to_be_bytes().to_vec(),
        };
        self.network.transact((0..count).map(contract).collect(), Vec::new()).await
    }

    pub async fn parties(&self, index: usize) -> PartyManagementServiceClient<Channel> {
        PartyManagementServiceClient::new(channel(self.participant(index).address).await)
    }

    pub async fn connections(&self, index: usize) -> SynchronizerConnectivityServiceClient<Channel> {
        SynchronizerConnectivityServiceClient::new(channel(self.participant(index).address).await)
    }

    pub async fn disconnect(&self, index: usize) {
        let request = DisconnectAllSynchronizersRequest {};
        self.connections(index).await.disconnect_all_synchronizers(request).await.unwrap();
    }

    pub async fn reconnect(&self, index: usize) {
        let request = ReconnectSynchronizerRequest { synchronizer_alias: "sandbox".to_owned(), retry: true };
        let answer = self.connections(index).await.reconnect_synchronizer(request).await.unwrap();
        assert!(answer.into_inner().connected_successfully);
    }

    pub fn end(&self, index: usize) -> i64 {
        self.network.ledger_end(&self.participant(index).id)
    }

    /// The exported file.
    pub async fn export(&self, source: usize, target: usize, begin: i64) -> Result<Vec<u8>, Status> {
        let request = ExportPartyAcsRequest {
            party_id: self.party().to_string(),
            synchronizer_id: self.network.synchronizer().logical.to_string(),
            target_participant_uid: self.participant(target).id.to_string(),
            begin_offset_exclusive: begin,
            wait_for_activation_timeout: Some(prost_types::Duration { seconds: 0, nanos: 200_000_000 }),
        };
        let mut stream = self.parties(source).await.export_party_acs(request).await?.into_inner();
        let mut file = Vec::new();
        while let Some(answer) = stream.message().await? {
            file.extend(answer.chunk);
        }
        Ok(file)
    }

    pub async fn import(&self, target: usize, file: &[u8], party: Option<String>) -> Result<(), Status> {
        let chunks: Vec<Vec<u8>> = file.chunks(1 << 16).map(<[u8]>::to_vec).collect();
        let synchronizer = self.network.synchronizer().logical.to_string();
        let messages: Vec<ImportPartyAcsRequest> = chunks
            .into_iter()
            .map(|acs_snapshot| ImportPartyAcsRequest {
                acs_snapshot,
                synchronizer_id: Some(synchronizer.clone()),
                workflow_id_prefix: None,
                contract_import_mode: Some(2),
                representative_package_id_override: None,
                party_id: party.clone(),
            })
            .collect();
        self.parties(target).await.import_party_acs(tokio_stream::iter(messages)).await.map(|_| ())
    }

    pub async fn clear(&self, target: usize, begin: i64) -> Result<ClearPartyOnboardingFlagResponse, Status> {
        let request = ClearPartyOnboardingFlagRequest {
            party_id: self.party().to_string(),
            synchronizer_id: self.network.synchronizer().logical.to_string(),
            begin_offset_exclusive: begin,
            wait_for_activation_timeout: Some(prost_types::Duration { seconds: 0, nanos: 200_000_000 }),
        };
        self.parties(target).await.clear_party_onboarding_flag(request).await.map(tonic::Response::into_inner)
    }

    /// Whether the participant is a host without a flag, as the synchronizer has it.
    pub fn is_onboarded(&self, index: usize) -> bool {
        let head = self.network.head();
        let row = head.active(&canton_topology::mapping::party_key(&self.party())).unwrap();
        let Mapping::PartyToParticipant(party) = row.transaction.mapping() else { panic!() };
        party.host(&self.participant(index).id).is_some_and(|host| !host.onboarding)
    }
}

pub fn message(signed: &SignedTransaction) -> SignedTopologyTransaction {
    SignedTopologyTransaction::decode(signed.encode_plain().as_slice()).unwrap()
}

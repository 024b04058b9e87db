//! The sandbox seen by the real client: it answers as the recorded nodes answered.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use canton_client::{
    access::Access,
    error::NodeError,
    participant::{Options as ClientOptions, Participant},
};
use canton_sandbox::{
    genesis::NodeKey,
    network::{Network, Options},
};
use canton_topology::{
    id::{Namespace, PartyId, UniqueIdentifier, decentralized_namespace},
    key::KeyUsage,
    mapping::{
        DecentralizedNamespaceDefinition, HostingParticipant, Mapping, NamespaceDelegation, PartyToParticipant,
        Permission, SigningKeysWithThreshold,
    },
    transaction::{Operation, Serial, SignedTransaction, Transaction},
};

struct World {
    network: Network,
    nodes: Vec<Participant>,
    owners: Vec<NodeKey>,
    key: NodeKey,
}

async fn world() -> World {
    let options = Options { topology_change_delay: Duration::from_millis(20), ..Options::default() };
    let network = Network::start(&options).await.unwrap();
    let nodes = network.participants().iter().map(|participant| {
        let address = format!("http://{}", participant.address);
        Participant::new(&ClientOptions { address, timeout: Duration::from_secs(10), access: Access::default() })
            .unwrap()
    });
    let nodes = nodes.collect();
    let owners = (0..3).map(|_| NodeKey::generate(&[KeyUsage::Namespace])).collect();
    World { network, nodes, owners, key: NodeKey::generate(&[KeyUsage::Protocol, KeyUsage::ProofOfOwnership]) }
}

impl World {
    fn namespace(&self) -> Namespace {
        decentralized_namespace(&self.owners.iter().map(NodeKey::namespace).collect::<Vec<_>>())
    }

    fn definition(&self, serial: u32, threshold: u32) -> Transaction {
        let owners = self.owners.iter().map(NodeKey::namespace).collect();
        let mapping = DecentralizedNamespaceDefinition { namespace: self.namespace(), threshold, owners };
        let serial = Serial::try_from(serial).unwrap();
        Transaction::build(Operation::AddReplace, serial, &Mapping::DecentralizedNamespaceDefinition(mapping))
    }

    fn party(&self) -> Transaction {
        let hosts = self.network.participants().iter().map(|participant| HostingParticipant {
            participant: participant.id.clone(),
            permission: Permission::Confirmation,
            onboarding: false,
        });
        let mapping = PartyToParticipant {
            party: PartyId::from(UniqueIdentifier::new("treasury", self.namespace()).unwrap()),
            threshold: 2,
            participants: hosts.collect(),
            signing_keys: Some(SigningKeysWithThreshold { keys: vec![self.key.public().clone()], threshold: 1 }),
        };
        Transaction::build(Operation::AddReplace, Serial::FIRST, &Mapping::PartyToParticipant(mapping))
    }

    fn signed(&self, transaction: Transaction, owners: usize, proposal: bool) -> SignedTransaction {
        let signatures = self.owners.iter().take(owners).map(|owner| owner.sign(&transaction)).collect();
        SignedTransaction::new(transaction, signatures, proposal)
    }

    /// Everything of a new party, signed by everybody: owners, hosts by their own nodes, the inline key.
    async fn whole(&self) -> Vec<SignedTransaction> {
        let mut batch = Vec::new();
        for owner in &self.owners {
            let root = Mapping::NamespaceDelegation(NamespaceDelegation::root(owner.public().clone()));
            let root = Transaction::build(Operation::AddReplace, Serial::FIRST, &root);
            let signature = owner.sign(&root);
            batch.push(SignedTransaction::new(root, vec![signature], false));
        }
        batch.push(self.signed(self.definition(1, 2), 3, false));
        let mut party = self.signed(self.party(), 2, false);
        party.signatures.push(self.key.sign(&party.transaction));
        let synchronizer = &self.network.synchronizer().logical;
        for (node, participant) in self.nodes.iter().zip(self.network.participants()) {
            let signature = node.sign(synchronizer, &party, &participant.namespace_key).await.unwrap();
            party.signatures.push(signature);
        }
        batch.push(party);
        batch
    }

    async fn add(&self, batch: &[SignedTransaction]) -> Result<(), NodeError> {
        self.nodes[0].add(&self.network.synchronizer().logical, batch).await
    }

    async fn effective(&self, transaction: &Transaction) {
        for _ in 0..500 {
            if self.network.head().effective_since(&transaction.hash()).is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{transaction:?} did not become effective");
    }
}

fn reason(refused: Result<(), NodeError>) -> String {
    match refused {
        Err(NodeError::Rejected { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_whole_party_in_one_call_is_effective_at_once_and_refused_whole_in_the_wrong_order() {
    let world = world().await;
    let batch = world.whole().await;
    let mut wrong_order = batch.clone();
    wrong_order.swap(3, 4);
    // Without its namespace the party is nobody's: the node hides why.
    assert_eq!(reason(world.add(&wrong_order).await), "InvalidArgument");
    let before = world.network.head().rows().count();

    world.add(&batch).await.unwrap();

    world.effective(&batch[4].transaction).await;
    assert_eq!(world.network.head().rows().count(), before + 5);
}

#[tokio::test]
async fn a_namespace_sent_before_its_roots_are_effective_is_refused_by_name() {
    let world = world().await;
    let batch = world.whole().await;
    world.add(&batch[..3]).await.unwrap();
    assert_eq!(reason(world.add(&batch[3..4]).await), "TOPOLOGY_INVALID_MAPPING");
    world.effective(&batch[2].transaction).await;
    world.add(&batch[3..4]).await.unwrap();
}

#[tokio::test]
async fn a_node_that_lacks_the_key_answers_ok_and_adds_nothing_and_the_client_notices() {
    let world = world().await;
    let signed = world.signed(world.definition(1, 2), 1, true);
    let synchronizer = &world.network.synchronizer().logical;
    let stranger = world.network.participants()[1].namespace_key.clone();
    let refused = world.nodes[0].sign(synchronizer, &signed, &stranger).await;
    assert!(matches!(refused, Err(NodeError::BadAnswer(_))), "{refused:?}");
}

#[tokio::test]
async fn a_wrong_serial_is_named_and_a_missing_signature_is_hidden() {
    let world = world().await;
    let batch = world.whole().await;
    world.add(&batch).await.unwrap();
    world.effective(&batch[4].transaction).await;
    let skipping = world.signed(world.definition(3, 3), 3, false);
    assert_eq!(reason(world.add(&[skipping]).await), "TOPOLOGY_SERIAL_MISMATCH");
    let incomplete = world.signed(world.definition(2, 3), 1, false);
    assert_eq!(reason(world.add(&[incomplete]).await), "InvalidArgument");
}

#[tokio::test]
async fn a_sleeper_stays_asleep_when_it_is_sent_again_by_the_same_signers() {
    let world = world().await;
    let batch = world.whole().await;
    world.add(&batch).await.unwrap();
    world.effective(&batch[4].transaction).await;
    let sleeper = world.signed(world.definition(2, 3), 1, true);
    world.add(std::slice::from_ref(&sleeper)).await.unwrap();
    for _ in 0..500 {
        if world.network.head().proposals().count() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let rows = world.network.head().rows().count();
    // The client sees it apart from what stands.
    let synchronizer = &world.network.synchronizer().logical;
    let open = world.nodes[1].open_proposals(synchronizer).await.unwrap();
    assert!(open.len() == 1 && open[0].transaction == sleeper, "{open:?}");
    assert!(world.nodes[1].topology(synchronizer).await.unwrap().iter().all(|item| !item.transaction.proposal));

    world.add(std::slice::from_ref(&sleeper)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.network.head().rows().count(), rows);

    // A serial can be burned: the same definition at serial 2 by enough owners, and the sleeper is gone for good.
    let burning = world.signed(world.definition(2, 2), 2, false);
    world.add(std::slice::from_ref(&burning)).await.unwrap();
    world.effective(&burning.transaction).await;
    assert_eq!(world.network.head().proposals().count(), 0);
    let late = world.signed(sleeper.transaction, 2, true);
    assert_eq!(reason(world.add(&[late]).await), "TOPOLOGY_SERIAL_MISMATCH");
}

#[tokio::test]
async fn what_the_client_reads_back_replays_to_the_same_topology() {
    use canton_topology::{
        judge::{Verdict, Verifier, replay},
        state::{State, StaticParameters},
    };
    let world = world().await;
    let batch = world.whole().await;
    world.add(&batch).await.unwrap();
    world.effective(&batch[4].transaction).await;
    let synchronizer = world.network.synchronizer().clone();
    let items = world.nodes[2].topology(&synchronizer.logical).await.unwrap();
    let mut state =
        State::new(world.nodes[2].synchronizer(&synchronizer.logical).await.unwrap(), StaticParameters::default());
    for verdict in replay(&mut state, &mut Verifier::default(), &items) {
        assert!(matches!(verdict, Verdict::Active { .. }), "{verdict:?}");
    }
    assert_eq!(state.rows().count(), world.network.head().rows().count());
}

#[tokio::test]
async fn a_host_that_nobody_signed_before_proposes_its_leaving_and_then_it_is_gone() {
    let world = world().await;
    let batch = world.whole().await;
    world.add(&batch).await.unwrap();
    world.effective(&batch[4].transaction).await;
    let synchronizer = &world.network.synchronizer().logical;
    let Mapping::PartyToParticipant(mut party) = batch[4].transaction.mapping().clone() else { panic!() };
    let leaving = &world.network.participants()[2];
    party.participants.retain(|host| host.participant != leaving.id);
    let second = Serial::try_from(2).unwrap();
    let mapping = Mapping::PartyToParticipant(party);
    let transaction = Transaction::build(Operation::AddReplace, second, &mapping);
    let skipping = Transaction::build(Operation::AddReplace, second.next().unwrap(), &mapping);

    let key = &leaving.namespace_key;
    let skipped = world.nodes[2].propose(synchronizer, &skipping, key).await.map(|_| ());
    assert_eq!(reason(skipped), "TOPOLOGY_SERIAL_MISMATCH");
    // A node without the key proposes nothing in the key's name.
    world.nodes[0].propose(synchronizer, &transaction, key).await.unwrap_err();
    // Nor is any node first to sign for a namespace.
    world.nodes[2].propose(synchronizer, &world.definition(2, 3), key).await.unwrap_err();

    let signature = world.nodes[2].propose(synchronizer, &transaction, key).await.unwrap();

    assert_eq!(signature.signed_by(), key.fingerprint_ref());
    world.effective(&transaction).await;
}

//! Changes of topology.

use canton_proto::canton::{
    protocol::v30::TopologyMapping,
    topology::admin::v30::{AuthorizeRequest, authorize_request},
};
use prost::Message as _;

use super::*;

#[tokio::test]
async fn a_serial_that_somebody_took_is_named_and_takes_another_change() {
    let world = World::start(&quick()).await;
    let error = add(&world, by_two_owners(&world, Operation::AddReplace, 5, &definition(&world, 3))).await;
    reads(&error, "TOPOLOGY_SERIAL_MISMATCH", Then::Other, "changed the same thing first", "rebase");
}

#[tokio::test]
async fn a_definition_without_its_roots_is_named() {
    let world = World::start(&quick()).await;
    let strangers: Vec<NodeKey> = (0..2).map(|_| NodeKey::generate(&[KeyUsage::Namespace])).collect();
    let owners: std::collections::BTreeSet<_> = strangers.iter().map(NodeKey::namespace).collect();
    let namespace = canton_topology::id::decentralized_namespace(&owners.iter().cloned().collect::<Vec<_>>());
    let mapping = DecentralizedNamespaceDefinition { namespace, threshold: 1, owners: owners.into_iter().collect() };
    let mapping = Mapping::DecentralizedNamespaceDefinition(mapping);
    let transaction = Transaction::build(Operation::AddReplace, Serial::FIRST, &mapping);
    let signatures = strangers.iter().map(|owner| owner.sign(&transaction)).collect();
    let error = add(&world, SignedTransaction::new(transaction, signatures, false)).await;
    reads(
        &error,
        "TOPOLOGY_INVALID_MAPPING",
        Then::Other,
        "a root that is not effective yet",
        "wait for what it builds on",
    );
}

#[tokio::test]
async fn a_participant_that_is_not_there_is_connected_first() {
    let world = World::start(&quick()).await;
    let Mapping::PartyToParticipant(mut party) = world.hosting(2, &[0, 1], &[]).mapping().clone() else { panic!() };
    let stranger = NodeKey::generate(&[KeyUsage::Namespace]).namespace();
    party.participants.push(HostingParticipant {
        participant: ParticipantId::from(UniqueIdentifier::new("ghost", stranger).unwrap()),
        permission: Permission::Confirmation,
        onboarding: false,
    });
    let error = add(&world, by_two_owners(&world, Operation::AddReplace, 2, &Mapping::PartyToParticipant(party))).await;
    reads(&error, "TOPOLOGY_UNKNOWN_MEMBERS", Then::Mend, "has not joined", "connect that participant");
}

#[tokio::test]
async fn a_namespace_that_is_gone_is_gone_for_good() {
    let world = World::start(&quick()).await;
    let owner = NodeKey::generate(&[KeyUsage::Namespace]);
    let root = Mapping::NamespaceDelegation(NamespaceDelegation::root(owner.public().clone()));
    let signed = |operation, serial: u32| {
        let transaction = Transaction::build(operation, Serial::try_from(serial).unwrap(), &root);
        let signature = owner.sign(&transaction);
        SignedTransaction::new(transaction, vec![signature], false)
    };
    world.add(0, vec![signed(Operation::AddReplace, 1)]).await.unwrap();
    let removed = signed(Operation::Remove, 2);
    until("the root stands", || world.network.head().active(&root.unique_key()).is_some()).await;
    world.add(0, vec![removed.clone()]).await.unwrap();
    until("it is removed", || world.network.head().effective_since(&removed.transaction.hash()).is_some()).await;
    let error = add(&world, signed(Operation::AddReplace, 3)).await;
    reads(&error, "TOPOLOGY_NAMESPACE_HAS_BEEN_REVOKED", Then::Other, "for good", "new namespace key");
}

#[tokio::test]
async fn a_removal_of_nothing_is_named() {
    let world = World::start(&quick()).await;
    let other = NodeKey::generate(&[KeyUsage::Namespace]);
    let delegation = NamespaceDelegation {
        namespace: world.owners[0].namespace(),
        ..NamespaceDelegation::root(other.public().clone())
    };
    let mapping = Mapping::NamespaceDelegation(delegation);
    let transaction = Transaction::build(Operation::Remove, Serial::FIRST, &mapping);
    let signature = world.owners[0].sign(&transaction);
    let error = add(&world, SignedTransaction::new(transaction, vec![signature], false)).await;
    reads(&error, "TOPOLOGY_NO_CORRESPONDING_ACTIVE_TX_TO_REVOKE", Then::Other, "does not stand", "nothing is left");
}

#[tokio::test]
async fn a_removal_that_changes_something_is_named() {
    let world = World::start(&quick()).await;
    let error = add(&world, by_two_owners(&world, Operation::Remove, 2, &definition(&world, 3))).await;
    reads(&error, "TOPOLOGY_REMOVE_MUST_NOT_CHANGE_MAPPING", Then::Other, "repeat exactly", "on what stands now");
}

#[tokio::test]
async fn a_party_with_the_id_of_a_participant_is_renamed() {
    let world = World::start(&quick()).await;
    let owner = NodeKey::generate(&[KeyUsage::Namespace]);
    let Mapping::PartyToParticipant(mut party) = world.hosting(1, &[0], &[]).mapping().clone() else { panic!() };
    party.party = world.participant(1).id.uid().clone().into();
    let mapping = Mapping::PartyToParticipant(party);
    let transaction = Transaction::build(Operation::AddReplace, Serial::FIRST, &mapping);
    let signature = owner.sign(&transaction);
    let error = add(&world, SignedTransaction::new(transaction, vec![signature], true)).await;
    reads(
        &error,
        "TOPOLOGY_PARTY_ID_CONFLICT_WITH_ADMIN_PARTY",
        Then::Other,
        "a participant's own party",
        "another name",
    );
}

#[tokio::test]
async fn what_a_synchronizer_that_is_none_lacks_is_named() {
    let world = World::start(&quick()).await;
    let elsewhere: SynchronizerId = format!("elsewhere::{}", world.namespace()).parse().unwrap();
    let head = world.network.head();
    let mut rows = head.actives().map(|row| row.transaction.mapping().clone());
    let certificate = rows.find_map(|mapping| match mapping {
        Mapping::SynchronizerTrustCertificate(mapping) => Some(mapping),
        _ => None,
    });
    let mut certificate = certificate.unwrap();
    certificate.synchronizer = elsewhere;
    let mapping = Mapping::SynchronizerTrustCertificate(certificate);
    let error = add(&world, by_two_owners(&world, Operation::AddReplace, 1, &mapping)).await;
    reads(&error, "TOPOLOGY_MISSING_MAPPING", Then::Mend, "builds on", "propose that first");
}

#[tokio::test]
async fn a_missing_signature_is_hidden_and_explained_all_the_same() {
    let world = World::start(&quick()).await;
    let mut signed = by_two_owners(&world, Operation::AddReplace, 2, &definition(&world, 3));
    signed.signatures.truncate(1);
    let error = add(&world, signed).await;
    assert!(is_redacted(&error.to_string()), "{error}");
    reads(&error, "InvalidArgument", Then::Mend, "a signature is missing", "names who is missing");
}

#[tokio::test]
async fn a_signature_over_something_else_is_hidden_and_explained_all_the_same() {
    let world = World::start(&quick()).await;
    let other = by_two_owners(&world, Operation::AddReplace, 2, &definition(&world, 1));
    let mut signed = by_two_owners(&world, Operation::AddReplace, 2, &definition(&world, 3));
    signed.signatures[1] = other.signatures[1].clone();
    let error = add(&world, signed).await;
    assert!(is_redacted(&error.to_string()), "{error}");
    reads(&error, "InvalidArgument", Then::Mend, "does not verify", "trace id");
}

#[tokio::test]
async fn what_nobody_signed_does_not_read() {
    let world = World::start(&quick()).await;
    let mut signed = by_two_owners(&world, Operation::AddReplace, 2, &definition(&world, 3));
    signed.signatures.clear();
    let error = add(&world, signed).await;
    reads(&error, "PROTO_DESERIALIZATION_FAILURE", Then::Other, "does not read the request", "release");
}

#[tokio::test]
async fn a_disconnected_node_has_no_topology_and_is_asked_again() {
    let world = World::start(&quick()).await;
    world.disconnect(0).await;
    let error = add(&world, by_two_owners(&world, Operation::AddReplace, 2, &definition(&world, 3))).await;
    reads(&error, "TOPOLOGY_STORE_NOT_FOUND", Then::Again, "not connected", "connect the node");
    let error = node(&world, 0).synchronizer(&synchronizer(&world)).await.unwrap_err();
    reads(&error, "NotConnected", Then::Again, "not connected to this synchronizer", "check");
}

#[tokio::test]
async fn a_node_without_the_key_says_so() {
    let world = World::start(&quick()).await;
    let transaction = by_two_owners(&world, Operation::AddReplace, 2, &definition(&world, 3));
    let key = &world.participant(1).namespace_key;
    let error = node(&world, 1).sign(&synchronizer(&world), &transaction, key).await.unwrap_err();
    reads(&error, "TOPOLOGY_NO_APPROPRIATE_SIGNING_KEY_IN_STORE", Then::Again, "holds no key", "inspect --state");
}

#[tokio::test]
async fn what_a_node_has_proposed_before_is_read_back_and_counts_as_done() {
    let world = World::start(&quick()).await;
    let leaving = world.hosting(2, &[0], &[]);
    let key = &world.participant(1).namespace_key;
    let (host, synchronizer) = (node(&world, 1), synchronizer(&world));
    let first = host.propose(&synchronizer, &leaving, key).await.unwrap();
    until("the host has left", || world.network.head().effective_since(&leaving.hash()).is_some()).await;
    // The node refuses it now: whoever is no host has nothing to sign.
    assert_eq!(host.propose(&synchronizer, &leaving, key).await.unwrap(), first);
    // The same where the node took it, and its answer is lost.
    world.network.faults(&world.participant(1).id).order("Authorize", Fault::AnswerLost);
    assert_eq!(host.propose(&synchronizer, &leaving, key).await.unwrap(), first);

    // A party of the node's own: it says that this very thing stands.
    let Mapping::PartyToParticipant(mut own) = world.hosting(1, &[1], &[]).mapping().clone() else { panic!() };
    own.party = UniqueIdentifier::new("own", key.fingerprint().into()).unwrap().into();
    let own = Transaction::build(Operation::AddReplace, Serial::FIRST, &Mapping::PartyToParticipant(own));
    let first = host.propose(&synchronizer, &own, key).await.unwrap();
    until("the party stands", || world.network.head().effective_since(&own.hash()).is_some()).await;
    assert_eq!(host.propose(&synchronizer, &own, key).await.unwrap(), first);
    let mapping = TopologyMapping::decode(own.mapping().encode().as_slice()).ok();
    let proposal = authorize_request::Proposal { change: 1, serial: 1, mapping };
    let again = AuthorizeRequest {
        r#type: Some(authorize_request::Type::Proposal(proposal)),
        store: Some(world.store()),
        ..AuthorizeRequest::default()
    };
    let refused = world.writer(1).await.authorize(again).await.unwrap_err();
    assert_eq!(world::reason(&refused), "TOPOLOGY_MAPPING_ALREADY_EXISTS");
}

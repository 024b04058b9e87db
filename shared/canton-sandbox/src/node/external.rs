//! External parties by the Ledger API: the transaction that makes one, and taking it with its signatures.

use canton_proto::{
    canton::{
        crypto::v30::Signature,
        protocol::v30::{MultiTransactionSignatures, SignedTopologyTransaction},
    },
    daml::ledger::api::v2::{
        Signature as LedgerSignature, SigningPublicKey as LedgerKey,
        admin::{
            AllocateExternalPartyRequest, AllocateExternalPartyResponse, GenerateExternalPartyTopologyRequest,
            GenerateExternalPartyTopologyResponse,
        },
    },
};
use canton_topology::{
    hash::{MultiHash, TransactionHash},
    id::{Namespace, ParticipantId, PartyId, UniqueIdentifier},
    judge::Verdict,
    key::{KeySpec, KeyUsage, SigningPublicKey},
    mapping::{HostingParticipant, Mapping, PartyToParticipant, Permission, SigningKeysWithThreshold, party_key},
    transaction::{Operation, Serial, SignedTransaction, Transaction},
};
use prost::Message as _;
use tonic::{Code, Status};

use super::Api;
use crate::refused::{self, Refused};

/// How long an allocation waits to become effective.
const WAIT: std::time::Duration = std::time::Duration::from_secs(120);

fn invalid(cause: impl Into<String>) -> Refused {
    Refused::new(Code::InvalidArgument, "INVALID_ARGUMENT", cause)
}

impl Api {
    /// The transaction that hosts a new party here and there.
    pub(super) fn generate(
        &self,
        request: GenerateExternalPartyTopologyRequest,
    ) -> Result<GenerateExternalPartyTopologyResponse, Status> {
        self.check_connected(&request.synchronizer)?;
        let key = key(request.public_key.as_ref().ok_or_else(|| invalid("public_key is not set"))?)?;
        let uid = UniqueIdentifier::new(&request.party_hint, Namespace::from(key.fingerprint()))
            .map_err(|error| invalid(error.to_string()))?;
        let party = PartyId::from(uid);
        let own = match request.local_participant_observation_only {
            true => Permission::Observation,
            false => Permission::Confirmation,
        };
        let mut participants = vec![host(self.0.id(), own)];
        participants.extend(hosts(&request.other_confirming_participant_uids, Permission::Confirmation)?);
        participants.extend(hosts(&request.observing_participant_uids, Permission::Observation)?);
        let confirming = participants.iter().filter(|host| host.permission == Permission::Confirmation).count();
        let confirming = u32::try_from(confirming).unwrap_or(u32::MAX);
        let threshold = match request.confirmation_threshold {
            0 => confirming,
            given if given <= confirming => given,
            given => return Err(invalid(format!("Confirmation threshold {given} exceeds {confirming}")).into()),
        };
        let fingerprint = key.fingerprint();
        let signing_keys = Some(SigningKeysWithThreshold { keys: vec![key], threshold: 1 });
        let mapping = PartyToParticipant { party: party.clone(), threshold, participants, signing_keys };
        let mapping = Mapping::PartyToParticipant(mapping);
        let transaction = Transaction::build(Operation::AddReplace, Serial::FIRST, &mapping);
        Ok(GenerateExternalPartyTopologyResponse {
            party_id: party.to_string(),
            public_key_fingerprint: fingerprint.to_string(),
            multi_hash: MultiHash::of([&transaction.hash()]).as_bytes().to_vec(),
            topology_transactions: vec![transaction.bytes().to_vec()],
        })
    }

    /// Adds this node's consent to what was signed, and hands it in. A signature that says nothing here is passed over in
    /// silence.
    pub(super) async fn allocate(
        &self,
        request: AllocateExternalPartyRequest,
    ) -> Result<AllocateExternalPartyResponse, Status> {
        self.check_connected(&request.synchronizer)?;
        let mut batch = parse(&request)?;
        let party = self.fit_party(&batch)?;
        let topology = self.0.standing().topology.clone();
        if topology.active(&party_key(&party)).is_some() {
            let cause = format!("Party {party} already exists");
            return Err(Refused::new(Code::AlreadyExists, "EXTERNAL_PARTY_ALREADY_EXISTS", cause).into());
        }
        let own = self.0.identity.namespace_key.clone();
        for signed in batch.iter_mut().filter(|signed| is_hosting(signed)) {
            signed.signatures.extend(own.signature(&signed.transaction));
        }
        let mut whole = true;
        for verdict in self.0.try_batch(&batch) {
            match verdict {
                Verdict::Active { .. } => {}
                Verdict::Proposal { .. } => whole = false,
                Verdict::Rejected(rejection) => {
                    return Err(refused::rejection(&rejection, &self.0.synchronizer.id));
                }
            }
        }
        let placed = self.0.submit(batch);
        if whole
            && request.wait_for_allocation != Some(false)
            && let Ok(placed) = placed.await
        {
            self.0.wait_for(WAIT, |standing| (standing.seen >= placed.events).then_some(())).await;
        }
        Ok(AllocateExternalPartyResponse { party_id: party.to_string() })
    }

    fn check_connected(&self, synchronizer: &str) -> Result<(), Refused> {
        let own = &self.0.synchronizer.id;
        if synchronizer != own.logical.to_string() && synchronizer != own.to_string() {
            return Err(invalid(format!("Unknown synchronizer {synchronizer}")));
        }
        if !self.0.standing().connected {
            let cause = "The participant is not connected to any synchronizer";
            let id = "PARTY_ALLOCATION_WITHOUT_CONNECTED_SYNCHRONIZER";
            return Err(Refused::new(Code::FailedPrecondition, id, cause));
        }
        Ok(())
    }

    /// The party of the one hosting transaction, which must be a fit one.
    fn fit_party(&self, batch: &[SignedTransaction]) -> Result<PartyId, Refused> {
        let mut hosting = batch.iter().filter(|signed| is_hosting(signed));
        let (Some(signed), None) = (hosting.next(), hosting.next()) else {
            return Err(invalid("Exactly one PartyToParticipant is needed"));
        };
        if batch.iter().any(|signed| signed.transaction.operation() == Operation::Remove) {
            return Err(invalid("Nothing can be removed here"));
        }
        let Mapping::PartyToParticipant(party) = signed.transaction.mapping() else {
            return Err(invalid("Exactly one PartyToParticipant is needed"));
        };
        if party.participants.iter().any(|host| host.permission == Permission::Submission) {
            return Err(invalid("A host of an external party cannot submit for it"));
        }
        if party.host(&self.0.id()).is_none() {
            return Err(invalid("This participant must be among the hosts"));
        }
        Ok(party.party.clone())
    }
}

fn is_hosting(signed: &SignedTransaction) -> bool {
    matches!(signed.transaction.mapping(), Mapping::PartyToParticipant(_))
}

fn host(participant: ParticipantId, permission: Permission) -> HostingParticipant {
    HostingParticipant { participant, permission, onboarding: false }
}

fn hosts(uids: &[String], permission: Permission) -> Result<Vec<HostingParticipant>, Refused> {
    let host = |uid: &String| {
        let participant = uid.parse().map_err(|error: canton_topology::id::IdError| invalid(error.to_string()))?;
        Ok(host(participant, permission))
    };
    uids.iter().map(host).collect()
}

fn key(key: &LedgerKey) -> Result<SigningPublicKey, Refused> {
    let spec = match key.key_spec {
        1 => KeySpec::Ed25519,
        2 => KeySpec::P256,
        3 => KeySpec::P384,
        4 => KeySpec::Secp256k1,
        other => return Err(invalid(format!("Unknown key spec {other}"))),
    };
    let usage = [KeyUsage::Namespace, KeyUsage::ProofOfOwnership, KeyUsage::Protocol];
    SigningPublicKey::from_spki(spec, &key.key_data, &usage).map_err(|error| invalid(error.to_string()))
}

/// The Admin API's words for a Ledger API signature: the numbers are the same.
fn signature(signature: &LedgerSignature) -> Signature {
    Signature {
        format: signature.format,
        signature: signature.signature.clone(),
        signed_by: signature.signed_by.clone(),
        signing_algorithm_spec: signature.signing_algorithm_spec,
        signature_delegation: None,
    }
}

fn parse(request: &AllocateExternalPartyRequest) -> Result<Vec<SignedTransaction>, Refused> {
    let transactions = &request.onboarding_transactions;
    let hashes: Vec<TransactionHash> =
        transactions.iter().map(|signed| TransactionHash::of(&signed.transaction)).collect();
    let multi = (!request.multi_hash_signatures.is_empty()).then(|| MultiTransactionSignatures {
        transaction_hashes: hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect(),
        signatures: request.multi_hash_signatures.iter().map(signature).collect(),
    });
    let parse =
        |signed: &canton_proto::daml::ledger::api::v2::admin::allocate_external_party_request::SignedTransaction| {
            let message = SignedTopologyTransaction {
                transaction: signed.transaction.clone(),
                signatures: signed.signatures.iter().map(signature).collect(),
                proposal: true,
                multi_transaction_signatures: multi.clone().into_iter().collect(),
            };
            if message.signatures.is_empty() && multi.is_none() {
                // A host may consent before anybody has signed.
                let transaction =
                    Transaction::parse(&signed.transaction).map_err(|error| invalid(error.to_string()))?;
                return Ok(SignedTransaction::new(transaction, Vec::new(), true));
            }
            SignedTransaction::parse_plain(&message.encode_to_vec()).map_err(|error| invalid(error.to_string()))
        };
    transactions.iter().map(parse).collect()
}

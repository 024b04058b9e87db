//! One participant's services. One file each; what several of them need stands here.

mod authorize;
pub(crate) mod clearance;
mod connectivity;
mod export;
mod external;
mod identity;
mod import;
mod ledger_state;
mod packages;
mod parties;
mod party_management;
mod pruning;
mod status;
mod store;
mod topology_list;
mod topology_read;
mod topology_write;
mod updates;
mod vault;

pub(crate) use identity::ApiInfo;

use std::{collections::BTreeSet, pin::Pin, sync::Arc};

use canton_proto::canton::{protocol::v30::SignedTopologyTransaction, topology::admin::v30::ForceFlag};
use canton_topology::{
    id::{Fingerprint, IdError, PartyId, SynchronizerId},
    planner,
    state::State,
    transaction::SignedTransaction,
};
use prost::Message as _;
use tokio_stream::Stream;
use tonic::{Code, Status};

use crate::{participant::ParticipantNode, refused::Refused};

/// The services of a participant.
#[derive(Clone)]
pub(crate) struct Api(pub Arc<ParticipantNode>);

/// What a server stream answers.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A stream of answers that are all there already.
fn answers<T: Send + 'static>(all: Vec<T>) -> Answers<T> {
    Box::pin(tokio_stream::iter(all.into_iter().map(Ok)))
}

fn parse(transactions: &[SignedTopologyTransaction]) -> Result<Vec<SignedTransaction>, Refused> {
    let parse = |message: &SignedTopologyTransaction| {
        if message.signatures.is_empty() && message.multi_transaction_signatures.is_empty() {
            let reason = "InvariantViolation(Some(signatures),At least one signature must be provided)";
            return Err(Refused::unreadable(reason));
        }
        SignedTransaction::parse_plain(&message.encode_to_vec())
            .map_err(|error| Refused::unreadable(format!("OtherError({error})")))
    };
    transactions.iter().map(parse).collect()
}

fn to_message(signed: &SignedTransaction) -> Result<SignedTopologyTransaction, Status> {
    let message = SignedTopologyTransaction::decode(signed.encode_plain().as_slice());
    message.map_err(|error| Status::internal(error.to_string()))
}

fn fingerprints(named: &[String]) -> Result<BTreeSet<Fingerprint>, Refused> {
    let parsed = named.iter().map(|text| text.parse()).collect::<Result<_, IdError>>();
    parsed.map_err(|error| Refused::unreadable(format!("OtherError({error})")))
}

/// The refusal of a party management call whose words make no sense.
fn senseless(cause: impl Into<String>) -> Refused {
    Refused::new(Code::InvalidArgument, "INVALID_ARGUMENT_PARTY_MANAGEMENT_ERROR", cause)
}

impl Api {
    /// The transaction with this node's signatures besides: by the wanted keys where some are named, else by all that
    /// may sign it.
    fn signed(
        &self,
        topology: &State,
        mut signed: SignedTransaction,
        wanted: &BTreeSet<Fingerprint>,
        force: &[i32],
    ) -> Result<SignedTransaction, Refused> {
        let keys = self.0.standing().keys.clone();
        let held: BTreeSet<Fingerprint> = keys.iter().map(|(_, key)| key.fingerprint()).collect();
        // A named key that the node does not hold is passed over in silence.
        let named: BTreeSet<Fingerprint> = wanted.intersection(&held).cloned().collect();
        let candidates = if wanted.is_empty() { &held } else { &named };
        let usable: BTreeSet<Fingerprint> =
            planner::permissible(topology, &signed.transaction, candidates).into_keys().collect();
        let is_unfit = if wanted.is_empty() { usable.is_empty() } else { usable != named };
        let forced = force.contains(&ForceFlag::AllowUnvalidatedSigningKeys.into()) && !wanted.is_empty();
        if is_unfit && !forced {
            let cause = "Could not find an appropriate signing key to issue the topology transaction";
            return Err(Refused::new(Code::NotFound, "TOPOLOGY_NO_APPROPRIATE_SIGNING_KEY_IN_STORE", cause));
        }
        let before = signed.signers();
        let new = keys
            .iter()
            .map(|(_, key)| key)
            .filter(|key| usable.contains(&key.fingerprint()) || forced && named.contains(&key.fingerprint()));
        let new = new.filter(|key| !before.contains(&key.fingerprint()));
        let signatures: Vec<_> = new.filter_map(|key| key.signature(&signed.transaction)).collect();
        signed.signatures.extend(signatures);
        Ok(signed)
    }

    /// The party and the synchronizer of a party management call.
    fn party_and_synchronizer(&self, party: &str, synchronizer: &str) -> Result<PartyId, Refused> {
        let party = party.parse().map_err(|error: IdError| senseless(error.to_string()))?;
        let named: SynchronizerId = synchronizer.parse().map_err(|error: IdError| senseless(error.to_string()))?;
        if named != self.0.synchronizer.id.logical {
            return Err(senseless(format!("Synchronizer ID {synchronizer} is unknown to this participant")));
        }
        Ok(party)
    }

    /// An offset to begin at, which must lie on the ledger.
    fn begin(&self, offset: i64) -> Result<i64, Refused> {
        let end = self.0.standing().ledger.end();
        if offset < 1 {
            let cause = format!(
                "Invariant violation in field `begin_offset_exclusive`: Expecting positive value for offset, found {offset}."
            );
            return Err(senseless(cause));
        }
        if offset > end {
            let cause = format!(
                "Begin ledger offset Offset({offset}) needs to be smaller or equal to the ledger end Offset({end})"
            );
            return Err(senseless(cause));
        }
        Ok(offset)
    }
}

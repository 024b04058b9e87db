//! Transactions that a node makes of words: the serial that it chooses, the usage that it writes into keys, the order
//! into which it brings the kinds of a restriction.

use canton_proto::canton::{
    crypto::v30::{SigningKeyUsage, SigningPublicKey},
    protocol::v30::{TopologyMapping, namespace_delegation::Restriction, topology_mapping},
};
use canton_topology::{
    hash::TransactionHash,
    id::PhysicalSynchronizerId,
    mapping::Mapping,
    rejection::Rejection,
    state::State,
    transaction::{Operation, Serial, SignedTransaction, Transaction},
};
use prost::Message as _;
use tonic::{Code, Status};

use crate::{
    clock::{now, to_wire},
    refused::{self, Refused},
};

/// Whether the mapping as it is, said again, is a signature more or a mistake.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeated {
    Signs,
    Refused,
}

/// The transaction that a proposal's words make. Serial 0 lets the node choose; the mapping as it is keeps its serial.
pub(super) fn proposed(
    state: &State,
    synchronizer: &PhysicalSynchronizerId,
    operation: i32,
    serial: u32,
    mapping: Option<TopologyMapping>,
) -> Result<Transaction, Status> {
    build(state, synchronizer, operation, serial, mapping, Repeated::Signs)
}

/// The transaction that a node generates for others to sign: never the mapping as it is.
pub(super) fn generated(
    state: &State,
    synchronizer: &PhysicalSynchronizerId,
    operation: i32,
    serial: u32,
    mapping: Option<TopologyMapping>,
) -> Result<Transaction, Status> {
    build(state, synchronizer, operation, serial, mapping, Repeated::Refused)
}

fn build(
    state: &State,
    synchronizer: &PhysicalSynchronizerId,
    operation: i32,
    serial: u32,
    mapping: Option<TopologyMapping>,
    repeated: Repeated,
) -> Result<Transaction, Status> {
    let operation = match operation {
        1 => Operation::AddReplace,
        2 => Operation::Remove,
        _ => return Err(Refused::not_set("operation").into()),
    };
    let mut mapping = mapping.ok_or_else(|| Refused::not_set("mapping"))?;
    as_canton_writes(&mut mapping);
    let mapping = Mapping::parse(&mapping.encode_to_vec())
        .map_err(|error| Refused::unreadable(format!("OtherError({error})")))?;
    let active = state.active(&mapping.unique_key()).map(|row| row.transaction.as_ref());
    let same = active.filter(|active| active.operation() == operation && *active.mapping() == mapping);
    let rejected = |rejection: &Rejection| refused::rejection(rejection, synchronizer);
    let expected = match (active, same) {
        (None, _) => Serial::FIRST,
        (Some(_), Some(same)) if repeated == Repeated::Signs => same.serial(),
        (Some(active), _) => active.serial().next().ok_or_else(|| rejected(&Rejection::MaxSerialReached))?,
    };
    let is_free = serial == 0 || serial == expected.get();
    if same.is_some() && (repeated == Repeated::Refused || !is_free) {
        return Err(Refused::already_exists().into());
    }
    if is_free {
        return Ok(Transaction::build(operation, expected, &mapping));
    }
    let found = Serial::try_from(serial).map_err(|error| Refused::unreadable(format!("OtherError({error})")))?;
    Err(rejected(&Rejection::SerialMismatch { expected, found }))
}

/// Canton reads the words and writes them again: same meaning, other bytes.
pub(super) fn as_canton_writes(mapping: &mut TopologyMapping) {
    match &mut mapping.mapping {
        Some(topology_mapping::Mapping::PartyToParticipant(party)) => {
            let keys = party.party_signing_keys.iter_mut().flat_map(|keys| &mut keys.keys);
            keys.for_each(prove_ownership);
        }
        Some(topology_mapping::Mapping::NamespaceDelegation(delegation)) => {
            if let Some(Restriction::CanSignSpecificMapings(specific)) = &mut delegation.restriction {
                specific.mappings.sort_unstable();
            }
        }
        Some(topology_mapping::Mapping::PartyToKeyMapping(party)) => {
            party.signing_keys.iter_mut().for_each(prove_ownership);
        }
        Some(
            topology_mapping::Mapping::DecentralizedNamespaceDefinition(_)
            | topology_mapping::Mapping::VettedPackages(_),
        )
        | None => {}
    }
}

/// A key that signs for something else than a namespace or a sequencer's login proves its ownership besides.
fn prove_ownership(key: &mut SigningPublicKey) {
    let (own, namespace) = (SigningKeyUsage::ProofOfOwnership as i32, SigningKeyUsage::Namespace as i32);
    if !key.usage.contains(&own) && !key.usage.contains(&namespace) {
        key.usage.push(own);
    }
}

/// The transaction of that hash, active or proposed, with the signatures that it has.
pub(super) fn stored(state: &State, hash: &str) -> Result<SignedTransaction, Status> {
    let hash: TransactionHash =
        hash.parse().map_err(|_| Refused::unreadable(format!("OtherError(Failed to parse hex string: {hash})")))?;
    let row = state.rows().find(|row| row.valid_until.is_none() && row.hash() == hash);
    let row = row.ok_or_else(|| {
        let start: String = hash.to_string().chars().skip(4).take(12).collect();
        let cause = format!(
            "Topology transaction with hash TxHash(SHA-256:{start}...) does not exist or is not active or is not an active proposal at EffectiveTime({})",
            to_wire(now())
        );
        Refused::new(Code::NotFound, "TOPOLOGY_TRANSACTION_NOT_FOUND", cause)
    })?;
    Ok(row.to_signed())
}

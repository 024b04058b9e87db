//! What power the coordinator's participant has. It should have none: whoever runs a coordinator on an owner's node can be
//! thought to sign with it, and one machine lost is then both.

use std::{collections::BTreeSet, time::Duration};

use canton_client::{
    access::AccessError,
    error::NodeError,
    participant::{Options, Participant},
};
use canton_topology::{
    id::{Fingerprint, ParticipantId, SynchronizerId},
    key::SigningPublicKey,
    mapping::Mapping,
    snapshot::Item,
    transaction::{Operation, Transaction},
};
use thiserror::Error;
use tokio::sync::watch;
use tracing::warn;

/// How long after a failure the participant is asked again.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// What a participant could do for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Power {
    /// The participant.
    pub participant: ParticipantId,
    /// What it could do, in words; nothing where all is well.
    pub found: Vec<String>,
    /// Whether it let us list its keys.
    pub lists_keys: bool,
}

/// Why nobody can tell.
#[derive(Debug, Error)]
pub enum NotLooked {
    /// The participant does not answer.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The configuration of its access.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// Asks a participant for its keys, where it allows that, and for topology.
///
/// # Errors
/// See [`NotLooked`].
pub async fn look(options: &Options, synchronizer: &SynchronizerId) -> Result<Power, NotLooked> {
    let node = Participant::new(options)?;
    let (participant, rows) = (node.id().await?, node.topology(synchronizer).await?);
    let keys = match node.signing_keys("").await {
        Ok(keys) => Some(keys.into_iter().map(|key| key.public.fingerprint_ref().clone()).collect()),
        // The rights that a coordinator needs do not reach so far.
        Err(NodeError::Rejected { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let found = powers(&participant, keys.as_ref().unwrap_or(&BTreeSet::new()), &rows);
    Ok(Power { participant, found, lists_keys: keys.is_some() })
}

/// Says it in the log, once it can be told.
pub(crate) async fn warn_of(options: Options, synchronizer: SynchronizerId, mut stop: watch::Receiver<bool>) {
    loop {
        if let Ok(power) = look(&options, &synchronizer).await {
            for found in power.found {
                warn!(participant = %power.participant, "ALARM: a coordinator has no power, and its participant {found}; see `coordinator check`");
            }
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY_AFTER) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// What active rows say that a participant with these keys could do for others.
pub fn powers(participant: &ParticipantId, keys: &BTreeSet<Fingerprint>, rows: &[Item]) -> Vec<String> {
    let is_active =
        |row: &&Item| row.valid_until.is_none() && row.transaction.transaction.operation() == Operation::AddReplace;
    let active = rows.iter().filter(is_active).map(|row| &row.transaction.transaction);
    active.flat_map(|transaction| powers_by(participant, keys, transaction)).collect()
}

fn powers_by(participant: &ParticipantId, keys: &BTreeSet<Fingerprint>, transaction: &Transaction) -> Vec<String> {
    let held = |all: &[SigningPublicKey], of: String| -> Vec<String> {
        let fingerprints = all.iter().map(SigningPublicKey::fingerprint_ref);
        fingerprints.filter(|key| keys.contains(*key)).map(|key| format!("holds the key {key} of {of}")).collect()
    };
    match transaction.mapping() {
        // Every participant has a party of its own.
        Mapping::PartyToParticipant(hosting) if hosting.party.uid() == participant.uid() => Vec::new(),
        Mapping::PartyToParticipant(hosting) => {
            let party = &hosting.party;
            let is_host = hosting.participants.iter().any(|host| host.participant == *participant);
            let own = hosting.signing_keys.as_ref().map_or(&[][..], |keys| &keys.keys);
            let hosts = is_host.then(|| format!("hosts the party {party}"));
            hosts.into_iter().chain(held(own, format!("the party {party}"))).collect()
        }
        Mapping::PartyToKeyMapping(mapping) => held(&mapping.keys, format!("the party {}", mapping.party)),
        Mapping::NamespaceDelegation(delegation) if delegation.namespace != *participant.namespace() => {
            held(std::slice::from_ref(&delegation.target), format!("the namespace {}", delegation.namespace))
        }
        Mapping::DecentralizedNamespaceDefinition(definition) => {
            let is_owner = definition.owners.contains(participant.namespace());
            let owns = is_owner.then(|| format!("is an owner of the decentralized namespace {}", definition.namespace));
            owns.into_iter().collect()
        }
        _ => Vec::new(),
    }
}

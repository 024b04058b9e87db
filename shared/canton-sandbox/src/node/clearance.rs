//! The end of an onboarding: a node takes its own flag away once nothing from before its activation can be decided any
//! more. A call asks for it and hears how long it takes; the node does it by itself.

use std::{sync::Arc, time::Duration};

use canton_proto::canton::admin::participant::v30::{
    ClearPartyOnboardingFlagRequest, ClearPartyOnboardingFlagResponse,
};
use canton_topology::{
    Timestamp,
    id::PartyId,
    mapping::{Mapping, party_key},
    state::State,
    transaction::{Operation, Serial, SignedTransaction, Transaction},
};
use tonic::{Code, Status};

use super::Api;
use crate::{
    clock::{duration, micros, now, to_wire, until},
    hosting,
    participant::ParticipantNode,
    refused::{Refused, short, short_uid},
};

/// How long a node waits for the activation where nobody says.
const WAIT: Duration = Duration::from_secs(120);

impl Api {
    /// Whether the flag is gone; else from when on it may go.
    pub(super) async fn clear(
        &self,
        request: ClearPartyOnboardingFlagRequest,
    ) -> Result<ClearPartyOnboardingFlagResponse, Status> {
        let node = &self.0;
        let party = self.party_and_synchronizer(&request.party_id, &request.synchronizer_id)?;
        if !node.standing().connected {
            let cause = "This operation requires an active synchronizer connection";
            return Err(Refused::new(Code::FailedPrecondition, "INVALID_STATE_PARTY_MANAGEMENT_ERROR", cause).into());
        }
        let begin = self.begin(request.begin_offset_exclusive)?;
        let wait = request.wait_for_activation_timeout.map_or(WAIT, duration);
        let own = node.id();
        let activation = self.activation(begin, &party, &own, wait).await?;
        if !activation.onboarding {
            let (party, own) = (short_uid(party.uid()), short(&format!("PAR::{own}")));
            let cause = format!(
                "Aborted onboarding flag clearance for party {party}: missing party-to-participant mapping onboarding flag for the participant {own}."
            );
            let id = "PARTY_ONBOARDING_CLEARANCE_MISSING_MAPPING";
            let refused = Refused::new(Code::FailedPrecondition, id, cause);
            return Err(refused.with("party", party).with("targetParticipant", own).into());
        }
        let onboarded = Flagged::of(node, &party).is_none();
        if !onboarded {
            node.standing().clearances.insert(party);
            node.changed();
        }
        let earliest = (!onboarded).then(|| to_wire(deadline(node, activation.effective)));
        Ok(ClearPartyOnboardingFlagResponse { onboarded, earliest_retry_timestamp: earliest })
    }
}

/// From when on the flag may go.
fn deadline(node: &ParticipantNode, activated: Timestamp) -> Timestamp {
    activated.plus_micros(micros(node.options.decision_timeout))
}

/// A party with the node's flag, and when it got it.
struct Flagged {
    mapping: canton_topology::mapping::PartyToParticipant,
    serial: Serial,
    since: Timestamp,
}

impl Flagged {
    fn of(node: &ParticipantNode, party: &PartyId) -> Option<Self> {
        let standing = node.standing();
        let own = node.id();
        hosting::host(&standing.topology, party, &own).filter(|host| host.onboarding)?;
        let row = standing.topology.active(&party_key(party))?;
        let Mapping::PartyToParticipant(mapping) = row.transaction.mapping() else { return None };
        let since = flagged_since(&standing.topology, party, &own).unwrap_or(row.valid_from);
        Some(Self { mapping: mapping.clone(), serial: row.serial(), since })
    }

    /// The same hosts without the node's flag, signed by the node.
    fn cleared(mut self, node: &ParticipantNode) -> Option<SignedTransaction> {
        let own = node.id();
        for host in self.mapping.participants.iter_mut().filter(|host| host.participant == own) {
            host.onboarding = false;
        }
        let mapping = Mapping::PartyToParticipant(self.mapping);
        let transaction = Transaction::build(Operation::AddReplace, self.serial.next()?, &mapping);
        let signature = node.identity.namespace_key.signature(&transaction)?;
        Some(SignedTransaction::new(transaction, vec![signature], false))
    }
}

/// Since when the host has its flag without a break: other changes of the party do not count.
fn flagged_since(state: &State, party: &PartyId, own: &canton_topology::id::ParticipantId) -> Option<Timestamp> {
    let key = party_key(party);
    let mut since = None;
    for row in state.rows().filter(|row| !row.proposal && row.transaction.unique_key() == key) {
        let flagged = row.transaction.operation() == Operation::AddReplace
            && matches!(row.transaction.mapping(), Mapping::PartyToParticipant(party)
                if party.host(own).is_some_and(|host| host.onboarding));
        since = if flagged { since.or(Some(row.valid_from)) } else { None };
    }
    since
}

/// Clears what is due, until the network ends.
pub(crate) async fn run(node: Arc<ParticipantNode>) {
    let mut changes = node.watch();
    let mut sent: Vec<(PartyId, Serial)> = Vec::new();
    loop {
        let mut wake = None;
        for party in due(&node) {
            let Some(flagged) = Flagged::of(&node, &party) else { continue };
            let at = deadline(&node, flagged.since);
            let attempt = (party, flagged.serial);
            if sent.contains(&attempt) {
                continue;
            }
            if at > now() {
                wake = Some(wake.map_or(at, |earliest: Timestamp| earliest.min(at)));
                continue;
            }
            if let Some(cleared) = flagged.cleared(&node) {
                // Whether it becomes effective is read, not awaited; another serial is another attempt.
                drop(node.submit(vec![cleared]));
                sent.push(attempt);
            }
        }
        let pause = wake.map_or(Duration::from_secs(3600), until);
        // Time passed or something changed: look again.
        let _ = tokio::time::timeout(pause, changes.changed()).await;
    }
}

/// The parties that wait for their clearance. Those that have lost their flag are forgotten.
fn due(node: &ParticipantNode) -> Vec<PartyId> {
    let waiting: Vec<PartyId> = {
        let standing = node.standing();
        if !standing.connected {
            return Vec::new();
        }
        standing.clearances.iter().cloned().collect()
    };
    waiting
}

//! What happened to a party: its transactions, and who hosts it since when.

use canton_proto::daml::ledger::api::v2::{
    GetUpdatesRequest, GetUpdatesResponse, ParticipantAuthorizationTopologyFormat, ParticipantPermission,
    TopologyFormat, TopologyTransaction, TransactionFormat, TransactionShape, UpdateFormat,
    get_updates_response::Update, topology_event::Event, update_service_client::UpdateServiceClient,
};
use canton_topology::{
    Timestamp,
    id::{ParticipantId, PartyId, SynchronizerId},
    mapping::Permission,
};
use serde::{Deserialize, Serialize};
use tonic::Streaming;

use super::{Ledger, Offset, everything_of};
use crate::{error::NodeError, wire};

/// Largest update that is read, in bytes.
const UPDATE_BYTES_MAX: usize = 64 << 20;

/// A transaction or a reassignment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateOfParty {
    /// Where in this participant's ledger.
    pub offset: Offset,
    /// Which one.
    pub id: String,
}

/// A change of who hosts a party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostingEvent {
    /// Where in this participant's ledger.
    pub offset: Offset,
    /// When, for everybody.
    pub record_time: Timestamp,
    /// On which synchronizer.
    pub synchronizer: SynchronizerId,
    /// Which participant.
    pub participant: ParticipantId,
    /// What changed.
    pub change: HostingChange,
}

/// What changed in the hosting of a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostingChange {
    /// It hosts the party, fully. Also what a cleared onboarding flag shows as.
    Added(Permission),
    /// It is to host the party, once it has the contracts.
    Onboarding(Permission),
    /// It has another permission.
    Changed(Permission),
    /// It no longer hosts the party.
    Revoked,
}

/// Hosting events as they come.
#[derive(Debug)]
pub struct HostingEvents {
    party: PartyId,
    updates: Streaming<GetUpdatesResponse>,
    /// The rest of one update, last first.
    waiting: Vec<HostingEvent>,
}

impl HostingEvents {
    /// The next event; `None` after the last, where an end was given.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn next(&mut self) -> Result<Option<HostingEvent>, NodeError> {
        loop {
            if let Some(event) = self.waiting.pop() {
                return Ok(Some(event));
            }
            let answer = self.updates.message().await.map_err(|status| NodeError::from_status(&status, false))?;
            let Some(answer) = answer else { return Ok(None) };
            match answer.update {
                Some(Update::TopologyTransaction(update)) => self.waiting = hosting(&self.party, update)?,
                Some(Update::OffsetCheckpoint(_)) => {}
                Some(Update::Transaction(_) | Update::Reassignment(_)) | None => {
                    return Err(NodeError::BadAnswer("an update that was not asked for".to_owned()));
                }
            }
        }
    }
}

/// The party's events of one update, last first.
fn hosting(party: &PartyId, update: TopologyTransaction) -> Result<Vec<HostingEvent>, NodeError> {
    let bad = |what: &str| NodeError::BadAnswer(format!("a topology update: {what}"));
    let offset = Offset::read("offset", update.offset)?;
    let record_time = wire::timestamp("record_time", update.record_time)?;
    let synchronizer: SynchronizerId =
        update.synchronizer_id.parse().map_err(|error| bad(&format!("synchronizer_id: {error}")))?;
    let mut events = Vec::new();
    for event in update.events.into_iter().rev() {
        let (of, participant, change) = match event.event {
            Some(Event::ParticipantAuthorizationAdded(one)) => {
                (one.party_id, one.participant_id, HostingChange::Added(permission(one.participant_permission)?))
            }
            Some(Event::ParticipantAuthorizationOnboarding(one)) => {
                (one.party_id, one.participant_id, HostingChange::Onboarding(permission(one.participant_permission)?))
            }
            Some(Event::ParticipantAuthorizationChanged(one)) => {
                (one.party_id, one.participant_id, HostingChange::Changed(permission(one.participant_permission)?))
            }
            Some(Event::ParticipantAuthorizationRevoked(one)) => {
                (one.party_id, one.participant_id, HostingChange::Revoked)
            }
            None => return Err(bad("an event that we do not know")),
        };
        if of == party.to_string() {
            let participant =
                ParticipantId::parse_lenient(&participant).map_err(|error| bad(&format!("participant_id: {error}")))?;
            events.push(HostingEvent { offset, record_time, synchronizer: synchronizer.clone(), participant, change });
        }
    }
    Ok(events)
}

fn permission(value: i32) -> Result<Permission, NodeError> {
    match ParticipantPermission::try_from(value) {
        Ok(ParticipantPermission::Submission) => Ok(Permission::Submission),
        Ok(ParticipantPermission::Confirmation) => Ok(Permission::Confirmation),
        Ok(ParticipantPermission::Observation) => Ok(Permission::Observation),
        Ok(ParticipantPermission::Unspecified) | Err(_) => {
            Err(NodeError::BadAnswer(format!("participant_permission is {value}")))
        }
    }
}

impl Ledger {
    /// The first transaction or reassignment that touches a party after one offset, up to another: one is enough to know
    /// that the party was used.
    ///
    /// # Errors
    /// See [`NodeError`]; `PARTICIPANT_PRUNED_DATA_ACCESSED` where the ledger forgot what is asked for.
    pub async fn first_update_of(
        &self,
        party: &PartyId,
        from_exclusive: Offset,
        to_inclusive: Offset,
    ) -> Result<Option<UpdateOfParty>, NodeError> {
        if to_inclusive <= from_exclusive {
            return Ok(None);
        }
        let transactions = TransactionFormat {
            event_format: Some(everything_of(party)),
            transaction_shape: TransactionShape::LedgerEffects as i32,
        };
        let format = UpdateFormat {
            include_transactions: Some(transactions),
            include_reassignments: Some(everything_of(party)),
            include_topology_events: None,
        };
        let mut updates = self.updates(from_exclusive, Some(to_inclusive), format).await?;
        while let Some(answer) = updates.message().await.map_err(|status| NodeError::from_status(&status, false))? {
            let (offset, id) = match answer.update {
                Some(Update::Transaction(one)) => (one.offset, one.update_id),
                Some(Update::Reassignment(one)) => (one.offset, one.update_id),
                Some(Update::OffsetCheckpoint(_)) => continue,
                Some(Update::TopologyTransaction(_)) | None => {
                    return Err(NodeError::BadAnswer("an update that was not asked for".to_owned()));
                }
            };
            return Ok(Some(UpdateOfParty { offset: Offset::read("offset", offset)?, id }));
        }
        Ok(None)
    }

    /// What changes in the hosting of a party after an offset; without an end, the stream goes on.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn hosting_events(
        &self,
        party: &PartyId,
        from_exclusive: Offset,
        to_inclusive: Option<Offset>,
    ) -> Result<HostingEvents, NodeError> {
        let parties = ParticipantAuthorizationTopologyFormat { parties: vec![party.to_string()] };
        let format = UpdateFormat {
            include_transactions: None,
            include_reassignments: None,
            include_topology_events: Some(TopologyFormat { include_participant_authorization_events: Some(parties) }),
        };
        let updates = self.updates(from_exclusive, to_inclusive, format).await?;
        Ok(HostingEvents { party: party.clone(), updates, waiting: Vec::new() })
    }

    async fn updates(
        &self,
        from_exclusive: Offset,
        to_inclusive: Option<Offset>,
        format: UpdateFormat,
    ) -> Result<Streaming<GetUpdatesResponse>, NodeError> {
        let mut client =
            UpdateServiceClient::new(self.connection.patient().await?).max_decoding_message_size(UPDATE_BYTES_MAX);
        let request = GetUpdatesRequest {
            begin_exclusive: from_exclusive.0,
            end_inclusive: to_inclusive.map(|offset| offset.0),
            update_format: Some(format),
            descending_order: false,
        };
        let answer = client.get_updates(request).await.map_err(|status| NodeError::from_status(&status, false))?;
        Ok(answer.into_inner())
    }
}

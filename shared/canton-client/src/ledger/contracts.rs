//! The contracts that a party has at one place of the ledger.

use canton_proto::daml::ledger::api::v2::{
    CreatedEvent, GetActiveContractsRequest, GetActiveContractsResponse, get_active_contracts_response::ContractEntry,
    state_service_client::StateServiceClient,
};
use canton_topology::id::{PartyId, SynchronizerId};
use tonic::Streaming;

use super::{Ledger, Offset, everything_of};
use crate::error::NodeError;

/// Largest contract that is read, in bytes.
const CONTRACT_BYTES_MAX: usize = 16 << 20;

/// An active contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// Its id.
    pub id: String,
    /// The packages that a participant needs for it: the template's own, and the one that it is read with.
    pub packages: Vec<String>,
    /// Where it is: `None` while it moves between two synchronizers.
    pub synchronizer: Option<SynchronizerId>,
    /// Where in this participant's ledger it was created.
    pub created_at: Offset,
}

/// Contracts as they come.
#[derive(Debug)]
pub struct Contracts(Streaming<GetActiveContractsResponse>);

impl Contracts {
    /// The next contract; `None` after the last.
    ///
    /// # Errors
    /// See [`NodeError`]; what came before is then not all.
    pub async fn next(&mut self) -> Result<Option<Contract>, NodeError> {
        loop {
            let answer = self.0.message().await.map_err(|status| NodeError::from_status(&status, false))?;
            let Some(answer) = answer else { return Ok(None) };
            let bad = |what: &str| NodeError::BadAnswer(format!("a contract: {what}"));
            let (event, synchronizer) = match answer.contract_entry {
                Some(ContractEntry::ActiveContract(one)) => {
                    let id = one.synchronizer_id.parse().map_err(|error| bad(&format!("synchronizer_id: {error}")))?;
                    (one.created_event, Some(id))
                }
                Some(ContractEntry::IncompleteUnassigned(one)) => (one.created_event, None),
                Some(ContractEntry::IncompleteAssigned(one)) => {
                    (one.assigned_event.and_then(|event| event.created_event), None)
                }
                // Only a place to go on from.
                None if !answer.stream_continuation_token.is_empty() => continue,
                None => return Err(bad("nothing that we know")),
            };
            let event = event.ok_or_else(|| bad("no created_event"))?;
            return read(event, synchronizer).map(Some);
        }
    }
}

fn read(event: CreatedEvent, synchronizer: Option<SynchronizerId>) -> Result<Contract, NodeError> {
    let packages = packages(&event).ok_or_else(|| NodeError::BadAnswer("a contract: no template_id".to_owned()))?;
    let created_at = Offset::read("created_event.offset", event.offset)?;
    Ok(Contract { id: event.contract_id, packages, synchronizer, created_at })
}

/// The packages that a participant needs for a contract, without repetition.
pub(crate) fn packages(event: &CreatedEvent) -> Option<Vec<String>> {
    let template = event.template_id.as_ref()?.package_id.clone();
    let representative = event.representative_package_id.clone();
    // 3.4 has no representative package.
    let also = (!representative.is_empty() && representative != template).then_some(representative);
    Some([template].into_iter().chain(also).collect())
}

impl Ledger {
    /// The contracts of a party at an offset, which must not lie behind the ledger's end nor before what it forgot.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn active_contracts(&self, party: &PartyId, at: Offset) -> Result<Contracts, NodeError> {
        let mut client =
            StateServiceClient::new(self.connection.patient().await?).max_decoding_message_size(CONTRACT_BYTES_MAX);
        let request = GetActiveContractsRequest {
            active_at_offset: at.0,
            event_format: Some(everything_of(party)),
            stream_continuation_token: None,
        };
        let answer = client.get_active_contracts(request).await;
        Ok(Contracts(answer.map_err(|status| NodeError::from_status(&status, false))?.into_inner()))
    }
}

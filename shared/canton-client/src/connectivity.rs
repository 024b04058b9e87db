//! Which synchronizers a participant knows and is connected to, and how that changes.

use canton_proto::canton::admin::{
    participant::v30::{
        DisconnectAllSynchronizersRequest, ListConnectedSynchronizersRequest, ModifySynchronizerResponse,
        ReconnectSynchronizerRequest, SynchronizerConnectionConfig,
        list_registered_synchronizers_response::Status as Registration,
        synchronizer_connectivity_service_client::SynchronizerConnectivityServiceClient,
    },
    sequencer::v30::SequencerConnectionValidation as Validation,
};
use canton_topology::id::{PhysicalSynchronizerId, SynchronizerId};
use prost::Message as _;

use crate::{error::NodeError, participant::Participant, wire};

/// A synchronizer that a participant is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// The participant's own name for it.
    pub alias: String,
    /// Its id.
    pub synchronizer: PhysicalSynchronizerId,
    /// Whether the connection works.
    pub healthy: bool,
}

/// A synchronizer that a participant knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The participant's own name for it.
    pub alias: String,
    /// Its id; absent until the first connection.
    pub synchronizer: Option<PhysicalSynchronizerId>,
    /// Whether the participant is connected to it.
    pub connected: bool,
    /// Whether the node waits to be told to connect when it starts.
    pub manual_connect: bool,
    /// The whole configuration as the node sent it: what is changed must lose nothing that we cannot name.
    config: Vec<u8>,
}

/// A list whose configurations stay bytes.
#[derive(Clone, PartialEq, prost::Message)]
struct ListRegisteredResponse {
    #[prost(message, repeated, tag = "1")]
    results: Vec<RegisteredRow>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RegisteredRow {
    #[prost(bytes = "vec", tag = "1")]
    config: Vec<u8>,
    #[prost(bool, tag = "2")]
    connected: bool,
    #[prost(string, optional, tag = "3")]
    physical_synchronizer_id: Option<String>,
    #[prost(int32, tag = "4")]
    status: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ModifyRequest {
    #[prost(string, optional, tag = "1")]
    physical_synchronizer_id: Option<String>,
    #[prost(bytes = "vec", tag = "2")]
    new_config: Vec<u8>,
    #[prost(int32, tag = "3")]
    sequencer_connection_validation: i32,
}

/// `manual_connect`, field 3, a bool.
const MANUAL_CONNECT: u8 = 3 << 3;

const LIST: &str =
    "/com.digitalasset.canton.admin.participant.v30.SynchronizerConnectivityService/ListRegisteredSynchronizers";
const MODIFY: &str =
    "/com.digitalasset.canton.admin.participant.v30.SynchronizerConnectivityService/ModifySynchronizer";

impl Participant {
    /// The synchronizers that it is connected to.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn connected(&self) -> Result<Vec<Connected>, NodeError> {
        let mut client = SynchronizerConnectivityServiceClient::new(self.connection.quick().await?);
        let answer = client.list_connected_synchronizers(ListConnectedSynchronizersRequest {}).await;
        let answer = answer.map_err(|status| NodeError::from_status(&status, false))?.into_inner();
        let read =
            |one: canton_proto::canton::admin::participant::v30::list_connected_synchronizers_response::Result| {
                let synchronizer = physical(&one.physical_synchronizer_id)?;
                Ok(Connected { alias: one.synchronizer_alias, synchronizer, healthy: one.healthy })
            };
        answer.connected_synchronizers.into_iter().map(read).collect()
    }

    /// The physical synchronizer behind a logical one, where the participant is connected to it.
    ///
    /// # Errors
    /// See [`NodeError`]; not being connected passes.
    pub async fn synchronizer(&self, logical: &SynchronizerId) -> Result<PhysicalSynchronizerId, NodeError> {
        let found = self.connected().await?.into_iter().map(|one| one.synchronizer).find(|one| one.logical == *logical);
        found.ok_or_else(|| NodeError::Retry(format!("NotConnected: the node is not connected to {logical}")))
    }

    /// The synchronizers that it knows and that are in use.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn registered(&self) -> Result<Vec<Registered>, NodeError> {
        let answer: Result<ListRegisteredResponse, _> = wire::unary(self.connection.quick().await?, LIST, ()).await;
        let answer = answer.map_err(|status| NodeError::from_status(&status, false))?;
        // 3.4 has no such field.
        let in_use = |row: &RegisteredRow| {
            [Registration::Unspecified, Registration::Active].iter().any(|one| row.status == *one as i32)
        };
        answer.results.into_iter().filter(in_use).map(RegisteredRow::read).collect()
    }

    /// Lets the node connect by itself when it starts, or not, and reads back that it will. Everything else in the
    /// configuration stays as it is.
    ///
    /// # Errors
    /// See [`NodeError`]; an alias that the node does not know, or knows twice, is a bad answer.
    pub async fn set_manual_connect(&self, alias: &str, manual: bool) -> Result<(), NodeError> {
        let before = self.registration(alias).await?;
        // We change nothing about the sequencers, so that one of them is down must not stop us.
        for validation in [Validation::All, Validation::ThresholdActive, Validation::Disabled] {
            let request = before.modified(manual, validation);
            let answer: Result<ModifySynchronizerResponse, _> =
                wire::unary(self.connection.patient().await?, MODIFY, request).await;
            match answer.map_err(|status| NodeError::from_status(&status, true)) {
                Ok(ModifySynchronizerResponse {}) => break,
                Err(NodeError::Rejected { reason, .. })
                    if reason == "SYNC_SERVICE_BAD_CONNECTIVITY" && validation != Validation::Disabled => {}
                Err(error) => return Err(error),
            }
        }
        if self.registration(alias).await?.manual_connect != manual {
            return Err(NodeError::BadAnswer(format!("the node took manual_connect = {manual}, and does not show it")));
        }
        Ok(())
    }

    async fn registration(&self, alias: &str) -> Result<Registered, NodeError> {
        let mut found = self.registered().await?.into_iter().filter(|one| one.alias == alias);
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(NodeError::BadAnswer(format!("no synchronizer with the alias {alias:?} is registered"))),
            (Some(_), Some(_)) => Err(NodeError::BadAnswer(format!("several active synchronizers are {alias:?}"))),
        }
    }

    /// Disconnects it from all synchronizers, and returns when it is.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn disconnect_all(&self) -> Result<(), NodeError> {
        let mut client = SynchronizerConnectivityServiceClient::new(self.connection.patient().await?);
        let answer = client.disconnect_all_synchronizers(DisconnectAllSynchronizersRequest {}).await;
        answer.map_err(|status| NodeError::from_status(&status, true))?;
        Ok(())
    }

    /// Connects it to one synchronizer. True once it is; false where the synchronizer is not there, and the node keeps
    /// trying.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn reconnect(&self, alias: &str) -> Result<bool, NodeError> {
        let mut client = SynchronizerConnectivityServiceClient::new(self.connection.patient().await?);
        let request = ReconnectSynchronizerRequest { synchronizer_alias: alias.to_owned(), retry: true };
        let answer = client.reconnect_synchronizer(request).await;
        Ok(answer.map_err(|status| NodeError::from_status(&status, true))?.into_inner().connected_successfully)
    }
}

impl RegisteredRow {
    fn read(self) -> Result<Registered, NodeError> {
        let view = SynchronizerConnectionConfig::decode(self.config.as_slice())
            .map_err(|error| NodeError::BadAnswer(format!("a configuration of a synchronizer: {error}")))?;
        Ok(Registered {
            alias: view.synchronizer_alias,
            synchronizer: self.physical_synchronizer_id.as_deref().map(physical).transpose()?,
            connected: self.connected,
            manual_connect: view.manual_connect,
            config: self.config,
        })
    }
}

impl Registered {
    /// The last value of a singular field counts (protobuf's own rule), so the bytes before it stay as they are.
    fn modified(&self, manual: bool, validation: Validation) -> ModifyRequest {
        let mut new_config = self.config.clone();
        new_config.extend([MANUAL_CONNECT, u8::from(manual)]);
        ModifyRequest {
            physical_synchronizer_id: self.synchronizer.as_ref().map(ToString::to_string),
            new_config,
            sequencer_connection_validation: validation as i32,
        }
    }
}

fn physical(text: &str) -> Result<PhysicalSynchronizerId, NodeError> {
    text.parse().map_err(|error| NodeError::BadAnswer(format!("physical_synchronizer_id: {error}")))
}

//! Moving a party's contracts from one participant to another: the export, the import, and the end of the onboarding.

mod import_v3_4;
mod import_v3_5;

use std::{io, time::Duration};

use canton_proto::canton::admin::participant::v30::{
    ClearPartyOnboardingFlagRequest, ExportPartyAcsRequest, ExportPartyAcsResponse,
    party_management_service_client::PartyManagementServiceClient,
};
use canton_topology::{
    Timestamp,
    id::{ParticipantId, PartyId, SynchronizerId},
};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tonic::Streaming;

use crate::{
    error::NodeError,
    ledger::Offset,
    participant::Participant,
    status::{NodeVersion, Release},
    wire,
};

/// Canton's own size of a chunk: half of what gRPC takes by default.
const CHUNK_BYTES: usize = 2 << 20;

/// Largest chunk that is read.
const CHUNK_BYTES_MAX: usize = 8 << 20;

/// The head of a gzip file, and nothing behind it.
const BROKEN_OFF: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// What a node says that takes no contracts over.
const NO_IMPORT: &str = "IMPORT_ACS_ERROR";

/// Which contracts to export. The node looks for the activation of the target after an offset of its own.
#[derive(Clone, Debug)]
pub struct Export {
    /// Whose.
    pub party: PartyId,
    /// On which synchronizer.
    pub synchronizer: SynchronizerId,
    /// The participant that the party is going to be hosted on.
    pub target: ParticipantId,
    /// An offset of the exporting node before the target's activation. Never the ledger's begin.
    pub begin_exclusive: Offset,
    /// How long the node waits for the activation.
    pub wait_for_activation: Duration,
}

/// An export under way. What came is of use only once `next` has answered `None`.
#[derive(Debug)]
pub struct Chunks(Streaming<ExportPartyAcsResponse>);

impl Chunks {
    /// The next bytes of the file; `None` at its end.
    ///
    /// # Errors
    /// See [`NodeError`]; what came before is then no whole file.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, NodeError> {
        let chunk = self.0.message().await.map_err(|status| NodeError::from_status(&status, false))?;
        Ok(chunk.map(|chunk| chunk.chunk))
    }
}

/// Which contracts to import.
#[derive(Clone, Debug)]
pub struct Import {
    /// Whose. A 3.4 node is not told.
    pub party: PartyId,
    /// On which synchronizer. A 3.4 node is not told.
    pub synchronizer: SynchronizerId,
    /// What the workflow ids of the import begin with.
    pub workflow_prefix: String,
}

/// Why an import failed.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The node's release is unknown, so that the layout of the request is.
    #[error("the node runs Canton {0}; imports are known for 3.4 and 3.5")]
    Release(NodeVersion),
    /// The file did not read. Part of it may be imported: repeat the import with the whole file.
    #[error("cannot read the contracts: {0}")]
    Read(#[from] io::Error),
    /// The node.
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// How far a party's onboarding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleared {
    /// The flag is gone.
    pub onboarded: bool,
    /// When to ask again, where it is not.
    pub earliest_retry: Option<Timestamp>,
}

impl Participant {
    /// Exports a party's contracts at the moment of the target's activation, as a gzip file in chunks.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn export_party(&self, export: &Export) -> Result<Chunks, NodeError> {
        let mut client = PartyManagementServiceClient::new(self.connection.patient().await?)
            .max_decoding_message_size(CHUNK_BYTES_MAX);
        let request = ExportPartyAcsRequest {
            party_id: export.party.to_string(),
            synchronizer_id: export.synchronizer.to_string(),
            target_participant_uid: export.target.to_string(),
            begin_offset_exclusive: export.begin_exclusive.0,
            wait_for_activation_timeout: Some(wire::duration(export.wait_for_activation)),
        };
        let answer = client.export_party_acs(request).await.map_err(|status| NodeError::from_status(&status, false))?;
        Ok(Chunks(answer.into_inner()))
    }

    /// Imports a party's contracts, each checked by the node. The participant must be disconnected from every
    /// synchronizer. The same file again is harmless; half a file is not taken back.
    ///
    /// # Errors
    /// See [`ImportError`].
    pub async fn import_party(
        &self,
        version: &NodeVersion,
        import: &Import,
        contracts: impl AsyncRead + Send + Unpin,
    ) -> Result<(), ImportError> {
        let door = self.connection.patient().await?;
        match version.release().ok_or_else(|| ImportError::Release(version.clone()))? {
            Release::V3_4 => import_v3_4::import(door, import, contracts).await,
            Release::V3_5 => import_v3_5::import(door, import, contracts).await,
        }
    }

    /// Whether the participant would import at all, asked before there is anything to import. It is handed a file that
    /// breaks off in its first bytes, which no node takes: one that keeps its contracts in memory says so before it reads.
    /// Whatever else a node says of such a file tells nothing.
    ///
    /// # Errors
    /// `IMPORT_ACS_ERROR` where it would not, and whatever passes: then nobody knows.
    pub async fn must_be_able_to_import(&self, version: &NodeVersion, import: &Import) -> Result<(), ImportError> {
        match self.import_party(version, import, BROKEN_OFF).await {
            Err(ImportError::Node(NodeError::Rejected { reason, .. })) if reason != NO_IMPORT => Ok(()),
            told => told,
        }
    }

    /// Asks the participant to end a party's onboarding on itself. It does so by itself when it is safe; this tells how
    /// far it is.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn clear_onboarding_flag(
        &self,
        party: &PartyId,
        synchronizer: &SynchronizerId,
        begin_exclusive: Offset,
        wait_for_activation: Duration,
    ) -> Result<Cleared, NodeError> {
        let mut client = PartyManagementServiceClient::new(self.connection.patient().await?);
        let request = ClearPartyOnboardingFlagRequest {
            party_id: party.to_string(),
            synchronizer_id: synchronizer.to_string(),
            begin_offset_exclusive: begin_exclusive.0,
            wait_for_activation_timeout: Some(wire::duration(wait_for_activation)),
        };
        let answer = client.clear_party_onboarding_flag(request).await;
        let answer = answer.map_err(|status| NodeError::from_status(&status, true))?.into_inner();
        let earliest = answer.earliest_retry_timestamp;
        let earliest_retry =
            earliest.map(|time| wire::timestamp("earliest_retry_timestamp", Some(time))).transpose()?;
        Ok(Cleared { onboarded: answer.onboarded, earliest_retry })
    }
}

/// The next chunk of a file; empty at its end.
async fn chunk(contracts: &mut (impl AsyncRead + Send + Unpin)) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(CHUNK_BYTES);
    contracts.take(CHUNK_BYTES as u64).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// Sends a file as one request for each chunk, and waits for the node's answer. A file that breaks off aborts the call:
/// its end must not look like the file's.
async fn send<Q, A, C>(
    mut contracts: impl AsyncRead + Send + Unpin,
    request: impl Fn(Vec<u8>, bool) -> Q,
    call: impl FnOnce(tokio_stream::wrappers::ReceiverStream<Q>) -> C,
) -> Result<A, ImportError>
where
    C: Future<Output = Result<A, tonic::Status>>,
{
    let (requests, receiver) = tokio::sync::mpsc::channel(1);
    // Declared before the call, so that an error drops the call first and the stream is never seen to end.
    let mut requests = Some(requests);
    let call = call(tokio_stream::wrappers::ReceiverStream::new(receiver));
    tokio::pin!(call);
    let mut first = true;
    while let Some(sender) = &requests {
        let bytes = chunk(&mut contracts).await?;
        if bytes.is_empty() && !first {
            requests = None;
            continue;
        }
        tokio::select! {
            answer = &mut call => return answered(answer),
            // A call that ended has an answer, which the next round or the end finds.
            sent = sender.send(request(bytes, first)) => if sent.is_err() { break },
        }
        first = false;
    }
    answered(call.await)
}

fn answered<A>(answer: Result<A, tonic::Status>) -> Result<A, ImportError> {
    answer.map_err(|status| ImportError::Node(NodeError::from_status(&status, true)))
}

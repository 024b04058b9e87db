//! Exporting a party's contracts as they stood when the target became its host.

use std::{sync::Arc, time::Duration};

use canton_proto::canton::admin::participant::v30::{ExportPartyAcsRequest, ExportPartyAcsResponse};
use canton_topology::id::{IdError, ParticipantId, PartyId};
use tonic::{Code, Status};

use super::{Answers, Api, senseless, topology_read::CHUNK_BYTES};
use crate::{
    acs,
    clock::{duration, words},
    contract::Contract,
    hosting,
    ledger::{Activation, Pruned},
    refused::{Refused, short, short_uid},
};

/// How long a node waits for the activation where nobody says.
const WAIT: Duration = Duration::from_secs(120);

impl Api {
    /// The file, in pieces.
    pub(super) async fn export(
        &self,
        request: ExportPartyAcsRequest,
    ) -> Result<Answers<ExportPartyAcsResponse>, Status> {
        let party = self.party_and_synchronizer(&request.party_id, &request.synchronizer_id)?;
        let target: ParticipantId =
            request.target_participant_uid.parse().map_err(|error: IdError| senseless(error.to_string()))?;
        let begin = self.begin(request.begin_offset_exclusive)?;
        let wait = request.wait_for_activation_timeout.map_or(WAIT, duration);
        let activation = self.activation(begin, &party, &target, wait).await?;
        if !activation.onboarding {
            let cause = format!(
                "Aborted to export the ACS of party {}: missing party-to-participant mapping onboarding flag for the participant {}.",
                short_uid(party.uid()),
                short(&format!("PAR::{target}"))
            );
            let id = "PARTY_ACS_EXPORT_MISSING_TARGET_ONBOARDING_MAPPING";
            return Err(Refused::new(Code::FailedPrecondition, id, cause).into());
        }
        let contracts = self.contracts(&party, &target, activation).map_err(pruned)?;
        let synchronizer = self.0.synchronizer.id.logical.to_string();
        // A large file takes long to compress, and the node has other things to do.
        let written = tokio::task::spawn_blocking(move || {
            acs::write(&synchronizer, contracts.iter().map(|(offset, contract)| (*offset, contract.as_ref())))
        });
        let file = written.await.map_err(|_| Status::unavailable("the node is going down"))?;
        let pieces = file.len().div_ceil(CHUNK_BYTES);
        let piece = move |index: usize| {
            let from = index * CHUNK_BYTES;
            let chunk = file[from..file.len().min(from + CHUNK_BYTES)].to_vec();
            Ok(ExportPartyAcsResponse { chunk })
        };
        Ok(Box::pin(tokio_stream::iter((0..pieces).map(piece))))
    }

    /// When the participant became a host, at the latest after this wait.
    pub(super) async fn activation(
        &self,
        begin: i64,
        party: &PartyId,
        participant: &ParticipantId,
        wait: Duration,
    ) -> Result<Activation, Refused> {
        let found = self.0.wait_for(wait, |standing| standing.ledger.activation(begin, party, participant).transpose());
        let Some(found) = found.await else {
            let (party, participant) = (short_uid(party.uid()), short(&format!("PAR::{participant}")));
            let reason = format!("The stream has not been completed in {}.", words(wait));
            let cause = format!(
                "Failed to find the effective party-to-participant mapping topology transaction for party {party} on participant {participant}: {reason}"
            );
            let id = "EFFECTIVE_PARTY_TO_PARTICIPANT_MAPPING_NOT_FOUND";
            let refused = Refused::new(Code::FailedPrecondition, id, cause);
            return Err(refused.with("party", party).with("targetParticipant", participant).with("reason", reason));
        };
        found.map_err(pruned)
    }

    /// The contracts of the party at the activation, but for those that the target has through another party already.
    fn contracts(
        &self,
        party: &PartyId,
        target: &ParticipantId,
        activation: Activation,
    ) -> Result<Vec<(i64, Arc<Contract>)>, Pruned> {
        let standing = self.0.standing();
        let others = hosting::parties_at(&standing.topology, target, activation.effective);
        let has_already = |other: &&PartyId| *other != party && others.contains(*other);
        let mut active = standing.ledger.active_at(activation.offset)?;
        active.retain(|(_, contract)| {
            let stakeholders = contract.stakeholders();
            stakeholders.contains(party) && !stakeholders.iter().any(has_already)
        });
        Ok(active)
    }
}

fn pruned(pruned: Pruned) -> Refused {
    let earliest = pruned.earliest;
    let cause = format!("The ledger was pruned; the earliest offset that can be read is {earliest}.");
    Refused::new(Code::FailedPrecondition, "IO_STREAM_PARTY_MANAGEMENT_ERROR", cause)
}

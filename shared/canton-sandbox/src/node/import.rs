//! Importing contracts from a file, batch by batch: what breaks off leaves the batches before it.

use canton_proto::canton::admin::participant::v30::{ContractImportMode, ImportPartyAcsRequest};
use canton_topology::id::{IdError, PartyId};
use tonic::{Code, Status, Streaming};

use super::{Api, senseless};
use crate::{
    acs::{FileContract, FileError, Reader},
    clock::now,
    options::{NodeVersion, Storage},
    refused::{Refused, short_psid},
};

/// How many contracts are taken over together.
const BATCH: usize = 1000;

/// What the first message of an import says about all of it.
struct Import {
    mode: ContractImportMode,
    party: Option<PartyId>,
}

impl Api {
    /// Takes over the contracts of a stream. Without a message nothing is done.
    pub(super) async fn import(&self, mut messages: Streaming<ImportPartyAcsRequest>) -> Result<(), Status> {
        let Some(first) = messages.message().await? else { return Ok(()) };
        let import = self.begin_import(&first)?;
        let mut progress = Progress::new(self, &import);
        let mut reader = Reader::new();
        let mut next = Some(first);
        while let Some(message) = next {
            progress.add(reader.take(&message.acs_snapshot).map_err(unreadable)?)?;
            next = messages.message().await?;
        }
        progress.add(reader.finish().map_err(unreadable)?)?;
        progress.finish()?;
        // From 3.5 on, and on protocol version 35, a node knows what the import was for.
        let clears = self.0.options.version == NodeVersion::V3_5 && self.0.synchronizer.id.protocol_version >= 35;
        if let Some(party) = import.party.filter(|_| clears) {
            self.0.standing().clearances.insert(party);
        }
        Ok(())
    }

    fn begin_import(&self, first: &ImportPartyAcsRequest) -> Result<Import, Refused> {
        let mode = first.contract_import_mode.and_then(|mode| ContractImportMode::try_from(mode).ok());
        let mode = mode.filter(|mode| *mode != ContractImportMode::Unspecified);
        let mode = mode.ok_or_else(|| senseless("Field `contract_import_mode` is not set"))?;
        let synchronizer = first.synchronizer_id.as_deref();
        let synchronizer = synchronizer.ok_or_else(|| senseless("Field `synchronizer_id` is not set"))?;
        let own = &self.0.synchronizer.id;
        if synchronizer != own.logical.to_string() {
            return Err(senseless(format!("Synchronizer ID {synchronizer} is unknown to this participant")));
        }
        let party = first.party_id.as_deref().map(str::parse).transpose();
        let party = party.map_err(|error: IdError| senseless(error.to_string()))?;
        if self.0.standing().connected {
            let cause = "There are still synchronizers connected. Please disconnect all synchronizers.";
            return Err(Refused::new(Code::FailedPrecondition, "IO_STREAM_PARTY_MANAGEMENT_ERROR", cause));
        }
        if self.0.options.storage == Storage::Memory {
            let cause =
                format!("{} is in memory which is not supported by repair. Use db persistence.", short_psid(own));
            return Err(Refused::new(Code::InvalidArgument, "IMPORT_ACS_ERROR", cause));
        }
        Ok(Import { mode, party })
    }
}

fn unreadable(error: FileError) -> Refused {
    match error {
        // Canton's reader says nothing more of a stream that ends too early.
        FileError::Stream => Refused::unreadable("OtherError(null)"),
        FileError::Record { .. } => Refused::unreadable(format!("OtherError({error})")),
    }
}

/// How far an import is.
struct Progress<'a> {
    api: &'a Api,
    import: &'a Import,
    waiting: Vec<FileContract>,
    imported: usize,
    starts: u64,
    stop_after: Option<usize>,
}

impl<'a> Progress<'a> {
    fn new(api: &'a Api, import: &'a Import) -> Self {
        let (starts, stop_after) = (api.0.starts(), api.0.faults.take_import_stop());
        Self { api, import, waiting: Vec::new(), imported: 0, starts, stop_after }
    }

    fn add(&mut self, contracts: Vec<FileContract>) -> Result<(), Status> {
        self.waiting.extend(contracts);
        while self.waiting.len() >= BATCH {
            let batch = self.waiting.drain(..BATCH).collect();
            self.take_over(batch)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), Status> {
        let rest = std::mem::take(&mut self.waiting);
        self.take_over(rest)?;
        if self.imported == 0 {
            self.api.0.standing().ledger.record_nothing(now());
        }
        Ok(())
    }

    fn take_over(&mut self, batch: Vec<FileContract>) -> Result<(), Status> {
        let node = &self.api.0;
        let own = node.synchronizer.id.logical.to_string();
        for (synchronizer, contract) in batch {
            if self.stop_after.is_some_and(|most| self.imported >= most) {
                node.stop();
            }
            if node.starts() != self.starts {
                return Err(Status::unavailable("the node is down"));
            }
            if synchronizer != own {
                continue;
            }
            let mut standing = node.standing();
            if self.import.mode == ContractImportMode::Validation && !standing.has_package(&contract.package) {
                let cause = format!("Failed to locate package {}", contract.package.as_str());
                let id = "IO_STREAM_PARTY_MANAGEMENT_ERROR";
                return Err(Refused::new(Code::FailedPrecondition, id, cause).into());
            }
            self.imported += usize::from(standing.ledger.import(contract, now()));
        }
        Ok(())
    }
}

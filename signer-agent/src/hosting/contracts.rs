//! Contracts in a file and on a node: streamed, counted, never kept in memory.

use std::{fs::File, io::BufReader, path::Path};

use canton_client::{
    ledger::{Ledger, Offset},
    participant::Participant,
    parties::{Chunks, Export},
    snapshot_file::SnapshotFile,
};
use canton_topology::id::{PartyId, SynchronizerId};
use protocol::hosting::contract_set::ContractSet;
use tokio::io::AsyncWriteExt as _;

use super::error::StepError;

/// What a file of contracts holds.
pub(super) struct Counted {
    /// The contracts.
    pub set: ContractSet,
    /// The packages that they need.
    pub packages: std::collections::BTreeSet<String>,
}

/// Writes an export into a new file, whole or not at all.
pub(super) async fn export(
    node: &Participant,
    export: &Export,
    into: &Path,
    progress: impl Fn(u64),
) -> Result<(), StepError> {
    let part = into.with_extension("part");
    let mut chunks = node.export_party(export).await?;
    let written = write(&mut chunks, &part, progress).await;
    if written.is_err() {
        // What came is no file; the next attempt begins anew.
        let _ = tokio::fs::remove_file(&part).await;
    }
    written?;
    tokio::fs::rename(&part, into).await.map_err(StepError::file(into))
}

async fn write(chunks: &mut Chunks, part: &Path, progress: impl Fn(u64)) -> Result<(), StepError> {
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(part).await.map_err(StepError::file(part))?;
    let mut bytes = 0;
    while let Some(chunk) = chunks.next().await? {
        file.write_all(&chunk).await.map_err(StepError::file(part))?;
        bytes += chunk.len() as u64;
        progress(bytes);
    }
    file.flush().await.map_err(StepError::file(part))?;
    file.sync_all().await.map_err(StepError::file(part))
}

/// Reads a whole file of contracts, each of which must be the party's and on the synchronizer. Blocks.
pub(super) fn count(
    file: &Path,
    party: &PartyId,
    synchronizer: &SynchronizerId,
    progress: impl Fn(u64),
) -> Result<Counted, StepError> {
    let opened = File::open(file).map_err(StepError::file(file))?;
    let mut counted = Counted { set: ContractSet::default(), packages: std::collections::BTreeSet::new() };
    let party = party.to_string();
    for record in SnapshotFile::new(BufReader::new(opened)) {
        let record = record?;
        let other = |what: &str| Err(StepError::OtherContracts(format!("contract {}: {what}", record.contract)));
        if record.synchronizer != *synchronizer {
            return other("it is on another synchronizer");
        }
        if !record.stakeholders.contains(&party) {
            return other("the party has no stake in it");
        }
        counted.set.add(&record.contract);
        counted.packages.extend(record.packages);
        progress(counted.set.count());
    }
    Ok(counted)
}

/// The contracts of a party on a node, at an offset, on one synchronizer.
pub(super) async fn on_node(
    ledger: &Ledger,
    party: &PartyId,
    synchronizer: &SynchronizerId,
    at: Offset,
) -> Result<Counted, StepError> {
    let mut counted = Counted { set: ContractSet::default(), packages: std::collections::BTreeSet::new() };
    let mut contracts = ledger.active_contracts(party, at).await?;
    while let Some(contract) = contracts.next().await? {
        if contract.synchronizer.as_ref().is_some_and(|found| found == synchronizer) {
            counted.set.add(&contract.id);
            counted.packages.extend(contract.packages);
        }
    }
    Ok(counted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::PathBuf;

    use super::*;

    const PARTY: &str = "treasury::1220cda0191d3cd049be4873c3c075f53811194785a0e156ec80c15df3895bc3baa8";
    const SYNCHRONIZER: &str = "sync::12205d2409e963d89247684f25a0401579802293016ad35a81a8d42fa0b6b3d92d2f";

    fn counted(party: &str, synchronizer: &str) -> Option<Result<u64, StepError>> {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/canton/recordings/pv35/party.acs.gz");
        if !path.exists() {
            println!("skipped: recordings/pv35/party.acs.gz is not beside the project");
            return None;
        }
        let counted = count(&path, &party.parse().unwrap(), &synchronizer.parse().unwrap(), |_| {});
        Some(counted.map(|counted| counted.set.count()))
    }

    /// Canton itself imports a file for the wrong party without a word.
    #[test]
    fn a_file_of_another_party_or_synchronizer_is_refused_by_name() {
        let Some(right) = counted(PARTY, SYNCHRONIZER) else { return };
        assert_eq!(right.unwrap(), 4);
        let of_another = counted(&PARTY.replace("treasury", "petty-cash"), SYNCHRONIZER).unwrap().unwrap_err();
        assert!(of_another.to_string().contains("the party has no stake in it"), "{of_another}");
        let elsewhere = counted(PARTY, &SYNCHRONIZER.replace("sync", "other")).unwrap().unwrap_err();
        assert!(elsewhere.to_string().contains("another synchronizer"), "{elsewhere}");
    }
}

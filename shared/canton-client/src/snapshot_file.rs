//! The file of a party's contracts (`.acs.gz`), read record by record in constant memory: what is in it before a node
//! takes it.
//!
//! Gzip around records, each a length and a version wrapper around `ActiveContract` around the Ledger API's own
//! `ActiveContract`. No header, no count, no end mark, so only gzip's own checksum tells a whole file from a cut one.
//! Source: node-api 2.4, "ACS file format".

use std::{
    collections::BTreeSet,
    io::{self, BufRead, Read},
};

use canton_proto::{
    canton::{
        admin::participant::v30::ActiveContract as Wrapped,
        version::v1::{UntypedVersionedMessage, untyped_versioned_message::Wrapper},
    },
    daml::ledger::api::v2::ActiveContract,
};
use canton_topology::id::SynchronizerId;
use flate2::bufread::MultiGzDecoder;
use prost::Message as _;
use thiserror::Error;

use crate::ledger::contracts::packages;

/// Largest record that is read, in bytes. A node takes no larger message.
pub const RECORD_BYTES_MAX: u64 = 64 << 20;

/// The version of the wrapper that holds an `ActiveContract`.
const WRAPPER_VERSION: i32 = 30;

/// Longest varint of a length, in bytes.
const LENGTH_BYTES_MAX: u32 = 5;

/// What one record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The contract's id.
    pub contract: String,
    /// The packages that a participant needs for it.
    pub packages: Vec<String>,
    /// Where it is.
    pub synchronizer: SynchronizerId,
    /// Its signatories and observers: no contract of a party is without it.
    pub stakeholders: BTreeSet<String>,
}

/// Where a file is no such file.
#[derive(Debug, Error)]
#[error("record {record}, byte {offset} of the unpacked file: {kind}")]
pub struct SnapshotError {
    /// Which record, from 1.
    pub record: u64,
    /// Where it begins, in unpacked bytes.
    pub offset: u64,
    /// What is wrong.
    pub kind: SnapshotErrorKind,
}

/// How a file is wrong.
#[derive(Debug, Error)]
pub enum SnapshotErrorKind {
    /// It cannot be read or unpacked. An empty file is one: even no contracts make a few bytes of gzip.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// It ends inside a record.
    #[error("the file ends inside it")]
    Cut,
    /// Its length is none, or too large.
    #[error("its length is none that a record has (at most {RECORD_BYTES_MAX} bytes)")]
    Length,
    /// A layer of it does not decode.
    #[error("{layer}: {reason}")]
    Undecodable {
        /// Which message.
        layer: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Another version of the wrapper.
    #[error("version {0} of the wrapper; known is 30")]
    Version(i32),
}

/// Reads a file from its begin. Memory holds one record at most. Ends after the first error.
#[derive(Debug)]
pub struct SnapshotFile<R> {
    unpacked: MultiGzDecoder<R>,
    /// How many records were begun.
    records: u64,
    /// How many bytes were unpacked.
    position: u64,
    /// Where the record begins that is being read.
    begins: u64,
    ended: bool,
}

impl<R: BufRead> SnapshotFile<R> {
    /// A file at its begin.
    pub fn new(file: R) -> Self {
        Self { unpacked: MultiGzDecoder::new(file), records: 0, position: 0, begins: 0, ended: false }
    }

    fn record(&mut self) -> Result<Option<Record>, SnapshotErrorKind> {
        self.begins = self.position;
        let Some(length) = self.length()? else { return Ok(None) };
        // Grows with what is there, whatever the length claims.
        let mut bytes = Vec::new();
        let read = (&mut self.unpacked).take(length).read_to_end(&mut bytes)? as u64;
        self.position += read;
        if read < length {
            return Err(SnapshotErrorKind::Cut);
        }
        decode(&bytes).map(Some)
    }

    /// The length of the next record; `None` where there is none.
    fn length(&mut self) -> Result<Option<u64>, SnapshotErrorKind> {
        let mut length = 0;
        for index in 0..LENGTH_BYTES_MAX {
            let Some(byte) = self.byte()? else {
                return if index == 0 { Ok(None) } else { Err(SnapshotErrorKind::Cut) };
            };
            length |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return if length > RECORD_BYTES_MAX { Err(SnapshotErrorKind::Length) } else { Ok(Some(length)) };
            }
        }
        Err(SnapshotErrorKind::Length)
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        loop {
            return match self.unpacked.read(&mut byte) {
                Ok(0) => Ok(None),
                Ok(_) => {
                    self.position += 1;
                    Ok(Some(byte[0]))
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
        }
    }
}

impl<R: BufRead> Iterator for SnapshotFile<R> {
    type Item = Result<Record, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = self.record();
        self.records += 1;
        self.ended = !matches!(record, Ok(Some(_)));
        let error = |kind| SnapshotError { record: self.records, offset: self.begins, kind };
        record.map_err(error).transpose()
    }
}

fn decode(bytes: &[u8]) -> Result<Record, SnapshotErrorKind> {
    let undecodable = |layer, reason: String| SnapshotErrorKind::Undecodable { layer, reason };
    let wrapper = UntypedVersionedMessage::decode(bytes)
        .map_err(|error| undecodable("UntypedVersionedMessage", error.to_string()))?;
    if wrapper.version != WRAPPER_VERSION {
        return Err(SnapshotErrorKind::Version(wrapper.version));
    }
    let Some(Wrapper::Data(data)) = wrapper.wrapper else {
        return Err(undecodable("UntypedVersionedMessage", "no data".to_owned()));
    };
    let wrapped = Wrapped::decode(data.as_slice()).map_err(|error| undecodable("ActiveContract", error.to_string()))?;
    let inner = |reason: String| undecodable("ActiveContract of the Ledger API", reason);
    let contract =
        ActiveContract::decode(wrapped.active_contract.as_slice()).map_err(|error| inner(error.to_string()))?;
    let event = contract.created_event.ok_or_else(|| inner("no created_event".to_owned()))?;
    if event.contract_id.is_empty() {
        return Err(inner("no contract_id".to_owned()));
    }
    let packages = packages(&event).ok_or_else(|| inner("no template_id".to_owned()))?;
    let synchronizer = contract.synchronizer_id.parse().map_err(|error| inner(format!("synchronizer_id: {error}")))?;
    let stakeholders = event.signatories.into_iter().chain(event.observers).collect();
    Ok(Record { contract: event.contract_id, packages, synchronizer, stakeholders })
}

//! The file of a party's active contracts: one gzip stream of records, each a length and Canton's version wrapper around a
//! Ledger API `ActiveContract`. Source: `node-api` 2.4, "ACS file format".

use std::io::Write as _;

use canton_proto::{
    canton::{
        admin::participant::v30::ActiveContract as Record,
        version::v1::{UntypedVersionedMessage, untyped_versioned_message::Wrapper},
    },
    daml::ledger::api::v2::{ActiveContract, CreatedEvent, Identifier},
};
use flate2::{Compression, GzBuilder, write::GzDecoder};
use prost::Message as _;

use crate::{
    clock::{from_wire, to_wire},
    contract::{Contract, ContractId},
};

/// The version that the wrapper of a record names.
const RECORD_VERSION: i32 = 30;

/// A file that does not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FileError {
    /// It is cut short, or no gzip stream.
    #[error("the compressed stream is broken")]
    Stream,
    /// A record is not what it should be.
    #[error("record {index}: {reason}")]
    Record {
        /// Which.
        index: usize,
        /// Why.
        reason: String,
    },
}

/// The event that created a contract, as the Ledger API shows it to these witnesses.
pub(crate) fn created_event(contract: &Contract, offset: i64, witnesses: Vec<String>) -> CreatedEvent {
    let names = |parties: &std::collections::BTreeSet<_>| parties.iter().map(ToString::to_string).collect();
    CreatedEvent {
        offset,
        node_id: 0,
        contract_id: contract.id.to_string(),
        template_id: Some(template(contract)),
        created_event_blob: contract.payload.clone(),
        witness_parties: witnesses,
        signatories: names(&contract.signatories),
        observers: names(&contract.observers),
        created_at: Some(to_wire(contract.created)),
        package_name: contract.package_name.clone(),
        acs_delta: true,
        representative_package_id: contract.package.as_str().to_owned(),
    }
}

/// The name of a contract's template.
pub(crate) fn template(contract: &Contract) -> Identifier {
    let (module_name, entity_name) = contract.template.clone();
    Identifier { package_id: contract.package.as_str().to_owned(), module_name, entity_name }
}

/// Writes a file.
pub(crate) fn write<'a>(synchronizer: &str, contracts: impl IntoIterator<Item = (i64, &'a Contract)>) -> Vec<u8> {
    // 255 is "unknown system", as Canton writes it.
    let mut gzip = GzBuilder::new().operating_system(255).write(Vec::new(), Compression::default());
    for (offset, contract) in contracts {
        let witnesses = contract.signatories.iter().map(ToString::to_string).collect();
        let active = ActiveContract {
            created_event: Some(created_event(contract, offset, witnesses)),
            synchronizer_id: synchronizer.to_owned(),
            reassignment_counter: 0,
        };
        let record = Record { active_contract: active.encode_to_vec() };
        let wrapper = Some(Wrapper::Data(record.encode_to_vec()));
        let wrapped = UntypedVersionedMessage { wrapper, version: RECORD_VERSION };
        gzip.write_all(&wrapped.encode_length_delimited_to_vec()).expect("memory takes what is written");
    }
    gzip.finish().expect("memory takes what is written")
}

/// Reads a file piece by piece.
pub(crate) struct Reader {
    gzip: GzDecoder<Vec<u8>>,
    read: usize,
}

/// A contract of a file, and the synchronizer that it is on.
pub(crate) type FileContract = (String, Contract);

impl Reader {
    /// A reader at the beginning.
    pub fn new() -> Self {
        Self { gzip: GzDecoder::new(Vec::new()), read: 0 }
    }

    /// Takes in the next piece and gives out the contracts that are complete.
    pub fn take(&mut self, piece: &[u8]) -> Result<Vec<FileContract>, FileError> {
        self.gzip.write_all(piece).map_err(|_| FileError::Stream)?;
        self.complete()
    }

    /// The last contracts; an error where something is missing.
    pub fn finish(mut self) -> Result<Vec<FileContract>, FileError> {
        self.gzip.try_finish().map_err(|_| FileError::Stream)?;
        let last = self.complete()?;
        if self.gzip.get_ref().is_empty() { Ok(last) } else { Err(FileError::Stream) }
    }

    fn complete(&mut self) -> Result<Vec<FileContract>, FileError> {
        let mut all = Vec::new();
        let bytes = self.gzip.get_mut();
        let mut rest: &[u8] = bytes;
        loop {
            let mut after = rest;
            let Ok(length) = prost::decode_length_delimiter(&mut after) else { break };
            let Some(record) = after.get(..length) else { break };
            let broken = |reason| FileError::Record { index: self.read, reason };
            all.push(contract(record).map_err(broken)?);
            self.read += 1;
            rest = &after[length..];
        }
        *bytes = rest.to_vec();
        Ok(all)
    }
}

fn contract(record: &[u8]) -> Result<FileContract, String> {
    let undecodable = |error: prost::DecodeError| error.to_string();
    let wrapped = UntypedVersionedMessage::decode(record).map_err(undecodable)?;
    if wrapped.version != RECORD_VERSION {
        return Err(format!("version {}", wrapped.version));
    }
    let Some(Wrapper::Data(data)) = wrapped.wrapper else { return Err("no data".to_owned()) };
    let record = Record::decode(data.as_slice()).map_err(undecodable)?;
    let active = ActiveContract::decode(record.active_contract.as_slice()).map_err(undecodable)?;
    let event = active.created_event.ok_or("no created event")?;
    let template = event.template_id.ok_or("no template")?;
    let parties = |names: &[String]| {
        let parsed = names.iter().map(|name| name.parse()).collect::<Result<_, _>>();
        parsed.map_err(|error: canton_topology::id::IdError| error.to_string())
    };
    let contract = Contract {
        id: ContractId(event.contract_id),
        package: event
            .representative_package_id
            .parse()
            .or_else(|_| template.package_id.parse())
            .map_err(|error: canton_topology::mapping::NotAPackageId| error.to_string())?,
        package_name: event.package_name,
        template: (template.module_name, template.entity_name),
        signatories: parties(&event.signatories)?,
        observers: parties(&event.observers)?,
        payload: event.created_event_blob,
        created: from_wire(event.created_at.ok_or("no creation time")?),
    };
    Ok((active.synchronizer_id, contract))
}

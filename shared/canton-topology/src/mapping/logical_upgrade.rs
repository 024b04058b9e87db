//! Logical synchronizer upgrades: the announcement of a successor and where its sequencers are.

use std::collections::BTreeSet;

use super::{Endpoint, convert, identifier};
use crate::{
    Timestamp,
    id::{Member, MemberKind, PhysicalSynchronizerId, UniqueIdentifier},
    wire::{DecodeError, DecodeErrorKind, Node, Writer},
};

/// `LsuAnnouncement`: from the upgrade time on, the successor takes over. Freezes all other topology.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LsuAnnouncement {
    /// The successor.
    pub successor: PhysicalSynchronizerId,
    /// When.
    pub upgrade_time: Timestamp,
}

impl LsuAnnouncement {
    pub(super) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let successor = identifier(node, 1)?;
        let time = super::timestamp(node, 2)?;
        let upgrade_time = time.ok_or_else(|| node.error(2, DecodeErrorKind::FieldNotSet))?;
        Ok(Self { successor, upgrade_time })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.text(1, &self.successor.to_string());
        super::write_timestamp(&mut writer, 2, self.upgrade_time);
        writer.finish()
    }
}

/// `LsuSequencerConnectionSuccessor`: where a sequencer will be reached after the upgrade. Equality looks at hosts, ports
/// and TLS, as Canton's does, not at the addresses' order and wording.
#[derive(Clone, Debug)]
pub struct LsuSequencerConnectionSuccessor {
    /// The sequencer.
    pub sequencer: UniqueIdentifier,
    /// The successor.
    pub successor: PhysicalSynchronizerId,
    /// Its addresses as they were written, all with TLS or all without; see [`Self::read_endpoints`].
    pub endpoints: Vec<String>,
    /// Certificates to be trusted, where given.
    pub custom_trust_certificates: Option<Vec<u8>>,
}

impl PartialEq for LsuSequencerConnectionSuccessor {
    fn eq(&self, other: &Self) -> bool {
        let set = BTreeSet::<Endpoint>::from_iter::<Vec<Endpoint>>;
        self.sequencer == other.sequencer
            && self.successor == other.successor
            && set(self.read_endpoints()) == set(other.read_endpoints())
            && self.custom_trust_certificates == other.custom_trust_certificates
    }
}

impl Eq for LsuSequencerConnectionSuccessor {}

impl LsuSequencerConnectionSuccessor {
    /// The addresses as Canton reads them, each once, in the order of their first mention. What does not read is left
    /// out: no mapping that was parsed has such a one.
    pub fn read_endpoints(&self) -> Vec<Endpoint> {
        let mut read = Vec::new();
        for endpoint in self.endpoints.iter().filter_map(|text| Endpoint::parse(text).ok()) {
            if !read.contains(&endpoint) {
                read.push(endpoint);
            }
        }
        read
    }

    pub(super) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let member: Member = identifier(node, 1)?;
        if member.kind != MemberKind::Sequencer {
            return Err(node.error(1, DecodeErrorKind::ValueDeserialization(format!("{member} is not a sequencer"))));
        }
        let successor = convert(node, 2, node.text(2).parse())?;
        let connection = node.child(3).ok_or_else(|| node.error(3, DecodeErrorKind::FieldNotSet))?;
        let endpoints: Vec<String> = connection.texts(1).map(str::to_owned).collect();
        check_endpoints(&connection, &endpoints)?;
        let custom_trust_certificates = connection.has(2).then(|| connection.bytes(2).to_vec());
        Ok(Self { sequencer: member.uid, successor, endpoints, custom_trust_certificates })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut inner = Writer::default();
        for endpoint in &self.endpoints {
            inner.bytes(1, endpoint.as_bytes());
        }
        if let Some(certificates) = &self.custom_trust_certificates {
            inner.bytes(2, certificates);
        }
        let mut writer = Writer::default();
        writer.text(1, &format!("SEQ::{}", self.sequencer));
        writer.text(2, &self.successor.to_string());
        writer.bytes(3, &inner.finish());
        writer.finish()
    }
}

fn check_endpoints(node: &Node<'_>, endpoints: &[String]) -> Result<(), DecodeError> {
    if endpoints.is_empty() {
        return Err(node.error(1, DecodeErrorKind::FieldNotSet));
    }
    let read: Vec<_> = endpoints.iter().map(|text| Endpoint::parse(text)).collect();
    // Canton reads all texts as URIs before it looks at any port.
    let faults: Vec<&DecodeErrorKind> = read.iter().filter_map(|endpoint| endpoint.as_ref().err()).collect();
    let is_text = |kind: &&&DecodeErrorKind| matches!(kind, DecodeErrorKind::ValueDeserialization(_));
    if let Some(fault) = faults.iter().find(is_text).or_else(|| faults.first()) {
        return Err(node.error(1, (*fault).clone()));
    }
    let with_tls = read.iter().flatten().filter(|endpoint| endpoint.tls).count();
    if with_tls != 0 && with_tls != read.len() {
        let reason = "either all addresses use TLS or none".to_owned();
        return Err(node.error(1, DecodeErrorKind::ValueConversion(reason)));
    }
    Ok(())
}

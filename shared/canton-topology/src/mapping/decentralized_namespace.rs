//! A namespace that a threshold of owners signs for.

use super::{namespace, positive};
use crate::{
    id::Namespace,
    wire::{DecodeError, DecodeErrorKind, Node, Writer},
};

/// `DecentralizedNamespaceDefinition`. Equality does not look at the owners' order, as Canton's does not.
#[derive(Clone, Debug)]
pub struct DecentralizedNamespaceDefinition {
    /// The namespace: the hash of its first owners, for ever.
    pub namespace: Namespace,
    /// How many owners must sign.
    pub threshold: u32,
    /// The owners, without repetitions, as they were written.
    pub owners: Vec<Namespace>,
}

impl PartialEq for DecentralizedNamespaceDefinition {
    fn eq(&self, other: &Self) -> bool {
        self.namespace == other.namespace
            && self.threshold == other.threshold
            && self.owners.len() == other.owners.len()
            && self.owners.iter().all(|owner| other.owners.contains(owner))
    }
}

impl Eq for DecentralizedNamespaceDefinition {}

impl DecentralizedNamespaceDefinition {
    pub(super) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let namespace = namespace(node, 1)?;
        let threshold = positive(node, 2)?;
        let mut owners: Vec<Namespace> = Vec::new();
        for owner in node.texts(3) {
            let owner: Namespace = owner.parse().map_err(|error| node.error(3, super::id_error_kind(&error)))?;
            if !owners.contains(&owner) {
                owners.push(owner);
            }
        }
        if owners.is_empty() {
            return Err(node.error(3, DecodeErrorKind::Invariant("empty; at least one owner is needed".to_owned())));
        }
        if threshold as usize > owners.len() {
            let reason = format!("{threshold}, but there are only {} owners", owners.len());
            return Err(node.error(2, DecodeErrorKind::Other(reason)));
        }
        Ok(Self { namespace, threshold, owners })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.text(1, self.namespace.as_str());
        writer.number(2, i64::from(self.threshold));
        for owner in &self.owners {
            writer.bytes(3, owner.as_str().as_bytes());
        }
        writer.finish()
    }
}

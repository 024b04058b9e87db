//! A key that may sign for a namespace, and what it may sign.

use std::collections::BTreeSet;

use super::{Code, namespace};
use crate::{
    id::Namespace,
    key::{KeyUsage, SigningPublicKey},
    wire::{DecodeError, DecodeErrorKind, Node, Writer},
};

/// What a delegated key may sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restriction {
    /// Every mapping.
    All,
    /// Every mapping but namespace delegations.
    AllButNamespaceDelegations,
    /// The mappings of these kinds.
    Specific(BTreeSet<Code>),
}

impl Restriction {
    /// Whether it lets a key sign mappings of that kind.
    pub fn allows(&self, code: Code) -> bool {
        match self {
            Self::All => true,
            Self::AllButNamespaceDelegations => code != Code::NamespaceDelegation,
            Self::Specific(codes) => codes.contains(&code),
        }
    }
}

/// `NamespaceDelegation`: the namespace lets the target key sign for it. The root delegation is the one whose target
/// is the namespace's own key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceDelegation {
    /// The namespace.
    pub namespace: Namespace,
    /// The key.
    pub target: SigningPublicKey,
    /// What the key may sign.
    pub restriction: Restriction,
}

impl NamespaceDelegation {
    /// The root delegation of a key's own namespace.
    pub fn root(key: SigningPublicKey) -> Self {
        Self { namespace: Namespace::from(key.fingerprint()), target: key, restriction: Restriction::All }
    }

    /// Whether the target is the namespace's own key.
    pub fn is_root(&self) -> bool {
        self.namespace.fingerprint() == self.target.fingerprint_ref()
    }

    pub(super) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let namespace = namespace(node, 1)?;
        let target = node.child(2).ok_or_else(|| node.error(2, DecodeErrorKind::FieldNotSet))?;
        let target = SigningPublicKey::from_node(&target)?;
        let delegation = Self { namespace, target, restriction: restriction(node)? };
        if delegation.is_root() && !delegation.restriction.allows(Code::NamespaceDelegation) {
            let reason = "the root key of a namespace must be allowed to sign namespace delegations".to_owned();
            return Err(node.own_error(DecodeErrorKind::Invariant(reason)));
        }
        if !delegation.target.usage().contains(&KeyUsage::Namespace) {
            let reason = "the key must have the usage NAMESPACE".to_owned();
            return Err(node.error(2, DecodeErrorKind::Invariant(reason)));
        }
        Ok(delegation)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.text(1, self.namespace.as_str());
        writer.bytes(2, &self.target.encode());
        match &self.restriction {
            Restriction::All => writer.bytes(4, &[]),
            Restriction::AllButNamespaceDelegations => writer.bytes(5, &[]),
            Restriction::Specific(codes) => {
                let mut inner = Writer::default();
                inner.packed(1, codes.iter().map(|code| *code as u64));
                writer.bytes(6, &inner.finish());
            }
        }
        writer.finish()
    }
}

/// Old releases wrote only the flag `is_root_delegation`; new ones write the restriction and leave the flag false.
fn restriction(node: &Node<'_>) -> Result<Restriction, DecodeError> {
    let is_root = node.number(3) != 0;
    let Some(member) = node.member() else {
        return Ok(if is_root { Restriction::All } else { Restriction::AllButNamespaceDelegations });
    };
    if is_root {
        let reason = "true, although the restriction is written out".to_owned();
        return Err(node.error(3, DecodeErrorKind::Invariant(reason)));
    }
    if member == 4 {
        return Ok(Restriction::All);
    }
    let Some(specific) = node.child(6) else {
        return Ok(Restriction::AllButNamespaceDelegations);
    };
    let mut codes = BTreeSet::new();
    for number in specific.ints(1) {
        let unknown = || specific.error(1, DecodeErrorKind::UnrecognizedEnum(number));
        codes.insert(Code::from_number(number).ok_or_else(unknown)?);
    }
    if codes.is_empty() {
        return Err(specific.error(1, DecodeErrorKind::FieldNotSet));
    }
    Ok(Restriction::Specific(codes))
}

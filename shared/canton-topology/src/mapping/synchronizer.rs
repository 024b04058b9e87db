//! What a synchronizer is: its parameters, its mediators, its sequencers.

use super::{DynamicParameters, identifier, members, non_negative, positive};
use crate::{
    id::{Member, MemberKind, SynchronizerId},
    wire::{DecodeError, DecodeErrorKind, Node, Writer},
};

/// Whether participants may join, and whether they need a permission first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnboardingRestriction {
    /// Everybody may.
    UnrestrictedOpen = 1,
    /// Nobody may.
    UnrestrictedLocked = 2,
    /// Those with a permission may.
    RestrictedOpen = 3,
    /// Nobody may.
    RestrictedLocked = 4,
}

impl OnboardingRestriction {
    pub(super) fn from_node(node: &Node<'_>, number: u32) -> Result<Self, DecodeError> {
        match node.int(number) {
            0 => Err(node.error(number, DecodeErrorKind::FieldNotSet)),
            1 => Ok(Self::UnrestrictedOpen),
            2 => Ok(Self::UnrestrictedLocked),
            3 => Ok(Self::RestrictedOpen),
            4 => Ok(Self::RestrictedLocked),
            other => Err(node.error(number, DecodeErrorKind::UnrecognizedEnum(other))),
        }
    }
}

/// `SynchronizerParametersState`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SynchronizerParametersState {
    /// The synchronizer.
    pub synchronizer: SynchronizerId,
    /// Who may join.
    pub onboarding_restriction: OnboardingRestriction,
    /// The other parameters.
    pub parameters: DynamicParameters,
}

impl SynchronizerParametersState {
    pub(super) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let synchronizer = identifier(node, 1)?;
        let parameters = node.child(2).ok_or_else(|| node.error(2, DecodeErrorKind::FieldNotSet))?;
        let (parameters, onboarding_restriction) = DynamicParameters::from_node(&parameters)?;
        Ok(Self { synchronizer, onboarding_restriction, parameters })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.text(1, &self.synchronizer.to_string());
        writer.bytes(2, &self.parameters.encode(self.onboarding_restriction));
        writer.finish()
    }
}

/// `MediatorSynchronizerState`: one group of mediators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediatorSynchronizerState {
    /// The synchronizer.
    pub synchronizer: SynchronizerId,
    /// The group.
    pub group: u32,
    /// How many of the active ones must agree.
    pub threshold: u32,
    /// Those that decide.
    pub active: Vec<Member>,
    /// Those that only look.
    pub observers: Vec<Member>,
}

impl MediatorSynchronizerState {
    /// All members, deciding or not.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.active.iter().chain(&self.observers)
    }

    pub(super) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let synchronizer = identifier(node, 1)?;
        let group = non_negative(node, 2)?;
        let threshold = positive(node, 3)?;
        let active = members(node, 4, MemberKind::Mediator)?;
        let observers = members(node, 5, MemberKind::Mediator)?;
        check_members(node, threshold, node.texts(4).count(), &active, &observers)?;
        Ok(Self { synchronizer, group, threshold, active, observers })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.text(1, &self.synchronizer.to_string());
        writer.number(2, i64::from(self.group));
        writer.number(3, i64::from(self.threshold));
        write_members(&mut writer, 4, &self.active);
        write_members(&mut writer, 5, &self.observers);
        writer.finish()
    }
}

/// `SequencerSynchronizerState`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequencerSynchronizerState {
    /// The synchronizer.
    pub synchronizer: SynchronizerId,
    /// How many of the active ones a member must hear the same from.
    pub threshold: u32,
    /// Those that order.
    pub active: Vec<Member>,
    /// Those that only look.
    pub observers: Vec<Member>,
}

impl SequencerSynchronizerState {
    /// All members, ordering or not.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.active.iter().chain(&self.observers)
    }

    pub(super) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let synchronizer = identifier(node, 1)?;
        let threshold = positive(node, 2)?;
        let active = members(node, 3, MemberKind::Sequencer)?;
        let observers = members(node, 4, MemberKind::Sequencer)?;
        check_members(node, threshold, node.texts(3).count(), &active, &observers)?;
        Ok(Self { synchronizer, threshold, active, observers })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.text(1, &self.synchronizer.to_string());
        writer.number(2, i64::from(self.threshold));
        write_members(&mut writer, 3, &self.active);
        write_members(&mut writer, 4, &self.observers);
        writer.finish()
    }
}

fn write_members(writer: &mut Writer, number: u32, members: &[Member]) {
    for member in members {
        writer.bytes(number, member.uid.to_string().as_bytes());
    }
}

/// Canton holds the threshold against the members as they are written, one that stands there twice counting twice.
fn check_members(
    node: &Node<'_>,
    threshold: u32,
    written: usize,
    active: &[Member],
    observers: &[Member],
) -> Result<(), DecodeError> {
    if threshold as usize > written {
        let reason = format!("threshold {threshold} is above the {written} active members");
        return Err(node.own_error(DecodeErrorKind::Other(reason)));
    }
    if let Some(both) = active.iter().find(|member| observers.contains(member)) {
        let reason = format!("{both} is both active and an observer");
        return Err(node.own_error(DecodeErrorKind::Other(reason)));
    }
    Ok(())
}

/// `DynamicSequencingParametersState`: parameters that only the sequencers understand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamicSequencingParametersState {
    /// The synchronizer.
    pub synchronizer: SynchronizerId,
    /// The sequencers' own bytes.
    pub payload: Vec<u8>,
}

impl DynamicSequencingParametersState {
    pub(super) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let synchronizer = identifier(node, 1)?;
        // Absent parameters are empty ones.
        let payload = node.child(2).map(|parameters| parameters.bytes(1).to_vec()).unwrap_or_default();
        Ok(Self { synchronizer, payload })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut inner = Writer::default();
        if !self.payload.is_empty() {
            inner.bytes(1, &self.payload);
        }
        let mut writer = Writer::default();
        writer.text(1, &self.synchronizer.to_string());
        writer.bytes(2, &inner.finish());
        writer.finish()
    }
}

//! The fifteen kinds of mappings and their names.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The number of a mapping's kind, as it stands in unique keys and restrictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Code {
    NamespaceDelegation = 1,
    DecentralizedNamespaceDefinition = 3,
    OwnerToKeyMapping = 4,
    SynchronizerTrustCertificate = 5,
    ParticipantSynchronizerPermission = 6,
    PartyHostingLimits = 7,
    VettedPackages = 8,
    PartyToParticipant = 9,
    SynchronizerParametersState = 11,
    MediatorSynchronizerState = 12,
    SequencerSynchronizerState = 13,
    DynamicSequencingParametersState = 17,
    PartyToKeyMapping = 18,
    LsuAnnouncement = 19,
    LsuSequencerConnectionSuccessor = 20,
}

impl Code {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::NamespaceDelegation,
        Self::DecentralizedNamespaceDefinition,
        Self::OwnerToKeyMapping,
        Self::SynchronizerTrustCertificate,
        Self::ParticipantSynchronizerPermission,
        Self::PartyHostingLimits,
        Self::VettedPackages,
        Self::PartyToParticipant,
        Self::SynchronizerParametersState,
        Self::MediatorSynchronizerState,
        Self::SequencerSynchronizerState,
        Self::DynamicSequencingParametersState,
        Self::PartyToKeyMapping,
        Self::LsuAnnouncement,
        Self::LsuSequencerConnectionSuccessor,
    ];

    /// The kind of that number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| *code as i32 == number)
    }

    /// Canton's three letters for it, as in the filters of a node's API.
    pub fn letters(self) -> &'static str {
        match self {
            Self::NamespaceDelegation => "nsd",
            Self::DecentralizedNamespaceDefinition => "dnd",
            Self::OwnerToKeyMapping => "otk",
            Self::SynchronizerTrustCertificate => "dtc",
            Self::ParticipantSynchronizerPermission => "pdp",
            Self::PartyHostingLimits => "phl",
            Self::VettedPackages => "vtp",
            Self::PartyToParticipant => "ptp",
            Self::SynchronizerParametersState => "dop",
            Self::MediatorSynchronizerState => "mds",
            Self::SequencerSynchronizerState => "sds",
            Self::DynamicSequencingParametersState => "sep",
            Self::PartyToKeyMapping => "ptk",
            Self::LsuAnnouncement => "lsu",
            Self::LsuSequencerConnectionSuccessor => "scs",
        }
    }

    /// Canton's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NamespaceDelegation => "NamespaceDelegation",
            Self::DecentralizedNamespaceDefinition => "DecentralizedNamespaceDefinition",
            Self::OwnerToKeyMapping => "OwnerToKeyMapping",
            Self::SynchronizerTrustCertificate => "SynchronizerTrustCertificate",
            Self::ParticipantSynchronizerPermission => "ParticipantSynchronizerPermission",
            Self::PartyHostingLimits => "PartyHostingLimits",
            Self::VettedPackages => "VettedPackages",
            Self::PartyToParticipant => "PartyToParticipant",
            Self::SynchronizerParametersState => "SynchronizerParametersState",
            Self::MediatorSynchronizerState => "MediatorSynchronizerState",
            Self::SequencerSynchronizerState => "SequencerSynchronizerState",
            Self::DynamicSequencingParametersState => "DynamicSequencingParametersState",
            Self::PartyToKeyMapping => "PartyToKeyMapping",
            Self::LsuAnnouncement => "LsuAnnouncement",
            Self::LsuSequencerConnectionSuccessor => "LsuSequencerConnectionSuccessor",
        }
    }
}

/// The text is no kind of mapping.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no kind of mapping; expected one such as nsd, dnd, ptp or its full name")]
pub struct NotACode(pub String);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads the full name or the three letters.
impl FromStr for Code {
    type Err = NotACode;

    fn from_str(text: &str) -> Result<Self, NotACode> {
        let is_meant = |code: &Self| code.name() == text || code.letters() == text;
        Self::ALL.into_iter().find(is_meant).ok_or_else(|| NotACode(text.to_owned()))
    }
}

impl TryFrom<String> for Code {
    type Error = NotACode;

    fn try_from(text: String) -> Result<Self, NotACode> {
        text.parse()
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.name().to_owned()
    }
}

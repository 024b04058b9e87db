//! What a participant declares of itself, and what a synchronizer grants it and the parties on it.

use std::{fmt, str::FromStr};

use thiserror::Error;

use super::{Permission, convert, identifier, non_negative};
use crate::{
    Timestamp,
    id::{ParticipantId, PartyId, SynchronizerId},
    wire::{DecodeError, DecodeErrorKind, Node, Writer},
};

/// Canton's first and last moment, in microseconds since the epoch.
pub(crate) const TIMES: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// Reads a `google.protobuf.Timestamp`, rounded down to microseconds.
pub(crate) fn timestamp(node: &Node<'_>, number: u32) -> Result<Option<Timestamp>, DecodeError> {
    let Some(inner) = node.child(number) else { return Ok(None) };
    let micros = inner.number(1).checked_mul(1_000_000).and_then(|m| m.checked_add(inner.number(2).div_euclid(1_000)));
    let micros = micros
        .filter(|micros| TIMES.contains(micros))
        .ok_or_else(|| node.error(number, DecodeErrorKind::Timestamp("outside the years 1 to 9999".to_owned())))?;
    Ok(Some(Timestamp(micros)))
}

/// Writes a `google.protobuf.Timestamp`.
pub(crate) fn write_timestamp(writer: &mut Writer, number: u32, time: Timestamp) {
    let mut inner = Writer::default();
    inner.number(1, time.0.div_euclid(1_000_000));
    inner.number(2, time.0.rem_euclid(1_000_000) * 1_000);
    writer.bytes(number, &inner.finish());
}

/// `SynchronizerTrustCertificate`: a participant wants to be on a synchronizer. Equality is Canton's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SynchronizerTrustCertificate {
    /// The participant.
    pub participant: ParticipantId,
    /// The synchronizer.
    pub synchronizer: SynchronizerId,
    /// Numbers of the features that it supports, without 0.
    pub feature_flags: Vec<i32>,
}

impl SynchronizerTrustCertificate {
    pub(super) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let participant = convert(node, 1, ParticipantId::parse_lenient(node.text(1)))?;
        let synchronizer = identifier(node, 2)?;
        // A flag that this release does not know is kept by its number, as Canton keeps it.
        let feature_flags = node.ints(5).filter(|flag| *flag != 0).collect();
        Ok(Self { participant, synchronizer, feature_flags })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.text(1, &self.participant.to_string());
        writer.text(2, &self.synchronizer.to_string());
        writer.packed(5, self.feature_flags.iter().map(|flag| *flag as u64));
        writer.finish()
    }
}

/// `ParticipantSynchronizerPermission`: what a synchronizer lets a participant do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantSynchronizerPermission {
    /// The synchronizer.
    pub synchronizer: SynchronizerId,
    /// The participant.
    pub participant: ParticipantId,
    /// The most that it may do for any party.
    pub permission: Permission,
    /// Most confirmation requests per second, where limited.
    pub confirmation_requests_max_rate: Option<u32>,
    /// It may not log in before, where set.
    pub login_after: Option<Timestamp>,
}

impl ParticipantSynchronizerPermission {
    pub(super) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let synchronizer = identifier(node, 1)?;
        let participant = convert(node, 2, ParticipantId::parse_lenient(node.text(2)))?;
        let permission = Permission::from_node(node, 3)?;
        let confirmation_requests_max_rate = node.child(4).map(|limits| non_negative(&limits, 1)).transpose()?;
        let login_after = node.has(5).then(|| node.number(5));
        if login_after.is_some_and(|micros| !TIMES.contains(&micros)) {
            return Err(node.error(5, DecodeErrorKind::Timestamp("outside the years 1 to 9999".to_owned())));
        }
        let login_after = login_after.map(Timestamp);
        Ok(Self { synchronizer, participant, permission, confirmation_requests_max_rate, login_after })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.text(1, &self.synchronizer.to_string());
        writer.text(2, &self.participant.to_string());
        writer.number(3, self.permission as i64);
        if let Some(rate) = self.confirmation_requests_max_rate {
            let mut inner = Writer::default();
            inner.number(1, i64::from(rate));
            writer.bytes(4, &inner.finish());
        }
        if let Some(time) = self.login_after {
            writer.varint(5, time.0 as u64);
        }
        writer.finish()
    }
}

/// `PartyHostingLimits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyHostingLimits {
    /// The synchronizer.
    pub synchronizer: SynchronizerId,
    /// The party.
    pub party: PartyId,
}

impl PartyHostingLimits {
    pub(super) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        Ok(Self { synchronizer: identifier(node, 1)?, party: identifier(node, 2)? })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.text(1, &self.synchronizer.to_string());
        writer.text(2, &self.party.to_string());
        writer.finish()
    }
}

/// A package's id: 1 to 64 letters, digits and ` -_`. Kept in place: a snapshot has hundreds of thousands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackageId {
    bytes: [u8; PACKAGE_ID_CHARS_MAX],
    length: u8,
}

/// A package that a participant vets, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VettedPackage {
    /// The package's id.
    pub package: PackageId,
    /// From when on; always, where not set.
    pub valid_from: Option<Timestamp>,
    /// Until when; for ever, where not set.
    pub valid_until: Option<Timestamp>,
    /// Whether it stood in the old list that knows no times.
    pub in_old_list: bool,
}

/// `VettedPackages`.
#[derive(Clone, Debug)]
pub struct VettedPackages {
    /// The participant.
    pub participant: ParticipantId,
    /// The packages, those of the old list first.
    pub packages: Vec<VettedPackage>,
}

impl PartialEq for VettedPackages {
    fn eq(&self, other: &Self) -> bool {
        fn said(package: &VettedPackage) -> (PackageId, Option<Timestamp>, Option<Timestamp>) {
            (package.package, package.valid_from, package.valid_until)
        }
        self.participant == other.participant && self.packages.iter().map(said).eq(other.packages.iter().map(said))
    }
}

impl Eq for VettedPackages {}

impl VettedPackages {
    pub(super) fn from_node(node: &Node<'_>) -> Result<Self, DecodeError> {
        let participant = convert(node, 1, ParticipantId::parse_lenient(node.text(1)))?;
        let mut packages = Vec::with_capacity(node.count(2) + node.count(4));
        for package in node.texts(2) {
            let package = package_id(node, 2, package)?;
            packages.push(VettedPackage { package, valid_from: None, valid_until: None, in_old_list: true });
        }
        let old = packages.len();
        for package in node.children(4) {
            packages.push(VettedPackage {
                package: package_id(&package, 1, package.text(1))?,
                valid_from: timestamp(&package, 2)?,
                valid_until: timestamp(&package, 3)?,
                in_old_list: false,
            });
        }
        let (before, after) = packages.split_at(old);
        if after.iter().any(|new| before.iter().any(|old| old.package == new.package)) {
            let reason = "a package stands in both lists; it may stand in one".to_owned();
            return Err(node.error(4, DecodeErrorKind::Invariant(reason)));
        }
        Ok(Self { participant, packages })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.text(1, &self.participant.to_string());
        for package in self.packages.iter().filter(|package| package.in_old_list) {
            writer.bytes(2, package.package.as_bytes());
        }
        for package in self.packages.iter().filter(|package| !package.in_old_list) {
            writer.message(4, |inner| {
                inner.bytes(1, package.package.as_bytes());
                if let Some(time) = package.valid_from {
                    write_timestamp(inner, 2, time);
                }
                if let Some(time) = package.valid_until {
                    write_timestamp(inner, 3, time);
                }
            });
        }
        writer.finish()
    }
}

/// Which bytes a package id may have.
static TAKEN: [bool; 256] = {
    let mut taken = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        taken[byte] = (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b' ' | b'-' | b'_');
        byte += 1;
    }
    taken
};

/// Longest package id that Canton takes, in characters.
const PACKAGE_ID_CHARS_MAX: usize = 64;

fn package_id(node: &Node<'_>, number: u32, text: &str) -> Result<PackageId, DecodeError> {
    text.parse().map_err(|error: NotAPackageId| node.error(number, DecodeErrorKind::ValueConversion(error.to_string())))
}

/// The text is not a package's id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a package id: expected 1 to {PACKAGE_ID_CHARS_MAX} letters, digits, ' -_'")]
pub struct NotAPackageId(String);

impl FromStr for PackageId {
    type Err = NotAPackageId;

    fn from_str(text: &str) -> Result<Self, NotAPackageId> {
        let mut bytes = [0; PACKAGE_ID_CHARS_MAX];
        let place = bytes.get_mut(..text.len()).filter(|place| !place.is_empty());
        match place {
            // Without a way out in the middle, so that many bytes are looked at together.
            Some(place) if text.bytes().fold(true, |all, byte| all & TAKEN[usize::from(byte)]) => {
                place.copy_from_slice(text.as_bytes());
            }
            Some(_) | None => return Err(NotAPackageId(text.to_owned())),
        }
        Ok(Self { bytes, length: text.len() as u8 })
    }
}

impl PackageId {
    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("only letters, digits and three more are taken")
    }

    /// The text's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl fmt::Debug for PackageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

//! A mapping as a Canton of today writes it: what `GenerateTransactions` makes of it, and the form in which independent
//! builders meet (`topology-protocol` 6).

use super::{Mapping, OwnerKey, VettedPackage};
use crate::key::SigningPublicKey;

impl Mapping {
    /// The same mapping with everything written as Canton writes it: keys as SPKI with all their usages, the keys of a
    /// party by fingerprint, packages in the new list, addresses with their ports, absent parameters written out.
    ///
    /// One thing cannot be foreseen outside of the JVM: the order of more than four owners. They stay as they are.
    #[must_use]
    pub fn as_canton_writes(&self) -> Self {
        let mut written = self.clone();
        match &mut written {
            Self::NamespaceDelegation(m) => m.target = m.target.normalised(),
            Self::OwnerToKeyMapping(m) => m.keys = m.keys.iter().map(normalised).collect(),
            Self::PartyToKeyMapping(m) => m.keys = by_fingerprint(&m.keys),
            Self::PartyToParticipant(m) => {
                if let Some(keys) = &mut m.signing_keys {
                    keys.keys = by_fingerprint(&keys.keys);
                }
            }
            Self::VettedPackages(m) => {
                let new = |package: &VettedPackage| VettedPackage { in_old_list: false, ..package.clone() };
                m.packages = m.packages.iter().map(new).collect();
            }
            Self::SynchronizerParametersState(m) => {
                let tolerance = m.parameters.preparation_tolerance();
                m.parameters.preparation_time_record_time_tolerance = Some(tolerance);
                if let Some(traffic) = &mut m.parameters.traffic_control {
                    traffic.base_event_cost = traffic.base_event_cost.filter(|cost| *cost != 0);
                }
            }
            Self::LsuSequencerConnectionSuccessor(m) => {
                m.endpoints = m.read_endpoints().iter().map(ToString::to_string).collect();
            }
            Self::DecentralizedNamespaceDefinition(_)
            | Self::SynchronizerTrustCertificate(_)
            | Self::ParticipantSynchronizerPermission(_)
            | Self::PartyHostingLimits(_)
            | Self::MediatorSynchronizerState(_)
            | Self::SequencerSynchronizerState(_)
            | Self::DynamicSequencingParametersState(_)
            | Self::LsuAnnouncement(_) => {}
        }
        written
    }
}

fn normalised(key: &OwnerKey) -> OwnerKey {
    match key {
        OwnerKey::Signing(key) => OwnerKey::Signing(key.normalised()),
        OwnerKey::Encryption(key) => OwnerKey::Encryption(key.normalised()),
    }
}

fn by_fingerprint(keys: &[SigningPublicKey]) -> Vec<SigningPublicKey> {
    let mut keys: Vec<SigningPublicKey> = keys.iter().map(SigningPublicKey::normalised).collect();
    keys.sort_by(|a, b| a.fingerprint_ref().cmp(b.fingerprint_ref()));
    keys
}

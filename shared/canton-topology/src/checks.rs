//! The checks that a synchronizer makes of a mapping before it looks at signatures, in Canton's order.
//!
//! Source: `topology-protocol` 4.4, corrected by the recorded verdicts.

use std::collections::BTreeSet;

use crate::{
    Timestamp,
    authorization::Rules,
    id::{Member, MemberKind, ParticipantId, decentralized_namespace},
    mapping::{
        Code, DecentralizedNamespaceDefinition, LsuAnnouncement, LsuSequencerConnectionSuccessor, Mapping,
        MediatorSynchronizerState, NamespaceDelegation, OnboardingRestriction, OwnerKey, OwnerToKeyMapping,
        PartyToParticipant, Permission, SequencerSynchronizerState, SynchronizerTrustCertificate,
    },
    rejection::Rejection,
    state::{Row, State},
    transaction::{Operation, Serial, Transaction},
};

/// What a check may look at.
pub(crate) struct Scene<'a> {
    /// Topology with everything of the batch before this transaction.
    pub state: &'a State,
    /// Upgrades that were announced before the batch began.
    pub announced: &'a [LsuAnnouncement],
    /// The active row of the same chain.
    pub previous: Option<&'a Row>,
    /// When the batch becomes effective.
    pub effective: Timestamp,
}

pub(crate) fn check(scene: &Scene<'_>, transaction: &Transaction, is_root_removal: bool) -> Result<(), Rejection> {
    let (operation, mapping) = (transaction.operation(), transaction.mapping());
    let removes = operation == Operation::Remove;
    if removes && scene.previous.is_none() && !is_root_removal {
        return Err(Rejection::NoCorrespondingActiveTxToRevoke);
    }
    if !removes && transaction.serial() == Serial::LAST {
        return Err(Rejection::InvalidTopologyMapping("the last serial is reserved for a removal".to_owned()));
    }
    if removes && scene.previous.is_some_and(|row| !repeats(row.transaction.mapping(), mapping)) {
        return Err(Rejection::RemoveMustNotChangeMapping);
    }
    if !matches!(mapping, Mapping::LsuAnnouncement(_) | Mapping::LsuSequencerConnectionSuccessor(_))
        && announces_successor(scene.state)
    {
        return Err(Rejection::AnnouncedLsuTopologyFreeze);
    }
    match (mapping, operation) {
        (Mapping::SynchronizerTrustCertificate(m), Operation::AddReplace) => scene.trust_certificate(m),
        (Mapping::PartyToParticipant(m), Operation::AddReplace) => scene.party(m),
        (Mapping::OwnerToKeyMapping(m), Operation::AddReplace) => scene.owner_keys(m),
        (Mapping::OwnerToKeyMapping(m), Operation::Remove) => scene.owner_keys_removal(m),
        (Mapping::MediatorSynchronizerState(m), Operation::AddReplace) => scene.mediators(m),
        (Mapping::SequencerSynchronizerState(m), Operation::AddReplace) => scene.sequencers(m),
        (Mapping::DecentralizedNamespaceDefinition(m), Operation::AddReplace) => scene.definition(m),
        (Mapping::NamespaceDelegation(m), Operation::AddReplace) => scene.delegation(m),
        (Mapping::SynchronizerParametersState(_), Operation::Remove) => Err(Rejection::CannotRemoveMapping),
        (Mapping::LsuAnnouncement(m), Operation::AddReplace) => scene.announcement(m, transaction.serial()),
        (Mapping::LsuSequencerConnectionSuccessor(m), Operation::AddReplace) => scene.successor(m),
        (
            Mapping::SynchronizerParametersState(_)
            | Mapping::ParticipantSynchronizerPermission(_)
            | Mapping::PartyHostingLimits(_)
            | Mapping::VettedPackages(_)
            | Mapping::PartyToKeyMapping(_)
            | Mapping::DynamicSequencingParametersState(_),
            Operation::AddReplace,
        )
        | (
            Mapping::SynchronizerTrustCertificate(_)
            | Mapping::PartyToParticipant(_)
            | Mapping::MediatorSynchronizerState(_)
            | Mapping::SequencerSynchronizerState(_)
            | Mapping::DecentralizedNamespaceDefinition(_)
            | Mapping::NamespaceDelegation(_)
            | Mapping::ParticipantSynchronizerPermission(_)
            | Mapping::PartyHostingLimits(_)
            | Mapping::VettedPackages(_)
            | Mapping::PartyToKeyMapping(_)
            | Mapping::DynamicSequencingParametersState(_)
            | Mapping::LsuAnnouncement(_)
            | Mapping::LsuSequencerConnectionSuccessor(_),
            Operation::Remove,
        ) => Ok(()),
    }
}

/// Whether a removal repeats what it removes; the feature flags of a trust certificate do not count.
fn repeats(active: &Mapping, removal: &Mapping) -> bool {
    match (active, removal) {
        (Mapping::SynchronizerTrustCertificate(a), Mapping::SynchronizerTrustCertificate(b)) => {
            a.participant == b.participant && a.synchronizer == b.synchronizer
        }
        (a, b) => a == b,
    }
}

fn announces_successor(state: &State) -> bool {
    let own = state.synchronizer();
    announcements(state).any(|m| m.successor.logical == own.logical && m.successor > *own)
}

/// The active announcements.
pub(crate) fn announcements(state: &State) -> impl Iterator<Item = &LsuAnnouncement> {
    state.of_kind(Code::LsuAnnouncement).filter_map(|row| match row.transaction.mapping() {
        Mapping::LsuAnnouncement(announcement) => Some(announcement),
        _ => None,
    })
}

/// The form in which a participant declares the party of its own name.
fn is_admin_party(party: &PartyToParticipant) -> bool {
    let own = |host: &crate::mapping::HostingParticipant| {
        host.participant.uid() == party.party.uid() && host.permission == Permission::Submission
    };
    party.threshold == 1 && party.participants.len() == 1 && party.participants.iter().all(own)
}

impl Scene<'_> {
    fn live(&self) -> Option<&Mapping> {
        self.previous
            .filter(|row| row.transaction.operation() == Operation::AddReplace)
            .map(|row| row.transaction.mapping())
    }

    fn was_removed(&self) -> bool {
        self.previous.is_some_and(|row| row.transaction.operation() == Operation::Remove)
    }

    fn has_keys(&self, member: &Member) -> bool {
        self.state
            .of_kind(Code::OwnerToKeyMapping)
            .any(|row| matches!(row.transaction.mapping(), Mapping::OwnerToKeyMapping(keys) if keys.member == *member))
    }

    fn lacking_keys(&self, members: impl Iterator<Item = Member>) -> Result<(), Rejection> {
        let members: BTreeSet<String> =
            members.filter(|member| !self.has_keys(member)).map(|member| member.to_string()).collect();
        if members.is_empty() { Ok(()) } else { Err(Rejection::InsufficientKeys { members }) }
    }

    /// The same for those who run the synchronizer, whom the first rows name before their keys.
    fn servers_lacking_keys(&self, members: impl Iterator<Item = Member>) -> Result<(), Rejection> {
        match self.state.rules() {
            Rules::InitialSnapshot => Ok(()),
            Rules::Today => self.lacking_keys(members),
        }
    }

    fn certified(&self) -> BTreeSet<&ParticipantId> {
        let rows = self.state.of_kind(Code::SynchronizerTrustCertificate);
        rows.filter_map(|row| match row.transaction.mapping() {
            Mapping::SynchronizerTrustCertificate(certificate) => Some(&certificate.participant),
            _ => None,
        })
        .collect()
    }

    fn trust_certificate(&self, certificate: &SynchronizerTrustCertificate) -> Result<(), Rejection> {
        if self.was_removed() {
            return Err(Rejection::ParticipantCannotRejoinSynchronizer);
        }
        let conflicts = self.state.of_kind(Code::PartyToParticipant).any(|row| {
            matches!(row.transaction.mapping(), Mapping::PartyToParticipant(party)
                if party.party.uid() == certificate.participant.uid() && !is_admin_party(party))
        });
        if conflicts {
            return Err(Rejection::ParticipantIdConflictWithPartyId);
        }
        let parameters =
            self.state.of_kind(Code::SynchronizerParametersState).find_map(|row| match row.transaction.mapping() {
                Mapping::SynchronizerParametersState(m) if m.synchronizer == certificate.synchronizer => Some(m),
                _ => None,
            });
        match parameters.ok_or(Rejection::MissingSynchronizerParameters)?.onboarding_restriction {
            OnboardingRestriction::UnrestrictedOpen => {}
            OnboardingRestriction::RestrictedOpen => self.permission_to_join(certificate)?,
            OnboardingRestriction::UnrestrictedLocked | OnboardingRestriction::RestrictedLocked => {
                return Err(Rejection::OnboardingRestrictionInPlace);
            }
        }
        let member = Member { kind: MemberKind::Participant, uid: certificate.participant.uid().clone() };
        self.lacking_keys([member].into_iter())
    }

    fn permission_to_join(&self, certificate: &SynchronizerTrustCertificate) -> Result<(), Rejection> {
        let permitted = self.state.of_kind(Code::ParticipantSynchronizerPermission).any(|row| {
            matches!(row.transaction.mapping(), Mapping::ParticipantSynchronizerPermission(m)
                if m.participant == certificate.participant
                    && m.synchronizer == certificate.synchronizer
                    && m.login_after.is_none_or(|time| time <= self.effective))
        });
        if permitted { Ok(()) } else { Err(Rejection::OnboardingRestrictionInPlace) }
    }

    fn party(&self, party: &PartyToParticipant) -> Result<(), Rejection> {
        let certified = self.certified();
        let is_participants = certified.iter().any(|participant| participant.uid() == party.party.uid());
        if is_participants && !is_admin_party(party) {
            return Err(Rejection::PartyIdConflictWithAdminParty);
        }
        let before = match self.live() {
            Some(Mapping::PartyToParticipant(before)) => Some(before),
            _ => None,
        };
        let is_new = |participant: &&ParticipantId| before.is_none_or(|before| before.host(participant).is_none());
        let new: Vec<&ParticipantId> = party.participants.iter().map(|host| &host.participant).filter(is_new).collect();
        let members: BTreeSet<String> =
            new.iter().filter(|host| !certified.contains(*host)).map(ToString::to_string).collect();
        if !members.is_empty() {
            return Err(Rejection::UnknownMembers { members });
        }
        self.lacking_keys(new.iter().map(|host| Member { kind: MemberKind::Participant, uid: host.uid().clone() }))?;
        let namespace = party.party.namespace();
        let revoked = || {
            self.state
                .of_kind_and(Code::NamespaceDelegation, Operation::Remove)
                .any(|row| row.is_root_certificate() && row.transaction.mapping().namespace() == namespace)
        };
        if party.self_signing_key().is_some() && revoked() {
            return Err(Rejection::NamespaceHasBeenRevoked { namespace: namespace.clone() });
        }
        Ok(())
    }

    fn owner_keys(&self, keys: &OwnerToKeyMapping) -> Result<(), Rejection> {
        if self.was_removed() {
            return Err(Rejection::CannotReregisterKeys);
        }
        let taken = self.state.parameters();
        let signs = keys.signing_keys().any(|key| taken.signing_keys.contains(&key.spec()));
        let is_taken = |key: &OwnerKey| matches!(key, OwnerKey::Encryption(key) if taken.encryption_keys.contains(&key.key_spec()));
        let decrypts = keys.keys.iter().any(is_taken);
        if !signs || (keys.member.kind == MemberKind::Participant && !decrypts) {
            return Err(Rejection::InvalidOwnerToKeyMapping);
        }
        Ok(())
    }

    fn owner_keys_removal(&self, keys: &OwnerToKeyMapping) -> Result<(), Rejection> {
        let own = &self.state.synchronizer().logical;
        let in_use = self.state.actives().any(|row| match row.transaction.mapping() {
            Mapping::SynchronizerTrustCertificate(m) => {
                keys.member.kind == MemberKind::Participant && m.participant.uid() == &keys.member.uid
            }
            Mapping::MediatorSynchronizerState(m) => {
                m.synchronizer == *own && m.members().any(|member| *member == keys.member)
            }
            Mapping::SequencerSynchronizerState(m) => {
                m.synchronizer == *own && m.members().any(|member| *member == keys.member)
            }
            _ => false,
        });
        if in_use { Err(Rejection::InvalidOwnerToKeyMappingRemoval) } else { Ok(()) }
    }

    fn mediators(&self, new: &MediatorSynchronizerState) -> Result<(), Rejection> {
        let before = match self.live() {
            Some(Mapping::MediatorSynchronizerState(before)) => before.members().collect(),
            _ => Vec::new(),
        };
        let added: Vec<&Member> = new.members().filter(|member| !before.contains(member)).collect();
        let elsewhere = self.state.of_kind(Code::MediatorSynchronizerState).any(|row| {
            matches!(row.transaction.mapping(), Mapping::MediatorSynchronizerState(other)
                if other.synchronizer == new.synchronizer
                    && other.group != new.group
                    && other.members().any(|member| added.contains(&member)))
        });
        if elsewhere {
            return Err(Rejection::MediatorsAlreadyInOtherGroups);
        }
        self.servers_lacking_keys(added.into_iter().cloned())
    }

    fn sequencers(&self, new: &SequencerSynchronizerState) -> Result<(), Rejection> {
        let before = match self.live() {
            Some(Mapping::SequencerSynchronizerState(before)) => before.members().collect(),
            _ => Vec::new(),
        };
        self.servers_lacking_keys(new.members().filter(|member| !before.contains(member)).cloned())
    }

    fn definition(&self, new: &DecentralizedNamespaceDefinition) -> Result<(), Rejection> {
        let invalid = |reason: String| Err(Rejection::InvalidTopologyMapping(reason));
        if self.previous.is_none() && decentralized_namespace(&new.owners) != new.namespace {
            return invalid(format!("{} is not the namespace of these owners", new.namespace));
        }
        if self.state.delegations(&new.namespace).next().is_some() {
            return Err(Rejection::NamespaceAlreadyInUse { namespace: new.namespace.clone() });
        }
        match new.owners.iter().find(|owner| !self.state.has_root(owner)) {
            Some(owner) => invalid(format!("No root certificate found for {owner}")),
            None => Ok(()),
        }
    }

    fn delegation(&self, new: &NamespaceDelegation) -> Result<(), Rejection> {
        if self.state.definition(&new.namespace).is_some() {
            return Err(Rejection::NamespaceAlreadyInUse { namespace: new.namespace.clone() });
        }
        if self.was_removed() && self.state.rules() == Rules::Today {
            return Err(Rejection::NamespaceHasBeenRevoked { namespace: new.namespace.clone() });
        }
        Ok(())
    }

    fn announcement(&self, new: &LsuAnnouncement, serial: Serial) -> Result<(), Rejection> {
        if let Some(row) = self.previous
            && let Mapping::LsuAnnouncement(before) = row.transaction.mapping()
        {
            let repeated = before == new && row.serial() == serial;
            if new.successor <= before.successor && !repeated {
                return Err(Rejection::InvalidSynchronizerSuccessor);
            }
        }
        if new.upgrade_time <= self.effective {
            return Err(Rejection::InvalidUpgradeTime);
        }
        Ok(())
    }

    fn successor(&self, new: &LsuSequencerConnectionSuccessor) -> Result<(), Rejection> {
        let announced = self.announced.iter().find(|m| m.successor.logical == new.successor.logical);
        match announced {
            None => Err(Rejection::NoLsuAnnounced),
            Some(m) if m.successor != new.successor => Err(Rejection::LsuSequencerSuccessorInvalidSuccessorPsid),
            Some(_) => Ok(()),
        }
    }
}

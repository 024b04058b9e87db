//! The checks that a synchronizer makes of a mapping before it looks at signatures, in Canton's order.
//!
//! Source: `topology-protocol` 4.4, corrected by the recorded verdicts.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Timestamp,
    authorization::Rules,
    id::{Member, MemberKind, ParticipantId, PhysicalSynchronizerId, decentralized_namespace},
    mapping::{
        Code, DecentralizedNamespaceDefinition, LsuAnnouncement, LsuSequencerConnectionSuccessor, Mapping,
        MediatorSynchronizerState, NamespaceDelegation, OnboardingRestriction, OwnerKey, OwnerToKeyMapping,
        PartyToParticipant, Permission, SequencerSynchronizerState, SynchronizerTrustCertificate,
    },
    rejection::{KeyPurpose, Rejection},
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
        return Err(Rejection::NoCorrespondingActiveTxToRevoke { kind: mapping.code() });
    }
    if !removes && transaction.serial() == Serial::LAST {
        return Err(Rejection::InvalidTopologyMapping("the last serial is reserved for a removal".to_owned()));
    }
    if let Some(row) = scene.previous.filter(|row| removes && !repeats(row.transaction.mapping(), mapping)) {
        return Err(Rejection::RemoveMustNotChangeMapping { active: row.hash() });
    }
    if !matches!(mapping, Mapping::LsuAnnouncement(_) | Mapping::LsuSequencerConnectionSuccessor(_))
        && let Some(successor) = announced_successor(scene.state)
    {
        return Err(Rejection::AnnouncedLsuTopologyFreeze { successor: successor.clone() });
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
        (Mapping::SynchronizerParametersState(_), Operation::Remove) => {
            Err(Rejection::CannotRemoveMapping { kind: mapping.code() })
        }
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

fn announced_successor(state: &State) -> Option<&PhysicalSynchronizerId> {
    let own = state.synchronizer();
    let all = announcements(state).map(|announcement| &announcement.successor);
    all.into_iter().find(|successor| successor.logical == own.logical && *successor > own)
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
        let members: BTreeSet<Member> = members.filter(|member| !self.has_keys(member)).collect();
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
            let participant = certificate.participant.clone();
            return Err(Rejection::ParticipantCannotRejoinSynchronizer { participant });
        }
        let conflicts = self.state.of_kind(Code::PartyToParticipant).any(|row| {
            matches!(row.transaction.mapping(), Mapping::PartyToParticipant(party)
                if party.party.uid() == certificate.participant.uid() && !is_admin_party(party))
        });
        if conflicts {
            let participant = certificate.participant.clone();
            return Err(Rejection::ParticipantIdConflictWithPartyId { participant });
        }
        let parameters =
            self.state.of_kind(Code::SynchronizerParametersState).find_map(|row| match row.transaction.mapping() {
                Mapping::SynchronizerParametersState(m) if m.synchronizer == certificate.synchronizer => Some(m),
                _ => None,
            });
        let missing = || Rejection::MissingSynchronizerParameters { synchronizer: certificate.synchronizer.clone() };
        match parameters.ok_or_else(missing)?.onboarding_restriction {
            OnboardingRestriction::UnrestrictedOpen => {}
            OnboardingRestriction::RestrictedOpen => self.permission_to_join(certificate)?,
            restriction @ (OnboardingRestriction::UnrestrictedLocked | OnboardingRestriction::RestrictedLocked) => {
                let participant = certificate.participant.clone();
                return Err(Rejection::OnboardingRestrictionInPlace { participant, restriction, login_after: None });
            }
        }
        let member = Member { kind: MemberKind::Participant, uid: certificate.participant.uid().clone() };
        self.lacking_keys([member].into_iter())
    }

    fn permission_to_join(&self, certificate: &SynchronizerTrustCertificate) -> Result<(), Rejection> {
        let permission = self.state.of_kind(Code::ParticipantSynchronizerPermission).find_map(|row| {
            match row.transaction.mapping() {
                Mapping::ParticipantSynchronizerPermission(m)
                    if m.participant == certificate.participant && m.synchronizer == certificate.synchronizer =>
                {
                    Some(m.login_after)
                }
                _ => None,
            }
        });
        let participant = certificate.participant.clone();
        let restriction = OnboardingRestriction::RestrictedOpen;
        match permission {
            Some(login_after) if login_after.is_none_or(|time| time <= self.effective) => Ok(()),
            Some(login_after) => Err(Rejection::OnboardingRestrictionInPlace { participant, restriction, login_after }),
            None => Err(Rejection::OnboardingRestrictionInPlace { participant, restriction, login_after: None }),
        }
    }

    fn party(&self, party: &PartyToParticipant) -> Result<(), Rejection> {
        let certified = self.certified();
        let is_participants = certified.iter().any(|participant| participant.uid() == party.party.uid());
        if is_participants && !is_admin_party(party) {
            return Err(Rejection::PartyIdConflictWithAdminParty { party: party.party.clone() });
        }
        let before = match self.live() {
            Some(Mapping::PartyToParticipant(before)) => Some(before),
            _ => None,
        };
        let is_new = |participant: &&ParticipantId| before.is_none_or(|before| before.host(participant).is_none());
        let new: Vec<&ParticipantId> = party.participants.iter().map(|host| &host.participant).filter(is_new).collect();
        let member = |host: &&ParticipantId| Member { kind: MemberKind::Participant, uid: host.uid().clone() };
        let members: BTreeSet<Member> = new.iter().filter(|host| !certified.contains(*host)).map(member).collect();
        if !members.is_empty() {
            return Err(Rejection::UnknownMembers { members });
        }
        self.lacking_keys(new.iter().map(member))?;
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
            return Err(Rejection::CannotReregisterKeys { member: keys.member.clone() });
        }
        let taken = self.state.parameters();
        let signs = keys.signing_keys().any(|key| taken.signing_keys.contains(&key.spec()));
        let is_taken = |key: &OwnerKey| matches!(key, OwnerKey::Encryption(key) if taken.encryption_keys.contains(&key.key_spec()));
        let decrypts = keys.keys.iter().any(is_taken);
        let lacks = |lacks| Err(Rejection::InvalidOwnerToKeyMapping { member: keys.member.clone(), lacks });
        match (signs, decrypts || keys.member.kind != MemberKind::Participant) {
            (false, _) => lacks(KeyPurpose::Signing),
            (true, false) => lacks(KeyPurpose::Encryption),
            (true, true) => Ok(()),
        }
    }

    fn owner_keys_removal(&self, keys: &OwnerToKeyMapping) -> Result<(), Rejection> {
        let own = &self.state.synchronizer().logical;
        let user = self.state.actives().find(|row| match row.transaction.mapping() {
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
        let member = keys.member.clone();
        user.map_or(Ok(()), |row| Err(Rejection::InvalidOwnerToKeyMappingRemoval { member, user: row.hash() }))
    }

    fn mediators(&self, new: &MediatorSynchronizerState) -> Result<(), Rejection> {
        let before = match self.live() {
            Some(Mapping::MediatorSynchronizerState(before)) => before.members().collect(),
            _ => Vec::new(),
        };
        let added: Vec<&Member> = new.members().filter(|member| !before.contains(member)).collect();
        let others =
            self.state.of_kind(Code::MediatorSynchronizerState).filter_map(|row| match row.transaction.mapping() {
                Mapping::MediatorSynchronizerState(other)
                    if other.synchronizer == new.synchronizer && other.group != new.group =>
                {
                    Some(other)
                }
                _ => None,
            });
        let of_group = |other: &MediatorSynchronizerState| -> Vec<(Member, u32)> {
            other.members().filter(|member| added.contains(member)).map(|one| (one.clone(), other.group)).collect()
        };
        let elsewhere: BTreeMap<Member, u32> = others.flat_map(of_group).collect();
        if !elsewhere.is_empty() {
            return Err(Rejection::MediatorsAlreadyInOtherGroups { group: new.group, elsewhere });
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
                let (found, before) = (new.successor.clone(), before.successor.clone());
                return Err(Rejection::InvalidSynchronizerSuccessor { found, before });
            }
        }
        if new.upgrade_time <= self.effective {
            let (found, effective) = (new.upgrade_time, self.effective);
            return Err(Rejection::InvalidUpgradeTime { found, effective });
        }
        Ok(())
    }

    fn successor(&self, new: &LsuSequencerConnectionSuccessor) -> Result<(), Rejection> {
        let announced = self.announced.iter().find(|m| m.successor.logical == new.successor.logical);
        match announced {
            None => Err(Rejection::NoLsuAnnounced),
            Some(m) if m.successor != new.successor => {
                let (found, announced) = (new.successor.clone(), m.successor.clone());
                Err(Rejection::LsuSequencerSuccessorInvalidSuccessorPsid { found, announced })
            }
            Some(_) => Ok(()),
        }
    }
}

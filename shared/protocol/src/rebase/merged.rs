//! The rule of each kind of mapping by which a change that lost is put on what stands: what both sides touched in different
//! ways is never decided here.

use canton_topology::{
    mapping::{
        DecentralizedNamespaceDefinition, DynamicSequencingParametersState, HostingParticipant, LsuAnnouncement,
        LsuSequencerConnectionSuccessor, Mapping, NamespaceDelegation, OwnerKey, OwnerToKeyMapping,
        ParticipantSynchronizerPermission, PartyToKeyMapping, PartyToParticipant, SigningKeysWithThreshold,
        SynchronizerTrustCertificate, VettedPackage, VettedPackages,
    },
    show,
};

use super::{
    synchronizer,
    three::{Clash, Three},
};
use crate::difference::{Fact, of_host, of_key, of_restriction};

/// What the change wants on top of what stands; `None` where nothing is to stand. All three are of one chain.
///
/// # Errors
/// Where both sides changed the same thing differently.
pub(super) fn merged(
    base: Option<&Mapping>,
    stands: Option<&Mapping>,
    wanted: Option<&Mapping>,
) -> Result<Option<Mapping>, Clash> {
    if stands == wanted || wanted == base {
        return Ok(stands.cloned());
    }
    if stands == base {
        return Ok(wanted.cloned());
    }
    // Where one side made it, or took it away, there is no third version to tell what each of its fields means.
    let whole = || {
        let shown = |mapping: Option<&Mapping>, which: &str| mapping.map(|_| which.to_owned());
        let (stands, wanted) = (shown(stands, "another version"), shown(wanted, "its own version"));
        Clash { field: Fact::Stands.to_string(), stands, wanted }
    };
    let (Some(base), Some(stands), Some(wanted)) = (base, stands, wanted) else { return Err(whole()) };
    of_kind(base, stands, wanted)?.ok_or_else(whole).map(Some)
}

/// By the rule of the kind; `None` where the three are of different kinds, which one chain never has.
fn of_kind(base: &Mapping, stands: &Mapping, wanted: &Mapping) -> Result<Option<Mapping>, Clash> {
    macro_rules! rule {
        ($kind:ident, $base:ident, $by:path) => {{
            let (Mapping::$kind(stands), Mapping::$kind(wanted)) = (stands, wanted) else { return Ok(None) };
            Mapping::$kind($by(&Three { base: $base, stands, wanted })?)
        }};
    }
    Ok(Some(match base {
        Mapping::NamespaceDelegation(base) => rule!(NamespaceDelegation, base, delegation),
        Mapping::DecentralizedNamespaceDefinition(base) => rule!(DecentralizedNamespaceDefinition, base, definition),
        Mapping::OwnerToKeyMapping(base) => rule!(OwnerToKeyMapping, base, node_keys),
        Mapping::SynchronizerTrustCertificate(base) => rule!(SynchronizerTrustCertificate, base, certificate),
        Mapping::ParticipantSynchronizerPermission(base) => {
            rule!(ParticipantSynchronizerPermission, base, permission)
        }
        // It says nothing but whom it is about: whoever sets it says the same.
        Mapping::PartyHostingLimits(base) => Mapping::PartyHostingLimits(base.clone()),
        Mapping::VettedPackages(base) => rule!(VettedPackages, base, packages),
        Mapping::PartyToParticipant(base) => rule!(PartyToParticipant, base, party),
        Mapping::SynchronizerParametersState(base) => {
            rule!(SynchronizerParametersState, base, synchronizer::parameters)
        }
        Mapping::MediatorSynchronizerState(base) => rule!(MediatorSynchronizerState, base, synchronizer::mediators),
        Mapping::SequencerSynchronizerState(base) => {
            rule!(SequencerSynchronizerState, base, synchronizer::sequencers)
        }
        Mapping::DynamicSequencingParametersState(base) => {
            rule!(DynamicSequencingParametersState, base, sequencing)
        }
        Mapping::PartyToKeyMapping(base) => rule!(PartyToKeyMapping, base, party_keys),
        Mapping::LsuAnnouncement(base) => rule!(LsuAnnouncement, base, announcement),
        Mapping::LsuSequencerConnectionSuccessor(base) => rule!(LsuSequencerConnectionSuccessor, base, connection),
    }))
}

fn delegation(three: &Three<'_, NamespaceDelegation>) -> Result<NamespaceDelegation, Clash> {
    Ok(NamespaceDelegation {
        namespace: three.stands.namespace.clone(),
        target: three.field("delegated key", |one| one.target.clone(), of_key)?,
        restriction: three.field("restriction", |one| one.restriction.clone(), of_restriction)?,
    })
}

fn definition(three: &Three<'_, DecentralizedNamespaceDefinition>) -> Result<DecentralizedNamespaceDefinition, Clash> {
    let owners = three.entries(
        |one| one.owners.iter().map(|owner| (owner.clone(), ())).collect(),
        |owner| Fact::Owner(owner.clone()).to_string(),
        |()| "owner".to_owned(),
    )?;
    Ok(DecentralizedNamespaceDefinition {
        namespace: three.stands.namespace.clone(),
        threshold: three.field(&Fact::Threshold.to_string(), |one| one.threshold, u32::to_string)?,
        owners: owners.into_iter().map(|(owner, ())| owner).collect(),
    })
}

fn party(three: &Three<'_, PartyToParticipant>) -> Result<PartyToParticipant, Clash> {
    let hosts = three.entries(
        |one| one.participants.iter().map(|host| (host.participant.clone(), host.clone())).collect(),
        |host| Fact::Host(host.clone()).to_string(),
        |host: &HostingParticipant| of_host(host),
    )?;
    let keys = three.entries(
        |one| {
            let keys = one.signing_keys.iter().flat_map(|keys| &keys.keys);
            keys.map(|key| (key.fingerprint(), key.clone())).collect()
        },
        |key| Fact::Key(key.clone()).to_string(),
        of_key,
    )?;
    let keys: Vec<_> = keys.into_iter().map(|(_, key)| key).collect();
    let threshold_of = |one: &PartyToParticipant| one.signing_keys.as_ref().map(|keys| keys.threshold);
    let number = |threshold: &Option<u32>| threshold.map_or_else(|| "none".to_owned(), |number| number.to_string());
    let key_threshold = three.field(&Fact::KeyThreshold.to_string(), threshold_of, number)?;
    let signing_keys = match key_threshold {
        None if keys.is_empty() => None,
        Some(threshold) if !keys.is_empty() => Some(SigningKeysWithThreshold { keys, threshold }),
        // One side took all keys away, and the other one counts on some.
        None | Some(_) => {
            let [stands, wanted] = [three.stands, three.wanted].map(|one| Some(number(&threshold_of(one))));
            return Err(Clash { field: Fact::KeyThreshold.to_string(), stands, wanted });
        }
    };
    Ok(PartyToParticipant {
        party: three.stands.party.clone(),
        threshold: three.field(&Fact::Threshold.to_string(), |one| one.threshold, u32::to_string)?,
        participants: hosts.into_iter().map(|(_, host)| host).collect(),
        signing_keys,
    })
}

fn party_keys(three: &Three<'_, PartyToKeyMapping>) -> Result<PartyToKeyMapping, Clash> {
    let keys = three.entries(
        |one| one.keys.iter().map(|key| (key.fingerprint(), key.clone())).collect(),
        |key| Fact::Key(key.clone()).to_string(),
        of_key,
    )?;
    Ok(PartyToKeyMapping {
        party: three.stands.party.clone(),
        threshold: three.field(&Fact::Threshold.to_string(), |one| one.threshold, u32::to_string)?,
        keys: keys.into_iter().map(|(_, key)| key).collect(),
    })
}

fn node_keys(three: &Three<'_, OwnerToKeyMapping>) -> Result<OwnerToKeyMapping, Clash> {
    let keys = three.entries(
        |one| one.keys.iter().map(|key| (key.fingerprint(), key.clone())).collect(),
        |key| format!("key {key}"),
        |key| match key {
            OwnerKey::Signing(key) => of_key(key),
            OwnerKey::Encryption(_) => "for encryption".to_owned(),
        },
    )?;
    Ok(OwnerToKeyMapping { member: three.stands.member.clone(), keys: keys.into_iter().map(|(_, key)| key).collect() })
}

fn certificate(three: &Three<'_, SynchronizerTrustCertificate>) -> Result<SynchronizerTrustCertificate, Clash> {
    let flags = three.entries(
        |one| one.feature_flags.iter().map(|flag| (*flag, ())).collect(),
        |flag| format!("feature flag {flag}"),
        |()| "set".to_owned(),
    )?;
    Ok(SynchronizerTrustCertificate {
        participant: three.stands.participant.clone(),
        synchronizer: three.stands.synchronizer.clone(),
        feature_flags: flags.into_iter().map(|(flag, ())| flag).collect(),
    })
}

fn permission(
    three: &Three<'_, ParticipantSynchronizerPermission>,
) -> Result<ParticipantSynchronizerPermission, Clash> {
    let rate = |rate: &Option<u32>| rate.map_or_else(|| "no limit".to_owned(), |rate| rate.to_string());
    let moment = |time: &Option<_>| time.map_or_else(|| "any time".to_owned(), show::moment);
    Ok(ParticipantSynchronizerPermission {
        synchronizer: three.stands.synchronizer.clone(),
        participant: three.stands.participant.clone(),
        permission: three.field("permission", |one| one.permission, |permission| permission.name().to_owned())?,
        confirmation_requests_max_rate: three.field(
            "confirmation_requests_max_rate",
            |one| one.confirmation_requests_max_rate,
            rate,
        )?,
        login_after: three.field("login_after", |one| one.login_after, moment)?,
    })
}

fn packages(three: &Three<'_, VettedPackages>) -> Result<VettedPackages, Clash> {
    let packages = three.entries(
        |one| one.packages.iter().map(|package| (package.package, package.clone())).collect(),
        |package| format!("package {}", package.as_str()),
        |package: &VettedPackage| {
            let moment = |time: Option<_>| time.map_or_else(|| "-".to_owned(), show::moment);
            format!("vetted from {} until {}", moment(package.valid_from), moment(package.valid_until))
        },
    )?;
    let mut packages: Vec<VettedPackage> = packages.into_iter().map(|(_, package)| package).collect();
    packages.sort_by_key(|package| !package.in_old_list);
    Ok(VettedPackages { participant: three.stands.participant.clone(), packages })
}

fn sequencing(three: &Three<'_, DynamicSequencingParametersState>) -> Result<DynamicSequencingParametersState, Clash> {
    let bytes = |bytes: &Vec<u8>| format!("{} bytes", bytes.len());
    Ok(DynamicSequencingParametersState {
        synchronizer: three.stands.synchronizer.clone(),
        payload: three.field("payload", |one| one.payload.clone(), bytes)?,
    })
}

fn announcement(three: &Three<'_, LsuAnnouncement>) -> Result<LsuAnnouncement, Clash> {
    Ok(LsuAnnouncement {
        successor: three.field("successor", |one| one.successor.clone(), ToString::to_string)?,
        upgrade_time: three.field("upgrade_time", |one| one.upgrade_time, |time| show::moment(*time))?,
    })
}

fn connection(three: &Three<'_, LsuSequencerConnectionSuccessor>) -> Result<LsuSequencerConnectionSuccessor, Clash> {
    let bytes = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len).to_string() + " bytes";
    Ok(LsuSequencerConnectionSuccessor {
        sequencer: three.stands.sequencer.clone(),
        successor: three.field("successor", |one| one.successor.clone(), ToString::to_string)?,
        endpoints: three.field("endpoints", |one| one.endpoints.clone(), |all| all.join(", "))?,
        custom_trust_certificates: three.field(
            "custom_trust_certificates",
            |one| one.custom_trust_certificates.clone(),
            bytes,
        )?,
    })
}

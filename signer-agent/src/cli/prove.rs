//! `keys prove`: the owner's keys answer the coordinator's nonce, and the owner's introduction goes into its mailbox.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use canton_topology::key::SigningPublicKey;
use custody::keys::{KeyState, Outcome, PinnedKey, backends::Kinds, to_sign::ToSign};
use protocol::{
    api::Base64,
    identity::IdentityPublicKey,
    introduction::{Expected, IntroducedKey, Introduction},
    limits,
    statement::Statement,
};
use serde_json::{Value, json};

use super::{
    End,
    arguments::Prove,
    keys,
    print::{self, Form},
};
use crate::{
    actor::now,
    coordinator_link::{Link, LinkError},
    custodian::Custodian,
    folder::{Folder, Proving},
};

pub async fn run(folder: &Folder, kinds: &Kinds, prove: &Prove, form: &Form) -> anyhow::Result<End> {
    let (config, enrolment) = (folder.config()?, folder.enrolment()?);
    let chosen = chosen(folder, prove)?;
    let attestations = attestations(&chosen, prove)?;
    let link = Link::new(&enrolment)?;
    let proving = proving(folder, &link, enrolment.coordinator).await?;
    let mut introduction = Introduction {
        card: folder.card()?,
        synchronizer: config.synchronizer.clone(),
        coordinator: enrolment.coordinator,
        nonce: proving.nonce,
        at: now(),
        keys: Vec::new(),
    };
    // A backend may wait for the network.
    let (signed, waiting, left_out) = tokio::task::block_in_place(|| {
        let mut custodian = keys::opened(folder, kinds, &prove.with)?;
        let (able, left_out) = able(&custodian, chosen, prove)?;
        let waiting = answer(&mut custodian, &able, &attestations, &mut introduction)?;
        anyhow::Ok((Statement::sign(&introduction, &custodian.identity), waiting, left_out))
    })?;
    if !waiting.is_empty() {
        let heading = "not yet: whoever holds these keys has not answered; run the same command again later";
        print::value(heading, &json!({ "waiting": waiting }), form)?;
        return Ok(End::NotYet);
    }
    // As the others will.
    let expected = Expected { coordinator: enrolment.coordinator, synchronizer: Some(config.synchronizer) };
    Introduction::open(signed.bytes())?.check(&expected)?;
    let posted = link.introduce(&signed).await;
    if let Err(LinkError::Refused(problem)) = &posted
        && problem.kind.ends_with(":nonce-refused")
    {
        folder.set_proving(None)?;
    }
    let posted = posted?;
    folder.set_introduction(&Base64(signed.bytes().to_vec()))?;
    folder.set_proving(None)?;
    let mut value = described(&introduction);
    value["introduction"] = posted.introduction.into();
    value["sign-topology-alone"] = left_out.into();
    let heading =
        "the introduction is in the mailbox; read the code aloud over another path, and keep `keys transcript`";
    print::value(heading, &value, form)?;
    Ok(End::Done)
}

/// The keys that are to answer: those named, and the one that vouches for the card.
fn chosen(folder: &Folder, prove: &Prove) -> anyhow::Result<Vec<PinnedKey>> {
    let (all, card) = (folder.pinned_keys()?, folder.card()?);
    let mut named = Vec::new();
    for reference in &prove.keys {
        let key = keys::named(&all, reference)?;
        if let KeyState::Retired(_) = key.state {
            bail!("{reference} is retired: it signs nothing any more, a proof neither");
        }
        named.push(key.fingerprint().clone());
    }
    let vouches = |key: &PinnedKey| key.public == card.namespace_key;
    let answers = |key: &PinnedKey| named.is_empty() || named.contains(key.fingerprint()) || vouches(key);
    let chosen: Vec<PinnedKey> = all.into_iter().filter(|key| key.state == KeyState::Active && answers(key)).collect();
    if !chosen.iter().any(vouches) {
        bail!(
            "the card's namespace key {} signs no more, so nobody vouches for the card",
            card.namespace_key.fingerprint()
        );
    }
    if chosen.len() > limits::INTRODUCED_KEYS_MAX {
        bail!("{} keys; an introduction carries at most {}: name them", chosen.len(), limits::INTRODUCED_KEYS_MAX);
    }
    Ok(chosen)
}

/// The keys that can prove anything, and the names of those that sign topology alone.
fn able(custodian: &Custodian, chosen: Vec<PinnedKey>, prove: &Prove) -> anyhow::Result<(Vec<PinnedKey>, Vec<String>)> {
    let signs_topology_alone = |key: &PinnedKey| custodian.keyring.signs_topology_alone(key.fingerprint());
    let (left_out, able): (Vec<_>, Vec<_>) = chosen.into_iter().partition(signs_topology_alone);
    if let Some(named) = left_out.iter().find(|_| !prove.keys.is_empty()) {
        bail!(
            "{}: its holder ({}) signs topology transactions alone, so it proves nothing; leave it out, and let the others \
             compare its fingerprint",
            named.name,
            named.backend
        );
    }
    Ok((able, left_out.into_iter().map(|key| key.name).collect()))
}

fn attestations(chosen: &[PinnedKey], prove: &Prove) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut read = BTreeMap::new();
    for (reference, path) in &prove.attestations {
        let name = keys::named(chosen, reference)?.name.clone();
        let bytes = std::fs::read(path).with_context(|| format!("--attestation {reference}={}", path.display()))?;
        if bytes.len() > limits::ATTESTATION_BYTES_MAX {
            let (found, max) = (bytes.len(), limits::ATTESTATION_BYTES_MAX);
            bail!("--attestation {reference}: {found} bytes; at most {max} are carried");
        }
        read.insert(name, bytes);
    }
    Ok(read)
}

/// The nonce that is being answered, or a new one.
async fn proving(folder: &Folder, link: &Link, coordinator: IdentityPublicKey) -> anyhow::Result<Proving> {
    let is_good = |proving: &Proving| proving.coordinator == coordinator && proving.expires_at > now();
    if let Some(proving) = folder.proving()?.filter(is_good) {
        return Ok(proving);
    }
    let given = link.nonce().await?;
    let nonce = <[u8; 32]>::try_from(given.nonce.0.as_slice()).context("the coordinator's nonce has not 32 bytes")?;
    let expires_at = canton_topology::Timestamp(given.expires_at);
    let proving = Proving { coordinator, nonce, expires_at };
    folder.set_proving(Some(&proving))?;
    Ok(proving)
}

/// Has every key sign; what some of them wait for.
fn answer(
    custodian: &mut Custodian,
    chosen: &[PinnedKey],
    attestations: &BTreeMap<String, Vec<u8>>,
    introduction: &mut Introduction,
) -> anyhow::Result<Vec<Value>> {
    let mut waiting = Vec::new();
    for key in chosen {
        let backend = custodian.keyring.backend(&key.backend)?.kind().to_owned();
        let possession = introduction.possession(&key.public, key.purpose.name());
        let outcome = custodian.keyring.sign(&ToSign::possession(&possession));
        match outcome.with_context(|| format!("key {}", key.name))? {
            Outcome::Signed(signature) => introduction.keys.push(IntroducedKey {
                key: key.public.clone(),
                purpose: key.purpose.name().to_owned(),
                backend,
                proof: signature.encode(),
                attestation: attestations.get(&key.name).cloned(),
            }),
            Outcome::Pending { note, .. } => waiting.push(json!({ "key": key.name, "note": note })),
        }
    }
    Ok(waiting)
}

/// An introduction, for people and scripts. Every proof is verified for it.
pub(super) fn described(introduction: &Introduction) -> Value {
    let print = |key: &SigningPublicKey| key.fingerprint().to_string();
    let keys: Vec<Value> = introduction
        .keys
        .iter()
        .map(|one| {
            json!({
                "purpose": one.purpose,
                "fingerprint": print(&one.key),
                "curve": one.key.spec().name(),
                "backend": one.backend,
                "proof": match introduction.proof_of(one) {
                    Ok(()) => "verified".to_owned(),
                    Err(error) => error.to_string(),
                },
                "attestation-bytes": one.attestation.as_ref().map(Vec::len),
            })
        })
        .collect();
    let card = &introduction.card;
    json!({
        "name": card.name,
        "owner": introduction.owner().to_string(),
        "code": introduction.code(),
        "at": canton_topology::show::moment(introduction.at),
        "identity": card.identity.to_string(),
        "participant": card.host.as_ref().map(ToString::to_string),
        "parcel-key": card.parcel_key.as_ref().map(ToString::to_string),
        "keys": keys,
        "not-proved": introduction.unproved().into_iter().map(print).collect::<Vec<_>>(),
    })
}

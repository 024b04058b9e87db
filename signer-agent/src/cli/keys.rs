//! `keys`: which keys the owner has, and where each lives.

mod files;

use canton_topology::{key::KeySpec, show::moment};
use custody::keys::{KeyState, PinnedKey, Purpose, backends::Kinds};
use serde_json::{Value, json};

use super::{
    End,
    arguments::{DrillKeys, ImportKey, Keys, KeysWith, NewKey},
    print::{self, Form},
    secrets::Secrets,
    talk, transcript,
};
use crate::{
    actor::now,
    control::{self, Answer, Request},
    custodian::{Custodian, Opener, Place},
    folder::Folder,
    process,
};

pub fn run(folder: &Folder, kinds: &Kinds, command: &Keys, form: &Form) -> anyhow::Result<End> {
    match command {
        Keys::List => list(folder, form),
        Keys::Show { key } => show(folder, key, form),
        Keys::Retire { key } => retire(folder, key, form),
        Keys::Backends(with) => backends(folder, kinds, with, form),
        Keys::Generate(new) => generate(folder, kinds, new, form),
        Keys::Import(import) => self::import(folder, kinds, import, form),
        Keys::Export(export) => files::export(folder, export, form),
        Keys::Passphrase(change) => files::change_passphrase(folder, change, form),
        Keys::Transcript(_) => transcript::show(folder, form),
        // They wait for others: `command` sends them elsewhere.
        Keys::Prove(_) | Keys::Drill(_) => Ok(End::Done),
    }
}

pub(super) fn opened(folder: &Folder, kinds: &Kinds, with: &KeysWith) -> anyhow::Result<Custodian> {
    with_sections(folder, kinds, with, |_| true)
}

/// Opens some sections only: nobody is asked for the secrets of others.
fn with_sections(
    folder: &Folder,
    kinds: &Kinds,
    with: &KeysWith,
    wanted: impl Fn(&str) -> bool,
) -> anyhow::Result<Custodian> {
    let mut config = folder.config()?;
    config.backends.retain(|section, _| wanted(section));
    let mut secrets = Secrets::read(&with.passphrase, false)?;
    let node = process::node(&config.participant, &config.participant_access, &config.synchronizer)?;
    let opener = Opener { folder, kinds, ask: &mut secrets.ask, node };
    Ok(opener.open(&secrets.passphrase, &config.backends)?)
}

fn generate(folder: &Folder, kinds: &Kinds, new: &NewKey, form: &Form) -> anyhow::Result<End> {
    let _alone = folder.hold_keys()?;
    let mut custodian = with_sections(folder, kinds, &new.with, |section| section == new.backend)?;
    let place = Place { section: new.backend.clone(), reference: None };
    pin(&mut custodian, &place, &new.name, new.purpose.into(), new.spec.into(), form)
}

fn import(folder: &Folder, kinds: &Kinds, import: &ImportKey, form: &Form) -> anyhow::Result<End> {
    let _alone = folder.hold_keys()?;
    let (mut custodian, place) = match (&import.pkcs8, &import.backend) {
        (Some(file), _) => files::import(folder, file, import)?,
        (None, Some(section)) => {
            let place = Place { section: section.clone(), reference: import.reference.clone() };
            (with_sections(folder, kinds, &import.with, |one| one == section)?, place)
        }
        (None, None) => anyhow::bail!("name --from SECTION and --reference, or --pkcs8 FILE"),
    };
    // The curve is the key's own.
    pin(&mut custodian, &place, &import.name, import.purpose.into(), KeySpec::Ed25519, form)
}

fn pin(
    custodian: &mut Custodian,
    place: &Place,
    name: &str,
    purpose: Purpose,
    spec: KeySpec,
    form: &Form,
) -> anyhow::Result<End> {
    let key = custodian.pin(place, name, purpose, spec, now())?;
    let mut value = described(&key);
    // What the backend says of it: the key is pinned already, so that nothing is lost where it does not answer again.
    if let Ok(held) = custodian.keyring.backend(&place.section)?.find(&key.reference, purpose) {
        let facts = held.facts.into_iter().map(|(name, fact)| (name, Value::from(fact)));
        value["facts"] = Value::Object(facts.collect());
    }
    print::value("the key is pinned; an agent that runs signs with it when it is started again", &value, form)?;
    Ok(End::Done)
}

/// Asks the running agent, which has its keys open.
pub async fn drill(folder: &Folder, drill: DrillKeys, form: &Form) -> anyhow::Result<End> {
    let answer = control::ask(&folder.socket(), &Request::Drill { keys: drill.keys }).await?;
    let Answer::Done { value } = answer else { return talk::finish(answer, false, form) };
    print::value("drills", &value, form)?;
    let waits = value["drills"].as_array().into_iter().flatten().any(|one| one["pending"].is_string());
    Ok(match value["all-well"].as_bool() {
        Some(true) => End::Done,
        Some(false) | None if waits => End::NotYet,
        Some(false) | None => End::NotWell,
    })
}

fn list(folder: &Folder, form: &Form) -> anyhow::Result<End> {
    let keys: Vec<Value> = folder.pinned_keys()?.iter().map(described).collect();
    print::value("the owner's keys", &json!({ "keys": keys }), form)?;
    Ok(End::Done)
}

pub(super) fn named<'a>(keys: &'a [PinnedKey], reference: &str) -> anyhow::Result<&'a PinnedKey> {
    let found = keys.iter().find(|key| key.name == reference || key.fingerprint().as_str() == reference);
    let names = || keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| anyhow::anyhow!("no key is called {reference:?}; there are {}", names()))
}

fn show(folder: &Folder, reference: &str, form: &Form) -> anyhow::Result<End> {
    let keys = folder.pinned_keys()?;
    let key = named(&keys, reference)?;
    let mut value = described(key);
    value["public"] = hex::encode(key.public.spki()).into();
    value["usage"] = key.public.usage().iter().map(|usage| usage.name()).collect::<Vec<_>>().into();
    print::value("the key", &value, form)?;
    Ok(End::Done)
}

fn retire(folder: &Folder, reference: &str, form: &Form) -> anyhow::Result<End> {
    let _alone = folder.hold_keys()?;
    let mut keys = folder.pinned_keys()?;
    let name = named(&keys, reference)?.name.clone();
    for key in keys.iter_mut().filter(|key| key.name == name && key.state == KeyState::Active) {
        key.state = KeyState::Retired(now());
    }
    folder.set_pinned_keys(&keys)?;
    let heading = "the key signs nothing any more; what stands of it on the synchronizer stands until it is changed";
    print::value(heading, &described(named(&keys, &name)?), form)?;
    Ok(End::Done)
}

fn backends(folder: &Folder, kinds: &Kinds, with: &KeysWith, form: &Form) -> anyhow::Result<End> {
    let mut custodian = opened(folder, kinds, with)?;
    let mut all_answer = true;
    let sections: Vec<Value> = custodian
        .keyring
        .backends()
        .map(|(section, backend)| {
            // First: a backend may know only then which curves its device has.
            let probed = backend.probe();
            let abilities = backend.abilities();
            let specs: Vec<&str> = abilities.specs.iter().map(|spec| spec.name()).collect();
            let mut value =
                json!({ "section": section, "kind": backend.kind(), "curves": specs, "makes-keys": abilities.makes });
            match probed {
                Ok(facts) => {
                    value["answers"] = true.into();
                    for (name, fact) in facts {
                        value[name.as_str()] = fact.into();
                    }
                }
                Err(error) => {
                    all_answer = false;
                    value["answers"] = false.into();
                    value["wrong"] = error.to_string().into();
                }
            }
            value
        })
        .collect();
    let built_in: Vec<&str> = kinds.names().collect();
    print::value("backends", &json!({ "backends": sections, "built-in": built_in }), form)?;
    Ok(if all_answer { End::Done } else { End::NotWell })
}

fn described(key: &PinnedKey) -> Value {
    json!({
        "name": key.name,
        "purpose": key.purpose.name(),
        "fingerprint": key.fingerprint().to_string(),
        "curve": key.public.spec().name(),
        "backend": key.backend,
        "reference": key.reference,
        "pinned-at": moment(key.pinned_at),
        "state": match key.state {
            KeyState::Active => "active".to_owned(),
            KeyState::Retired(at) => format!("retired at {}", moment(at)),
        },
        "drilled-at": key.drilled_at.map(moment),
    })
}

//! `init`, `enroll`, `run`: the commands that open the keys.

use std::{collections::BTreeMap, io::IsTerminal as _, path::Path};

use anyhow::{Context as _, bail};
use canton_client::access::Access;
use custody::keys::{Purpose, backends::Kinds};
use protocol::{
    api::Invitation,
    book::{Card, is_plain_name},
    statement::SignStatements as _,
};
use serde_json::json;
use tracing::warn;
use tracing_subscriber::EnvFilter;

use super::{
    End,
    arguments::{Enroll, Init, LogLevel, Passphrase, Run},
    print::{self, Form},
    secrets::Secrets,
    talk,
};
use crate::{
    actor::now,
    control::Answer,
    coordinator_link,
    custodian::{Custodian, CustodianError, Opener},
    folder::{Config, Folder},
    process::{self, Process},
};

pub async fn init(folder: &Folder, kinds: &Kinds, init: &Init, form: &Form) -> anyhow::Result<End> {
    if !is_plain_name(&init.name) {
        bail!("--name {:?}: use 1 to 64 letters, digits, '-', '_' or '.'", init.name);
    }
    if folder.is_enrolled() {
        bail!("this folder has an owner who is enrolled already; use another --data");
    }
    // The agent may be started from anywhere.
    let here = std::env::current_dir()?;
    let access = match &init.participant_access {
        Some(path) => read_access(path)?,
        None => Access {
            ca: init.participant_ca.clone(),
            certificate: init.participant_certificate.clone(),
            key: init.participant_key.clone(),
            token: init.participant_token.clone(),
            oauth: None,
        }
        .beside(&here),
    };
    let ledger_access = match (&init.ledger, &init.ledger_access) {
        (Some(_), Some(path)) => read_access(path)?,
        (Some(_), None) => access.clone(),
        (None, _) => Access::default(),
    };
    let host = process::connected_participant(&init.participant, &access, &init.synchronizer)
        .await
        .with_context(|| format!("--participant {}", init.participant))?;
    let backends = init.places.backends.as_deref().map(read_backends).transpose()?.unwrap_or_default();
    // A backend may wait for the network.
    let custodian = tokio::task::block_in_place(|| make_keys(folder, kinds, init, &access, &backends))?;
    let card = Card {
        name: init.name.clone(),
        namespace_key: custodian.namespace_key()?,
        identity: custodian.identity.identity(),
        host: Some(host),
        party_key: Some(custodian.first(Purpose::Party)?),
        parcel_key: Some(custodian.parcel.recipient()),
    };
    folder.set_card(&card)?;
    folder.set_config(&Config {
        name: init.name.clone(),
        synchronizer: init.synchronizer.clone(),
        participant: init.participant.clone(),
        participant_access: access,
        ledger: init.ledger.clone(),
        ledger_access,
        backup_command: Vec::new(),
        drill_every_days: None,
        backends,
    })?;
    let value = json!({
        "owner": card.owner().to_string(),
        "identity": card.identity.to_string(),
        "participant": card.host.as_ref().map(ToString::to_string),
        "card": card.text(),
        "code": card.code(),
    });
    print::value("the owner is made; next: `enroll` with an invitation", &value, form)?;
    Ok(End::Done)
}

/// Opens or makes the keys. Keys that stand there are the owner's, whose enrolment failed: they are taken again, never
/// replaced.
fn make_keys(
    folder: &Folder,
    kinds: &Kinds,
    init: &Init,
    access: &Access,
    sections: &BTreeMap<String, toml::Table>,
) -> anyhow::Result<Custodian> {
    let _alone = folder.hold_keys()?;
    let is_again = folder.keys().exists();
    let mut secrets = Secrets::read(&init.passphrase, !is_again)?;
    let node = process::node(&init.participant, access, &init.synchronizer)?;
    let opener = Opener { folder, kinds, ask: &mut secrets.ask, node };
    let mut custodian = if is_again {
        opener.open(&secrets.passphrase, sections)?
    } else {
        opener.create(&secrets.passphrase, sections)?
    };
    if let Some(reason) = custodian.unopened.first() {
        bail!("{reason}");
    }
    let places = &init.places;
    for (purpose, place) in [(Purpose::Namespace, &places.namespace_key), (Purpose::Party, &places.party_key)] {
        if custodian.keyring.first(purpose).is_none() {
            custodian.pin(place, purpose.name(), purpose, places.spec.into(), now())?;
        }
    }
    Ok(custodian)
}

/// The sections of backends in a file of their own.
fn read_backends(path: &Path) -> anyhow::Result<BTreeMap<String, toml::Table>> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sections {
        backends: BTreeMap<String, toml::Table>,
    }
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let read: Sections = toml::from_str(&text).with_context(|| path.display().to_string())?;
    Ok(read.backends)
}

/// An access as it stands in a file; relative paths start at that file.
fn read_access(path: &Path) -> anyhow::Result<Access> {
    let path = std::path::absolute(path)?;
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let access: Access = toml::from_str(&text).with_context(|| path.display().to_string())?;
    Ok(access.beside(path.parent().unwrap_or(Path::new("/"))))
}

fn open(folder: &Folder, kinds: &Kinds, config: &Config, passphrase: &Passphrase) -> anyhow::Result<Custodian> {
    let mut secrets = Secrets::read(passphrase, false)?;
    let node = process::node(&config.participant, &config.participant_access, &config.synchronizer)?;
    let opener = Opener { folder, kinds, ask: &mut secrets.ask, node };
    Ok(opener.open(&secrets.passphrase, &config.backends)?)
}

pub async fn enroll(folder: &Folder, kinds: &Kinds, enroll: &Enroll, form: &Form) -> anyhow::Result<End> {
    let invitation: Invitation = enroll.invitation.parse()?;
    let config = folder.config()?;
    let issued_at = folder.certificate_asked_for(now())?;
    let certified = tokio::task::block_in_place(|| {
        let mut custodian = open(folder, kinds, &config, &enroll.passphrase)?;
        anyhow::Ok(custodian.certify(config.synchronizer, issued_at))
    })?;
    let certificate = match certified {
        Err(pending @ CustodianError::Pending(_)) => {
            return talk::finish(Answer::not_yet(pending), false, form);
        }
        other => other?,
    };
    let mut enrolment = coordinator_link::enroll(&invitation, &certificate).await?;
    if folder.is_enrolled() {
        let before = folder.enrolment()?;
        if before.former.contains(&enrolment.coordinator) {
            bail!("another coordinator took over from this one; one that comes back needs a fresh data folder");
        }
        enrolment.take_over_from(&before);
    }
    folder.set_enrolment(&enrolment)?;
    folder.certificate_came()?;
    let value = json!({ "coordinator": enrolment.coordinator.to_string(), "address": enrolment.address, "takes-over-from": enrolment.former.iter().map(ToString::to_string).collect::<Vec<_>>() });
    print::value("enrolled; next: `run`", &value, form)?;
    Ok(End::Done)
}

pub async fn run(folder: Folder, kinds: &Kinds, run: &Run) -> anyhow::Result<End> {
    // The directives are literals: one that does not parse is a mistake in these lines.
    let filter = EnvFilter::new(match run.log {
        LogLevel::Info => "info,hyper=warn,h2=warn,rustls=warn",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    });
    // A log that goes to a file is for search, not for colours.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(std::io::stderr().is_terminal());
    let _ = log.with_writer(std::io::stderr).try_init();
    let config = folder.config()?;
    let custodian = tokio::task::block_in_place(|| open(&folder, kinds, &config, &run.passphrase))?;
    for reason in &custodian.unopened {
        warn!(%reason, "a section of agent.toml is not opened: its keys sign nothing, and the others do");
    }
    let rules = run.yes_to.iter().map(|rule| (*rule).into()).collect();
    let patience = i64::try_from(run.submit_after).unwrap_or(i64::MAX / 1_000_000).saturating_mul(1_000_000);
    process::run(Process { folder, custodian, rules, patience }).await?;
    Ok(End::Done)
}

//! `init`, `enroll`, `run`: the commands that open the keys.

use std::io::{BufRead as _, BufReader, Read as _};

use anyhow::{Context as _, bail};
use canton_client::access::Access;
use custody::keys::encrypted_file::EncryptedFile;
use protocol::{
    api::Invitation,
    book::{Card, is_plain_name},
    identity::IdentityClaim,
    statement::SignStatements as _,
};
use secrecy::SecretString;
use serde_json::json;
use tracing_subscriber::EnvFilter;
use zeroize::Zeroize as _;

use super::{
    End,
    arguments::{Enroll, Init, Passphrase, Run},
    print::{self, Form},
};
use crate::{
    actor::now,
    coordinator_link,
    folder::{Config, Folder},
    process::{self, Process},
};

/// Longest passphrase that is read, in bytes.
const PASSPHRASE_BYTES_MAX: u64 = 4096;

pub async fn init(folder: &Folder, init: &Init, form: &Form) -> anyhow::Result<End> {
    if !is_plain_name(&init.name) {
        bail!("--name {:?}: use 1 to 64 letters, digits, '-', '_' or '.'", init.name);
    }
    if folder.keys().exists() {
        bail!("{} exists: this folder has an owner already; use another --data", folder.keys().display());
    }
    let given = Access {
        ca: init.participant_ca.clone(),
        certificate: init.participant_certificate.clone(),
        key: init.participant_key.clone(),
        token: init.participant_token.clone(),
        oauth: None,
    };
    // The agent may be started from anywhere.
    let access = given.beside(&std::env::current_dir()?);
    let host = process::participant_id(&init.participant, &access)
        .await
        .with_context(|| format!("--participant {}", init.participant))?;
    let passphrase = passphrase(&init.passphrase, true)?;
    let keys = EncryptedFile::create(&folder.keys(), &passphrase)?;
    let card = Card {
        name: init.name.clone(),
        namespace_key: keys.namespace_key().clone(),
        identity: keys.identity().identity(),
        host: Some(host),
        party_key: Some(keys.party_key().clone()),
        parcel_key: Some(keys.parcel_key().recipient()),
    };
    folder.set_card(&card)?;
    folder.set_config(&Config {
        name: init.name.clone(),
        synchronizer: init.synchronizer.clone(),
        participant: init.participant.clone(),
        participant_access: access,
        ledger: init.ledger.clone(),
        ledger_access: Access::default(),
        backup_command: Vec::new(),
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

pub async fn enroll(folder: &Folder, enroll: &Enroll, form: &Form) -> anyhow::Result<End> {
    let invitation: Invitation = enroll.invitation.parse()?;
    let config = folder.config()?;
    let keys = EncryptedFile::open(&folder.keys(), &passphrase(&enroll.passphrase, false)?)?;
    let claim = IdentityClaim {
        namespace_key: keys.namespace_key().clone(),
        identity: keys.identity().identity(),
        synchronizer: config.synchronizer,
        issued_at: now(),
    };
    let enrolment = coordinator_link::enroll(&invitation, &keys.certify(claim)).await?;
    folder.set_enrolment(&enrolment)?;
    let value = json!({ "coordinator": enrolment.coordinator.to_string(), "address": enrolment.address });
    print::value("enrolled; next: `run`", &value, form)?;
    Ok(End::Done)
}

pub async fn run(folder: Folder, run: &Run) -> anyhow::Result<End> {
    // The filter is a literal: a directive that does not parse is a mistake in this line.
    let filter = EnvFilter::new("info,hyper=warn,h2=warn,rustls=warn");
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    let keys = EncryptedFile::open(&folder.keys(), &passphrase(&run.passphrase, false)?)?;
    let rules = run.yes_to.iter().map(|rule| (*rule).into()).collect();
    process::run(Process { folder, keys, rules }).await?;
    Ok(End::Done)
}

/// The passphrase: from a descriptor, or asked for at the terminal. Never from an argument or the environment, which
/// others can read.
fn passphrase(from: &Passphrase, twice: bool) -> anyhow::Result<SecretString> {
    let given = read_passphrase(from, twice)?;
    // After the descriptor is read: a process that cannot be looked into cannot open its own descriptors by name either.
    custody::hardening::harden().context("core dumps cannot be turned off; no key is opened")?;
    Ok(given)
}

fn read_passphrase(from: &Passphrase, twice: bool) -> anyhow::Result<SecretString> {
    if let Some(fd) = from.passphrase_fd {
        let file = std::fs::File::open(format!("/proc/self/fd/{fd}"))
            .with_context(|| format!("--passphrase-fd {fd}: not an open descriptor"))?;
        let mut line = String::new();
        BufReader::new(file.take(PASSPHRASE_BYTES_MAX)).read_line(&mut line)?;
        let passphrase = SecretString::from(line.trim_end_matches(['\r', '\n']).to_owned());
        line.zeroize();
        return Ok(passphrase);
    }
    let first = rpassword::prompt_password("Passphrase: ").context("no terminal; use --passphrase-fd")?;
    if twice {
        let mut second = rpassword::prompt_password("Passphrase again: ")?;
        let same = first == second;
        second.zeroize();
        if !same {
            bail!("the two passphrases differ");
        }
    }
    Ok(SecretString::from(first))
}

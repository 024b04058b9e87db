//! Replays recorded histories and compares every verdict of our judge with Canton's own.

mod compare;
mod crypto;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use canton_topology::{
    Timestamp,
    authorization::{Needed, Requirement, Rules, requirement},
    judge::{Time, Verifier, fold_batch},
    key::{EncryptionKeySpec, KeyFormat, KeySpec},
    signature::{SignatureAlgorithm, SignatureFormat},
    state::{State, StaticParameters},
    transaction::{SignedTransaction, Transaction},
};
use serde_json::Value;

/// What a run found.
#[derive(Debug, Default)]
pub struct Report {
    /// Transactions judged or read.
    pub transactions: usize,
    /// Histories replayed.
    pub histories: usize,
    /// One line for each difference.
    pub divergences: Vec<String>,
}

impl Report {
    fn differs(&mut self, place: &str, ours: impl std::fmt::Display, canton: impl std::fmt::Display) {
        self.divergences.push(format!("{place}: ours {ours}, Canton's {canton}"));
    }
}

/// Runs every line of a file (JSON Lines, gzip or not).
///
/// # Errors
/// Where the file cannot be read or is not of a recorded format.
pub fn run_file(path: &Path, report: &mut Report) -> Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut text = String::new();
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text)?;
        text
    } else {
        String::from_utf8(bytes)?
    };
    for (number, line) in text.lines().enumerate() {
        let place = || format!("{}, line {}", path.display(), number + 1);
        let value: Value = serde_json::from_str(line).with_context(place)?;
        run_line(&value, report).with_context(place)?;
    }
    Ok(())
}

fn run_line(value: &Value, report: &mut Report) -> Result<()> {
    if value.get("steps").is_some() {
        run_history(value, report)
    } else if value.get("required").is_some() {
        run_required(value, report)
    } else if value.get("unique_key").is_some() {
        run_vector(value, report)
    } else if let Some(kind) = value.get("kind").and_then(Value::as_str) {
        crypto::run(kind, value, report)
    } else {
        bail!("neither a history, nor a requirement, nor a vector")
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value.get(name).and_then(Value::as_str).with_context(|| format!("field {name} is missing"))
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn texts(value: &Value, name: &str) -> BTreeSet<String> {
    list(value, name).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn static_parameters(history: &Value) -> StaticParameters {
    let Some(given) = history.get("static_parameters") else { return StaticParameters::default() };
    let numbers = |name| -> BTreeSet<i64> { list(given, name).iter().filter_map(Value::as_i64).collect() };
    let (keys, algorithms) = (numbers("required_signing_keys"), numbers("required_signing_algorithms"));
    let encryption = numbers("required_encryption_keys");
    let all = [SignatureAlgorithm::Ed25519, SignatureAlgorithm::EcdsaSha256, SignatureAlgorithm::EcdsaSha384];
    // The numbers of Canton's enumerations. A private key's format, which is among them, no public key has.
    let formats = [(3, KeyFormat::Raw), (4, KeyFormat::Spki), (10_000, KeyFormat::Symbolic)];
    let key_formats = numbers("required_key_formats");
    let of_signatures = [(2, SignatureFormat::Der), (3, SignatureFormat::Concat), (10_000, SignatureFormat::Symbolic)];
    let signature_formats = numbers("required_signature_formats");
    StaticParameters {
        signing_keys: KeySpec::ALL.into_iter().filter(|spec| keys.contains(&(*spec as i64))).collect(),
        signing_algorithms: all.into_iter().filter(|a| algorithms.contains(&(*a as i64))).collect(),
        encryption_keys: [EncryptionKeySpec::P256, EncryptionKeySpec::Rsa2048]
            .into_iter()
            .filter(|spec| encryption.contains(&(*spec as i64)))
            .collect(),
        key_formats: formats.iter().filter(|(number, _)| key_formats.contains(number)).map(|(_, one)| *one).collect(),
        signature_formats: of_signatures
            .iter()
            .filter(|(number, _)| signature_formats.contains(number))
            .map(|(_, one)| *one)
            .collect(),
    }
}

fn run_history(history: &Value, report: &mut Report) -> Result<()> {
    report.histories += 1;
    let id = text(history, "id")?;
    let synchronizer = text(history, "synchronizer_id")?.parse()?;
    let mut state = State::new(synchronizer, static_parameters(history));
    let mut verifier = Verifier::default();
    for (index, step) in list(history, "steps").iter().enumerate() {
        let time = |name: &str| step.get(name).and_then(Value::as_i64).map(Timestamp).context("a time is missing");
        let time = Time { sequenced: time("sequenced")?, effective: time("effective")? };
        let mut batch = Vec::new();
        let mut expected = Vec::new();
        for (number, recorded) in list(step, "transactions").iter().enumerate() {
            report.transactions += 1;
            let place = format!("{id} step {index} transaction {number}");
            let bytes = STANDARD.decode(text(recorded, "bytes")?)?;
            let undecodable = text(recorded, "verdict")? == "undecodable";
            match (SignedTransaction::parse_wrapped(&bytes), undecodable) {
                (Ok(signed), false) => {
                    compare::reading(&signed, recorded, &place, report)?;
                    batch.push(signed);
                    expected.push((recorded, place));
                }
                (Ok(_), true) => report.differs(&place, "decodes", text(recorded, "rejection")?),
                (Err(error), false) => report.differs(&place, error, "decodes"),
                (Err(error), true) => compare::decoding(&error, text(recorded, "rejection")?, &place, report),
            }
        }
        let verdicts = fold_batch(&mut state, &mut verifier, &batch, time);
        for (verdict, (recorded, place)) in verdicts.iter().zip(&expected) {
            compare::verdict(verdict, recorded, place, report)?;
        }
    }
    compare::final_state(&state, history, id, report)
}

/// A recorded requirement is compared as a formula: by every set that satisfies it.
fn run_required(value: &Value, report: &mut Report) -> Result<()> {
    report.transactions += 1;
    let id = text(value, "id")?;
    let read = |name| -> Result<Transaction> { Ok(Transaction::parse(&STANDARD.decode(text(value, name)?)?)?) };
    let transaction = read("tx_bytes")?;
    let previous = match value.get("previous_bytes") {
        Some(Value::String(_)) => Some(read("previous_bytes")?),
        _ => None,
    };
    let synchronizer: canton_topology::id::PhysicalSynchronizerId = text(value, "synchronizer_id")?.parse()?;
    let namespace = synchronizer.logical.namespace();
    let ours = requirement(&transaction, previous.as_ref(), namespace, Rules::Today);
    let as_new = requirement(&transaction, None, namespace, Rules::Today);
    for (ours, name) in [(&ours, "required"), (&as_new, "required_if_no_previous")] {
        let canton = value.get(name).context("a requirement is missing")?;
        if satisfying(&Formula::ours(ours)) != satisfying(&Formula::recorded(canton)?) {
            report.differs(&format!("{id} {name}"), format!("{ours:?}"), canton);
        }
    }
    let (now, new) = (ours.mentioned(), as_new.mentioned());
    let union = Needed {
        namespaces: now.namespaces.union(&new.namespaces).cloned().collect(),
        keys: now.keys.union(&new.keys).cloned().collect(),
    };
    let permissible = value.get("permissible").context("field permissible is missing")?;
    let namespaces: BTreeSet<String> = union.namespaces.iter().map(ToString::to_string).collect();
    let keys: BTreeSet<String> = union.keys.iter().map(ToString::to_string).collect();
    if namespaces != texts(permissible, "namespaces") || keys != texts(permissible, "extra_keys") {
        report.differs(id, format!("permissible {union:?}"), permissible);
    }
    Ok(())
}

enum Formula {
    All(BTreeSet<String>),
    Or(Vec<Self>),
    And(Vec<Self>),
}

impl Formula {
    fn ours(requirement: &Requirement) -> Self {
        match requirement {
            Requirement::All(needed) => Self::All(
                needed
                    .namespaces
                    .iter()
                    .map(|namespace| format!("n {namespace}"))
                    .chain(needed.keys.iter().map(|key| format!("k {key}")))
                    .collect(),
            ),
            Requirement::Either(a, b) => Self::Or(vec![Self::ours(a), Self::ours(b)]),
            Requirement::Both(all) => Self::And(all.iter().map(Self::ours).collect()),
        }
    }

    fn recorded(value: &Value) -> Result<Self> {
        if let Some(all) = value.get("all_of") {
            let namespaces = texts(all, "namespaces").into_iter().map(|namespace| format!("n {namespace}"));
            let keys = texts(all, "extra_keys").into_iter().map(|key| format!("k {key}"));
            return Ok(Self::All(namespaces.chain(keys).collect()));
        }
        let parts = |name| list(value, name).iter().map(Self::recorded).collect::<Result<Vec<_>>>();
        if value.get("or").is_some() { Ok(Self::Or(parts("or")?)) } else { Ok(Self::And(parts("and")?)) }
    }
}

/// The minimal satisfying sets. A formula of ANDs and ORs without negation is determined by them.
fn satisfying(formula: &Formula) -> BTreeSet<BTreeSet<String>> {
    let sets: BTreeSet<BTreeSet<String>> = match formula {
        Formula::All(all) => BTreeSet::from([all.clone()]),
        Formula::Or(parts) => parts.iter().flat_map(satisfying).collect(),
        Formula::And(parts) => parts.iter().fold(BTreeSet::from([BTreeSet::new()]), |sums, part| {
            let more = satisfying(part);
            sums.iter().flat_map(|sum| more.iter().map(|set| sum.union(set).cloned().collect())).collect()
        }),
    };
    let is_minimal = |set: &BTreeSet<String>| !sets.iter().any(|other| other != set && other.is_subset(set));
    sets.iter().filter(|set| is_minimal(set)).cloned().collect()
}

fn run_vector(value: &Value, report: &mut Report) -> Result<()> {
    report.transactions += 1;
    let id = text(value, "id")?;
    let bytes = STANDARD.decode(text(value, "tx_bytes")?)?;
    let transaction = Transaction::parse(&bytes)?;
    let mapping = transaction.mapping();
    let mut pairs = BTreeMap::from([
        ("tx_hash", (transaction.hash().to_string(), text(value, "tx_hash")?.to_owned())),
        ("unique_key", (transaction.unique_key().to_string(), text(value, "unique_key")?.to_owned())),
        ("namespace", (mapping.namespace().to_string(), text(value, "namespace")?.to_owned())),
        ("mapping", (mapping.code().letters().to_owned(), text(value, "mapping")?.to_owned())),
    ]);
    let canton = value.get("restricted_to_synchronizer").and_then(Value::as_str).unwrap_or_default();
    let ours = mapping.restricted_to().map(ToString::to_string).unwrap_or_default();
    pairs.insert("restricted_to_synchronizer", (ours, canton.to_owned()));
    let canton = value.get("uid").and_then(Value::as_str).unwrap_or_default();
    pairs.insert("uid", (mapping.uid().map(ToString::to_string).unwrap_or_default(), canton.to_owned()));
    let written = match text(value, "canton_reencodes_to")? {
        "same" => STANDARD.encode(&bytes),
        other => other.to_owned(),
    };
    let built = Transaction::build(transaction.operation(), transaction.serial(), &mapping.as_canton_writes());
    pairs.insert("canton_reencodes_to", (STANDARD.encode(built.bytes()), written));
    for (name, (ours, canton)) in pairs {
        if ours != canton {
            report.differs(&format!("{id} {name}"), ours, canton);
        }
    }
    Ok(())
}

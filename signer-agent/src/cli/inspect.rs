//! `inspect`: topology data in words.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use canton_topology::{
    completing::{Helper, completing_sets},
    judge::{Time, Verdict, Verifier, fold_batch},
    planner, show, snapshot,
    state::State,
    transaction::{SignedTransaction, Transaction},
};
use serde_json::{Value, json};

use super::{
    End,
    arguments::Inspect,
    audit,
    print::{self, Form},
};
use crate::actor::now;

/// Largest input that is read, in bytes.
const INPUT_BYTES_MAX: u64 = 1 << 30;

pub fn run(inspect: &Inspect, form: &Form) -> anyhow::Result<End> {
    let state = inspect.state.as_ref().map(audit::state_of).transpose()?;
    let mut all = Vec::new();
    for path in &inspect.files {
        let bytes = read_any(path)?;
        all.extend(recognise(&bytes, state.as_ref()).with_context(|| format!("{}", path.display()))?);
    }
    if *form == Form::Json {
        print::line(&Value::from(all).to_string());
    } else {
        for value in &all {
            print::transaction(value);
        }
    }
    Ok(End::Done)
}

/// Reads a file and takes off whatever it is wrapped in: gzip, hex, base64.
///
/// # Errors
/// Where it cannot be read.
pub fn read_any(path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let name = || format!("cannot read {}", path.display());
    if path == Path::new("-") {
        std::io::stdin().lock().take(INPUT_BYTES_MAX).read_to_end(&mut bytes).with_context(name)?;
    } else {
        std::fs::File::open(path)
            .with_context(name)?
            .take(INPUT_BYTES_MAX)
            .read_to_end(&mut bytes)
            .with_context(name)?;
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(bytes.as_slice()).take(INPUT_BYTES_MAX).read_to_end(&mut plain)?;
        bytes = plain;
    }
    if let Some(text) = std::str::from_utf8(&bytes).ok().map(str::trim).filter(|text| !text.is_empty()) {
        if let Ok(decoded) = hex::decode(text) {
            return Ok(decoded);
        }
        if let Ok(decoded) = base64::engine::general_purpose::STANDARD.decode(text) {
            return Ok(decoded);
        }
    }
    Ok(bytes)
}

/// A transaction, a signed one, or a snapshot.
fn recognise(bytes: &[u8], state: Option<&State>) -> anyhow::Result<Vec<Value>> {
    if let Ok(transaction) = Transaction::parse(bytes) {
        return Ok(vec![described(&SignedTransaction::new(transaction, Vec::new(), true), state)]);
    }
    if let Ok(signed) = SignedTransaction::parse_wrapped(bytes).or_else(|_| SignedTransaction::parse_plain(bytes)) {
        return Ok(vec![described(&signed, state)]);
    }
    match snapshot::read(bytes) {
        Ok((_, items)) if !items.is_empty() => Ok(items
            .iter()
            .map(|item| {
                let mut value = described(&item.transaction, state);
                value["valid-from"] = json!(item.valid_from);
                value["valid-until"] = json!(item.valid_until);
                value
            })
            .collect()),
        Ok(_) => bail!("empty; expected a topology transaction, a signed one, or a snapshot"),
        Err(error) => bail!("neither a transaction, nor a signed one, nor a snapshot; as a snapshot: {error}"),
    }
}

fn described(signed: &SignedTransaction, state: Option<&State>) -> Value {
    let transaction = &signed.transaction;
    let signatures: Vec<Value> = signed
        .distinct_signatures()
        .iter()
        .map(|over| {
            json!({
                "signed-by": over.signature.signed_by().to_string(),
                "algorithm": over.signature.algorithm().map(|algorithm| algorithm.name()),
                "covers": over.covers.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "hash": transaction.hash().to_string(),
        "unique-key": transaction.unique_key().to_string(),
        "mapping": transaction.mapping().code().name(),
        "subject": protocol::plan::subject(transaction.mapping()),
        "operation": transaction.operation().name(),
        "serial": transaction.serial().get(),
        "fields": show::transaction(transaction),
        "not-shown": transaction.unshown().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "proposal": signed.proposal,
        "signatures": signatures,
        "authorization": state.map(|state| authorization(signed, state)),
    })
}

/// Who must sign, who has, who could, and what Canton would answer today.
fn authorization(signed: &SignedTransaction, state: &State) -> Value {
    let (transaction, signers) = (&signed.transaction, signed.signers());
    let assessment = planner::assess(state, transaction, &signers);
    let ways = completing_sets(state, transaction, &signers);
    let time = Time { sequenced: now(), effective: now() };
    let judged = fold_batch(&mut state.clone(), &mut Verifier::default(), std::slice::from_ref(signed), time);
    let verdict = match judged.first() {
        Some(Verdict::Active { .. }) => "authorized".to_owned(),
        Some(Verdict::Proposal { .. }) => "proposal".to_owned(),
        Some(Verdict::Rejected(rejection)) => format!("{}: {rejection}", rejection.name()),
        None => "nothing".to_owned(),
    };
    let name = |helper: &Helper| match helper {
        Helper::Owner(owner) => format!("owner {owner}"),
        Helper::Key(key) => format!("key {key}"),
    };
    let ways_named: Vec<Vec<String>> = ways.sets.iter().map(|set| set.iter().map(name).collect()).collect();
    json!({
        "satisfied": assessment.satisfied,
        "missing-namespaces": assessment.missing.namespaces,
        "missing-keys": assessment.missing.keys,
        "superfluous": assessment.superfluous,
        "ways-to-complete": ways_named,
        "more-ways": ways.more,
        "verdict": verdict,
    })
}

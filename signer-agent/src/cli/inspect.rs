//! `inspect`: topology data in words.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use canton_topology::{
    show, snapshot,
    transaction::{SignedTransaction, Transaction},
};
use serde_json::{Value, json};

use super::{
    End,
    arguments::Inspect,
    print::{self, Form},
};

/// Largest input that is read, in bytes.
const INPUT_BYTES_MAX: u64 = 1 << 30;

pub fn run(inspect: &Inspect, form: &Form) -> anyhow::Result<End> {
    let mut all = Vec::new();
    for path in &inspect.files {
        let bytes = read_any(path)?;
        all.extend(recognise(&bytes).with_context(|| format!("{}", path.display()))?);
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
fn recognise(bytes: &[u8]) -> anyhow::Result<Vec<Value>> {
    if let Ok(transaction) = Transaction::parse(bytes) {
        return Ok(vec![described(&transaction)]);
    }
    if let Ok(signed) = SignedTransaction::parse_wrapped(bytes).or_else(|_| SignedTransaction::parse_plain(bytes)) {
        return Ok(vec![described_signed(&signed)]);
    }
    match snapshot::read(bytes) {
        Ok((_, items)) if !items.is_empty() => Ok(items
            .iter()
            .map(|item| {
                let mut value = described_signed(&item.transaction);
                value["valid-from"] = json!(item.valid_from);
                value["valid-until"] = json!(item.valid_until);
                value
            })
            .collect()),
        Ok(_) => bail!("empty; expected a topology transaction, a signed one, or a snapshot"),
        Err(error) => bail!("neither a transaction, nor a signed one, nor a snapshot; as a snapshot: {error}"),
    }
}

fn described(transaction: &Transaction) -> Value {
    json!({
        "hash": transaction.hash().to_string(),
        "unique-key": transaction.unique_key().to_string(),
        "mapping": transaction.mapping().code().name(),
        "subject": protocol::plan::subject(transaction.mapping()),
        "operation": transaction.operation().name(),
        "serial": transaction.serial().get(),
        "fields": show::transaction(transaction),
        "not-shown": transaction.unshown().iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn described_signed(signed: &SignedTransaction) -> Value {
    let mut value = described(&signed.transaction);
    value["proposal"] = json!(signed.proposal);
    value["signatures"] = signed
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
    value
}

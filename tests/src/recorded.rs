//! The transactions of the recordings that lie beside the project.

use std::{collections::BTreeSet, io::Read as _, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use canton_topology::{
    snapshot::{self, Item},
    transaction::{SignedTransaction, Transaction},
};
use serde_json::Value;

/// The folder of the recordings.
fn canton() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/canton")
}

/// A file of the recordings, unpacked.
fn file(path: &PathBuf) -> Option<Vec<u8>> {
    let bytes = std::fs::read(path).ok()?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Some(bytes);
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).ok()?;
    Some(plain)
}

/// The rows of MainNet's genesis state; `None`, and one line that says so, where they are not beside the project.
pub fn genesis() -> Option<Vec<Item>> {
    let name = "fixtures/CN-genesis-state-20250410.gz";
    let read = file(&canton().join(name)).and_then(|bytes| snapshot::read(&bytes).ok());
    if read.is_none() {
        println!("skipped: {name} is not beside the project");
    }
    read.map(|(_, items)| items)
}

/// Every transaction that reads of MainNet's genesis and of the histories made by hand, and of the random ones too where
/// the long tests are wanted. Each once; none, and one line that says so, where they are absent.
pub fn transactions() -> Vec<Transaction> {
    let Ok(entries) = std::fs::read_dir(canton().join("verdicts")) else {
        println!("skipped: the recorded transactions are not beside the project");
        return Vec::new();
    };
    let is_full = std::env::var_os("COUNTERSIGN_TESTS_FULL").is_some();
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    let mut take = |signed: SignedTransaction| {
        if seen.insert(signed.transaction.hash()) {
            all.push(signed.transaction);
        }
    };
    genesis().unwrap_or_default().into_iter().for_each(|item| take(item.transaction));
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("hand-") || (is_full && name.starts_with("random-")) {
            let text = String::from_utf8(file(&path).unwrap_or_default()).unwrap_or_default();
            let histories = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            histories.flat_map(|history| signed_of(&history)).for_each(&mut take);
        }
    }
    all
}

fn signed_of(history: &Value) -> Vec<SignedTransaction> {
    let list = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let recorded = list(history, "steps").into_iter().flat_map(|step| list(&step, "transactions"));
    let bytes = recorded.filter_map(|one| STANDARD.decode(one.get("bytes")?.as_str()?).ok());
    bytes.filter_map(|bytes| SignedTransaction::parse_wrapped(&bytes).ok()).collect()
}

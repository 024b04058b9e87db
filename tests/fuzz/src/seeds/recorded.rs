//! Seeds from `../shared/canton` beside the project; none, and one line that says so, where it is absent.

use std::{collections::BTreeMap, io::Read as _, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use canton_topology::{
    Timestamp,
    mapping::Code,
    snapshot::{self, Format, Item},
    transaction::SignedTransaction,
};
use serde_json::Value;

/// How many transactions of one kind: more of them say nothing new.
const OF_EACH_KIND: usize = 24;
/// Longest seed, in bytes: what is short is mutated where it matters.
const SEED_BYTES_MAX: usize = 6_000;

/// The shortest transactions of each kind from the recorded histories.
pub fn shortest_of_each_kind() -> Vec<SignedTransaction> {
    let mut by_kind: BTreeMap<Code, Vec<Vec<u8>>> = BTreeMap::new();
    for bytes in signed("hand-") {
        if let Ok(signed) = SignedTransaction::parse_wrapped(&bytes) {
            by_kind.entry(signed.transaction.mapping().code()).or_default().push(bytes);
        }
    }
    let shortest = |mut all: Vec<Vec<u8>>| {
        all.sort_by_key(|bytes| (bytes.len(), bytes.clone()));
        all.dedup();
        all.truncate(OF_EACH_KIND);
        all
    };
    let all = by_kind.into_values().flat_map(shortest);
    all.filter_map(|bytes| SignedTransaction::parse_wrapped(&bytes).ok()).collect()
}

/// Signed transactions in odd encodings, some of which do not even read.
pub fn odd_signed() -> Vec<Vec<u8>> {
    signed("hand-f").into_iter().filter(|bytes| bytes.len() <= SEED_BYTES_MAX).collect()
}

/// The transactions in them, where they read.
pub fn odd_transactions() -> Vec<Vec<u8>> {
    let read = odd_signed().into_iter().filter_map(|bytes| SignedTransaction::parse_wrapped(&bytes).ok());
    read.map(|signed| signed.transaction.bytes().to_vec()).collect()
}

/// Real snapshots that are short.
pub fn small_snapshots() -> Vec<Vec<u8>> {
    let names = [
        "fixtures/topology-snapshot-duplicate-signatures",
        "fixtures/topology-snapshot-duplicate-signatures-3.4",
        "recordings/pv34/genesis.v2",
        "recordings/pv35/genesis.v2",
    ];
    names.into_iter().filter_map(file).collect()
}

/// Short recorded histories, as snapshots; and those of small real networks.
pub fn histories() -> Vec<Vec<u8>> {
    let mut all = small_snapshots();
    for history in lines("hand-") {
        let mut items = Vec::new();
        for (index, step) in list(&history, "steps").iter().enumerate() {
            let at = Timestamp(1_800_000_000_000_000 + i64::try_from(index).unwrap_or(i64::MAX));
            for bytes in list(step, "transactions").iter().filter_map(|one| base64(one, "bytes")) {
                if let Ok(transaction) = SignedTransaction::parse_wrapped(&bytes) {
                    let (valid_until, rejection) = (None, None);
                    items.push(Item { sequenced: at, valid_from: at, valid_until, transaction, rejection });
                }
            }
        }
        let bytes = snapshot::write(Format::V2, &items);
        if bytes.len() <= SEED_BYTES_MAX {
            all.push(bytes);
        }
    }
    all
}

/// Keys as Canton's own code was given them, good and bad.
pub fn keys() -> Vec<Vec<u8>> {
    lines("vectors-crypto").iter().flat_map(|one| [base64(one, "proto"), base64(one, "signature")]).flatten().collect()
}

fn signed(prefix: &str) -> Vec<Vec<u8>> {
    let histories = lines(prefix);
    let steps = histories.iter().flat_map(|history| list(history, "steps"));
    let transactions = steps.flat_map(|step| list(step, "transactions"));
    transactions.filter_map(|recorded| base64(recorded, "bytes")).collect()
}

/// The lines of the recorded verdicts whose names begin so.
fn lines(prefix: &str) -> Vec<Value> {
    let Ok(folder) = std::fs::read_dir(canton().join("verdicts")) else {
        println!("skipped: the recordings that would be seeds are not beside the project");
        return Vec::new();
    };
    let names = folder.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix) && name.ends_with(".jsonl.gz")).collect();
    names.sort();
    let texts = names.into_iter().filter_map(|name| String::from_utf8(file(&format!("verdicts/{name}"))?).ok());
    texts
        .flat_map(|text| text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<Value>>())
        .collect()
}

fn canton() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/canton")
}

/// A file below `shared/canton`, unpacked.
fn file(name: &str) -> Option<Vec<u8>> {
    let bytes = std::fs::read(canton().join(name)).ok()?;
    if !name.ends_with(".gz") {
        return Some(bytes);
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).ok()?;
    Some(plain)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn base64(value: &Value, name: &str) -> Option<Vec<u8>> {
    STANDARD.decode(value.get(name)?.as_str()?).ok()
}

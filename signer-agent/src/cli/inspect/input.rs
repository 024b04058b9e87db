//! Recognises topology data in whatever it is wrapped in.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose};
use canton_topology::{
    Timestamp,
    snapshot::{self, Item},
    transaction::{BYTES_MAX, SignedTransaction, Transaction, read_list},
    wire::DecodeError,
};

/// Largest input that is read, in bytes, packed or not.
const INPUT_BYTES_MAX: u64 = 1 << 30;

/// One transaction, and where it came from.
pub struct Entry {
    /// The file.
    pub source: String,
    /// Its place in the file, from 0.
    pub index: usize,
    /// How many the file has.
    pub of: usize,
    /// The transaction with its signatures; none where it came without.
    pub signed: SignedTransaction,
    /// From when and until when it stood, for stored rows.
    pub stood: Option<(Timestamp, Option<Timestamp>)>,
}

/// Reads a file and takes off whatever it is wrapped in: gzip, hex, base64.
///
/// # Errors
/// Where it cannot be read, or its wrapping is broken.
pub fn read_any(path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    let name = || format!("cannot read {}", path.display());
    let bytes = if path == Path::new("-") {
        limited(std::io::stdin().lock()).with_context(name)?
    } else {
        limited(std::fs::File::open(path).with_context(name)?).with_context(name)?
    };
    if bytes.is_empty() {
        bail!("{} is empty", path.display());
    }
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut packed = flate2::bufread::MultiGzDecoder::new(bytes.as_slice());
        let unpacked = limited(&mut packed);
        let at = bytes.len() - packed.get_ref().len();
        unpacked.with_context(|| format!("{}: the gzip is broken or cut short at byte {at}", path.display()))?
    } else {
        bytes
    };
    let Some(text) = text(&bytes) else { return Ok(bytes) };
    Ok(decoded(&text).unwrap_or(bytes))
}

fn limited(reader: impl std::io::Read) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > INPUT_BYTES_MAX {
        bail!("longer than {INPUT_BYTES_MAX} bytes, more than is read at once");
    }
    Ok(bytes)
}

/// The bytes as a text without its white space, where they are one of printable ASCII.
fn text(bytes: &[u8]) -> Option<String> {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let text = || bytes.iter().filter(|byte| !byte.is_ascii_whitespace()).map(|byte| char::from(*byte)).collect();
    bytes.iter().all(is_text).then(text)
}

/// Hex or base64 of any alphabet, padded or not.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    if text.is_empty() {
        return None;
    }
    let base64 = || {
        [general_purpose::STANDARD, general_purpose::STANDARD_NO_PAD, general_purpose::URL_SAFE_NO_PAD]
            .iter()
            .find_map(|alphabet| alphabet.decode(text).ok())
    };
    hex::decode(text).ok().or_else(base64)
}

/// Every transaction in the bytes: one, one with signatures, a list of these, or a snapshot.
///
/// # Errors
/// What the bytes came closest to, and where they stop being it.
pub fn recognise(bytes: &[u8], source: &str) -> anyhow::Result<Vec<Entry>> {
    let entry = |(index, of, signed, stood)| Entry { source: source.to_owned(), index, of, signed, stood };
    let single = |signed| vec![entry((0, 1, signed, None))];
    let mut closest = Closest::default();
    match Transaction::parse(bytes) {
        Ok(transaction) => return Ok(single(SignedTransaction::new(transaction, Vec::new(), true))),
        // That it is too long for one says nothing of where it is broken.
        Err(error) if bytes.len() <= BYTES_MAX => closest.missed("a transaction", error),
        Err(_) => {}
    }
    match SignedTransaction::parse_wrapped(bytes) {
        Ok(signed) => return Ok(single(signed)),
        Err(error) => closest.missed("a signed transaction", error),
    }
    match SignedTransaction::parse_plain(bytes) {
        Ok(signed) => return Ok(single(signed)),
        Err(error) => closest.missed("a plain signed transaction", error),
    }
    let rows = |items: Vec<Item>| {
        let of = items.len();
        let row = |(index, item): (usize, Item)| {
            entry((index, of, item.transaction, Some((item.valid_from, item.valid_until))))
        };
        items.into_iter().enumerate().map(row).collect::<Vec<_>>()
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    match snapshot::read_on(threads, bytes) {
        Ok((_, items)) if !items.is_empty() => return Ok(rows(items)),
        Ok(_) => {}
        Err(error) => closest.missed("a snapshot", error),
    }
    match read_list(bytes) {
        Ok(list) if !list.is_empty() => {
            let of = list.len();
            return Ok(list.into_iter().enumerate().map(|(index, signed)| entry((index, of, signed, None))).collect());
        }
        Ok(_) => {}
        Err(error) => closest.missed("a list of signed transactions", error),
    }
    match snapshot::read_items(bytes, 0) {
        Ok(items) if !items.is_empty() => return Ok(rows(items)),
        Ok(_) => {}
        Err(error) => closest.missed("a list of stored transactions", error),
    }
    match listed(bytes) {
        Some(Ok(list)) => {
            let of = list.len();
            return Ok(list.into_iter().enumerate().map(|(index, signed)| entry((index, of, signed, None))).collect());
        }
        Some(Err(error)) => return Err(error),
        None => {}
    }
    if text(bytes).is_some() {
        bail!("no topology data: it is text, and neither hex, nor base64, nor a list of these; {}", nearly(bytes));
    }
    bail!(
        "no topology data: expected a transaction, a signed one, a list of these, or a snapshot; it is closest to {}",
        closest.told()
    )
}

/// Hex digits that a text must begin with to be taken for hex that went wrong.
const HEX_TOLD_BY: usize = 16;

/// Where a text stops being hex or base64, whichever it begins as.
fn nearly(bytes: &[u8]) -> String {
    let visible = || bytes.iter().enumerate().filter(|(_, byte)| !byte.is_ascii_whitespace());
    let skipped = if bytes.starts_with(b"0x") || bytes.starts_with(b"0X") { 2 } else { 0 };
    let digits = || visible().skip(skipped);
    let is_hex = digits().take(HEX_TOLD_BY).all(|(_, byte)| byte.is_ascii_hexdigit());
    let in_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=');
    let is_taken = |byte: u8| if is_hex { byte.is_ascii_hexdigit() } else { in_base64(byte) };
    let form = if is_hex { "hex" } else { "base64" };
    match digits().find(|(_, byte)| !is_taken(**byte)) {
        Some((at, byte)) => format!("{:?} at byte {at} is not {form}", char::from(*byte)),
        None => format!("as {form} it ends too early at byte {}, after {} digits", bytes.len(), digits().count()),
    }
}

/// Transactions as texts: a JSON list of strings, or one on each line.
fn listed(bytes: &[u8]) -> Option<anyhow::Result<Vec<SignedTransaction>>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let texts: Vec<String> = serde_json::from_str(text).ok().or_else(|| {
        let lines = text.lines().map(|line| line.trim().trim_matches('"').to_owned()).filter(|line| !line.is_empty());
        let lines: Vec<String> = lines.collect();
        (lines.len() > 1 && lines.iter().all(|line| decoded(line).is_some())).then_some(lines)
    })?;
    let read = |(index, text): (usize, &String)| {
        let bytes =
            decoded(text).with_context(|| format!("transaction {index} of {}: neither hex nor base64", texts.len()))?;
        let signed = SignedTransaction::parse_wrapped(&bytes).or_else(|signed| {
            SignedTransaction::parse_plain(&bytes)
                .or_else(|_| Transaction::parse(&bytes).map(|one| SignedTransaction::new(one, Vec::new(), true)))
                .map_err(|_| signed)
        });
        signed.with_context(|| format!("transaction {index} of {}", texts.len()))
    };
    Some(texts.iter().enumerate().map(read).collect())
}

/// Of several readings that failed, the one that came furthest. Canton's readers skip what they do not know, so that the
/// wrong one can come far; who has read a whole row of a snapshot has a snapshot.
#[derive(Default)]
struct Closest(Option<(&'static str, DecodeError)>);

impl Closest {
    fn missed(&mut self, form: &'static str, error: DecodeError) {
        let rank = |error: &DecodeError| {
            let in_rows = error.place.path.contains("items[") && !error.place.path.contains("items[0]");
            (in_rows, error.place.offset)
        };
        let came_further = |(_, before): &(&str, DecodeError)| rank(&error) > rank(before);
        if self.0.as_ref().is_none_or(came_further) {
            self.0 = Some((form, error));
        }
    }

    fn told(&self) -> String {
        self.0.as_ref().map_or_else(|| "nothing".to_owned(), |(form, error)| format!("{form}, where {error}"))
    }
}

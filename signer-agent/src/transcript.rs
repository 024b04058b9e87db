//! The printable record of an introduction: text that is made of the signed introduction alone and carries it, so that
//! whoever has the paper's file can make the same text again and see whether a word was changed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use canton_topology::show::{escaped, moment};
use protocol::introduction::{IntroducedKey, Introduction, IntroductionError};
use sha2::{Digest, Sha256};
use thiserror::Error;

const TITLE: &str = "COUNTERSIGN KEY CEREMONY TRANSCRIPT";
const BEGIN: &str = "-----BEGIN COUNTERSIGN INTRODUCTION-----";
const END: &str = "-----END COUNTERSIGN INTRODUCTION-----";
/// Longest transcript that is read, in bytes.
pub const BYTES_MAX: usize = 1 << 20;

/// Why a text is not a transcript of what it carries.
#[derive(Debug, Error)]
pub enum TranscriptError {
    /// It carries nothing.
    #[error("the text has no part between {BEGIN:?} and {END:?}; was it cut?")]
    NoIntroduction,
    /// What it carries is not base64.
    #[error("the part between {BEGIN:?} and {END:?} is not base64; was it cut, or retyped?")]
    Base64,
    /// What it carries is not believed.
    #[error(transparent)]
    Introduction(#[from] IntroductionError),
    /// The words are others.
    #[error("line {line}: {found:?}; what was signed says {expected:?}: somebody has changed the text")]
    Changed {
        /// Which line, from 1.
        line: usize,
        /// What stands there.
        found: String,
        /// What should.
        expected: String,
    },
}

/// The transcript of an introduction's bytes. Every proof is verified.
///
/// # Errors
/// Where it is not believed.
pub fn render(bytes: &[u8]) -> Result<String, IntroductionError> {
    let introduction = Introduction::open(bytes)?;
    introduction.check_proofs()?;
    let Introduction { card, synchronizer, coordinator, nonce, at, keys } = &introduction;
    let mut lines = vec![TITLE.to_owned(), String::new()];
    field(&mut lines, "Owner", &card.name);
    field(&mut lines, "Namespace", &grouped(&introduction.owner().to_string()));
    field(&mut lines, "Code", &introduction.code());
    field(&mut lines, "Time", &moment(*at));
    field(&mut lines, "Synchronizer", &identifier(&synchronizer.to_string()));
    field(&mut lines, "Coordinator", &grouped(&coordinator.to_string()));
    field(&mut lines, "Nonce", &grouped(&hex::encode(nonce)));
    field(&mut lines, "Identity key", &grouped(&card.identity.to_string()));
    field(
        &mut lines,
        "Participant",
        &card.host.as_ref().map_or("none".to_owned(), |host| identifier(&host.to_string())),
    );
    field(&mut lines, "Parcel key", &card.parcel_key.as_ref().map_or("none".to_owned(), ToString::to_string));
    for (index, one) in keys.iter().enumerate() {
        lines.push(String::new());
        lines.push(format!("Key {} of {}", index + 1, keys.len()));
        lines.extend(key(one));
    }
    for key in introduction.unproved() {
        lines.push(String::new());
        lines.push("On the card, and NOT PROVED".to_owned());
        field(&mut lines, "Fingerprint", &grouped(key.fingerprint_ref().as_str()));
    }
    lines.push(String::new());
    lines.push("The owner's identity key has signed all of this:".to_owned());
    lines.push(BEGIN.to_owned());
    let body = STANDARD.encode(bytes);
    lines.extend(pieces(&body, 64));
    lines.push(END.to_owned());
    lines.push(String::new());
    Ok(lines.join("\n"))
}

fn key(one: &IntroducedKey) -> Vec<String> {
    let mut lines = Vec::new();
    field(&mut lines, "Purpose", &one.purpose);
    field(&mut lines, "Fingerprint", &grouped(one.key.fingerprint_ref().as_str()));
    field(&mut lines, "Key type", one.key.spec().name());
    field(&mut lines, "Held by", &one.backend);
    field(&mut lines, "Proof", &format!("verified; its SHA-256 is\n{}", grouped(&digest(&one.proof))));
    let attestation = |bytes: &Vec<u8>| format!("{} bytes; their SHA-256 is\n{}", bytes.len(), grouped(&digest(bytes)));
    field(&mut lines, "Attestation", &one.attestation.as_ref().map_or("none".to_owned(), attestation));
    lines
}

/// One field; what has several lines goes on below its first.
fn field(lines: &mut Vec<String>, name: &str, value: &str) {
    for (index, line) in value.lines().enumerate() {
        let head = if index == 0 { format!("{name}:") } else { String::new() };
        lines.push(format!("  {head:<15}{line}"));
    }
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// In groups of four, eight groups in a line: what people compare.
fn grouped(text: &str) -> String {
    let groups = pieces(text, 4);
    groups.chunks(8).map(|line| line.join(" ")).collect::<Vec<_>>().join("\n")
}

/// A name and, below it, its fingerprint.
fn identifier(text: &str) -> String {
    match text.rsplit_once("::") {
        Some((name, fingerprint)) => format!("{}::\n{}", escaped(name), grouped(&escaped(fingerprint))),
        None => escaped(text),
    }
}

fn pieces(text: &str, length: usize) -> Vec<String> {
    let all: Vec<char> = text.chars().collect();
    all.chunks(length).map(|piece| piece.iter().collect()).collect()
}

/// Reads a transcript, verifies what it carries, and holds every line against it.
///
/// # Errors
/// See [`TranscriptError`].
pub fn verify(text: &str) -> Result<Introduction, TranscriptError> {
    let carried = text.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END));
    let (body, _) = carried.ok_or(TranscriptError::NoIntroduction)?;
    let body: String = body.split_whitespace().collect();
    let bytes = STANDARD.decode(body).map_err(|_| TranscriptError::Base64)?;
    let expected = render(&bytes)?;
    // Blanks at the ends of lines, and of the text, are what printers and editors change.
    let (mut found, mut wanted) = (text.trim_end().lines(), expected.trim_end().lines());
    let mut line = 0;
    loop {
        line += 1;
        let (found, expected) = (found.next().map(str::trim_end), wanted.next().map(str::trim_end));
        if found.is_none() && expected.is_none() {
            return Ok(Introduction::open(&bytes)?);
        }
        if found != expected {
            let text = |line: Option<&str>| line.unwrap_or_default().to_owned();
            return Err(TranscriptError::Changed { line, found: text(found), expected: text(expected) });
        }
    }
}

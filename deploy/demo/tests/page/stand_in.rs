//! What differs from one play to the next, and what stands in a page instead.
#![allow(clippy::unwrap_used)]

use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

/// Length of a fingerprint or transaction hash, in letters: `1220` and 64 more.
const FINGERPRINT: usize = 68;
/// How many digits of a fingerprint stand behind a name.
const SHORT: usize = 8;

/// Names for fingerprints, and numbers for what has none, in the order in which it appears.
pub struct StandIns {
    known: BTreeMap<String, String>,
    numbers: RefCell<BTreeMap<String, String>>,
}

impl StandIns {
    /// Learns names from `NAME::1220…` and from the owners' books.
    pub fn learned(output: &str, folders: &[&Path]) -> Self {
        let mut known = BTreeMap::new();
        for folder in folders {
            let listed = Command::new(env!("CARGO_BIN_EXE_demo"))
                .args(["signer-agent", "book", "list", "--json", "--data"])
                .arg(folder)
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let book: Value = serde_json::from_slice(&listed.stdout).unwrap_or_default();
            for entry in book["entries"].as_array().into_iter().flatten() {
                let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
                known.insert(text("owner"), text("name"));
                known.insert(text("party-key"), format!("{}-party-key", text("name")));
            }
        }
        for word in words(output) {
            if let Some((name, rest)) = word.split_once("::")
                && let Some(fingerprint) = rest.get(..FINGERPRINT).filter(|text| is_fingerprint(text))
            {
                known.entry(fingerprint.to_owned()).or_insert_with(|| name.to_owned());
            }
        }
        Self { known, numbers: RefCell::default() }
    }

    /// The text as it stands in a page. Neighbours that differ in nothing but random values are sorted.
    pub fn put(&self, text: &str) -> String {
        let mut lines: Vec<String> = text.trim().lines().map(counted).map(|line| self.known_in(&line)).collect();
        let shapes: Vec<String> = lines.iter().map(|line| shape(line)).collect();
        let mut start = 0;
        while start < lines.len() {
            let end = (start..lines.len()).find(|at| shapes[*at] != shapes[start]).unwrap_or(lines.len());
            lines[start..end].sort_by_key(|line| masked(line));
            start = end;
        }
        let numbered = lines.iter().map(|line| self.numbered(line));
        numbered.map(|line| format!("{}\n", line.trim_end())).collect()
    }

    fn known_in(&self, line: &str) -> String {
        map_words(&shortened(line), |word| {
            if let Some(name) = self.known.get(word) {
                return Some(format!("1220…{name}"));
            }
            constant(word)
        })
    }

    fn numbered(&self, line: &str) -> String {
        map_words(line, |word| {
            let kind = if is_fingerprint(word) {
                "1220…"
            } else if is_case(word) {
                "case-"
            } else if word.len() == 64 && is_hex(word) {
                "hash-"
            } else {
                return None;
            };
            let mut numbers = self.numbers.borrow_mut();
            let next = numbers.values().filter(|used| used.starts_with(kind)).count() + 1;
            Some(numbers.entry(word.to_owned()).or_insert_with(|| format!("{kind}{next}")).clone())
        })
    }
}

/// How many statements a case has depends on what the coordinator said before it was killed.
fn counted(line: &str) -> String {
    let head = line.find("statements: ").map(|at| &line[..at]);
    head.map_or_else(|| line.to_owned(), |head| format!("{head}statements: …"))
}

/// The first digits that stand behind a name, as in `bob (1a2b3c4d…)`.
fn shortened(line: &str) -> String {
    let without = |part: &str| {
        let digits = part.len().saturating_sub(SHORT);
        let is_short = part.get(digits..).is_some_and(|end| end.len() == SHORT && is_hex(end));
        let is_behind = part.get(..digits).is_some_and(|head| head.ends_with('(') || head.ends_with("::"));
        if is_short && is_behind { format!("{}1220", &part[..digits]) } else { part.to_owned() }
    };
    let (named, last) = line.rsplit_once("…)").map_or(("", line), |(named, last)| (named, last));
    if named.is_empty() {
        return line.to_owned();
    }
    let parts: Vec<String> = named.split("…)").map(without).collect();
    format!("{}…){last}", parts.join("…)"))
}

/// What stands for a value of which any will do.
fn constant(word: &str) -> Option<String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|letter| letter.is_ascii_digit());
    if word.starts_with("countersign-card") {
        return Some("countersign-card2:…".to_owned());
    }
    if word.starts_with("7adec01e") {
        return Some("7adec01e…".to_owned());
    }
    if word.starts_with("302a3005") {
        return Some("302a3005…".to_owned());
    }
    if word.starts_with("age1") && word.len() > 50 {
        return Some("age1…".to_owned());
    }
    let is_code = word.len() == 24 && word.split('-').all(|part| part.len() == 4 && is_hex(part));
    if is_code {
        return Some("….…".to_owned());
    }
    if word.len() == 27 && word.ends_with('Z') && word.as_bytes()[10] == b'T' {
        return Some("20…Z".to_owned());
    }
    match word.rsplit_once(':') {
        Some((host, port)) if host.ends_with("127.0.0.1") && digits(port) => Some(format!("{host}:…")),
        _ => None,
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|letter| letter.is_ascii_hexdigit())
}

fn is_fingerprint(text: &str) -> bool {
    text.len() == FINGERPRINT && text.starts_with("1220") && is_hex(text)
}

fn is_case(text: &str) -> bool {
    text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || "-_:./…".contains(letter)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter| !is_of_word(letter))
}

/// Replaces words, and the parts of words between `::` and the like.
fn map_words(line: &str, replace: impl Fn(&str) -> Option<String>) -> String {
    let mut written = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let length = rest.find(|letter| !is_of_word(letter)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(length);
        written.push_str(&in_word(word, &replace));
        let next = behind.chars().next().map_or(0, char::len_utf8);
        written.push_str(&behind[..next]);
        rest = &behind[next..];
    }
    written
}

fn in_word(word: &str, replace: &impl Fn(&str) -> Option<String>) -> String {
    let bare = word.trim_end_matches([':', '.']);
    if let Some(new) = replace(bare) {
        return format!("{new}{}", &word[bare.len()..]);
    }
    if word.contains(":///") || !word.contains([':', '/', '.']) {
        return word.to_owned();
    }
    let parts = word.split_inclusive([':', '/', '.']);
    let put = |part: &str| {
        let bare = part.trim_end_matches([':', '/', '.']);
        replace(bare).map_or_else(|| part.to_owned(), |new| format!("{new}{}", &part[bare.len()..]))
    };
    parts.map(put).collect()
}

/// A line without its random values.
fn masked(line: &str) -> String {
    map_words(line, |word| {
        let is_random = is_fingerprint(word) || is_case(word) || (word.len() == 64 && is_hex(word));
        is_random.then(|| "?".to_owned())
    })
}

/// What lines that belong together share.
fn shape(line: &str) -> String {
    map_words(&masked(line), |word| word.starts_with("1220…").then(|| "?".to_owned()))
}

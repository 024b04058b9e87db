//! The device's audit log. It holds 62 entries; a device that enforces it does nothing more when they are full. So they are
//! read, kept durably in a file, and only then forgotten by the device.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tracing::warn;
use yubihsm::Client;

use crate::actor::now;

/// The file to which the entries go.
pub struct AuditLog(PathBuf);

impl AuditLog {
    /// Nothing is opened yet.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Moves what the device holds into the file.
    pub fn drain(&self, client: &Client) -> Result<(), String> {
        let read = client.get_log_entries().map_err(|error| {
            format!("the audit log was not read ({error}): the authentication key needs the capability get-log-entries")
        })?;
        let lost = read.unlogged_boot_events.saturating_add(read.unlogged_auth_events);
        if lost > 0 {
            warn!(lost, "ALARM: the device did things that its full audit log does not hold");
        }
        let Some(last) = read.entries.last().map(|entry| entry.item) else { return Ok(()) };
        let at = now();
        // The digests chain the entries: each is over its own and the one before.
        let lines = read.entries.iter().map(|entry| {
            json!({
                "read-at": at,
                "item": entry.item,
                "command": format!("{:?}", entry.cmd),
                "length": entry.length,
                "session-key": entry.session_key,
                "target-key": entry.target_key,
                "second-key": entry.second_key,
                "result": format!("{:?}", entry.result),
                "tick": entry.tick,
                "digest": hex::encode(entry.digest.0),
            })
        });
        self.keep(lines).map_err(|error| format!("`audit_log` {}: {error}", self.0.display()))?;
        client.set_log_index(last).map_err(|error| format!("the device keeps its audit log: {error}"))
    }

    /// Appends the entries, durably. Several processes may do so; a line that a crash cut short ends where the next begins.
    fn keep(&self, lines: impl Iterator<Item = Value>) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.0)?;
        file.lock()?;
        let mut text = if ends_with_a_line(&mut file)? { String::new() } else { "\n".to_owned() };
        for line in lines {
            text.push_str(&line.to_string());
            text.push('\n');
        }
        file.write_all(text.as_bytes())?;
        file.sync_data()
    }
}

fn ends_with_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::*;

    fn entries(items: std::ops::Range<u16>) -> impl Iterator<Item = Value> {
        items.map(|item| json!({ "item": item }))
    }

    #[test]
    fn entries_are_appended_and_a_line_that_was_cut_short_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::new(folder.path().join("audit.jsonl"));
        log.keep(entries(1..3)).unwrap();
        let mut whole = fs::read(log.path()).unwrap();
        whole.truncate(whole.len() - 4);
        fs::write(log.path(), whole).unwrap();

        log.keep(entries(3..5)).unwrap();

        let text = fs::read_to_string(log.path()).unwrap();
        let items: Vec<Option<u64>> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).ok().and_then(|line| line["item"].as_u64()))
            .collect();
        assert_eq!(items, [Some(1), None, Some(3), Some(4)], "{text}");
    }
}

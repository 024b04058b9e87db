//! What the owner has approved and whoever holds a key has not signed yet: kept on the disk, asked again, and dropped by name
//! when it is not wanted any more.

use std::path::PathBuf;

use canton_topology::{Timestamp, hash::TransactionHash, id::Fingerprint};
use protocol::{intent::CaseId, statement::StatementHash};
use serde::{Deserialize, Serialize};

use crate::{
    agent::Asked,
    folder::{Folder, FolderError},
};

/// So many that were dropped are remembered, for whoever asks what became of them.
const DROPPED_MAX: usize = 100;

/// One approval that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// The case.
    pub case: CaseId,
    /// The very offer that was approved.
    pub offer: StatementHash,
    /// A transaction that the owner released with it.
    pub release: Option<TransactionHash>,
    /// Whether a rule approved it, and no human.
    pub by_rule: bool,
    /// When it was approved.
    pub since: Timestamp,
    /// When it is asked for again.
    pub again_at: Timestamp,
    /// The keys that are waited for, and what their backends say.
    pub keys: Vec<(Fingerprint, String)>,
    /// Why it is not asked for any more: the name of the reason, and words.
    pub dropped: Option<(String, String)>,
}

/// All of them.
#[derive(Debug)]
pub struct Waiting {
    folder: Folder,
    waits: Vec<Wait>,
}

impl Waiting {
    /// Reads what was kept.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn open(folder: &Folder) -> Result<Self, FolderError> {
        Ok(Self { folder: folder.clone(), waits: folder.waits()? })
    }

    /// The one of a case, dropped or not.
    pub fn of(&self, case: &CaseId) -> Option<&Wait> {
        self.waits.iter().find(|wait| wait.case == *case)
    }

    /// Those that are asked for still, oldest first.
    pub fn live(&self) -> impl Iterator<Item = &Wait> {
        self.waits.iter().filter(|wait| wait.dropped.is_none())
    }

    /// Keeps one, durably, in the place of whatever waited in that case.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn keep(&mut self, wait: Wait) -> Result<(), FolderError> {
        let mut waits = self.waits.clone();
        let since = waits.iter().find(|known| known.is_same(&wait)).map(|known| known.since);
        waits.retain(|known| known.case != wait.case);
        waits.push(Wait { since: since.unwrap_or(wait.since), ..wait });
        self.set(waits)
    }

    /// Forgets the one of a case: it is signed.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn settle(&mut self, case: &CaseId) -> Result<(), FolderError> {
        if self.of(case).is_none() {
            return Ok(());
        }
        let waits = self.waits.iter().filter(|wait| wait.case != *case).cloned().collect();
        self.set(waits)
    }

    /// Asks for the one of a case no more, and remembers why.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn drop_one(&mut self, case: &CaseId, name: &str, reason: &str) -> Result<(), FolderError> {
        let mut waits = self.waits.clone();
        let Some(wait) = waits.iter_mut().find(|wait| wait.case == *case && wait.dropped.is_none()) else {
            return Ok(());
        };
        wait.dropped = Some((name.to_owned(), reason.to_owned()));
        let dropped = waits.iter().filter(|wait| wait.dropped.is_some()).count();
        if dropped > DROPPED_MAX
            && let Some(oldest) = waits.iter().position(|wait| wait.dropped.is_some())
        {
            waits.remove(oldest);
        }
        self.set(waits)
    }

    /// Asks for the one of a case no sooner than then.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn postpone(&mut self, case: &CaseId, again_at: Timestamp) -> Result<(), FolderError> {
        let mut waits = self.waits.clone();
        waits.iter_mut().filter(|wait| wait.case == *case).for_each(|wait| wait.again_at = again_at);
        self.set(waits)
    }

    /// What is in memory is never ahead of the disk.
    fn set(&mut self, waits: Vec<Wait>) -> Result<(), FolderError> {
        self.folder.set_waits(&waits)?;
        self.waits = waits;
        Ok(())
    }
}

impl Wait {
    /// What was approved, as soon as it waits.
    pub fn new(
        case: CaseId,
        offer: StatementHash,
        release: Option<TransactionHash>,
        by_rule: bool,
        asked: &[Asked],
        now: Timestamp,
    ) -> Self {
        let soonest = asked.iter().map(|one| one.retry_after).min().unwrap_or_default();
        Self {
            case,
            offer,
            release,
            by_rule,
            since: now,
            again_at: now.plus_micros(i64::try_from(soonest.as_micros()).unwrap_or(i64::MAX)),
            keys: asked.iter().map(|one| (one.key.clone(), one.note.clone())).collect(),
            dropped: None,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.case == other.case && self.offer == other.offer && self.dropped.is_none()
    }
}

impl Folder {
    /// The approvals that wait; none where none do.
    ///
    /// # Errors
    /// See [`FolderError`].
    fn waits(&self) -> Result<Vec<Wait>, FolderError> {
        let path = self.waiting_file();
        if path.exists() { self.read_json(&path, "run") } else { Ok(Vec::new()) }
    }

    fn set_waits(&self, waits: &[Wait]) -> Result<(), FolderError> {
        self.write_json(&self.waiting_file(), &waits)
    }

    fn waiting_file(&self) -> PathBuf {
        self.file("waiting.json")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;

    fn wait(case: u8, seconds: u64, now: Timestamp) -> Wait {
        let asked = Asked {
            key: format!("1220{}", "ab".repeat(32)).parse().unwrap(),
            note: "two officers".to_owned(),
            retry_after: Duration::from_secs(seconds),
        };
        Wait::new(CaseId::from_bytes([case; 16]), StatementHash::from_bytes([7; 32]), None, false, &[asked], now)
    }

    #[test]
    fn what_waits_and_why_it_was_dropped_outlives_a_restart() {
        let data = tempfile::tempdir().unwrap();
        let folder = Folder::open(&data.path().join("owner")).unwrap();
        let mut waiting = Waiting::open(&folder).unwrap();
        for case in 1..=3 {
            waiting.keep(wait(case, 60, Timestamp(5))).unwrap();
        }
        waiting.settle(&CaseId::from_bytes([1; 16])).unwrap();
        waiting.drop_one(&CaseId::from_bytes([2; 16]), "Withdrawn", "its proposer took it back").unwrap();

        let again = Waiting::open(&folder).unwrap();

        assert_eq!(again.live().collect::<Vec<_>>(), [&wait(3, 60, Timestamp(5))]);
        assert_eq!(again.of(&CaseId::from_bytes([2; 16])).unwrap().dropped.as_ref().unwrap().0, "Withdrawn");
        assert_eq!(again.of(&CaseId::from_bytes([1; 16])), None);
    }

    #[test]
    fn asking_again_keeps_when_it_was_approved() {
        let data = tempfile::tempdir().unwrap();
        let folder = Folder::open(&data.path().join("owner")).unwrap();
        let mut waiting = Waiting::open(&folder).unwrap();
        waiting.keep(wait(1, 60, Timestamp(5))).unwrap();

        waiting.keep(wait(1, 60, Timestamp(90_000_000))).unwrap();

        let kept = waiting.of(&CaseId::from_bytes([1; 16])).unwrap();
        assert_eq!((kept.since, kept.again_at), (Timestamp(5), Timestamp(150_000_000)));
    }

    #[test]
    fn the_file_of_what_waits_is_stable() {
        let text = serde_json::to_string(&wait(1, 60, Timestamp(5))).unwrap();
        let (case, offer) = (vec!["1"; 16].join(","), vec!["7"; 32].join(","));
        let key = format!("1220{}", "ab".repeat(32));
        let expected = format!(
            "{{\"case\":[{case}],\"offer\":[{offer}],\"release\":null,\"by_rule\":false,\"since\":5,\"again_at\":60000005,\"keys\":[[\"{key}\",\"two officers\"]],\"dropped\":null}}"
        );
        assert_eq!(text, expected);
    }
}

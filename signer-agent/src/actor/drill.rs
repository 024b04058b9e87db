//! Drills: does a key still work, and would Canton take its word? Only the owner asks; nobody from outside can make a
//! device ask for its PIN.

use canton_topology::{id::Fingerprint, show::moment, state::State};
use custody::{
    keys::{KeyError, Outcome, PinnedKey, Purpose, to_sign::ToSign},
    random,
};
use protocol::drill::{Drill, Due, Standing, WORDS, due, standing_of_namespace_key, standing_of_party_key};
use serde_json::{Value, json};
use thiserror::Error;
use tracing::warn;

use super::{Actor, now};
use crate::{control::Answer, folder::FolderError};

/// Microseconds of a day.
const DAY: i64 = 24 * 3600 * 1_000_000;

/// Why a key did not sign a drill.
#[derive(Debug, Error)]
enum NotTried {
    /// Its backend.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What it is asked for is not kept.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

impl Actor {
    /// Tries keys; where none is named, all active ones that can sign a drill. One that fails keeps none from being tried.
    pub(super) fn drill(&mut self, names: &[String]) -> Result<Value, Answer> {
        let wanted = |key: &&PinnedKey| {
            let is_named = |name: &String| *name == key.name || *name == key.fingerprint().as_str();
            names.is_empty() || names.iter().any(is_named)
        };
        let keys: Vec<PinnedKey> = self.keyring.active().filter(wanted).cloned().collect();
        if keys.len() < names.len() {
            let known: Vec<&str> = self.keyring.active().map(|key| key.name.as_str()).collect();
            let words = format!("not every name is an active key's; there are {}", known.join(", "));
            return Err(Answer::failed("UnknownKey", words));
        }
        let (left_out, keys): (Vec<PinnedKey>, Vec<PinnedKey>) =
            keys.into_iter().partition(|key| names.is_empty() && self.signs_topology_alone(key));
        let all: Vec<Value> = keys.iter().map(|key| self.drill_one(key)).collect();
        let is_well = all.iter().all(|one| one["works"] == true && one["useful"] == true);
        let left_out: Vec<&str> = left_out.iter().map(|key| key.name.as_str()).collect();
        Ok(json!({ "drills": all, "all-well": is_well, "sign-topology-alone": left_out }))
    }

    fn drill_one(&mut self, key: &PinnedKey) -> Value {
        let mut value = json!({
            "key": key.name,
            "fingerprint": key.fingerprint().to_string(),
            "purpose": key.purpose.name(),
            "backend": key.backend,
        });
        let Some(standing) = self.agent.state().map(|state| self.standing_of(key, state)) else {
            value["works"] = false.into();
            value["wrong"] = "the participant has shown no topology; is it reachable?".into();
            return value;
        };
        value["standing"] = standing.to_string().into();
        value["useful"] = standing.is_well().into();
        // A key that nobody would believe is not touched for it.
        if !standing.is_well() {
            return value;
        }
        match self.sign_drill(key.fingerprint()) {
            Ok(Outcome::Signed(_)) => {
                value["works"] = true.into();
                if let Err(error) = self.folder.drilled(key.fingerprint(), now()) {
                    warn!(key = %key.name, %error, "that the key was tried is not kept");
                }
            }
            Ok(Outcome::Pending { note, .. }) => value["pending"] = note.into(),
            Err(error) => {
                value["works"] = false.into();
                value["wrong"] = error.to_string().into();
            }
        }
        value
    }

    fn standing_of(&self, key: &PinnedKey, state: &State) -> Standing {
        match key.purpose {
            Purpose::Party => standing_of_party_key(&key.public, state),
            Purpose::Namespace | Purpose::Identity | Purpose::Parcel => {
                standing_of_namespace_key(&key.public, &self.agent.me().owner, state)
            }
        }
    }

    /// No drill can be had of a key whose holder signs nothing else.
    fn signs_topology_alone(&self, key: &PinnedKey) -> bool {
        self.keyring.signs_topology_alone(key.fingerprint())
    }

    fn sign_drill(&mut self, key: &Fingerprint) -> Result<Outcome, NotTried> {
        let asked = self.folder.open_drill(key)?.filter(|drill| drill.is_open(now()));
        let drill = match asked {
            Some(drill) => drill,
            None => self.new_drill(key)?,
        };
        // Before the key is touched, so that whoever takes hours is asked for the same one again.
        self.folder.set_open_drill(key, Some(&drill))?;
        let outcome = self.keyring.sign(&ToSign::drill(&drill))?;
        if let Outcome::Signed(_) = outcome {
            self.folder.set_open_drill(key, None)?;
        }
        Ok(outcome)
    }

    fn new_drill(&self, key: &Fingerprint) -> Result<Drill, NotTried> {
        let mut nonce = [0; 32];
        random::fill(&mut nonce).map_err(|error| KeyError::Backend(error.to_string()))?;
        let me = self.agent.me();
        Ok(Drill {
            words: WORDS.to_owned(),
            key: key.clone(),
            owner: me.owner.clone(),
            synchronizer: me.synchronizer.clone(),
            at: now(),
            nonce,
        })
    }

    /// When each key is to be tried next; nothing where the owner wants no schedule.
    pub(super) fn drills(&self) -> Vec<Value> {
        let Some(days) = self.drill_every_days else { return Vec::new() };
        let every = i64::from(days).saturating_mul(DAY);
        let one = |key: &PinnedKey| {
            let due = due(every, key.drilled_at.unwrap_or(key.pinned_at), now());
            let (at, missed) = match due {
                Due::At(at) => (at, false),
                Due::Missed(at) => (at, true),
            };
            json!({ "key": key.name, "last": key.drilled_at.map(moment), "due": moment(at), "missed": missed })
        };
        self.keyring.active().filter(|key| !self.signs_topology_alone(key)).map(one).collect()
    }

    /// Says once that a drill was missed, for as long as it is.
    pub(super) fn alarm_missed_drills(&mut self) {
        let missed: Vec<String> = self
            .drills()
            .iter()
            .filter(|one| one["missed"] == true)
            .filter_map(|one| one["key"].as_str().map(str::to_owned))
            .collect();
        if missed != self.missed_drills {
            for key in &missed {
                warn!(key, "ALARM: the drill of this key was missed; try it with `keys drill`");
            }
            self.missed_drills = missed;
        }
    }
}

//! Approvals that wait for whoever holds a key. Each time one is asked for, everything is checked anew: what was wanted when
//! the owner said yes may not be any more.

use canton_topology::show::moment;
use custody::{
    keys::KeyError,
    ladder::{Permission, SignError},
};
use protocol::{case::Case, intent::CaseId, refusal::Refusal, statement::Statement};
use serde_json::{Value, json};
use tracing::{info, warn};

use super::{Actor, error_name, failure, now};
use crate::{
    agent::{AgentError, Asked},
    control::Answer,
    waiting::Wait,
};

/// How long after a failure that may pass something is asked for again, in microseconds.
const RETRY_MICROS: i64 = 30_000_000;

impl Actor {
    /// Approves; remembers it where whoever holds a key takes time.
    pub(super) fn approve_or_wait(&mut self, id: &CaseId, permission: Permission) -> Result<Statement, Answer> {
        let error = match self.approve(id, permission) {
            Ok(statement) => return Ok(statement),
            Err(error) => error,
        };
        match (&error, permission) {
            (AgentError::Pending { asked }, _) => {
                self.keep_waiting(id, permission, asked)?;
                let reason = format!("{error}; the agent asks again by itself, and at once with `wake`");
                return Err(Answer::not_yet(reason));
            }
            // Whoever told a rule no is not asked the same a moment later.
            (AgentError::Key(KeyError::Refused { .. }), Permission::Rule(_)) => {
                self.keep_waiting(id, permission, &[])?;
                self.drop_wait(id, &error_name(&error), &error.to_string());
            }
            _ => {}
        }
        Err(failure(error))
    }

    fn keep_waiting(&mut self, id: &CaseId, permission: Permission, asked: &[Asked]) -> Result<(), Answer> {
        let newest = self.agent.case(id).and_then(Case::offer).map(|offered| offered.hash);
        let (offer, release, by_rule) = match permission {
            Permission::Human { shown, release } => (Some(shown), release, false),
            Permission::Rule(_) => (newest, None, true),
        };
        let offer = offer.ok_or_else(|| Answer::failed("NoOffer", Refusal::NoOffer))?;
        let wait = Wait::new(*id, offer, release, by_rule, asked, now());
        self.waiting.keep(wait).map_err(|error| Answer::failed("Waiting", error))
    }

    /// Whether a rule has asked for this very offer already, and waits, or was told no.
    pub(super) fn rule_has_asked(&self, id: &CaseId) -> bool {
        let newest = self.agent.case(id).and_then(Case::offer).map(|offered| offered.hash);
        self.waiting.of(id).is_some_and(|wait| Some(wait.offer) == newest && (wait.by_rule || wait.dropped.is_none()))
    }

    /// Asks for whatever is due, or for all of it; looks at everything that waits whether it is wanted still.
    pub(super) fn ask_waiting(&mut self, of: Option<&CaseId>, at_once: bool) {
        let waits: Vec<Wait> = self.waiting.live().cloned().collect();
        for wait in waits.iter().filter(|wait| of.is_none_or(|of| *of == wait.case)) {
            match self.permission_of(wait) {
                Ok(permission) if at_once || wait.again_at <= now() => self.ask_for(wait, permission),
                Ok(_) => {}
                Err(error) if is_final(&error) => self.drop_wait(&wait.case, &error_name(&error), &error.to_string()),
                Err(_) => {}
            }
        }
    }

    /// The permission as it was given, where what it was given for stands still.
    fn permission_of(&self, wait: &Wait) -> Result<Permission, AgentError> {
        let verified = self.agent.verify(&wait.case, now())?;
        if verified.offer() != wait.offer {
            return Err(Refusal::OtherOffer { decided: wait.offer, newest: verified.offer() }.into());
        }
        if wait.by_rule {
            return self.agent.rule_for(&verified);
        }
        Ok(Permission::Human { shown: wait.offer, release: wait.release })
    }

    fn ask_for(&mut self, wait: &Wait, permission: Permission) {
        let case = &wait.case;
        match self.approve(case, permission) {
            Ok(statement) => match self.say(&statement) {
                Ok(()) => info!(%case, "what was waited for is signed"),
                Err(answer) => warn!(%case, ?answer, "an approval was not kept; it will be made again"),
            },
            Err(AgentError::Pending { asked }) => {
                if let Err(answer) = self.keep_waiting(case, permission, &asked) {
                    warn!(%case, ?answer, "how far a signature is was not kept");
                }
            }
            Err(error) if is_final(&error) => self.drop_wait(case, &error_name(&error), &error.to_string()),
            Err(error) => {
                warn!(%case, %error, "what was approved is not signed yet; it is asked for again");
                if let Err(error) = self.waiting.postpone(case, now().plus_micros(RETRY_MICROS)) {
                    warn!(%case, %error, "when to ask again was not kept");
                }
            }
        }
    }

    /// Asks for something no more.
    pub(super) fn drop_wait(&mut self, case: &CaseId, name: &str, reason: &str) {
        if self.waiting.of(case).is_none_or(|wait| wait.dropped.is_some()) {
            return;
        }
        warn!(%case, name, reason, "what was approved is not wanted any more, and no key is asked for it");
        if let Err(error) = self.waiting.drop_one(case, name, reason) {
            warn!(%case, %error, "that it is not wanted any more was not kept");
        }
    }

    /// The owner wants to know now.
    pub(super) fn wake(&mut self, of: Option<&CaseId>) -> Answer {
        let asked: Vec<CaseId> =
            self.waiting.live().map(|wait| wait.case).filter(|case| of.is_none_or(|of| of == case)).collect();
        self.ask_waiting(of, true);
        let waits: Vec<Value> = asked.iter().map(|case| self.waits_for(case)).collect();
        if asked.iter().any(|case| self.waiting.live().any(|wait| wait.case == *case)) {
            let reason = "whoever holds a key has not signed yet; the agent asks again by itself".to_owned();
            return Answer::Waits { value: json!({ "asked": asked.len(), "waits": waits }), reason };
        }
        Answer::Done { value: json!({ "asked": asked.len(), "waits": waits }) }
    }

    /// What a case waits for, for people; null where nothing was ever waited for.
    pub(super) fn waits_for(&self, case: &CaseId) -> Value {
        let Some(wait) = self.waiting.of(case) else { return Value::Null };
        let named = |key| self.keyring.keys().iter().find(|pinned| pinned.fingerprint() == key);
        let keys: Vec<Value> = wait
            .keys
            .iter()
            .map(|(key, note)| {
                let pinned = named(key);
                json!({
                    "key": key.to_string(),
                    "name": pinned.map(|pinned| &pinned.name),
                    "backend": pinned.map(|pinned| &pinned.backend),
                    "says": note,
                })
            })
            .collect();
        json!({
            "case": case.to_string(),
            "offer": wait.offer.to_string(),
            "approved-by": if wait.by_rule { "a rule" } else { "the owner" },
            "since": moment(wait.since),
            "keys": keys,
            "asked-again": wait.dropped.is_none().then(|| moment(wait.again_at)),
            "dropped": wait.dropped.as_ref().map(|(name, reason)| json!({ "name": name, "reason": reason })),
        })
    }
}

/// Whether asking again could not help.
fn is_final(error: &AgentError) -> bool {
    match error {
        // Who froze the agent did not take the approval back.
        AgentError::Refused(refusal) => *refusal != Refusal::Frozen,
        AgentError::NoRule => true,
        AgentError::Key(KeyError::Backend(_)) => false,
        AgentError::Key(_) | AgentError::Sign(SignError::NotThePinnedKey { .. }) => true,
        AgentError::NotYet(_)
        | AgentError::NoTopology
        | AgentError::UnknownCase(_)
        | AgentError::Journal(_)
        | AgentError::Pending { .. }
        | AgentError::Sign(SignError::Journal(_))
        | AgentError::Participant(_) => false,
    }
}

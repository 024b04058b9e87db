//! A change set that adds hosts. Where the party was used, each new host takes its contracts over in a case of its own, and
//! the cases come one after the other.

use protocol::{
    accepted::Accepted,
    intent::{After, Change},
    limits,
    workflow::after::former,
};
use serde_json::Value;
use tokio::sync::oneshot;

use super::Shell;
use crate::{
    actor::{Message, Proposal},
    control::{Answer, MembershipWanted, Request, Wanted},
    hosting::{command, source::Looked},
};

/// The longest time that a case may be signed, in seconds.
const DEADLINE_S_MAX: u64 = limits::DEADLINE_MICROS_MAX.unsigned_abs() / 1_000_000;

/// What a change set is about, besides what it changes.
pub(super) struct Why {
    /// The party.
    pub of: String,
    /// Why it is wanted.
    pub reason: String,
    /// How long it may be signed, in seconds.
    pub deadline_s: u64,
    /// The dangers that are accepted, by name.
    pub accepts: Vec<String>,
}

impl Shell {
    /// Looks whether the party was ever used, and proposes the change in one case or in several.
    pub(super) async fn change_with_hosts(&self, why: Why, change: MembershipWanted) -> Answer {
        if why.accepts.contains(&Accepted::HostWithoutContracts.to_string()) {
            return self.in_one(why, change).await;
        }
        match command::looked(&self.follower, &why.of).await {
            Err(answer) => answer,
            Ok(Ok(Looked::Unused(end))) => {
                let accepts = [why.accepts, vec![Accepted::HostOfUnusedParty.to_string()]].concat();
                let answer = self.in_one(Why { accepts, ..why }, change).await;
                let advice = format!(
                    "the party was never used up to offset {end}: there is nothing to carry over, and the new hosts come \
                     with the rest; whoever hosts it looks once more before signing"
                );
                command::with_advice(answer, advice)
            }
            Ok(Ok(Looked::Used(used) | Looked::Unknown(used)) | Err(used)) => self.in_several(why, change, &used).await,
        }
    }

    async fn in_one(&self, why: Why, change: MembershipWanted) -> Answer {
        let Why { of, reason, deadline_s, accepts } = why;
        let change = Wanted::Membership { of, change };
        self.decide(Request::Propose { change, reason, deadline_s, accepts }).await
    }

    async fn in_several(&self, why: Why, change: MembershipWanted, used: &str) -> Answer {
        let (reply, parts) = oneshot::channel();
        let (of, accepts) = (why.of.clone(), why.accepts.clone());
        self.tell(Message::InTurn { of, change: Box::new(change), accepts, reply }).await;
        let parts = match parts.await {
            Ok(Ok(parts)) => parts,
            Ok(Err(answer)) => return answer,
            Err(_) => return Answer::failed("Stopped", "the agent is stopping"),
        };
        let cases = match parts.len() {
            1 => "that is the only one".to_owned(),
            number => format!("these are {number} cases, one after the other"),
        };
        let advice = format!(
            "{used}: each new host takes the party's contracts over in a case of its own; {cases}; see `workflow show`; \
             --accept {} would leave the contracts behind",
            Accepted::HostWithoutContracts
        );
        command::with_advice(self.open_in_turn(&why, parts).await, advice)
    }

    /// Opens one case after the other, each behind the one before it. Where one is refused, those behind it are not opened.
    async fn open_in_turn(&self, why: &Why, parts: Vec<Change>) -> Answer {
        let accepts: Vec<Accepted> = match why.accepts.iter().map(|name| name.parse()).collect() {
            Ok(accepts) => accepts,
            Err(error) => return Answer::failed("Propose", error),
        };
        let mut answers: Vec<Answer> = Vec::new();
        let mut after = None;
        for (number, change) in parts.into_iter().enumerate() {
            let stands = former(&change);
            // Each has as long as was asked for, counted from when the one before it ran out of time.
            let deadline_s = why.deadline_s.saturating_mul(number as u64 + 1).min(DEADLINE_S_MAX.max(why.deadline_s));
            let (reason, accepts) = (why.reason.clone(), accepts.clone());
            let proposal = Proposal { change, after, reason, deadline_s, accepts };
            let (reply, answer) = oneshot::channel();
            let answer = self.settled(Message::Open { proposal: Box::new(proposal), reply }, answer).await;
            let case = match &answer {
                Answer::Done { value } | Answer::Waits { value, .. } => value["case"].as_str().map(str::parse),
                Answer::NotYet { .. } | Answer::Failed { .. } => None,
            };
            answers.push(answer);
            let Some(Ok(case)) = case else { break };
            after = stands.map(|stands| After { case, stands });
        }
        together(answers)
    }
}

/// One answer of several: the first one with those that come after it.
fn together(answers: Vec<Answer>) -> Answer {
    let mut answers = answers.into_iter();
    let Some(mut first) = answers.next() else { return Answer::failed("Propose", "nothing would change") };
    let mut then = Vec::new();
    for answer in answers {
        match (&mut first, answer) {
            (Answer::Done { .. } | Answer::Waits { .. }, Answer::Done { value }) => then.push(value),
            (Answer::Done { value: made } | Answer::Waits { value: made, .. }, Answer::Waits { value, reason }) => {
                then.push(value);
                first = Answer::Waits { value: std::mem::take(made), reason };
            }
            (
                Answer::Done { value: made } | Answer::Waits { value: made, .. },
                Answer::NotYet { reason, .. } | Answer::Failed { reason, .. },
            ) => {
                let all = std::iter::once(&*made).chain(&then);
                let cases: Vec<&str> = all.filter_map(|made| made["case"].as_str()).collect();
                let reason = format!("{} proposed already; what comes after is not: {reason}", cases.join(", "));
                return Answer::failed("InTurn", reason);
            }
            (Answer::NotYet { .. } | Answer::Failed { .. }, _) => {}
        }
    }
    if let Answer::Done { value } | Answer::Waits { value, .. } = &mut first
        && !then.is_empty()
    {
        value["then"] = Value::Array(then);
    }
    first
}

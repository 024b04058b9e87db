//! The checklist of a case for people, and on whose nodes it was verified.

use canton_topology::{id::PartyId, state::State};
use protocol::{
    case::Case,
    hosting::{self, HostingStep},
    intent::CaseId,
    progress::{Actor as By, Alarm, Item, Progress, Witness},
    stage::effective_at,
    statement::StatementHash,
    todo::{Step, to_verify},
    witness::{self, NotVerified, WitnessedStep, checklist, parties, witnesses},
};
use serde_json::{Value, json};
use tracing::warn;

use super::{Actor, now};
use crate::{agent::AgentError, control::Answer};

/// A case that this owner's agent is to vouch for, once the node's ledger was looked at too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToVerify {
    /// The offer with which the case came to its end.
    pub offer: StatementHash,
    /// The parties of the case that the owner's node hosts.
    pub hosted: Vec<PartyId>,
}

/// What a step is called.
struct Named {
    name: &'static str,
    words: &'static str,
    takes_a_human: bool,
}

impl Actor {
    /// The checklist of a case for people: who does what, how far it is, and what to do now.
    pub(super) fn workflow(&self, id: &CaseId) -> Result<Value, Answer> {
        let case = self.agent.case(id).ok_or_else(|| Answer::failed("UnknownCase", id))?;
        if self.agent.state().is_none() {
            return Err(Answer::not_yet(AgentError::NoTopology));
        }
        let standing = self.standing(id);
        let view = self.view(id);
        let onboarding = view.as_ref().and_then(|view| view.onboarding);
        let mut steps: Vec<Value> = match &view {
            Some(view) => {
                let named = |item: &Item<HostingStep>| Named {
                    name: item.step.name(),
                    words: item.step.words(),
                    takes_a_human: item.step.takes_a_human(),
                };
                self.steps(&view.items, named, |step| step.name())
            }
            None => self.witnessed_steps(case),
        };
        let missing = view.as_ref().and_then(|view| view.missing_packages.as_deref()).unwrap_or_default();
        let mut vetting = steps.iter_mut().filter(|step| step["step"] == HostingStep::Vet.name());
        if let (Some(step), Some(first)) = (vetting.next(), missing.first()) {
            step["why"] = lacking(missing.len(), first).into();
        }
        Ok(json!({
            "case": id.to_string(),
            "workflow": case.intent().change.name(),
            "status": standing.map(|standing| standing.status.name()),
            "after": case.intent().after.as_ref().map(|after| after.case.to_string()),
            "refused": view.as_ref().and_then(|view| view.untrusted.as_ref()).map(|refused| self.named(refused)),
            "missing-packages": missing,
            "steps": steps,
            "notes": onboarding.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }))
    }

    fn steps<S>(
        &self,
        items: &[Item<S>],
        named: impl Fn(&Item<S>) -> Named,
        name: impl Fn(&S) -> &'static str,
    ) -> Vec<Value> {
        let step = |(index, item): (usize, &Item<S>)| {
            let Named { name: called, words, takes_a_human } = named(item);
            let (state, since, waits) = match &item.progress {
                Progress::Done(at) => ("done", Some(*at), Vec::new()),
                Progress::Due => ("due", None, Vec::new()),
                Progress::Waiting(steps) => ("waiting", None, steps.iter().map(&name).collect()),
                Progress::After(_) => ("waiting", None, Vec::new()),
                Progress::Stopped(_) => ("stopped", None, Vec::new()),
            };
            json!({
                "number": index + 1,
                "step": called,
                "what": words,
                "by": self.by(&item.by),
                "state": state,
                "since": since,
                "waits-for": waits,
                "why": self.why(&item.progress),
                "takes-a-human": takes_a_human,
                "mine": item.is_due_for(&self.agent.me().owner),
            })
        };
        items.iter().enumerate().map(step).collect()
    }

    fn by(&self, by: &By) -> Value {
        match by {
            By::Owner(owner, participant) => {
                let mut value = self.name_of(owner);
                value["participant"] = participant.to_string().into();
                value
            }
            By::Owners(owners) => owners.iter().map(|owner| self.name_of(owner)).collect(),
            By::Coordinator => "coordinator".into(),
        }
    }

    /// The steps of a case that is signatures alone.
    fn witnessed_steps(&self, case: &Case) -> Vec<Value> {
        let Some((state, standing)) = self.agent.state().zip(self.standing(&case.id())) else { return Vec::new() };
        let items = checklist(case, &standing, &self.agent.context(state, &[], now()));
        let named = |item: &Item<WitnessedStep>| Named {
            name: item.step.name(),
            words: item.step.words(),
            takes_a_human: item.step == WitnessedStep::Sign,
        };
        self.steps(&items, named, |step| step.name())
    }

    /// On whose nodes an effective case was verified; nothing where it is not effective.
    pub(super) fn verified(&self, case: &Case) -> Value {
        let Some(state) = self.agent.state() else { return Value::Null };
        let context = self.agent.context(state, &[], now());
        let (on, not_yet): (Vec<_>, Vec<_>) =
            witnesses(case, &context).into_iter().partition(|witness| witness.since.is_some());
        if on.is_empty() && not_yet.is_empty() {
            return Value::Null;
        }
        let names = |all: Vec<Witness>| all.iter().map(|one| self.name_of(&one.owner)).collect::<Value>();
        let mistake = match witness::verdict(case, state) {
            Err(error @ NotVerified::NotAsWanted(_)) => Some(error.to_string()),
            Err(NotVerified::NotEffective) | Ok(_) => None,
        };
        json!({ "on": names(on), "not-yet": names(not_yet), "mistake": mistake })
    }

    /// Every case that is effective on the owner's own node and that its agent has not vouched for.
    pub(super) fn cases_to_verify(&mut self) -> Vec<CaseId> {
        let candidates: Vec<CaseId> =
            self.agent.cases().filter(|case| self.may_be_verified(case)).map(Case::id).collect();
        candidates.into_iter().filter(|id| self.verification_due(id).is_some()).collect()
    }

    /// What costs little is asked first: this is asked of every case, again and again.
    fn may_be_verified(&self, case: &Case) -> bool {
        let Some((offered, state)) = case.offer().zip(self.agent.state()) else { return false };
        hosting::wanted(case).is_none()
            && !self.looked_at.contains(&offered.hash)
            && effective_at(offered, state).is_some()
    }

    /// What this owner's agent is to vouch for in a case; `None` where nothing, or it has done so.
    pub(super) fn verification_due(&mut self, id: &CaseId) -> Option<ToVerify> {
        let case = self.agent.whole_case(id)?;
        let (state, newest) = self.agent.state().zip(case.offer().map(|offered| offered.hash))?;
        let (me, standing) = (self.agent.me(), self.standing(id)?);
        me.host.as_ref()?;
        let due = to_verify(&checklist(&case, &standing, &self.agent.context(state, &[], now())));
        let mine = due.contains(&Step::Verify { owner: me.owner.clone() });
        match self.to_vouch_for(&case, state) {
            Ok(to_verify) if mine => return Some(to_verify),
            Ok(_) => {}
            Err(NotVerified::NotEffective) => return None,
            Err(error @ NotVerified::NotAsWanted(_)) => {
                warn!(case = %id, %error, "ALARM: an effective case is not vouched for");
            }
        }
        // What came to its end stays there: it is not looked at again.
        self.looked_at.insert(newest);
        None
    }

    /// What whoever vouches for an effective case looks at.
    ///
    /// # Errors
    /// Where nobody vouches for it.
    pub(super) fn to_vouch_for(&self, case: &Case, state: &State) -> Result<ToVerify, NotVerified> {
        let offer = witness::verdict(case, state)?;
        let hosted = parties(case, state).into_iter().filter(|party| self.hosts(party)).collect();
        Ok(ToVerify { offer, hosted })
    }

    fn why<S>(&self, progress: &Progress<S>) -> Option<String> {
        match progress {
            Progress::Stopped(Alarm::OtherContracts { exported, counted }) => Some(format!(
                "OtherContracts: the source exported {exported}, the second host counted {counted}; nothing is \
                     imported; take the new host away again (`propose change PARTY --remove-host OWNER`), find out which \
                     of the two is wrong, and propose the hosting anew"
            )),
            Progress::Stopped(Alarm::SaidToBeUndone) => Some(
                "SaidToBeUndone: the source says that the new host was taken away again, and this node, disconnected, \
                 cannot show it; look at another node, then `workflow run --confirm put-back-target` connects this one"
                    .to_owned(),
            ),
            Progress::Stopped(Alarm::SignaturesAlive) => {
                Some("SignaturesAlive: whoever holds the signatures can still add the host; void them first".to_owned())
            }
            Progress::Stopped(Alarm::NotAsWanted { reason }) => {
                Some(format!("NotAsWanted: what is effective is not what the intent says: {reason}"))
            }
            Progress::After(case) => {
                let status = self.standing(case).map_or("not known here", |standing| standing.status.name());
                Some(format!("case {case} comes first, and what it wants does not stand here yet: it is {status}"))
            }
            Progress::Done(_) | Progress::Due | Progress::Waiting(_) => None,
        }
    }
}

/// What the new host lacks, in words.
fn lacking(count: usize, first: &str) -> String {
    match count {
        1 => format!("not vetted there: package {first}"),
        _ => format!("not vetted there: {count} packages, such as {first}"),
    }
}

//! What the owner's commands ask about what others do: proposals made elsewhere, rivals, and what lost to one.

use canton_topology::{
    hash::TransactionHash,
    id::{Fingerprint, Namespace},
    key::SigningPublicKey,
    planner,
    show::{self, moment},
    state::State,
};
use protocol::{
    book::Entry,
    case::Case,
    danger::dangers,
    foreign::Foreign,
    intent::{Adopt, CaseId, Change},
    life::Standing,
    naming::subject,
    principal::added,
    rebase::rebase,
    rival::{Contender, Contest, Origin},
    statement::Statement,
};
use serde_json::{Value, json};

use super::{Actor, Proposal, accepted, now, showing::described};
use crate::{agent::AgentError, control::Answer};

impl Actor {
    fn topology_or_wait(&self) -> Result<&State, Answer> {
        self.agent.state().ok_or_else(|| Answer::not_yet(AgentError::NoTopology))
    }

    pub(super) fn foreign_list(&self) -> Result<Value, Answer> {
        self.topology_or_wait()?;
        let quarantine = self.agent.quarantine().unwrap_or_default();
        let contest = self.agent.contest(now());
        let shown: Vec<Value> = quarantine.shown.iter().map(|one| self.foreign_glance(one, &contest)).collect();
        let hidden: Vec<Value> = quarantine
            .hidden
            .iter()
            .map(|(namespace, count)| json!({ "signed-for": self.name_of(namespace), "proposals": count }))
            .collect();
        Ok(json!({ "proposals": shown, "not-shown": quarantine.hidden_total, "not-shown-of": hidden }))
    }

    fn foreign_glance(&self, foreign: &Foreign, contest: &Contest) -> Value {
        let transaction = foreign.transaction();
        json!({
            "transaction": transaction.hash().to_string(),
            "kind": transaction.mapping().code().name(),
            "subject": subject(transaction.mapping()),
            "operation": transaction.operation().name(),
            "serial": transaction.serial(),
            "proposed-at": moment(foreign.sequenced),
            "signed-for": foreign.namespaces.iter().map(|one| self.name_of(one)).collect::<Vec<_>>(),
            "complete": foreign.merged.missing.is_empty(),
            "asleep": foreign.merged.asleep,
            "asks-me": self.is_asked(foreign),
            "rivals": contest.against(transaction).len(),
        })
    }

    /// Whether a key of this owner would count for it and has not signed it.
    fn is_asked(&self, foreign: &Foreign) -> bool {
        let Some(state) = self.agent.state() else { return false };
        let me = self.agent.me();
        let hosted = me.host.iter().map(|(_, key)| key);
        let mine = me.keys.iter().chain(hosted).map(SigningPublicKey::fingerprint).collect();
        let counting = planner::permissible(state, foreign.transaction(), &mine);
        let signers = foreign.signers();
        counting.keys().any(|key| !signers.contains(key))
    }

    pub(super) fn foreign_show(&self, hash: &TransactionHash) -> Result<Value, Answer> {
        let state = self.topology_or_wait()?;
        let foreign = self.known_foreign(hash)?;
        let contest = self.agent.contest(now());
        let transaction = foreign.transaction();
        let transactions = std::slice::from_ref(transaction);
        let dangers = dangers(transactions, state, &self.agent.signed_anywhere());
        let mut value = self.foreign_glance(&foreign, &contest);
        value["fields"] = show::transaction(transaction)
            .iter()
            .map(|line| json!({ "path": line.path, "value": line.value }))
            .collect();
        value["differences"] = described(transactions, state).into();
        value["signatures"] = foreign.signers().iter().map(|key| self.key_of(key)).collect();
        value["missing"] = self.missing(transaction, &foreign.merged.missing);
        value["dangers"] = dangers.iter().map(ToString::to_string).collect();
        value["not-signable"] = transaction.unshown().iter().map(ToString::to_string).collect();
        value["adds"] = added(transaction, state).iter().map(|one| format!("{} {one}", one.what())).collect();
        value["rivals"] = contest.against(transaction).into_iter().map(|one| self.rival(one)).collect();
        value["hint"] = "nobody signs it from here; `foreign adopt` makes a case of it".into();
        Ok(value)
    }

    fn known_foreign(&self, hash: &TransactionHash) -> Result<Foreign, Answer> {
        self.agent.foreign(hash).ok_or_else(|| {
            let reason = format!("{hash} is not open on the synchronizer, or belongs to a case; see `foreign list`");
            Answer::failed("UnknownProposal", reason)
        })
    }

    pub(super) fn adopt(
        &self,
        hash: &TransactionHash,
        reason: &str,
        deadline_s: u64,
        accepts: &[String],
    ) -> Result<(Answer, Option<Statement>), Answer> {
        self.topology_or_wait()?;
        let transaction = self.known_foreign(hash)?.transaction().bytes().to_vec();
        self.propose(Proposal::new(Change::Adopt(Adopt { transaction }), reason, deadline_s, accepted(accepts)?))
    }

    pub(super) fn rebase(
        &self,
        id: &CaseId,
        why: Option<&str>,
        deadline_s: u64,
        accepts: &[String],
    ) -> Result<(Answer, Option<Statement>), Answer> {
        let state = self.topology_or_wait()?;
        let Some((case, standing)) = self.agent.case(id).zip(self.standing(id)) else {
            return Err(Answer::failed("UnknownCase", id));
        };
        let rebased = rebase(case, &standing, state).map_err(|error| Answer::failed(error.name(), error))?;
        let reason = why.map_or(rebased.reason, |why| format!("rebases {id}: {why}"));
        let (answer, statement) =
            self.propose(Proposal::new(rebased.change, &reason, deadline_s, accepted(accepts)?))?;
        let Answer::Done { mut value } = answer else { return Ok((answer, statement)) };
        value["rebases"] = id.to_string().into();
        value["dead-signatures"] = rebased
            .dead
            .iter()
            .map(|dead| {
                let signers: Vec<Value> = dead.signers.iter().map(|key| self.key_of(key)).collect();
                json!({ "transaction": dead.transaction.to_string(), "lost-to": dead.by.to_string(), "signed-by": signers })
            })
            .collect();
        value["alive"] = json!(rebased.alive);
        Ok((Answer::Done { value }, statement))
    }

    /// A key with the name under which the book has it.
    pub(super) fn key_of(&self, key: &Fingerprint) -> Value {
        let me = self.agent.me();
        let hosted = me.host.iter().map(|(_, key)| key);
        let is_mine = me.keys.iter().chain(hosted).any(|own| own.fingerprint_ref() == key);
        let known = || self.agent.book().by_key(key).map(|entry| entry.name.clone());
        let namespace = Namespace::from(key.clone());
        let by_owner = || self.agent.book().by_namespace(&namespace).map(|entry| entry.name.clone());
        let by_host = || self.host_named(&namespace);
        let name = if is_mine { Some("me".to_owned()) } else { known().or_else(by_owner).or_else(by_host) };
        json!({ "name": name, "key": key.to_string() })
    }

    /// The words for a namespace that is a participant's, where a card of the book names that participant.
    pub(super) fn host_named(&self, namespace: &Namespace) -> Option<String> {
        let is_its = |entry: &&Entry| entry.card.host.as_ref().is_some_and(|host| host.namespace() == namespace);
        self.agent.book().entries().iter().find(is_its).map(|entry| format!("{}'s participant", entry.name))
    }

    /// Who signed what of a case's newest offer, and from where each signature is known.
    pub(super) fn signatures(&self, standing: Option<&Standing>) -> Value {
        let merged = standing.map_or(&[][..], |standing| &standing.merged);
        let of_one = |one: &protocol::merge::Merged| {
            let signed = one.signed.signers().into_iter().map(|key| {
                let mut value = self.key_of(&key);
                let is_shown = one.from_synchronizer.contains(&key);
                value["from"] = if is_shown { "the synchronizer" } else { "the case" }.into();
                value
            });
            let signed: Vec<Value> = signed.collect();
            json!({ "transaction": one.signed.transaction.hash().to_string(), "by": signed, "asleep": one.asleep })
        };
        merged.iter().map(of_one).collect()
    }

    /// What else waits for the serials of a case's newest offer, the nearest first.
    pub(super) fn rivals(&self, case: &Case) -> Value {
        let contest = self.agent.contest(now());
        contest.against_case(case).into_iter().map(|one| self.rival(one)).collect()
    }

    fn rival(&self, contender: &Contender) -> Value {
        let from = match contender.origin {
            Origin::Case(case) => format!("case {case}"),
            Origin::Elsewhere => "elsewhere".to_owned(),
        };
        json!({
            "from": from,
            "transaction": contender.slot.transaction.to_string(),
            "serial": contender.slot.serial,
            "signed-by": contender.signers.iter().map(|key| self.key_of(key)).collect::<Vec<_>>(),
            "lacks": contender.lacks,
        })
    }
}

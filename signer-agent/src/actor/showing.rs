//! What the owner is shown: cases, what each would change, and what is missing.

use std::collections::BTreeSet;

use canton_topology::{id::Namespace, judge::Verifier, planner, show::moment, state::State, transaction::Transaction};
use protocol::{
    case::Case,
    difference::Difference,
    intent::CaseId,
    life::{Standing, Status, standing},
    naming::subject,
    stage::Stage,
};
use serde_json::{Value, json};

use super::{Actor, error_name, now};
use crate::outgoing::Entry;

impl Actor {
    pub(super) fn standing(&self, id: &CaseId) -> Option<Standing> {
        let case = self.agent.case(id)?;
        Some(standing(case, self.agent.state(), &mut Verifier::default(), now()))
    }

    pub(super) fn status(&self) -> Value {
        let me = self.agent.me();
        json!({
            "owner": me.owner.to_string(),
            "identity": me.identity.to_string(),
            "synchronizer": me.synchronizer.to_string(),
            "participant": me.host.as_ref().map(|(id, _)| id.to_string()),
            "topology": self.agent.state().map(|state| state.rows().count()),
            "topology-seen": moment(self.agent.topology_seen()),
            "coordinator": self.agent.coordinator().to_string(),
            "coordinator-seen": self.coordinator_seen.map(moment),
            "book": self.agent.book().entries().len(),
            "cases": self.agent.cases().count(),
            "drills": self.drills(),
            "waiting-for-keys": self.waiting.live().count(),
            "waiting-to-be-posted": self.outgoing.waiting().count(),
        })
    }

    pub(super) fn glance(&self, case: &Case, standing: Option<&Standing>) -> Value {
        json!({
            "case": case.id().to_string(),
            "workflow": case.intent().change.name(),
            "proposer": self.name_of(&case.intent().proposer),
            "reason": case.intent().reason,
            "status": standing.map(|standing| standing.status.name()),
            "approved": case.is_approved_by(&self.agent.me().owner),
            "live": standing.map_or(0, |standing| standing.live.len()),
            "waits-for": self.waits_for(&case.id()),
        })
    }

    /// The name in the book, with the whole fingerprint beside it.
    pub(super) fn name_of(&self, owner: &Namespace) -> Value {
        json!({ "name": self.known_as(owner), "namespace": owner.to_string() })
    }

    /// How this owner calls a namespace, where it knows it.
    pub(super) fn known_as(&self, owner: &Namespace) -> Option<String> {
        let me = self.agent.me();
        let is_own_node = me.host.as_ref().is_some_and(|(host, _)| host.namespace() == owner);
        let own = (*owner == me.owner).then(|| "me".to_owned());
        let own = own.or_else(|| is_own_node.then(|| "my participant".to_owned()));
        let known = own.or_else(|| self.agent.book().by_namespace(owner).map(|entry| entry.name.clone()));
        known.or_else(|| self.host_named(owner))
    }

    pub(super) fn show(&self, id: &CaseId) -> Value {
        let Some(case) = self.agent.case(id) else { return Value::Null };
        let standing = self.standing(id);
        // What is over is not judged any more, and lacks nothing.
        let is_open = standing.as_ref().is_some_and(|standing| standing.status.is_open());
        let verdict = match self.agent.verify(id, now()) {
            _ if !is_open => Value::Null,
            Ok(verified) => json!({
                "verified": true,
                "signs": verified.requests().len(),
                "dangers": verified.dangers().iter().map(ToString::to_string).collect::<Vec<_>>(),
                "goes-with-it": verified.cascade().lines(),
                "consequences": verified.consequences().iter().map(ToString::to_string).collect::<Vec<_>>(),
                "later": verified.later().iter().map(|stage| lines(stage)).collect::<Vec<_>>(),
            }),
            Err(error) => {
                json!({ "verified": false, "name": error_name(&error), "reason": self.named(&error.to_string()) })
            }
        };
        let mut value = self.glance(case, standing.as_ref());
        let missing: Vec<Value> = standing
            .iter()
            .filter(|_| is_open)
            .flat_map(Standing::missing)
            .map(|(transaction, missing)| self.missing(transaction, missing))
            .collect();
        value["stage"] = json!(standing.as_ref().and_then(|standing| standing.stage).map(stage_words));
        value["obstacle"] = json!(standing.as_ref().and_then(|standing| standing.obstacle.clone()));
        value["status-detail"] = json!(standing.as_ref().map(|standing| &standing.status));
        self.explain_reason(id, &mut value["status-detail"]);
        value["deadline"] = json!(case.intent().deadline);
        value["offer"] = json!(case.offer().map(|offered| offered.hash.to_string()));
        value["head"] = json!(hex::encode(case.checkpoint().head));
        value["verdict"] = verdict;
        let mut seen = BTreeSet::new();
        let owners = case.approvals().iter().map(|approval| &approval.owner).filter(|owner| seen.insert(*owner));
        value["approvals"] = owners.map(|owner| self.name_of(owner)).collect();
        value["declines"] = case
            .declines()
            .iter()
            .map(|decline| json!({ "by": self.name_of(&decline.owner), "reason": decline.reason }))
            .collect();
        value["missing"] = missing.into();
        let open = standing.as_ref().filter(|_| is_open);
        let mut lacking = open.map(|standing| self.lacking(standing)).unwrap_or_default();
        if !lacking.is_empty() {
            lacking.extend(self.suffices(&case.intent().change));
        }
        value["lacking"] = lacking.into();
        value["signatures"] = self.signatures(standing.as_ref());
        value["rivals"] = self.rivals(case);
        value["submissions"] = self.submissions_of(id);
        value["alive"] = json!(standing.as_ref().map(|standing| &standing.live));
        value["after"] = json!(case.intent().after.as_ref().map(|after| after.case.to_string()));
        value["verified"] = match standing.as_ref().map(|standing| &standing.status) {
            Some(Status::Effective { .. }) => self.verified(case),
            Some(_) | None => Value::Null,
        };
        value["differences"] = self.differences(case, standing.as_ref()).into();
        value["transactions"] = case.offer().map(|offered| named(&offered.transactions)).unwrap_or_default().into();
        value
    }

    pub(super) fn missing(&self, transaction: &Transaction, missing: &protocol::merge::Missing) -> Value {
        let namespaces: Vec<Value> = missing
            .namespaces
            .iter()
            .map(|one| {
                let owners: Vec<Value> = one.owners.iter().map(|owner| self.name_of(owner)).collect();
                json!({ "namespace": one.namespace.to_string(), "more": one.more, "of": owners })
            })
            .collect();
        json!({ "transaction": transaction.hash().to_string(), "namespaces": namespaces, "keys": missing.keys })
    }

    /// Before and after, as this agent's own topology has it.
    fn differences(&self, case: &Case, standing: Option<&Standing>) -> Vec<Value> {
        let open = standing.is_some_and(|standing| standing.status.is_open() || standing.status == Status::Withdrawn);
        let Some((offered, state)) = case.offer().zip(self.agent.state()).filter(|_| open) else {
            return Vec::new();
        };
        described(&offered.transactions, state)
    }
}

pub(super) fn outgoing_entry(entry: &Entry) -> Value {
    json!({
        "case": entry.statement.case().ok().map(|case| case.to_string()),
        "kind": entry.statement.kind().name(),
        "statement": entry.statement.hash().to_string(),
        "made": moment(entry.made_at),
        "state": if entry.refused.is_none() { "waits to be posted" } else { "refused by the coordinator" },
        "refused": entry.refused.as_ref().map(|refused| json!({ "name": refused.name, "reason": refused.reason })),
    })
}

/// What each of these is about. What has ended is known by it, when before and after are the same by now.
fn named(transactions: &[Transaction]) -> Vec<Value> {
    let one = |transaction: &Transaction| {
        json!({
            "transaction": transaction.hash().to_string(),
            "kind": transaction.mapping().code().name(),
            "subject": subject(transaction.mapping()),
            "operation": transaction.operation().name(),
            "serial": transaction.serial().get(),
        })
    };
    transactions.iter().map(one).collect()
}

/// What each of these would change, with those before it taken for accepted.
pub(super) fn described(transactions: &[Transaction], state: &State) -> Vec<Value> {
    let mut scratch = state.clone();
    let mut all = Vec::new();
    for transaction in transactions {
        let difference = protocol::difference::difference(transaction, &scratch);
        let required = planner::required(&scratch, transaction).mentioned();
        all.push(describe(transaction, &difference, required.namespaces.len()));
        scratch.assume(transaction);
    }
    all
}

fn describe(transaction: &Transaction, difference: &Difference, asked: usize) -> Value {
    json!({
        "transaction": transaction.hash().to_string(),
        "kind": difference.kind,
        "subject": difference.subject,
        "operation": difference.operation.name(),
        "serial": { "before": difference.serial_before, "after": difference.serial_after },
        "changes": difference.changes.iter().map(|change| json!({
            "what": change.fact.to_string(),
            "before": change.before,
            "after": change.after,
        })).collect::<Vec<_>>(),
        "unchanged": difference.unchanged.iter().map(|(fact, value)| format!("{fact}: {value}")).collect::<Vec<_>>(),
        "namespaces-asked": asked,
    })
}

fn lines(stage: &[Difference]) -> Vec<String> {
    stage.iter().flat_map(Difference::lines).collect()
}

fn stage_words(stage: Stage) -> String {
    format!("stage {} of {}", stage.number, stage.of)
}

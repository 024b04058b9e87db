//! What a node's refusal means: by the table of all refusals, and where Canton hides its reason, by our own rules.

use canton_client::explain::{self, is_redacted, trace_id};
use canton_topology::id::Namespace;
use protocol::{
    intent::{CaseId, Change},
    lacking::{lacking, suffices},
    life::{Standing, Status},
    naming::with_names,
};
use serde_json::Value;

use super::Actor;
use crate::{control::Answer, explained::Explained};

/// The ids that Canton hides behind one text, as its log has them.
const HIDDEN: &str = "TOPOLOGY_UNAUTHORIZED_TRANSACTION or TOPOLOGY_INVALID_TX_SIGNATURE";

impl Actor {
    /// What a refusal about a case means.
    pub(super) fn explain(&self, id: Option<&CaseId>, text: &str) -> Option<Explained> {
        let line = explain::of_text(text)?;
        let is_about_signatures = line.id == "InvalidArgument" && is_redacted(text);
        match id.and_then(|id| self.standing(id)).filter(|_| is_about_signatures) {
            Some(standing) => Some(self.uncovered(&standing, text)),
            None => Some(line.into()),
        }
    }

    /// Canton does not say why; our planner does, with the names of the owner's own book.
    fn uncovered(&self, standing: &Standing, text: &str) -> Explained {
        let trace = trace_id(text);
        let hidden = match trace {
            Some(trace) => format!("Canton hides the reason (trace id {trace})"),
            None => "Canton hides the reason, and tells no trace id".to_owned(),
        };
        let lacking = self.lacking(standing);
        if !lacking.is_empty() {
            let cause = format!("{hidden}; by our own rules: {}", lacking.join("; "));
            return Explained { cause, fix: "let them sign; it is handed in again when they have".to_owned() };
        }
        let stands = match standing.status {
            Status::Effective { .. } => "it is effective by now",
            _ => "it is complete",
        };
        let search = trace.map_or_else(|| HIDDEN.to_owned(), |trace| format!("trace id {trace}"));
        let fix = format!(
            "look for {search} in the node's log: the node sees another topology than this agent, or the signatures were \
             changed on the way"
        );
        Explained { cause: format!("{hidden}; by our own rules {stands}"), fix }
    }

    /// Who must sign still, by the names of the book, and why.
    pub(super) fn lacking(&self, standing: &Standing) -> Vec<String> {
        lacking(standing, |owner| self.called(owner))
    }

    /// Who suffices in their place.
    pub(super) fn suffices(&self, change: &Change) -> Option<String> {
        suffices(change, |owner| self.called(owner))
    }

    /// The name in the book and the whole fingerprint.
    fn called(&self, owner: &Namespace) -> String {
        match (self.agent.book().by_namespace(owner), self.known_as(owner)) {
            (Some(entry), _) => format!("owner {} ({owner})", entry.name),
            (None, Some(name)) => format!("{name} ({owner})"),
            (None, None) => format!("somebody who is not in the book ({owner})"),
        }
    }

    /// A refusal as this owner reads it: with the names of the book in the place of owners and participants.
    pub(super) fn named(&self, text: &str) -> String {
        with_names(text, |id| {
            let participant = || self.agent.book().by_host(&id.parse().ok()?).map(|entry| entry.name.clone());
            let owner = || self.known_as(&id.parse().ok()?);
            if id.contains("::") { participant().map(|name| format!("{name}'s participant")) } else { owner() }
        })
    }

    /// The same for a whole answer.
    pub(super) fn with_names(&self, mut answer: Answer) -> Answer {
        if let Answer::Failed { reason, .. } | Answer::NotYet { reason, .. } | Answer::Waits { reason, .. } =
            &mut answer
        {
            *reason = self.named(reason);
        }
        answer
    }

    /// Puts cause and fix beside the reason of a refusal that is shown.
    pub(super) fn explain_reason(&self, id: &CaseId, shown: &mut Value) {
        let explained = shown["reason"].as_str().and_then(|reason| self.explain(Some(id), reason));
        explained.into_iter().for_each(|explained| explained.write(shown));
    }
}

//! What the agent's thread does where the coordinator does not: complete sets, records of what was handed in, and cases for
//! another coordinator.

use protocol::{case::Case, intent::CaseId};
use serde_json::{Value, json};
use tracing::warn;

use super::{Actor, History, now};
use crate::{
    control::Answer,
    explained::Explained,
    finish::{Finisher, NotFinished, Record, Submission},
};

impl Actor {
    pub(super) fn complete(&self, reference: &str) -> Result<Submission, Answer> {
        let id = self.case(reference)?;
        Finisher::at_once(&self.agent, &id, now()).map_err(|error| match error {
            NotFinished::NoOffer | NotFinished::NotNow => Answer::not_yet(error),
            NotFinished::Not(_) => Answer::failed("NotSubmitted", error).meaning(self.who_is_missing(&id)),
        })
    }

    /// What a node would not say of an incomplete case.
    fn who_is_missing(&self, id: &CaseId) -> Option<Explained> {
        let lacking = self.standing(id).map(|standing| self.lacking(&standing)).unwrap_or_default();
        let fix = "let them sign; it is handed in when they have".to_owned();
        (!lacking.is_empty()).then(|| Explained { cause: lacking.join("; "), fix })
    }

    pub(super) fn handed_in(&mut self, record: Record) {
        self.finisher.handed_in(&record);
        let (lines, records) = &mut self.submissions;
        if let Err(error) = lines.append(&record) {
            warn!(%error, "what was handed in is not kept");
        }
        records.push(record);
    }

    pub(super) fn submissions_of(&self, id: &CaseId) -> Value {
        let of_case = self.submissions.1.iter().filter(|record| record.case == *id);
        let told = |record| {
            let mut value = json!(record);
            self.explain_reason(id, &mut value["answer"]);
            value
        };
        of_case.map(told).collect()
    }

    pub(super) fn histories(&self, reference: Option<&str>) -> Result<Vec<History>, Answer> {
        let wanted: Vec<CaseId> = match reference {
            Some(reference) => vec![self.case(reference)?],
            None => self.agent.cases().filter(|case| !self.is_over(case)).map(Case::id).collect(),
        };
        let whole = wanted.iter().filter_map(|id| self.agent.whole_case(id));
        Ok(whole.map(|case| (case.id(), case.statements().to_vec())).collect())
    }

    /// Whether it has ended and nothing of it is alive.
    fn is_over(&self, case: &Case) -> bool {
        self.standing(&case.id()).is_some_and(|standing| !standing.status.is_open() && standing.live.is_empty())
    }
}

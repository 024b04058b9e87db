//! What the shell does without the coordinator, or for another one: handing complete cases in by the owner's participant, and
//! handing cases over.

use std::time::Duration;

use canton_topology::transaction::SignedTransaction;
use serde_json::json;
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::Shell;
use crate::{
    actor::{Message, now},
    control::{Answer, CaseRef},
    finish::{Record, Submission, Told},
};

/// How often the agent looks whether it is its turn to hand a complete case in.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Shell {
    pub(super) async fn follow_complete_cases(self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let (reply, answer) = oneshot::channel();
            self.tell(Message::Due(reply)).await;
            for submission in answer.await.unwrap_or_default() {
                let record = self.hand_in(&submission, false).await;
                match &record.answer {
                    Told::Taken => {
                        info!(case = %record.case, "complete and not submitted: handed in without the coordinator")
                    }
                    Told::Unknown { reason } | Told::Refused { reason } => {
                        warn!(case = %record.case, %reason, "complete and not submitted, and our participant does not take it");
                    }
                }
            }
        }
    }

    /// The same bytes each time, so once too often does no harm. Whether it is effective, topology says.
    async fn hand_in(&self, submission: &Submission, by_command: bool) -> Record {
        let answer = self.node.add(&self.synchronizer, &submission.transactions).await;
        let hash = |signed: &SignedTransaction| signed.transaction.hash();
        let record = Record {
            case: submission.case,
            offer: submission.offer,
            transactions: submission.transactions.iter().map(hash).collect(),
            at: now(),
            by_command,
            answer: answer.into(),
        };
        self.tell(Message::HandedIn(record.clone())).await;
        record
    }

    /// `submit`.
    pub(super) async fn submit_case(&self, case: CaseRef) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.tell(Message::Complete { case, reply }).await;
        let submission = match answer.await {
            Ok(Ok(submission)) => submission,
            Ok(Err(answer)) => return answer,
            Err(_) => return Answer::failed("Stopped", "the agent is stopping"),
        };
        let record = self.hand_in(&submission, true).await;
        match &record.answer {
            Told::Taken => Answer::Done { value: json!(record) },
            Told::Unknown { reason } => Answer::not_yet(format!("nobody knows whether it was taken: {reason}")),
            Told::Refused { reason } => Answer::failed("Participant", reason),
        }
    }

    /// `hand-over`.
    pub(super) async fn hand_over(&self, case: Option<CaseRef>) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.tell(Message::Histories { case, reply }).await;
        let histories = match answer.await {
            Ok(Ok(histories)) => histories,
            Ok(Err(answer)) => return answer,
            Err(_) => return Answer::failed("Stopped", "the agent is stopping"),
        };
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        for (case, statements) in histories {
            match self.link.hand_over(&statements).await {
                Ok(answer) => {
                    taken.push(json!({ "case": answer.case, "statements": answer.statements, "head": answer.head }))
                }
                Err(error) => refused.push(format!("case {case}: {error}")),
            }
        }
        if refused.is_empty() {
            return Answer::Done { value: json!({ "taken-over": taken }) };
        }
        Answer::failed("HandOver", format!("{} taken over; not these: {}", taken.len(), refused.join("; ")))
    }
}

//! The commands in which a hosting takes part: its own, and those that it holds up or advises.

use std::time::Duration;

use canton_topology::id::PartyId;
use protocol::hosting::HostingStep;
use tokio::sync::oneshot;

use super::{Shell, in_turn::Why};
use crate::{
    actor::Message,
    control::{Answer, Request, Wanted},
    hosting::{command, error::StepError, source::Looked},
};

/// How often what leads to a signature is tried again while a new host's answer is awaited.
const SIGN_AGAIN_EVERY: Duration = Duration::from_millis(500);
/// How many times.
const SIGN_LOOKS: usize = 20;

impl Shell {
    /// Obeys such a command.
    pub(super) async fn hosted(&self, request: Request) -> Answer {
        match request {
            Request::WorkflowRun { case, confirm, backup, archives, sealed } => {
                match command::confirmed(confirm, backup, archives, sealed) {
                    Ok(confirmed) => command::run(&self.follower, &case, confirmed).await,
                    Err(reason) => Answer::failed("Confirm", reason),
                }
            }
            Request::Workflow { case } => command::show(&self.follower, &case).await,
            Request::Status => {
                let mut answer = self.decide(Request::Status).await;
                if let Answer::Done { value } = &mut answer {
                    value["alarms"] = self.follower.alarms().await.into();
                }
                answer
            }
            Request::Propose { change: Wanted::Host(host), reason, deadline_s, accepts } => {
                let (host, advice) = match command::advised(&self.follower, host).await {
                    Ok(advised) => advised,
                    Err(answer) => return answer,
                };
                let request = Request::Propose { change: Wanted::Host(host), reason, deadline_s, accepts };
                command::with_advice(self.decide(request).await, advice)
            }
            Request::Propose { change: Wanted::Membership { of, change }, reason, deadline_s, accepts }
                if !change.add_hosts.is_empty() =>
            {
                self.change_with_hosts(Why { of, reason, deadline_s, accepts }, change).await
            }
            other => self.signed(other).await,
        }
    }

    /// Whether a party must never have been used for a signature to be right, and was: looked at on the owner's own node right
    /// before signing, as it may have been used since it was proposed.
    async fn used_since(&self, request: &Request) -> Option<Answer> {
        let (Request::Approve { case, .. } | Request::Hash { case, .. } | Request::Contribute { case, .. }) = request
        else {
            return None;
        };
        let (reply, answer) = oneshot::channel();
        self.tell(Message::MustBeUnused { case: case.clone(), reply }).await;
        for party in answer.await.unwrap_or_default() {
            if let Some(used) = self.is_used(&party).await {
                return Some(used);
            }
        }
        None
    }

    async fn is_used(&self, party: &PartyId) -> Option<Answer> {
        match self.follower.runner.look(party).await {
            // That nothing was ever there is for the proposer or the source to say; here it is what would be left behind now.
            Ok(Looked::Unused(_) | Looked::Unknown(_)) | Err(StepError::NoLedger) => None,
            Ok(Looked::Used(why)) => {
                let reason = format!(
                    "{why}, since this was proposed: a new host would come without what the party has; propose it again, \
                     and that is carried over"
                );
                Some(Answer::failed("Used", reason))
            }
            Err(error) if error.passes() => Some(Answer::not_yet(error)),
            Err(error) => Some(Answer::failed(error.name(), &error)),
        }
    }

    /// What leads to a signature. Where a fresh answer of a new host is all that is missing, it is asked for, and the
    /// command is obeyed again.
    async fn signed(&self, request: Request) -> Answer {
        if let Some(used) = self.used_since(&request).await {
            return used;
        }
        let mut answer = self.decide(request.clone()).await;
        let Answer::NotYet { reason, .. } = &answer else { return answer };
        let (Request::Approve { case, .. } | Request::Hash { case, .. } | Request::Contribute { case, .. }) = &request
        else {
            return answer;
        };
        if !reason.contains(HostingStep::Disconnect.name()) || !self.follower.asked_for(case).await {
            return answer;
        }
        for _ in 0..SIGN_LOOKS {
            tokio::time::sleep(SIGN_AGAIN_EVERY).await;
            answer = self.decide(request.clone()).await;
            if !matches!(answer, Answer::NotYet { .. }) {
                break;
            }
        }
        answer
    }
}

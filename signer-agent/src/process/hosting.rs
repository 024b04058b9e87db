//! The commands in which a hosting takes part: its own, and those that it holds up or advises.

use std::time::Duration;

use protocol::hosting::HostingStep;

use super::Shell;
use crate::{
    control::{Answer, Request, Wanted},
    hosting::command,
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
            other => self.signed(other).await,
        }
    }

    /// What leads to a signature. Where a fresh answer of a new host is all that is missing, it is asked for, and the
    /// command is obeyed again.
    async fn signed(&self, request: Request) -> Answer {
        let mut answer = self.decide(request.clone()).await;
        let Answer::NotYet { reason } = &answer else { return answer };
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

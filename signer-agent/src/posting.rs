//! Posts what the owner has said, one statement after the other, until the coordinator has it or refuses it for good.

use std::{sync::Arc, time::Duration};

use protocol::statement::{Statement, StatementHash};
use tokio::sync::{Notify, broadcast, mpsc, oneshot};
use tracing::warn;

use crate::{
    actor::Message,
    coordinator_link::{Link, LinkError},
    outgoing::{Refused, Settled, is_final},
};

/// How long after a failure a statement is posted again.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// How much news waits for somebody to read it.
const NEWS_MAX: usize = 256;

/// What became of a statement.
type News = (StatementHash, Settled);

/// The task's other end.
#[derive(Clone, Debug)]
pub struct Posting {
    wake: Arc<Notify>,
    news: broadcast::Sender<News>,
}

impl Posting {
    /// Starts the task.
    pub fn start(link: Link, sender: mpsc::Sender<Message>) -> Self {
        let posting = Self { wake: Arc::new(Notify::new()), news: broadcast::channel(NEWS_MAX).0 };
        tokio::spawn(posting.clone().run(link, sender));
        posting
    }

    /// Something new waits.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// From now on, what becomes of statements.
    pub fn listen(&self) -> Ear {
        Ear(self.news.subscribe())
    }

    async fn run(self, link: Link, sender: mpsc::Sender<Message>) {
        loop {
            let mut is_stuck = false;
            for statement in waiting(&sender).await {
                if let Some(settled) = post(&link, &statement).await {
                    self.settle(&sender, statement.hash(), settled).await;
                } else {
                    is_stuck = true;
                    break;
                }
            }
            if is_stuck {
                tokio::time::sleep(RETRY_AFTER).await;
            } else {
                self.wake.notified().await;
            }
        }
    }

    async fn settle(&self, sender: &mpsc::Sender<Message>, hash: StatementHash, settled: Settled) {
        let (reply, done) = oneshot::channel();
        let message = Message::Settled { hash, settled: settled.clone(), reply };
        // The thread ends with the process alone.
        let _ = sender.send(message).await;
        let _ = done.await;
        let _ = self.news.send((hash, settled));
    }
}

/// Hears what becomes of statements.
pub struct Ear(broadcast::Receiver<News>);

impl Ear {
    /// Waits for news of one statement; `None` where there will be none.
    pub async fn of(&mut self, hash: StatementHash) -> Option<Settled> {
        loop {
            match self.0.recv().await {
                Ok((of, settled)) if of == hash => return Some(settled),
                Ok(_) => {}
                // Whoever missed it finds it in `list`.
                Err(broadcast::error::RecvError::Lagged(_) | broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

async fn waiting(sender: &mpsc::Sender<Message>) -> Vec<Statement> {
    let (reply, answer) = oneshot::channel();
    let _ = sender.send(Message::Waiting(reply)).await;
    answer.await.unwrap_or_default()
}

/// One attempt; `None` where it should be made again.
async fn post(link: &Link, statement: &Statement) -> Option<Settled> {
    match link.post_statement(statement).await {
        Ok(_) => Some(Settled::Taken),
        Err(LinkError::Refused(problem)) if is_final(&problem) => {
            warn!(statement = %statement.hash(), kind = statement.kind().name(), name = problem.kind, reason = problem.detail, "the coordinator refused a statement for good; it is dropped");
            Some(Settled::Refused(Refused { name: problem.kind, reason: problem.detail }))
        }
        Err(error) => {
            warn!(%error, statement = %statement.hash(), "not posted yet");
            None
        }
    }
}

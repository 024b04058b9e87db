//! The thread that decides and signs, and the word that it has ended: it may panic where nobody waits for it.

use std::{io, thread};

use tokio::sync::oneshot;

/// Ends when the thread does, whatever the reason.
pub type Acting = oneshot::Receiver<()>;

/// Starts the thread.
///
/// # Errors
/// Where the system gives none.
pub fn start(act: impl FnOnce() + Send + 'static) -> io::Result<Acting> {
    let (alive, acting) = oneshot::channel();
    let run = move || {
        let _alive = alive;
        act();
    };
    thread::Builder::new().name("agent".to_owned()).spawn(run)?;
    Ok(acting)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{sync::mpsc, time::Duration};

    use tokio::time::timeout;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_thread_that_panics_is_known_to_have_ended_and_one_that_works_is_not() {
        let (end, ended) = mpsc::channel::<()>();
        let mut acting = start(move || {
            let _ = ended.recv();
            panic!("as anything may");
        })
        .unwrap();
        assert_eq!(acting.try_recv(), Err(oneshot::error::TryRecvError::Empty));

        drop(end);

        assert!(timeout(LONG, acting).await.unwrap().is_err());
    }
}

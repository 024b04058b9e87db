//! The control socket: how the operator's commands reach the running process. Mode 0600 in a folder of mode 0700, and
//! the other end must be the same user.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream as BlockingStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader as AsyncBufReader},
    net::{UnixListener, UnixStream},
    sync::watch,
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use crate::{clock, enrolment, store::Store, tls::authority::Authority};

/// Longest command, in bytes.
const COMMAND_BYTES_MAX: u64 = 4096;
/// Longest time for a command or its answer.
const TIME_MAX: Duration = Duration::from_secs(10);
/// Longest path of a Unix socket, in bytes, on Linux.
const PATH_BYTES_MAX: usize = 107;

/// A command, one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
enum Command {
    /// An invitation for a name; `hours` where it is not the configured time.
    Invite { owner: String, hours: Option<u64> },
}

/// The answer, one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Invitation(String),
    Error(String),
}

/// What commands are carried out with.
pub struct Control {
    /// Where everything stays.
    pub store: Arc<dyn Store>,
    /// Whose hash stands in invitations.
    pub authority: Arc<Authority>,
    /// The address that stands in invitations.
    pub address: String,
    /// How long an invitation is good.
    pub lifetime: Duration,
}

/// Binds the socket. Whoever holds the store is the only one here, so a socket that is there already is a dead one's.
///
/// # Errors
/// Where the path is too long, or the system refuses.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    let length = path.as_os_str().len();
    if length > PATH_BYTES_MAX {
        let reason =
            format!("its path has {length} bytes, a socket's at most {PATH_BYTES_MAX}; choose a shorter data folder");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves commands, one after the other, until told to stop.
pub async fn serve(listener: UnixListener, control: Arc<Control>, mut stop: watch::Receiver<bool>) {
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "a command could not be accepted");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        match timeout(TIME_MAX, obey(stream, &control)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, "a command failed"),
            Err(_) => warn!("a command took too long"),
        }
    }
}

async fn obey(mut stream: UnixStream, control: &Arc<Control>) -> io::Result<()> {
    let user = stream.peer_cred()?.uid();
    let own = rustix::process::geteuid().as_raw();
    if user != own && user != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("user {user} is not ours ({own})")));
    }
    let mut line = String::new();
    AsyncBufReader::new((&mut stream).take(COMMAND_BYTES_MAX)).read_line(&mut line).await?;
    let answer = match serde_json::from_str(&line) {
        Err(error) => Answer::Error(format!("not a command: {error}")),
        Ok(command) => {
            let control = Arc::clone(control);
            spawn_blocking(move || control.carry_out(command)).await.map_err(io::Error::other)?
        }
    };
    let mut answer = serde_json::to_string(&answer)?;
    answer.push('\n');
    stream.write_all(answer.as_bytes()).await
}

impl Control {
    fn carry_out(&self, command: Command) -> Answer {
        match command {
            Command::Invite { owner, hours } => match self.invite(&owner, hours) {
                Ok(invitation) => Answer::Invitation(invitation),
                Err(error) => Answer::Error(error.to_string()),
            },
        }
    }

    /// An invitation for a name.
    ///
    /// # Errors
    /// Where the name is not one, or the store fails.
    pub fn invite(&self, owner: &str, hours: Option<u64>) -> Result<String, enrolment::InviteError> {
        let lifetime = hours.map_or(self.lifetime, |hours| Duration::from_secs(hours.saturating_mul(3600)));
        let (store, now) = (self.store.as_ref(), clock::now());
        let invitation = enrolment::invite(store, &self.authority, owner, &self.address, lifetime, now)?;
        info!(owner, hours = lifetime.as_secs() / 3600, "an invitation was made");
        Ok(invitation.to_string())
    }
}

/// Why a command has no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// No process listens there.
    #[error("no coordinator runs on this data folder")]
    NotRunning,
    /// The socket breaks.
    #[error("the coordinator's socket {path}: {error}")]
    Socket {
        /// The socket.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// The coordinator says no.
    #[error("{0}")]
    Refused(String),
}

/// Asks the running process for an invitation.
///
/// # Errors
/// See [`AskError`].
pub fn ask_invitation(path: &Path, owner: &str, hours: Option<u64>) -> Result<String, AskError> {
    let broken = |error| AskError::Socket { path: path.display().to_string(), error };
    let mut stream = match BlockingStream::connect(path) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Err(AskError::NotRunning);
        }
        Err(error) => return Err(broken(error)),
    };
    stream.set_read_timeout(Some(TIME_MAX)).map_err(broken)?;
    let command = Command::Invite { owner: owner.to_owned(), hours };
    let mut line = serde_json::to_string(&command).map_err(|error| broken(error.into()))?;
    line.push('\n');
    stream.write_all(line.as_bytes()).map_err(broken)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).map_err(broken)?;
    match serde_json::from_str(&answer).map_err(|error| broken(error.into()))? {
        Answer::Invitation(invitation) => Ok(invitation),
        Answer::Error(reason) => Err(AskError::Refused(reason)),
    }
}

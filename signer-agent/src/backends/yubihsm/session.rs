//! A device behind its connector, and the one session that this process has with it.
//!
//! The session lives on a thread. What the connector sends is nobody's word before the crate has verified it, and the crate
//! panics at some of it: then the thread ends with the session, and the agent does not. Nor does it wait for longer than it
//! was told: the crate itself waits for each read.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use custody::keys::{
    KeyError,
    worker::{NoAnswer, Threads, Worker},
};
use secrecy::{ExposeSecret as _, SecretString};
use yubihsm::{Client, Connector, Credentials, client, device, object};

use super::{audit::AuditLog, objects::reference_of};

/// So many calls may hang at a time, beside the one that is asked next.
const HANGING_MAX: usize = 3;

/// With what a device is used.
pub struct Access {
    /// The id of the authentication key.
    pub auth_key: u16,
    /// Its password.
    pub password: SecretString,
    /// Where the device's audit log goes.
    pub audit_log: Option<PathBuf>,
    /// How long one call may take.
    pub time_limit: Duration,
}

/// A device and the one session that this process has with it. A device has 16 sessions, and one that nobody uses is free only
/// after 30 seconds: whoever needs the device uses the session that is there.
pub struct Device {
    threads: Threads<Line>,
    worker: Mutex<Option<Worker<Line>>>,
    audit: Option<Arc<AuditLog>>,
    time_limit: Duration,
}

/// What the thread has.
pub struct Line {
    connector: Connector,
    credentials: Credentials,
    audit: Option<Arc<AuditLog>>,
    client: Option<Client>,
}

impl Device {
    /// A device behind what `connect` makes: a connector in which the crate panicked cannot be used again. Nothing is
    /// sent yet.
    pub fn new(connect: impl Fn() -> Connector + Send + Sync + 'static, access: Access) -> Self {
        let credentials = Credentials::from_password(access.auth_key, access.password.expose_secret().as_bytes());
        let audit = access.audit_log.map(|path| Arc::new(AuditLog::new(path)));
        let kept = audit.clone();
        let make =
            move || Line { connector: connect(), credentials: credentials.clone(), audit: kept.clone(), client: None };
        let threads = Threads::new(super::KIND, HANGING_MAX + 1, make);
        Self { threads, worker: Mutex::new(None), audit, time_limit: access.time_limit }
    }

    /// The file to which its audit log goes.
    pub fn audit_log(&self) -> Option<&Path> {
        self.audit.as_ref().map(|audit| audit.path())
    }

    /// Has something done on the thread.
    ///
    /// # Errors
    /// What `job` says, or [`KeyError::Backend`] where it has said nothing in time, or panicked. The next call begins anew.
    pub fn call<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Line) -> Result<R, KeyError> + Send + 'static,
    ) -> Result<R, KeyError> {
        let until = Instant::now() + self.time_limit;
        // Whoever panicked here left no thread behind, or one as good as any.
        let mut kept = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        let worker = match kept.take() {
            Some(worker) => worker,
            None => self.threads.start().map_err(|none| self.words(none))?,
        };
        let done = worker.ask(job).by(until).map_err(|none| self.words(none))?;
        *kept = Some(worker);
        done
    }

    fn words(&self, no_answer: NoAnswer) -> KeyError {
        KeyError::Backend(match no_answer {
            NoAnswer::TookTooLong => format!(
                "the device did not answer within {} ms (`time_limit_ms`); the next call opens another session",
                self.time_limit.as_millis()
            ),
            NoAnswer::Died => {
                "what the connector answers makes no sense at all; the next call opens another session".to_owned()
            }
            NoAnswer::TooManyHang => {
                "too many calls hang at the connector; look after it, or start the agent again".to_owned()
            }
            NoAnswer::NoThread(kind) => format!("the system gives no thread: {kind}"),
        })
    }
}

impl Line {
    /// Does something with the device, once more where the session is not what it was: a device that was unplugged, or
    /// whose session somebody ended. Then its audit log is emptied: one that is full stops a device that enforces it.
    ///
    /// # Errors
    /// See [`DeviceError`].
    pub fn with<R>(&mut self, act: impl Fn(&Client) -> Result<R, client::Error>) -> Result<R, DeviceError> {
        let done = match self.once(&act) {
            Err(DeviceError::Passing(_)) => {
                self.client = None;
                self.once(&act)
            }
            done => done,
        };
        if let (Some(audit), Some(client)) = (&self.audit, &self.client) {
            audit.drain(client).map_err(DeviceError::Other)?;
        }
        done
    }

    fn once<R>(&mut self, act: impl Fn(&Client) -> Result<R, client::Error>) -> Result<R, DeviceError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => self.connected()?,
        };
        let done = act(&client).map_err(DeviceError::of);
        self.client = Some(client);
        done
    }

    fn connected(&self) -> Result<Client, DeviceError> {
        let opened = Client::open(self.connector.clone(), self.credentials.clone(), true);
        let key = self.credentials.authentication_key_id;
        let client = opened.map_err(|error| match error.kind() {
            client::ErrorKind::AuthenticationError => {
                DeviceError::Other(format!("the device does not take the password of authentication key {key}"))
            }
            client::ErrorKind::ResponseError => DeviceError::Other(format!(
                "the device opens no session ({error}): is there an authentication key {key}, and are fewer than 16 sessions open? Those that nobody closes are free after 30 seconds"
            )),
            _ => DeviceError::Passing(format!("the device is not reached by its connector: {error}")),
        })?;
        if let Some(audit) = &self.audit {
            audit.drain(&client).map_err(DeviceError::Other)?;
        }
        Ok(client)
    }
}

/// Why the device did not do something.
pub enum DeviceError {
    /// It holds no such object that this authentication key may see.
    NotFound,
    /// Another session may do it.
    Passing(String),
    /// It will not.
    Other(String),
}

impl DeviceError {
    fn of(error: client::Error) -> Self {
        match error.device_error() {
            Some(device::ErrorKind::ObjectNotFound) => Self::NotFound,
            Some(device::ErrorKind::InsufficientPermissions) => Self::Other(format!(
                "{error}: the authentication key, or the key itself, lacks a capability; deploy/custody/yubihsm.md lists those that are needed"
            )),
            Some(device::ErrorKind::LogFull) => Self::Passing(format!("{error}: set `audit_log`, and it is emptied")),
            Some(device::ErrorKind::InvalidSession | device::ErrorKind::SessionFailed) | None => {
                Self::Passing(error.to_string())
            }
            Some(_) => Self::Other(error.to_string()),
        }
    }

    /// As an error about a key.
    pub fn about(self, id: object::Id) -> KeyError {
        match self {
            Self::NotFound => KeyError::Missing {
                reference: reference_of(id),
                reason: "the device has none with that id in a domain of the authentication key's".to_owned(),
            },
            other => other.of_device(),
        }
    }

    /// As an error about the device.
    pub fn of_device(self) -> KeyError {
        KeyError::Backend(match self {
            Self::NotFound => "the device holds no such object".to_owned(),
            Self::Passing(reason) | Self::Other(reason) => reason,
        })
    }
}

//! A running coordinator: everything opened, put together and stopped in the right order.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use canton_client::{access::AccessError, participant::Participant};
use protocol::{limits, plan::Planner, statement::SignStatements as _};
use thiserror::Error;
use tokio::{
    net::{TcpListener, UnixListener},
    runtime::Handle,
    sync::{Semaphore, watch},
    task::{JoinSet, spawn_blocking},
};
use tracing::{error, info};

use crate::{
    api::{self, Api},
    config::Config,
    control::{self, Control},
    data_folder::{DataFolder, DataFolderError},
    driver::{
        Driver, Parts,
        participant::{Connected, Node},
    },
    enrolment::Enroller,
    identity::{self, IdentityError},
    mailbox::Mailbox,
    parcels::{Parcels, files::FilesError, keeper},
    power,
    register::Register,
    store::{Store, StoreError, sled::SledStore},
    tls::{
        self,
        accept::{self, Bounds},
        authority::{Authority, AuthorityError},
    },
};

/// The file that remembers how agents reach us, for invitations that are made while nobody runs.
pub const ADDRESS_FILE: &str = "address";

/// What to run.
#[derive(Clone)]
pub struct Options {
    /// The configuration.
    pub config: Config,
    /// How intents are planned: `protocol::plan::plan`, unless a test or the demo plays a hostile coordinator.
    pub planner: Planner,
    /// Bounds of the accept loop.
    pub bounds: Bounds,
}

/// Why a coordinator does not start, or stops by itself.
#[derive(Debug, Error)]
pub enum RunError {
    /// The data folder.
    #[error(transparent)]
    Files(#[from] DataFolderError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The parcels.
    #[error(transparent)]
    Parcels(#[from] FilesError),
    /// The identity key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The certificate authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The address cannot be listened on.
    #[error("field listen: {address}: {error}; is another process there?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The control socket cannot be made.
    #[error("the control socket {path}: {error}")]
    Control {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The participant cannot be reached as it is configured.
    #[error("[participant]: {0}")]
    Participant(AccessError),
    /// The store or the mind ended by itself.
    #[error("{0} has ended by itself; the log says why. What was acknowledged is stored: start again")]
    Ended(&'static str),
}

/// A coordinator that runs.
pub struct Running {
    address: SocketAddr,
    advertised: String,
    stop: watch::Sender<bool>,
    durable: watch::Receiver<u64>,
    api: Arc<Api>,
    mind: JoinSet<()>,
    servers: JoinSet<()>,
    /// The reading of the whole store that goes on beside everything else.
    check: JoinSet<Result<(), StoreError>>,
}

/// Runs until `stop` is ready; `listening` hears the address as soon as there is one.
///
/// # Errors
/// See [`RunError`].
pub async fn run(
    options: Options,
    listening: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let mut running = start(options).await?;
    listening(running.address());
    tokio::select! {
        () = stop => running.stop().await,
        ended = running.ended() => {
            error!(%ended, "stopping");
            running.stop().await;
            return Err(ended);
        }
    }
    Ok(())
}

/// Starts.
///
/// # Errors
/// See [`RunError`].
pub async fn start(options: Options) -> Result<Running, RunError> {
    let node = connect(&options.config)?;
    let participant = options.config.participant.clone();
    let running = start_with(options, node).await?;
    if let Some(participant) = participant {
        tokio::spawn(power::warn_of(participant.options(), participant.synchronizer, running.stop.subscribe()));
    }
    Ok(running)
}

fn connect(config: &Config) -> Result<Option<Arc<dyn Node>>, RunError> {
    let Some(wanted) = &config.participant else { return Ok(None) };
    let participant = Participant::new(&wanted.options()).map_err(RunError::Participant)?;
    Ok(Some(Arc::new(Connected { participant, synchronizer: wanted.synchronizer.clone() })))
}

/// What is opened before anybody can connect.
struct Opened {
    folder: DataFolder,
    store: Arc<dyn Store>,
    parcels: Arc<Parcels>,
    authority: Arc<Authority>,
    register: Arc<Register>,
    driver: Driver,
    mind: JoinSet<()>,
    coordinator: protocol::identity::IdentityPublicKey,
}

/// Starts with a participant of the caller's.
///
/// # Errors
/// See [`RunError`].
pub async fn start_with(options: Options, node: Option<Arc<dyn Node>>) -> Result<Running, RunError> {
    tls::install_crypto();
    let (stop, stopped) = watch::channel(false);
    let (config, planner, handle) = (options.config.clone(), options.planner, Handle::current());
    let waits = stopped.clone();
    let opened = spawn_blocking(move || open(&config, planner, node, &handle, &waits)).await;
    let opened = opened.map_err(|_| RunError::Ended("opening the data folder"))??;
    let Opened { folder, store, parcels, authority, register, driver, mind, coordinator } = opened;
    let config = options.config;
    let listen = |error| RunError::Listen { address: config.listen, error };
    let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let advertised = config.advertised(address);
    folder.keep(ADDRESS_FILE, &advertised)?;
    let tls = tls::server_config(&authority, &config.names(address))?;
    let socket = bind_control(&folder)?;
    let control = Control {
        store: Arc::clone(&store),
        authority: Arc::clone(&authority),
        address: advertised.clone(),
        lifetime: config.invitation_lifetime,
    };
    let synchronizer = config.participant.as_ref().map(|participant| participant.synchronizer.clone());
    let mailbox = Mailbox::new(Arc::clone(&store), coordinator, synchronizer.clone());
    let enroller = Enroller::new(Arc::clone(&store), authority, Arc::clone(&register), coordinator, synchronizer);
    let durable = store.durable();
    let api = Arc::new(Api {
        store,
        register,
        enroller: Arc::new(enroller),
        mailbox,
        parcels,
        places: Arc::default(),
        driver,
        coordinator,
        former: config.former.clone(),
        take_overs: Arc::new(Semaphore::new(limits::TAKE_OVERS_AT_ONCE_MAX)),
        planner,
        stop: stopped.clone(),
    });
    let mut servers = JoinSet::new();
    let router = api::router(Arc::clone(&api));
    servers.spawn(accept::serve(listener, Arc::new(tls), router, options.bounds, stopped.clone()));
    servers.spawn(control::serve(socket, Arc::new(control), stopped.clone()));
    servers.spawn(keeper::keep(Arc::clone(&api.parcels), Arc::clone(&api.store), stopped));
    let (unchecked, stopped) = (Arc::clone(&api.store), api.stop.clone());
    let mut reading = JoinSet::new();
    reading.spawn_blocking(move || check(unchecked.as_ref(), &stopped));
    info!(%address, advertised, %coordinator, "listening");
    Ok(Running { address, advertised, stop, durable, api, mind, servers, check: reading })
}

/// Reads everything that was stored before the start, so that damage is found before it is needed.
fn check(store: &dyn Store, stop: &watch::Receiver<bool>) -> Result<(), StoreError> {
    let last = *store.durable().borrow();
    let statements = store.check(last, &|| !*stop.borrow() && stop.has_changed().is_ok())?;
    info!(statements, "the store was checked");
    Ok(())
}

fn bind_control(folder: &DataFolder) -> Result<UnixListener, RunError> {
    let path = folder.socket();
    control::bind(&path).map_err(|error| RunError::Control { path, error })
}

fn open(
    config: &Config,
    planner: Planner,
    node: Option<Arc<dyn Node>>,
    handle: &Handle,
    stop: &watch::Receiver<bool>,
) -> Result<Opened, RunError> {
    let folder = DataFolder::open(&config.data)?;
    // First of all: it locks the folder.
    let store: Arc<dyn Store> = Arc::new(SledStore::open(&folder.store())?);
    let parcels = Arc::new(Parcels::open(&folder, config.parcels, stop.clone())?);
    let authority = Arc::new(Authority::open(&folder)?);
    let signer = identity::open(&folder)?;
    let coordinator = signer.identity();
    let register = Arc::new(Register::default());
    let poll = config.participant.as_ref().map(|participant| participant.poll).unwrap_or_default();
    let parts = Parts {
        store: Arc::clone(&store),
        register: Arc::clone(&register),
        signer: Box::new(signer),
        former: config.former.clone(),
        planner,
        node: node.map(|node| (node, poll)),
    };
    let (driver, mind) = Driver::start(parts, handle, stop)?;
    Ok(Opened { folder, store, parcels, authority, register, driver, mind, coordinator })
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How agents reach it.
    pub fn advertised(&self) -> &str {
        &self.advertised
    }

    /// Ends where something that must go on has ended.
    pub async fn ended(&mut self) -> RunError {
        let writer_ended = async { while self.durable.changed().await.is_ok() {} };
        let check = &mut self.check;
        let damaged = async {
            match check.join_next().await {
                Some(Ok(Err(error))) => error,
                // Nothing is wrong, or it was told before.
                Some(Ok(Ok(())) | Err(_)) | None => std::future::pending().await,
            }
        };
        tokio::select! {
            error = damaged => error.into(),
            () = writer_ended => RunError::Ended("the store's writer"),
            _ = self.mind.join_next() => RunError::Ended("the coordinator's mind"),
            _ = self.servers.join_next() => RunError::Ended("a server"),
        }
    }

    /// Stops: no new connections, running requests end, what was taken is stored.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.servers.join_next().await.is_some() {}
        self.api.driver.stop();
        while self.check.join_next().await.is_some() {}
        while self.mind.join_next().await.is_some() {}
        // The last holder of the store waits for its writer.
        let Self { api, .. } = self;
        if spawn_blocking(move || drop(api)).await.is_err() {
            error!("the store was not closed in order");
        }
        info!("stopped");
    }
}

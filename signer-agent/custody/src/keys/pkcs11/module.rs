//! A vendor's library in this process: loaded once, initialised once, shared by every section that names it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
};

use super::failure::Failure;

/// Libraries are never unloaded: their own threads would run on in nothing.
static LOADED: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());

/// A loaded library.
pub(super) struct Module {
    context: Pkcs11,
    /// Held for reading by whoever is in a call, for writing by whoever initialises the library anew.
    in_use: RwLock<()>,
    /// How often it was initialised anew.
    restarts: AtomicU64,
}

impl Module {
    /// The library at a path, initialised.
    ///
    /// # Errors
    /// [`Failure::Lost`].
    pub fn load(path: &Path) -> Result<Arc<Self>, Failure> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = loaded.get(path) {
            return Ok(module.clone());
        }
        let failed = |error| Failure::Lost(format!("module {}: {error}", path.display()));
        let context = Pkcs11::new(path).map_err(failed)?;
        initialise(&context).map_err(failed)?;
        let module = Arc::new(Self { context, in_use: RwLock::new(()), restarts: AtomicU64::new(0) });
        loaded.insert(path.to_owned(), module.clone());
        Ok(module)
    }

    /// What calls it. While calling, it is entered.
    pub fn context(&self) -> &Pkcs11 {
        &self.context
    }

    /// Keeps it from being initialised anew, for one call or several in a row.
    pub fn enter(&self) -> RwLockReadGuard<'_, ()> {
        self.in_use.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often it was initialised anew, as whoever has entered it sees it: no session lives longer, and its handle may
    /// be another one's since.
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Acquire)
    }

    /// Initialises the library anew, which is the only way in which some find their device again. Not while another call
    /// is in it, as one that hangs is: the standard leaves open what becomes of that.
    pub fn restart(&self) {
        let Ok(_alone) = self.in_use.try_write() else { return };
        self.restarts.fetch_add(1, Ordering::AcqRel);
        // What fails here fails again, with words, when a session is opened.
        let _ = self.context.clone().finalize();
        let _ = initialise(&self.context);
    }
}

fn initialise(context: &Pkcs11) -> Result<(), Error> {
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        done => done,
    }
}

//! The keeper: hashes what an earlier process, or a disk that failed, left unhashed, and takes away what nobody needs any more.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::spawn_blocking, time::interval};
use tracing::error;

use super::{Parcels, ledger::Key};
use crate::{clock, store::Store};

/// How often it is looked for what has expired.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// Works until told to stop.
pub async fn keep(parcels: Arc<Parcels>, store: Arc<dyn Store>, mut stop: watch::Receiver<bool>) {
    let mut hours = interval(SWEEP_EVERY);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = hours.tick() => {}
        }
        for key in parcels.unchecked() {
            check(&parcels, key);
        }
        let (parcels, store) = (Arc::clone(&parcels), Arc::clone(&store));
        if spawn_blocking(move || sweep(&parcels, store.as_ref())).await.is_err() {
            error!("the sweep of parcels was broken off");
        }
    }
}

fn sweep(parcels: &Parcels, store: &dyn Store) {
    // A case that cannot be told from an ended one keeps its parcels.
    let open = match store.open_cases() {
        Ok(open) => open,
        Err(error) => return error!(%error, "no parcel is removed: the store does not say which cases are open"),
    };
    if let Err(error) = parcels.sweep(|case| open.contains(&case), clock::now()) {
        error!(%error, "a parcel could not be removed");
    }
}

/// Hashes a parcel beside everything else.
pub fn check(parcels: &Arc<Parcels>, key: Key) {
    let parcels = Arc::clone(parcels);
    spawn_blocking(move || {
        if let Err(error) = parcels.check(&key, clock::now()) {
            error!(parcel = %key.parcel, %error, "a parcel could not be checked");
        }
    });
}

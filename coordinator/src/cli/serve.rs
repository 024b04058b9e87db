//! `coordinator serve`.

use std::{io::IsTerminal as _, net::SocketAddr, path::Path};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{End, Environment, Outcome, print};
use crate::{
    config::Config,
    run::{Options, RunError, run},
    tls::accept::Bounds,
};

pub fn serve(path: &Path, environment: &Environment, json: bool) -> Outcome {
    let config = Config::read(path)?;
    start_log(environment.log.as_deref().unwrap_or(&config.log), json)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no async runtime")?;
    let options = Options { config, planner: environment.planner, bounds: Bounds::default() };
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("no signal handler")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("no signal handler")?;
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let ran = run(options, |address| announce(address, json), stop).await;
        match ran {
            // The only one that the file alone explains.
            Err(error @ RunError::Participant(_)) => Err(error).with_context(|| path.display().to_string()),
            ran => Ok(ran.map(|()| End::Done)?),
        }
    })
}

/// Logs go to standard error; standard output belongs to whoever started us.
fn start_log(filter: &str, json: bool) -> Result<(), anyhow::Error> {
    let filter = EnvFilter::try_new(filter)
        .with_context(|| format!("field log (or COUNTERSIGN_LOG): {filter:?}; expected such as \"info\""))?;
    // A log that goes to a file is for search, not for colours.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(std::io::stderr().is_terminal());
    let log = log.with_writer(std::io::stderr);
    // The demo may have a log of its own already; then that one is used.
    let _ = if json { log.json().try_init() } else { log.try_init() };
    Ok(())
}

fn announce(address: SocketAddr, json: bool) {
    if json {
        print::line(&serde_json::json!({ "event": "listening", "address": address.to_string() }).to_string());
    } else {
        print::line(&format!("listening on {address}"));
    }
}

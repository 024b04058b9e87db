//! `coordinator invite`.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use clap::Args;

use super::{End, Outcome, print};
use crate::{
    config::Config,
    control::{AskError, Control, ask_invitation},
    data_folder::DataFolder,
    run::ADDRESS_FILE,
    store::{StoreError, sled::SledStore},
    tls::authority::Authority,
};

#[derive(Args)]
pub struct Invite {
    /// The owner's name: letters, digits, '-', '_' and '.'.
    owner: String,
    /// The coordinator's configuration file.
    #[arg(long, value_name = "FILE", default_value = "coordinator.toml", conflicts_with = "data")]
    config: PathBuf,
    /// The coordinator's data folder, where the configuration is not at hand.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How long the invitation is good; the configuration says it otherwise.
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u64).range(1..=24 * 365))]
    hours: Option<u64>,
}

/// How long an invitation is good where nothing says it.
const HOURS: u64 = 72;

impl Invite {
    pub fn run(&self, json: bool) -> Outcome {
        let config = match &self.data {
            Some(_) => None,
            None => Some(Config::read(&self.config)?),
        };
        let path = config.as_ref().map_or(self.data.as_ref(), |config| Some(&config.data));
        let path = path.context("either --config or --data is given")?;
        if !path.is_dir() {
            bail!(
                "{}: no such data folder; start the coordinator once: coordinator serve --config FILE",
                path.display()
            );
        }
        let folder = DataFolder::open(path)?;
        let invitation = match ask_invitation(&folder.socket(), &self.owner, self.hours) {
            Ok(invitation) => invitation,
            Err(AskError::NotRunning) => match self.make(&folder, config.as_ref()) {
                Ok(invitation) => invitation,
                Err(error) if matches!(error.downcast_ref(), Some(StoreError::InUse { .. })) => {
                    return Ok(End::NotYet(
                        "the coordinator is starting or stopping; try again in a moment".to_owned(),
                    ));
                }
                Err(error) => return Err(error),
            },
            Err(error) => return Err(error.into()),
        };
        if json {
            let event = serde_json::json!({ "event": "invitation", "owner": self.owner, "invitation": invitation });
            print::line(&event.to_string());
        } else {
            print::line(&invitation);
        }
        Ok(End::Done)
    }

    /// Nobody runs: the store is opened here.
    fn make(&self, folder: &DataFolder, config: Option<&Config>) -> Result<String, anyhow::Error> {
        let store = SledStore::open(&folder.store())?;
        let authority = Authority::open(folder)?;
        let configured = config.and_then(|config| config.public_address.clone());
        let fixed = config.filter(|config| config.listen.port() != 0).map(|config| config.listen.to_string());
        let address = match configured.or(fixed) {
            Some(address) => address,
            None => folder.read(ADDRESS_FILE)?.context(
                "the coordinator's address is not known: start it once, or write public_address into its configuration",
            )?,
        };
        let lifetime = config.map_or(Duration::from_secs(HOURS * 3600), |config| config.invitation_lifetime);
        let control = Control { store: Arc::new(store), authority: Arc::new(authority), address, lifetime };
        Ok(control.invite(&self.owner, self.hours)?)
    }
}

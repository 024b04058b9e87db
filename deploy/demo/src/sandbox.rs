//! `demo sandbox`: the embedded synchronizer alone, for trying the product by hand.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use canton_sandbox::network::{Network, Options};
use serde_json::json;

use crate::{console, print, signals::Signals};

/// What to start.
#[derive(Debug, clap::Args)]
pub struct SandboxArguments {
    /// The participants' names.
    #[arg(long = "participant", default_values_t = ["node1", "node2", "node3", "node4"].map(str::to_owned))]
    participants: Vec<String>,
    /// Where to write the addresses, as shell variables.
    #[arg(long, default_value = "sandbox.env")]
    env: PathBuf,
    /// How long after a new host's activation its onboarding flag stays, in seconds: 61 with Canton's own timeouts.
    #[arg(long, value_name = "SECONDS", default_value_t = Options::default().decision_timeout.as_secs())]
    decision_timeout: u64,
    /// Say the addresses as one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs until it is stopped.
///
/// # Errors
/// Where it does not start.
pub async fn run(arguments: &SandboxArguments) -> Result<()> {
    let mut signals = Signals::catch()?;
    let options = Options {
        participants: arguments.participants.clone(),
        decision_timeout: Duration::from_secs(arguments.decision_timeout),
        ..Options::default()
    };
    let network = Network::start(&options).await?;
    let mut text = format!("SYNCHRONIZER={}\n", network.synchronizer().logical);
    for (index, participant) in network.participants().iter().enumerate() {
        let number = index + 1;
        text.push_str(&format!("NODE{number}=http://{}\n", participant.address));
        text.push_str(&format!("LEDGER{number}=http://{}\n", participant.ledger_address));
    }
    // Whole or not at all: somebody may be waiting for the file.
    let beside = arguments.env.with_extension("new");
    std::fs::write(&beside, &text)
        .and_then(|()| std::fs::rename(&beside, &arguments.env))
        .with_context(|| format!("cannot write {}", arguments.env.display()))?;
    if arguments.json {
        let nodes = network.participants().iter().map(|participant| {
            json!({
                "participant": participant.id.to_string(),
                "address": format!("http://{}", participant.address),
                "ledger": format!("http://{}", participant.ledger_address),
            })
        });
        let nodes: Vec<_> = nodes.collect();
        let synchronizer = network.synchronizer().logical.to_string();
        print::line(&json!({ "event": "listening", "synchronizer": synchronizer, "nodes": nodes }).to_string());
    } else {
        print::line(&format!("{text}The sandbox runs; stop it with ctrl-c. Nothing of it is kept."));
    }
    tokio::select! {
        _ = signals.next() => Ok(()),
        ended = console::serve(&network, &arguments.env) => ended,
    }
}

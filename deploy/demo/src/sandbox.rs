//! `demo sandbox`: the embedded synchronizer alone, for trying the product by hand.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use canton_sandbox::network::{Network, Options};
use serde_json::json;

use crate::{print, signals::Signals};

/// What to start.
#[derive(Debug, clap::Args)]
pub struct SandboxArguments {
    /// The participants' names.
    #[arg(long = "participant", default_values_t = ["node1", "node2", "node3", "node4"].map(str::to_owned))]
    participants: Vec<String>,
    /// Where to write the addresses, as shell variables.
    #[arg(long, default_value = "sandbox.env")]
    env: PathBuf,
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
    let options = Options { participants: arguments.participants.clone(), ..Options::default() };
    let network = Network::start(&options).await?;
    let mut text = format!("SYNCHRONIZER={}\n", network.synchronizer().logical);
    for (index, participant) in network.participants().iter().enumerate() {
        text.push_str(&format!("NODE{}=http://{}\n", index + 1, participant.address));
    }
    // Whole or not at all: somebody may be waiting for the file.
    let beside = arguments.env.with_extension("new");
    std::fs::write(&beside, &text)
        .and_then(|()| std::fs::rename(&beside, &arguments.env))
        .with_context(|| format!("cannot write {}", arguments.env.display()))?;
    if arguments.json {
        let nodes = network.participants().iter().map(|participant| {
            json!({ "participant": participant.id.to_string(), "address": format!("http://{}", participant.address) })
        });
        let nodes: Vec<_> = nodes.collect();
        let synchronizer = network.synchronizer().logical.to_string();
        print::line(&json!({ "event": "listening", "synchronizer": synchronizer, "nodes": nodes }).to_string());
    } else {
        print::line(&format!("{text}The sandbox runs; stop it with ctrl-c. Nothing of it is kept."));
    }
    signals.next().await;
    Ok(())
}

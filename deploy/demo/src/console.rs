//! `demo console`: what people do on a network beside Countersign, played on a sandbox that runs.
//!
//! The sandbox listens on a socket beside its file of addresses; one line goes there, one line comes back.

pub mod deed;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use canton_sandbox::network::Network;
use clap::{Args, Subcommand};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
};

use self::deed::{Deed, Done};
use crate::print;

/// What somebody does at a node without Countersign.
#[derive(Debug, Args)]
pub struct ConsoleArguments {
    /// The file of addresses that the sandbox wrote.
    #[arg(long, default_value = "sandbox.env", global = true)]
    env: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A party gets contracts.
    #[command(after_help = "Example: demo console contracts treasury::1220… 5\n\nExit codes: 0 done, 1 error.")]
    Contracts {
        /// Whose they are.
        party: String,
        /// How many.
        count: u32,
    },
    /// Writes the archive of the package that all contracts here are made of, for hosts that lack it; prints the package's id.
    #[command(after_help = "Example: demo console archive treasury.dar\n\nExit codes: 0 done, 1 error.")]
    Archive {
        /// Where to.
        file: PathBuf,
    },
    /// Shows when a node prunes by itself; with a schedule, sets it first.
    #[command(
        after_help = "Example: demo console pruning --at node1\n         demo console pruning --at node1 --cron '0 0 20 * * ?' --keep-hours 720\n\nExit codes: 0 done, 1 error."
    )]
    Pruning {
        /// The node's name.
        #[arg(long)]
        at: String,
        /// When, as Quartz writes it: seconds first.
        #[arg(long, requires = "keep_hours")]
        cron: Option<String>,
        /// How much of the past is kept.
        #[arg(long, value_name = "HOURS", requires = "cron")]
        keep_hours: Option<u32>,
    },
    /// An operator proposes another confirmation threshold for a party, as its own node signs it.
    #[command(
        after_help = "Example: demo console propose treasury::1220… --confirmations 3 --at node2\n\nExit codes: 0 done, 1 error."
    )]
    Propose {
        /// The party.
        party: String,
        /// How many hosts must confirm.
        #[arg(long)]
        confirmations: u32,
        /// The node's name.
        #[arg(long)]
        at: String,
    },
    /// A wallet makes a party whose only key it holds, hosted by one node.
    #[command(
        after_help = "Example: demo console external-party savings --key holder.pem --at node1\n\nExit codes: 0 done, 1 error."
    )]
    ExternalParty {
        /// The part of the party's id before `::`.
        hint: String,
        /// The wallet's Ed25519 key as `openssl genpkey` writes it.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The node's name.
        #[arg(long)]
        at: String,
    },
}

/// Where the sandbox with that file of addresses listens.
fn socket(env: &Path) -> PathBuf {
    env.with_extension("sock")
}

/// Tells the sandbox what to do, and prints what came of it.
///
/// # Errors
/// Where no sandbox is there, or it says no.
pub async fn run(arguments: &ConsoleArguments) -> Result<()> {
    let deed = match &arguments.what {
        What::Contracts { party, count } => Deed::Contracts { party: party.clone(), count: *count },
        What::Archive { file } => {
            std::fs::write(file, deed::PACKAGE).with_context(|| format!("cannot write {}", file.display()))?;
            print::line(deed::PACKAGE);
            return Ok(());
        }
        What::Pruning { at, cron, keep_hours } => {
            let set = cron.clone().zip(*keep_hours);
            Deed::Pruning { at: at.clone(), set }
        }
        What::Propose { party, confirmations, at } => {
            Deed::Propose { party: party.clone(), confirmations: *confirmations, at: at.clone() }
        }
        What::ExternalParty { hint, key, at } => {
            let pem = std::fs::read_to_string(key).with_context(|| key.display().to_string())?;
            Deed::ExternalParty { hint: hint.clone(), pem, at: at.clone() }
        }
    };
    let path = socket(&arguments.env);
    let stream = UnixStream::connect(&path).await;
    let mut stream = stream.with_context(|| format!("no sandbox runs beside {}", arguments.env.display()))?;
    stream.write_all(format!("{}\n", serde_json::to_string(&deed)?).as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await?;
    match serde_json::from_str(&line)? {
        Done::Yes(words) => print::line(&words),
        Done::No(words) => bail!("{words}"),
    }
    Ok(())
}

/// Does what it is told, one after the other, for as long as the network runs.
///
/// # Errors
/// Where there is no socket.
pub async fn serve(network: &Network, env: &Path) -> Result<()> {
    let path = socket(env);
    // One of a sandbox that has gone.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).with_context(|| format!("cannot listen on {}", path.display()))?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        let mut line = String::new();
        BufReader::new(&mut stream).read_line(&mut line).await?;
        let done = match serde_json::from_str::<Deed>(&line) {
            Ok(deed) => deed.on(network).await.map_or_else(|error| Done::No(format!("{error:#}")), Done::Yes),
            Err(error) => Done::No(error.to_string()),
        };
        // Whoever asked may be gone.
        let _ = stream.write_all(format!("{}\n", serde_json::to_string(&done)?).as_bytes()).await;
    }
}

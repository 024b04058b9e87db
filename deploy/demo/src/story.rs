//! The story: owners who trust nobody change a decentralized party together, end to end, each step seen on the
//! synchronizer and not just answered.

mod cast;
mod hostile;
mod telling;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use canton_topology::id::{Namespace, PartyId};
use serde_json::Value;

use self::{cast::Cast, telling::Telling};

pub use self::hostile::planner as hostile_planner;

/// How the story is told.
#[derive(Debug, clap::Args)]
pub struct StoryArguments {
    /// One JSON object for each event, a report last.
    #[arg(long)]
    json: bool,
    /// Leave everything running at the end and print commands to play with.
    #[arg(long)]
    keep: bool,
    /// Where the owners and the coordinator keep their data; a fresh folder, thrown away at the end, where absent.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Write the synchronizer's final topology there, in Canton's V2 snapshot format.
    #[arg(long)]
    export: Option<PathBuf>,
}

/// Tells it.
///
/// # Errors
/// At the first thing that should have been seen and was not.
pub async fn run(arguments: &StoryArguments) -> Result<()> {
    let mut telling = Telling::new(arguments.json);
    let mut cast = Cast::assemble(arguments.dir.as_deref(), &mut telling).await?;
    let party = create(&mut cast, &mut telling).await?;
    add_dora(&mut cast, &mut telling, &party).await?;
    one_declines(&mut cast, &mut telling, &party).await?;
    withdrawn_but_alive(&mut cast, &mut telling, &party).await?;
    tampered(&mut cast, &mut telling, &party).await?;
    killed(&mut cast, &mut telling, &party).await?;
    removed(&mut cast, &mut telling, &party).await?;
    if let Some(path) = &arguments.export {
        std::fs::write(path, cast.network().export()).with_context(|| format!("cannot write {}", path.display()))?;
        telling.event("exported", &format!("the final topology is in {}", path.display()));
    }
    telling.report(cast.rows());
    if arguments.keep {
        cast.keep(&telling).await?;
    }
    cast.stop();
    Ok(())
}

/// Three owners found a party: roots, namespace, hosting and keys in one call.
async fn create(cast: &mut Cast, telling: &mut Telling) -> Result<PartyId> {
    telling.chapter("Three owners create a decentralized party, 2 of 3, in one call");
    let words = "propose create-party treasury --owner me --owner bob --owner carol --threshold 2 \
                 --host me --host bob --host carol --confirmations 2 --key me --key bob --key carol --key-threshold 2";
    let proposed = cast.ask("alice", words).await?;
    let case = text(&proposed, "case")?;
    let subjects = proposed["subjects"].as_array().context("no subjects")?;
    let party: PartyId = subjects.last().and_then(Value::as_str).context("no party")?.parse()?;
    telling.event("proposed", &format!("alice proposes {party}"));
    for owner in ["alice", "bob", "carol"] {
        cast.approve(owner, &case, telling).await?;
    }
    cast.until(&case, "effective", telling).await?;
    let (owners, threshold) = definition(cast, party.namespace())?;
    ensure!((owners, threshold) == (3, 2), "the namespace has {owners} owners and threshold {threshold}");
    telling.event("seen", "the synchronizer has the party: 3 owners, threshold 2, 3 hosts, 3 keys");
    Ok(party)
}

async fn add_dora(cast: &mut Cast, telling: &mut Telling, party: &PartyId) -> Result<()> {
    telling.chapter("A fourth owner is added");
    let proposed = cast.ask("bob", &format!("propose add-owner {party} dora --threshold 2")).await?;
    let case = text(&proposed, "case")?;
    for owner in ["dora", "bob", "alice"] {
        cast.approve(owner, &case, telling).await?;
    }
    cast.until(&case, "effective", telling).await?;
    let (owners, _) = definition(cast, party.namespace())?;
    ensure!(owners == 4, "the namespace has {owners} owners");
    telling.event("seen", "the synchronizer has 4 owners");
    Ok(())
}

async fn one_declines(cast: &mut Cast, telling: &mut Telling, party: &PartyId) -> Result<()> {
    telling.chapter("A threshold is raised; one owner declines, the others finish");
    let proposed = cast.ask("alice", &format!("propose change-thresholds {party} --owners 3")).await?;
    let case = text(&proposed, "case")?;
    cast.arrives("carol", &case).await?;
    cast.ask_words("carol", &["decline", &case, "--reason", "not before the audit"]).await?;
    telling.event("declined", "carol declines: not before the audit");
    for owner in ["alice", "dora"] {
        cast.approve(owner, &case, telling).await?;
    }
    cast.until(&case, "effective", telling).await?;
    let shown = cast.ask("bob", &format!("show {case}")).await?;
    let declined = shown["declines"][0]["reason"].as_str();
    ensure!(declined == Some("not before the audit"), "bob does not see the reason");
    let (_, threshold) = definition(cast, party.namespace())?;
    ensure!(threshold == 3, "the threshold is {threshold}");
    telling.event("seen", "the synchronizer has threshold 3; everybody sees why carol said no");
    Ok(())
}

async fn withdrawn_but_alive(cast: &mut Cast, telling: &mut Telling, party: &PartyId) -> Result<()> {
    telling.chapter("A change is withdrawn after a signature; it lives on until it is voided");
    let change = format!("propose change-thresholds {party} --owners 4 --accept every-owner-needed");
    let proposed = cast.ask("alice", &change).await?;
    let case = text(&proposed, "case")?;
    cast.approve("alice", &case, telling).await?;
    cast.ask_words("alice", &["withdraw", &case, "--reason", "four of four could never replace anybody"]).await?;
    let shown = cast.until(&case, "withdrawn", telling).await?;
    let live = shown["live"].as_u64();
    ensure!(live == Some(1), "{live:?} transactions are alive, 1 should be");
    telling.event("live", "withdrawn, and alice's signature is still alive: Canton would take it");
    let released = shown["alive"][0]["slot"]["transaction"].as_str().context("nothing is alive")?.to_owned();

    let voiding = cast.ask_words("alice", &["void", &case, "--reason", "withdrawn"]).await?;
    let voiding = text(&voiding, "case")?;
    cast.arrives("alice", &voiding).await?;
    let refused = cast.approve_refused("alice", &voiding, &[]).await?;
    ensure!(refused.contains("Conflict"), "the journal let a second hash in silently: {refused}");
    telling.event("refused", "alice's journal refuses a second hash for one serial");
    cast.approve_with("alice", &voiding, &["--release", &released], telling).await?;
    for owner in ["bob", "dora"] {
        cast.approve(owner, &voiding, telling).await?;
    }
    cast.until(&voiding, "effective", telling).await?;
    let shown = cast.until(&case, "voided", telling).await?;
    ensure!(shown["live"].as_u64() == Some(0), "something is still alive");
    telling.event("voided", "the serial is consumed; nothing of the withdrawn change is alive");
    Ok(())
}

async fn tampered(cast: &mut Cast, telling: &mut Telling, party: &PartyId) -> Result<()> {
    telling.chapter("The coordinator tampers with a change; every agent refuses, by name");
    cast.restart_coordinator(true, telling).await?;
    let proposed = cast.ask("bob", &format!("propose change-thresholds {party} --confirmations 3")).await?;
    let case = text(&proposed, "case")?;
    for owner in ["alice", "bob", "carol", "dora"] {
        cast.arrives(owner, &case).await?;
        let refused = cast.approve_refused(owner, &case, &[]).await?;
        ensure!(refused.contains("PlanMismatch"), "{owner} says {refused}");
        telling.event("refused", &format!("{owner}'s agent refuses: {refused}"));
    }
    cast.ask_words("bob", &["withdraw", &case, "--reason", "the coordinator is not honest"]).await?;
    cast.restart_coordinator(false, telling).await?;
    let (owners, threshold) = definition(cast, party.namespace())?;
    ensure!((owners, threshold) == (4, 3), "the topology changed all the same");
    Ok(())
}

async fn killed(cast: &mut Cast, telling: &mut Telling, party: &PartyId) -> Result<()> {
    telling.chapter("The coordinator is killed in the middle of collecting, and carries on");
    let proposed = cast.ask("carol", &format!("propose change-thresholds {party} --confirmations 3 --keys 3")).await?;
    let case = text(&proposed, "case")?;
    cast.approve("carol", &case, telling).await?;
    cast.kill_coordinator(telling).await?;
    cast.start_coordinator(false, telling).await?;
    for owner in ["dora", "alice"] {
        cast.approve(owner, &case, telling).await?;
    }
    cast.until(&case, "effective", telling).await?;
    telling.event("seen", "the synchronizer has the new thresholds; not one signature was lost");
    Ok(())
}

/// An owner who is gone loses host, key and seat without a word of her own, one stage after the other.
async fn removed(cast: &mut Cast, telling: &mut Telling, party: &PartyId) -> Result<()> {
    telling.chapter("Carol cannot be reached any more; the others take host, key and seat from her, in stages");
    let words = format!(
        "propose change {party} --remove-host carol --confirmations 2 --remove-key carol --keys 2 --remove-owner carol \
         --owners 2"
    );
    let proposed = cast.ask("alice", &words).await?;
    let case = text(&proposed, "case")?;
    ensure!(proposed["stages"] == 2, "{} stages", proposed["stages"]);
    for stage in ["stage 1 of 2", "stage 2 of 2"] {
        for owner in ["alice", "bob", "dora"] {
            cast.at_stage(owner, &case, stage).await?;
            cast.approve(owner, &case, telling).await?;
        }
        telling.event("stage", &format!("{stage} has all signatures that it needs"));
    }
    let shown = cast.until(&case, "effective", telling).await?;
    ensure!(shown["stage"] == "stage 2 of 2", "it ended at {}", shown["stage"]);
    let (owners, threshold) = definition(cast, party.namespace())?;
    ensure!((owners, threshold) == (3, 2), "the namespace has {owners} owners and threshold {threshold}");
    telling.event("seen", "the synchronizer has 3 owners, threshold 2; carol hosts and signs for nothing any more");
    Ok(())
}

fn text(value: &Value, name: &str) -> Result<String> {
    value[name].as_str().map(str::to_owned).with_context(|| format!("field {name} is missing in {value}"))
}

/// How many owners a namespace has on the synchronizer, and its threshold.
fn definition(cast: &Cast, namespace: &Namespace) -> Result<(usize, u32)> {
    let head = cast.network().head();
    let Some(definition) = head.definition(namespace) else { bail!("{namespace} is not on the synchronizer") };
    Ok((definition.owners.len(), definition.threshold))
}

//! The story: owners who trust nobody change a decentralized party together, end to end, each step seen on the
//! synchronizer and not just answered.

mod cast;
mod hostile;
mod seen;
mod telling;

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use canton_topology::{id::PartyId, show::moment};
use protocol::book::Card;
use serde_json::Value;

use self::{
    cast::Cast,
    seen::{Party, Thresholds},
    telling::Telling,
};
use crate::signals::Signals;

pub use self::hostile::planner as hostile_planner;

/// Who founds the party.
const FOUNDERS: [&str; 3] = ["alice", "bob", "carol"];

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
/// At the first thing that should have been seen and was not, and where it is stopped before its end.
pub async fn run(arguments: &StoryArguments) -> Result<()> {
    let mut signals = Signals::catch()?;
    let export = arguments.export.as_deref().map(writable).transpose()?;
    let mut telling = Telling::new(arguments.json);
    let told = tokio::select! {
        told = tell(arguments, &mut telling) => told,
        signal = signals.next() => bail!("stopped by {signal} before the end"),
    };
    let Told { cast, party, open } = told?;
    if let Some((path, mut file)) = export {
        file.write_all(&cast.network().export()).with_context(|| format!("cannot write {}", path.display()))?;
        telling.event("exported", &format!("the final topology is in {}", path.display()));
    }
    if arguments.keep {
        telling.commands(&cast.commands(&party.to_string(), &open));
    }
    telling.report(cast.rows());
    if arguments.keep {
        cast.keep(&mut signals, &telling).await?;
    }
    Ok(())
}

/// A file that can be written: known before the story, not after it.
fn writable(path: &Path) -> Result<(&Path, File)> {
    let file = File::create(path).with_context(|| format!("--export {}: cannot be written", path.display()))?;
    Ok((path, file))
}

/// What a story leaves: everybody, the party, and a case that is still open.
struct Told {
    cast: Cast,
    party: PartyId,
    open: String,
}

async fn tell(arguments: &StoryArguments, telling: &mut Telling) -> Result<Told> {
    let mut cast = Cast::assemble(arguments.dir.as_deref(), telling).await?;
    let party = create(&cast, telling).await?;
    add_dora(&cast, telling, &party).await?;
    one_declines(&cast, telling, &party).await?;
    withdrawn_but_alive(&cast, telling, &party).await?;
    tampered(&mut cast, telling, &party).await?;
    killed(&mut cast, telling, &party).await?;
    let open = left_open(&cast, telling).await?;
    Ok(Told { cast, party, open })
}

/// Three owners found a party: roots, namespace, hosting and keys in one call.
async fn create(cast: &Cast, telling: &mut Telling) -> Result<PartyId> {
    telling.chapter("Three owners create a decentralized party, 2 of 3, in one call");
    let words = "propose create-party treasury --owner me --owner bob --owner carol --threshold 2 \
                 --host me --host bob --host carol --confirmations 2 --key me --key bob --key carol --key-threshold 2";
    let proposed = cast.ask("alice", words).await?;
    let case = text(&proposed, "case")?;
    let subjects = proposed["subjects"].as_array().context("no subjects")?;
    let party: PartyId = subjects.last().and_then(Value::as_str).context("no party")?.parse()?;
    telling.event("proposed", &format!("alice proposes {party}"));
    for owner in FOUNDERS {
        cast.approve(owner, &case, telling).await?;
    }
    cast.until(&case, "effective", telling).await?;
    let head = cast.network().head();
    let founders: Vec<&Card> = FOUNDERS.iter().map(|owner| cast.card(owner)).collect();
    let seen = Party::on(&head, &party)?;
    seen.is_of(&founders)?;
    has(&seen, Thresholds { owners: 2, confirmations: 2, keys: 2 })?;
    let at = moment(seen.effective_at_once(&head, &founders)?);
    telling.event(
        "seen",
        &format!(
            "the synchronizer has 3 roots, 2 of 3 owners, 3 hosts that confirm of which 2 must, 2 of 3 keys, all since {at}"
        ),
    );
    Ok(party)
}

async fn add_dora(cast: &Cast, telling: &mut Telling, party: &PartyId) -> Result<()> {
    telling.chapter("A fourth owner is added");
    let proposed = cast.ask("bob", &format!("propose add-owner {party} dora --threshold 2")).await?;
    let case = text(&proposed, "case")?;
    for owner in ["dora", "bob", "alice"] {
        cast.approve(owner, &case, telling).await?;
    }
    cast.until(&case, "effective", telling).await?;
    let seen = Party::on(&cast.network().head(), party)?;
    let owners = FOUNDERS.iter().chain(&["dora"]).map(|owner| cast.card(owner).owner()).collect();
    ensure!(seen.owners() == owners, "the owners are {:?}", seen.definition.owners);
    has(&seen, Thresholds { owners: 2, confirmations: 2, keys: 2 })?;
    telling.event("seen", "the synchronizer has 4 owners, dora among them, and the thresholds as before");
    Ok(())
}

async fn one_declines(cast: &Cast, telling: &mut Telling, party: &PartyId) -> Result<()> {
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
    has(&Party::on(&cast.network().head(), party)?, Thresholds { owners: 3, confirmations: 2, keys: 2 })?;
    telling.event("seen", "the synchronizer has threshold 3; everybody sees why carol said no");
    Ok(())
}

async fn withdrawn_but_alive(cast: &Cast, telling: &mut Telling, party: &PartyId) -> Result<()> {
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
    has(&Party::on(&cast.network().head(), party)?, Thresholds { owners: 3, confirmations: 2, keys: 2 })?;
    telling.event("voided", "the serial is consumed; nothing of the withdrawn change is alive");
    Ok(())
}

async fn tampered(cast: &mut Cast, telling: &mut Telling, party: &PartyId) -> Result<()> {
    telling.chapter("The coordinator tampers with a change; every agent refuses, by name");
    let before = Party::on(&cast.network().head(), party)?;
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
    let head = cast.network().head();
    let after = Party::on(&head, party)?;
    ensure!(after.hosting == before.hosting && after.hashes == before.hashes, "the topology changed: {after:?}");
    ensure!(seen::open_hostings(&head, party) == 0, "a participant proposed it all the same");
    telling.event("seen", "the party's mappings are the same transactions as before, and nobody has proposed others");
    Ok(())
}

async fn killed(cast: &mut Cast, telling: &mut Telling, party: &PartyId) -> Result<()> {
    telling.chapter("The coordinator is killed in the middle of collecting, and carries on");
    let proposed = cast.ask("carol", &format!("propose change-thresholds {party} --confirmations 3 --keys 3")).await?;
    let case = text(&proposed, "case")?;
    cast.approve("carol", &case, telling).await?;
    cast.arrives("dora", &case).await?;
    cast.kill_coordinator(telling).await?;
    cast.approve_unheard("dora", &case, telling).await?;
    cast.start_coordinator(false, telling).await?;
    cast.everything_is_posted("dora").await?;
    cast.approve("alice", &case, telling).await?;
    let shown = cast.until(&case, "effective", telling).await?;
    let approvals = shown["approvals"].as_array().map_or(0, Vec::len);
    ensure!(approvals == 3, "{approvals} owners have approved, not 3");
    has(&Party::on(&cast.network().head(), party)?, Thresholds { owners: 3, confirmations: 3, keys: 3 })?;
    telling.event("seen", "the synchronizer has the new thresholds; not one signature was lost");
    Ok(())
}

/// What waits at the end, for whoever keeps the demo running and for the export.
async fn left_open(cast: &Cast, telling: &mut Telling) -> Result<String> {
    telling.chapter("Another party is left open, with the signature of a host that owns nothing of it");
    let words =
        "propose create-party vault --owner me --owner bob --owner dora --threshold 2 --host carol --confirmations 1";
    let proposed = cast.ask("alice", words).await?;
    let case = text(&proposed, "case")?;
    let subjects = proposed["subjects"].as_array().context("no subjects")?;
    let party: PartyId = subjects.last().and_then(Value::as_str).context("no party")?.parse()?;
    cast.approve("carol", &case, telling).await?;
    cast.until(&case, "collecting", telling).await?;
    cast.network_has("an open proposal", |head| seen::open_hostings(head, &party) == 1).await?;
    telling.event("seen", "the synchronizer has it as an open proposal of carol's participant");
    Ok(case)
}

fn has(party: &Party, expected: Thresholds) -> Result<()> {
    let found = party.thresholds();
    ensure!(found == expected, "the thresholds are {found:?}, not {expected:?}");
    Ok(())
}

fn text(value: &Value, name: &str) -> Result<String> {
    value[name].as_str().map(str::to_owned).with_context(|| format!("field {name} is missing in {value}"))
}

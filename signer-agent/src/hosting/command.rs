//! What the owner's commands about a hosting come to.

use std::path::PathBuf;

use canton_client::pruning::Schedule;
use canton_topology::id::PartyId;
use protocol::{hosting::HostingStep, intent::CaseId};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{
    Confirmed,
    follow::{Follower, Round},
    source::Looked,
    turn::due,
};
use crate::{
    actor::Message,
    control::{Answer, Host, Request, Way},
};

/// What the human confirms, read.
///
/// # Errors
/// Where a name is no step's.
pub fn confirmed(
    confirm: Vec<String>,
    backup: Option<String>,
    archives: Vec<PathBuf>,
    sealed: Option<PathBuf>,
) -> Result<Confirmed, String> {
    let named = |name: String| {
        HostingStep::named(&name)
            .ok_or_else(|| format!("--confirm {name}: no step is called so; `workflow show` lists them"))
    };
    let steps = confirm.into_iter().map(named).collect::<Result<_, _>>()?;
    Ok(Confirmed { steps, backup, archives, sealed })
}

/// The checklist, with what the agent is doing right now.
pub async fn show(follower: &Follower, case: &str) -> Answer {
    let mut answer = ask(follower, Request::Workflow { case: case.to_owned() }).await;
    if let Answer::Done { value } = &mut answer
        && let Some(id) = value["case"].as_str().and_then(|id| id.parse().ok())
    {
        let doing = follower.runner.doing(&id);
        value["doing"] = doing.step.map_or(
            Value::Null,
            |step| json!({ "step": step.name(), "bytes": doing.bytes, "contracts": doing.contracts }),
        );
        value["failed"] = Value::Null;
        value["waits"] = Value::Null;
        if let Some(failed) = doing.failed {
            let explained = follower.explain(case, &failed.reason).await;
            let slot = if failed.passes { "waits" } else { "failed" };
            value[slot] = json!({ "step": failed.step, "name": failed.name, "reason": failed.reason });
            explained.into_iter().for_each(|explained| explained.write(&mut value[slot]));
        }
        if let Some(note) = pruning_note(follower.runner.remembered_schedule(&id).as_ref(), value)
            && let Some(notes) = value["notes"].as_array_mut()
        {
            notes.push(note.into());
        }
        value["now"] = now(value).into();
    }
    answer
}

/// That the node does not prune meanwhile, for as long as the step is open that brings its schedule back.
fn pruning_note(remembered: Option<&Schedule>, workflow: &Value) -> Option<String> {
    let back = [HostingStep::RestorePruning, HostingStep::PutBackSource].map(HostingStep::name);
    let mut steps = workflow["steps"].as_array().into_iter().flatten();
    let open = steps.find(|step| back.contains(&text(&step["step"]).as_str()) && step["state"] != "done")?;
    let schedule = remembered?;
    Some(format!(
        "this node prunes {schedule}; that is off for this case and remembered, also over a crash, and step {} brings it \
         back",
        text(&open["step"])
    ))
}

/// Does the owner's part for as long as there is something to be done.
pub async fn run(follower: &Follower, case: &str, mut confirmed: Confirmed) -> Answer {
    let shown = show(follower, case).await;
    let Answer::Done { value } = &shown else { return shown };
    let Some(id) = value["case"].as_str().and_then(|id| id.parse::<CaseId>().ok()) else { return shown };
    if let Some(refused) = value["refused"].as_str() {
        return Answer::failed("Refused", refused);
    }
    loop {
        let before = follower.view(&id).await;
        match follower.round(&id, &confirmed).await {
            Ok(Round::Done) => {}
            Ok(Round::Nothing) => break,
            Err(error) if error.passes() => return Answer::not_yet(error),
            Err(error) => return Answer::failed(error.name(), &error),
        }
        // What a human said once is done once.
        if let Ok(Some(view)) = before
            && let Some(step) = due(&view, &confirmed)
        {
            confirmed.steps.remove(&step);
        }
    }
    let shown = show(follower, case).await;
    let Answer::Done { value } = &shown else { return shown };
    let is_over = value["steps"].as_array().into_iter().flatten().all(|step| step["state"] == "done");
    if is_over { shown } else { Answer::not_yet(value["now"].as_str().unwrap_or_default()) }
}

/// What this owner is to do now, in words.
fn now(workflow: &Value) -> String {
    let steps = || workflow["steps"].as_array().into_iter().flatten();
    if let Some(stopped) = steps().find(|step| step["state"] == "stopped") {
        return format!("stopped at {}: {}", text(&stopped["step"]), text(&stopped["why"]));
    }
    let case = text(&workflow["case"]);
    let mine = steps().find(|step| step["mine"] == true);
    let Some(mine) = mine else {
        if let Some(due) = steps().find(|step| step["state"] == "due") {
            return format!("others are at it: {} ({})", text(&due["step"]), text(&due["what"]));
        }
        let after = steps().find(|step| step["state"] == "waiting" && step["why"].is_string());
        return after.map_or_else(|| "nothing is left to be done".to_owned(), |step| text(&step["why"]));
    };
    let step = text(&mine["step"]);
    match HostingStep::named(&step) {
        Some(HostingStep::Consent | HostingStep::Sign) => {
            format!("{}: run `signer-agent approve {case}`", text(&mine["what"]))
        }
        Some(HostingStep::Vet) => {
            format!("upload what is missing: run `signer-agent workflow run {case} --archive FILE`")
        }
        Some(HostingStep::Backup) => format!(
            "back the new host's database up, then run `signer-agent workflow run {case} --backup 'WHERE IT IS'`"
        ),
        Some(found) if found.takes_a_human() => {
            format!("{}: run `signer-agent workflow run {case} --confirm {step}`", text(&mine["what"]))
        }
        Some(_) | None => format!("the agent is at it: {step} ({})", text(&mine["what"])),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Picks the way to host a party, or makes sure of the one that was named; says why.
///
/// # Errors
/// The answer, where the named way is wrong.
pub async fn advised(follower: &Follower, mut host: Host) -> Result<(Host, String), Answer> {
    let looked = looked(follower, &host.party).await?;
    let (way, why) = match (host.way, looked) {
        (Some(Way::Simple), Ok(Looked::Used(why) | Looked::Unknown(why))) => {
            return Err(Answer::failed("Used", format!("{why}; use --replicate: the contracts must be carried over")));
        }
        (None | Some(Way::Simple), Ok(Looked::Unused(end))) => {
            (Way::Simple, format!("the party was never used up to offset {end}: there is nothing to carry over"))
        }
        (Some(Way::Simple), Err(why)) => (Way::Simple, format!("{why}; the source must look before anybody signs")),
        (None, Ok(Looked::Used(why) | Looked::Unknown(why))) => {
            (Way::Replicate, format!("{why}: they must be carried over"))
        }
        (None, Err(why)) => (Way::Replicate, format!("{why}; carrying contracts over is right in any case")),
        (Some(Way::Replicate), Ok(Looked::Used(why) | Looked::Unknown(why))) => (Way::Replicate, why),
        (Some(Way::Replicate), Ok(Looked::Unused(_))) => {
            (Way::Replicate, "the party was never used; --simple would do".to_owned())
        }
        (Some(Way::Replicate), Err(why)) => (Way::Replicate, why),
    };
    host.way = Some(way);
    Ok((host, why))
}

/// Looks on the owner's own node whether a party was ever used; why nobody can tell, where it cannot.
///
/// # Errors
/// The answer, where there is nothing to look at.
pub async fn looked(follower: &Follower, party: &str) -> Result<Result<Looked, String>, Answer> {
    let party: PartyId = party.parse().map_err(|error| Answer::failed("Propose", format!("PARTY: {error}")))?;
    let (reply, answer) = oneshot::channel();
    let _ = follower.actor.send(Message::Hosts { party: party.clone(), reply }).await;
    match answer.await.ok().flatten() {
        None => {
            let reason = "this agent's participant has shown no topology yet; try again later".to_owned();
            Err(Answer::not_yet(reason))
        }
        Some(false) => {
            Ok(Err("this owner's node does not host the party, so it cannot tell whether it was used".to_owned()))
        }
        Some(true) => Ok(follower.runner.look(&party).await.map_err(|error| error.to_string())),
    }
}

/// The answer to a proposal with the reason for its way.
pub fn with_advice(mut answer: Answer, advice: String) -> Answer {
    if let Answer::Done { value } | Answer::Waits { value, .. } = &mut answer {
        value["advice"] = advice.into();
    }
    answer
}

async fn ask(follower: &Follower, request: Request) -> Answer {
    let (reply, answer) = oneshot::channel();
    let _ = follower.actor.send(Message::Request { request, reply }).await;
    answer.await.map_or_else(|_| Answer::failed("Stopped", "the agent is stopping"), |(answer, _)| answer)
}

//! `workflow show` and `workflow run`: the checklist of a case, and the owner's part in it.

use std::{
    io::{BufRead as _, IsTerminal as _, Write as _},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::{
    End,
    arguments::{Workflow, WorkflowRun},
    print::{self, Form},
    talk,
};
use crate::{
    control::{self, Answer, Request},
    folder::Folder,
};

/// How often the progress of a long step is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub async fn run(folder: &Folder, command: &Workflow, form: &Form) -> anyhow::Result<End> {
    match command {
        Workflow::Show(case) => {
            let answer = control::ask(&folder.socket(), &Request::Workflow { case: case.case.clone() }).await?;
            match &answer {
                Answer::Done { value } if *form == Form::Words => {
                    checklist(value);
                    Ok(End::Done)
                }
                Answer::Done { .. } | Answer::NotYet { .. } | Answer::Waits { .. } | Answer::Failed { .. } => {
                    talk::finish(answer, false, form)
                }
            }
        }
        Workflow::Run(run) => do_part(folder, run, form).await,
    }
}

async fn do_part(folder: &Folder, run: &WorkflowRun, form: &Form) -> anyhow::Result<End> {
    let case = run.case.case.clone();
    let mut confirm = run.confirm.clone();
    if *form == Form::Words && std::io::stdin().is_terminal() {
        let shown = control::ask(&folder.socket(), &Request::Workflow { case: case.clone() }).await?;
        if let Answer::Done { value } = &shown {
            checklist(value);
            confirm.extend(asked(value, &confirm)?);
        }
    }
    let absolute = |path: &std::path::PathBuf| std::path::absolute(path);
    let request = Request::WorkflowRun {
        case: case.clone(),
        confirm,
        backup: run.backup.clone(),
        archives: run.archives.iter().map(absolute).collect::<Result<_, _>>()?,
        sealed: run.sealed.as_ref().map(absolute).transpose()?,
    };
    let socket = folder.socket();
    let bar = bar();
    let work = control::ask(&socket, &request);
    tokio::pin!(work);
    let answer = loop {
        tokio::select! {
            answer = &mut work => break answer?,
            () = tokio::time::sleep(LOOK_EVERY) => {
                let looked = control::ask(&socket, &Request::Workflow { case: case.clone() }).await;
                if let Ok(Answer::Done { value }) = looked {
                    bar.set_message(doing(&value));
                    bar.tick();
                }
            }
        }
    };
    bar.finish_and_clear();
    if let (Answer::Done { value }, Form::Words) = (&answer, form) {
        checklist(value);
        return Ok(End::Done);
    }
    talk::finish(answer, false, form)
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style)
}

fn doing(workflow: &Value) -> String {
    let doing = &workflow["doing"];
    if doing.is_null() {
        return String::new();
    }
    let number = |name: &str| doing[name].as_u64().unwrap_or(0);
    let step = doing["step"].as_str().unwrap_or_default();
    format!("{step}: {} bytes, {} contracts", number("bytes"), number("contracts"))
}

/// Asks for each step of this owner that a human must confirm.
fn asked(workflow: &Value, confirmed: &[String]) -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    for step in workflow["steps"].as_array().into_iter().flatten() {
        let name = step["step"].as_str().unwrap_or_default();
        let is_asked = step["mine"] == true && step["takes-a-human"] == true;
        // Signatures have a command of their own, and a backup needs words.
        if !is_asked || ["consent", "sign", "backup"].contains(&name) || confirmed.iter().any(|one| one == name) {
            continue;
        }
        print!("{}? Type yes: ", step["what"].as_str().unwrap_or_default());
        std::io::stdout().flush()?;
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        if line.trim() == "yes" {
            all.push(name.to_owned());
        }
    }
    Ok(all)
}

/// The checklist for people.
fn checklist(workflow: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    print::line(&format!(
        "{} {} ({})",
        text(&workflow["workflow"]),
        text(&workflow["case"]),
        text(&workflow["status"])
    ));
    if let Some(refused) = workflow["refused"].as_str() {
        print::line(&format!("  REFUSED: {refused}"));
    }
    for step in workflow["steps"].as_array().into_iter().flatten() {
        let mark = match step["state"].as_str() {
            Some("done") => "[x]",
            Some("due") => "[>]",
            Some("stopped") => "[!]",
            _ => "[ ]",
        };
        let number = step["number"].as_u64().unwrap_or(0);
        print::line(&format!(
            "  {mark} {number:>2} {} - {}: {}",
            text(&step["step"]),
            who(&step["by"]),
            text(&step["what"])
        ));
        if let Some(why) = step["why"].as_str() {
            print::line(&format!("         {why}"));
        }
    }
    for (slot, words) in [("failed", "failed at"), ("waits", "waits at")] {
        trouble(words, &workflow[slot]);
    }
    for note in workflow["notes"].as_array().into_iter().flatten() {
        print::line(&format!("  note: {}", print::leaf(note)));
    }
    print::line(&format!("  now: {}", text(&workflow["now"])));
}

/// A step that is not done, and what that means.
fn trouble(words: &str, told: &Value) {
    if told.is_null() {
        return;
    }
    let part = |name: &str| print::leaf(&told[name]);
    print::line(&format!("  {words} {}: {}: {}", part("step"), part("name"), part("reason")));
    if told["cause"].is_string() {
        print::line(&format!("    cause: {}", part("cause")));
        print::line(&format!("    what to do: {}", part("fix")));
    }
}

fn who(by: &Value) -> String {
    match by {
        Value::String(name) => name.clone(),
        Value::Array(owners) => {
            let mut names: Vec<String> = owners.iter().map(who).collect();
            names.sort();
            if names.is_empty() { "owners".to_owned() } else { names.join(", ") }
        }
        owner => match owner["name"].as_str() {
            Some(name) => name.to_owned(),
            None => owner["namespace"].as_str().unwrap_or_default().to_owned(),
        },
    }
}

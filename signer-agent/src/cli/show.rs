//! A case for people: each thing once, and what has ended without what would be asked of it.

use std::collections::BTreeSet;

use canton_topology::{Timestamp, show::moment};
use serde_json::Value;

use super::print::{self, leaf, line};

/// What has lines of its own below, or stands in another field.
const TOLD: [&str; 27] = [
    "case",
    "workflow",
    "proposer",
    "reason",
    "status",
    "status-detail",
    "approved",
    "live",
    "deadline",
    "offer",
    "verdict",
    "approvals",
    "declines",
    "missing",
    "lacking",
    "alive",
    "differences",
    "verified",
    "after",
    "head",
    "obstacle",
    "rivals",
    "signatures",
    "stage",
    "submissions",
    "transactions",
    "waits-for",
];

/// Prints what `show` knows of a case.
pub fn case(show: &Value) {
    line(&format!("case {} ({})", leaf(&show["case"]), leaf(&show["workflow"])));
    line(&format!("status: {}", status(show)));
    line(&format!("proposed by {}", owner(&show["proposer"])));
    if show["reason"].as_str().is_some_and(|reason| !reason.is_empty()) {
        line(&format!("reason: {}", leaf(&show["reason"])));
    }
    if let Some(deadline) = show["deadline"].as_i64() {
        line(&format!("to be signed until {}", moment(Timestamp(deadline))));
    }
    line(&format!("offer {}", leaf(&show["offer"])));
    if list(&show["differences"]).is_empty() {
        list(&show["transactions"]).iter().for_each(transaction);
    }
    print::differences(show);
    verdict(show);
    people("approved by", &show["approvals"]);
    for decline in list(&show["declines"]) {
        line(&format!("declined by {}: {}", owner(&decline["by"]), leaf(&decline["reason"])));
    }
    waits_for(&show["waits-for"]);
    let mut seen = BTreeSet::new();
    // Each once: several transactions of a case often lack the same.
    list(&show["lacking"]).iter().map(leaf).filter(|one| seen.insert(one.clone())).for_each(|one| line(&one));
    signatures(&show["signatures"]);
    // What is open is alive by itself.
    if show["status"] != "collecting" {
        alive(&show["alive"]);
    }
    for (name, heading) in [("rivals", "rivals for the same serial"), ("submissions", "handed in by this agent")] {
        if !list(&show[name]).is_empty() {
            line(&format!("{heading}:"));
            print::tree(&show[name], 1);
        }
    }
    if !show["obstacle"].is_null() {
        line(&format!("obstacle: {}", leaf(&show["obstacle"])));
    }
    if let Some(after) = show["after"].as_str() {
        line(&format!("comes after case {after}"));
    }
    verified(&show["verified"]);
    let others = show.as_object().into_iter().flatten().filter(|(name, _)| !TOLD.contains(&name.as_str()));
    for (name, value) in others {
        if value.is_object() || value.as_array().is_some_and(|items| !items.is_empty()) {
            line(&format!("{name}:"));
            print::tree(value, 1);
        } else {
            line(&format!("{name}: {}", leaf(value)));
        }
    }
}

/// One line for what a case was about.
fn transaction(one: &Value) {
    let text = |name: &str| leaf(&one[name]);
    line(&format!("{} {} ({}), serial {}", text("kind"), text("subject"), text("operation"), text("serial")));
    line(&format!("  hash {}", text("transaction")));
}

/// Every case as one line, and what else `list` knows.
pub fn all(listed: &Value) {
    for case in list(&listed["cases"]) {
        let text = |name: &str| leaf(&case[name]);
        let mut told = format!(
            "{} {} {}, proposed by {}",
            text("case"),
            text("status"),
            text("workflow"),
            owner(&case["proposer"])
        );
        if case["approved"] == true {
            told.push_str(", approved by this agent");
        }
        for (name, words) in [("live", "alive"), ("rivals", "rivals")] {
            if let Some(count) = case[name].as_u64().filter(|count| *count > 0) {
                told.push_str(&format!(", {count} {words}"));
            }
        }
        if !case["waits-for"].is_null() {
            told.push_str(", waits for a key");
        }
        if case["reason"].as_str().is_some_and(|reason| !reason.is_empty()) {
            told.push_str(&format!(": {}", text("reason")));
        }
        line(&told);
    }
    if list(&listed["cases"]).is_empty() {
        line("no cases");
    }
    line(&format!("{} proposals that no case knows; see `foreign list`", leaf(&listed["foreign"])));
    if !list(&listed["outgoing"]).is_empty() {
        line("not with the coordinator:");
        print::tree(&listed["outgoing"], 1);
    }
}

/// Prints what `foreign show` knows of a proposal that others made.
pub fn foreign(show: &Value) {
    line(&format!("proposal {}, made without Countersign", leaf(&show["transaction"])));
    line(&format!("proposed at {}", leaf(&show["proposed-at"])));
    print::differences(show);
    signatures(&show["signatures"]);
    missing(&show["missing"]);
    let headings = [
        ("adds", "adds"),
        ("dangers", "DANGER"),
        ("not-signable", "NOT SIGNABLE, Canton takes it and does not say"),
        ("rivals", "rival for the same serial"),
    ];
    for (name, heading) in headings {
        for one in list(&show[name]) {
            let text = if one.is_object() { leaf(&one["transaction"]) } else { leaf(one) };
            line(&format!("{heading}: {text}"));
        }
    }
    if show["asleep"] == true {
        line("asleep until somebody signs again");
    }
    line(&leaf(&show["hint"]));
}

/// The status, with whatever it says besides its name.
fn status(show: &Value) -> String {
    let detail = show["status-detail"].as_object().into_iter().flatten().filter(|(name, _)| *name != "status");
    let detail = detail.map(|(name, value)| match (name.as_str(), value.as_i64(), value.as_array()) {
        ("at", Some(at), _) => format!("since {}", moment(Timestamp(at))),
        (_, _, Some(items)) => format!("{name} {}", items.iter().map(leaf).collect::<Vec<_>>().join(", ")),
        _ => format!("{name} {}", leaf(value)),
    });
    [leaf(&show["status"])].into_iter().chain(detail).collect::<Vec<_>>().join(", ")
}

fn verdict(show: &Value) {
    let verdict = &show["verdict"];
    if verdict["verified"] == true {
        let count = leaf(&verdict["signs"]);
        let noun = if count == "1" { "signature" } else { "signatures" };
        line(&format!("this agent would sign: {count} {noun}"));
    } else if verdict.is_object() {
        line(&format!("this agent does not sign: {}: {}", leaf(&verdict["name"]), leaf(&verdict["reason"])));
    }
}

/// What one transaction lacks.
fn missing(one: &Value) {
    for namespace in list(&one["namespaces"]) {
        let mut owners: Vec<String> = list(&namespace["of"]).iter().map(owner).collect();
        owners.sort();
        line(&format!("missing: {} more of {}", leaf(&namespace["more"]), owners.join(", ")));
    }
    for key in list(&one["keys"]) {
        line(&format!("missing: key {}", leaf(key)));
    }
}

fn waits_for(wait: &Value) {
    if wait["dropped"].is_object() {
        let (name, reason) = (leaf(&wait["dropped"]["name"]), leaf(&wait["dropped"]["reason"]));
        line(&format!("approved at {}, and not signed: {name}: {reason}", leaf(&wait["since"])));
        return;
    }
    for key in list(&wait["keys"]) {
        let (name, key, says) = (leaf(&key["name"]), leaf(&key["key"]), leaf(&key["says"]));
        line(&format!("waits for key {name} ({key}): {says}"));
    }
    if wait.is_object() {
        line(&format!("approved at {}, asked again at {}", leaf(&wait["since"]), leaf(&wait["asked-again"])));
    }
}

/// Who signed which transaction, by name.
fn signatures(all: &Value) {
    for one in list(all) {
        let signers: BTreeSet<String> = list(&one["by"]).iter().map(signer).collect();
        let asleep = if one["asleep"] == true { "; asleep until somebody signs again" } else { "" };
        if !signers.is_empty() {
            let signers = signers.into_iter().collect::<Vec<_>>().join(", ");
            line(&format!("signed: {} by {signers}{asleep}", leaf(&one["transaction"])));
        }
    }
    // A proposal of others is one transaction.
    let signers: BTreeSet<String> = list(all).iter().filter(|one| one["key"].is_string()).map(signer).collect();
    if !signers.is_empty() {
        line(&format!("signed by {}", signers.into_iter().collect::<Vec<_>>().join(", ")));
    }
}

fn signer(value: &Value) -> String {
    let name = if value["name"].is_string() { leaf(&value["name"]) } else { leaf(&value["key"]) };
    if value["from"] == "the synchronizer" { format!("{name} (seen on the synchronizer)") } else { name }
}

fn alive(all: &Value) {
    for one in list(all) {
        let signers: Vec<String> = list(&one["signers"]).iter().map(leaf).collect();
        let enough = if one["satisfied"] == true { ", and these suffice" } else { "" };
        let transaction = leaf(&one["slot"]["transaction"]);
        line(&format!("alive: {transaction}, signed by {}{enough}", signers.join(", ")));
    }
}

/// On whose nodes it was seen effective. A hosting says so by its steps.
fn verified(all: &Value) {
    people("verified on the nodes of", &all["on"]);
    people("not yet verified on the nodes of", &all["not-yet"]);
    if all["mistake"].is_string() {
        line(&format!("ALARM: {}", leaf(&all["mistake"])));
    }
}

fn people(what: &str, all: &Value) {
    let mut all: Vec<String> = list(all).iter().map(owner).collect();
    all.sort();
    if !all.is_empty() {
        line(&format!("{what} {}", all.join(", ")));
    }
}

/// The name in the book, and the whole fingerprint.
fn owner(value: &Value) -> String {
    if value["name"].is_null() {
        return leaf(&value["namespace"]);
    }
    format!("{} ({})", leaf(&value["name"]), leaf(&value["namespace"]))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

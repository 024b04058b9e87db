//! A case for people: each thing once, and what has ended without what would be asked of it.

use canton_topology::{Timestamp, show::moment};
use serde_json::Value;

use super::print::{self, leaf, line};

/// What has lines of its own below, or stands in another field.
const TOLD: [&str; 16] = [
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
    "alive",
    "differences",
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
    print::differences(show);
    verdict(show);
    people("approved by", &show["approvals"]);
    for decline in list(&show["declines"]) {
        line(&format!("declined by {}: {}", owner(&decline["by"]), leaf(&decline["reason"])));
    }
    missing(&show["missing"]);
    alive(&show["alive"]);
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
        line(&format!("this agent would sign: {} signatures", leaf(&verdict["signs"])));
    } else if verdict.is_object() {
        line(&format!("this agent does not sign: {}: {}", leaf(&verdict["name"]), leaf(&verdict["reason"])));
    }
}

fn missing(all: &Value) {
    for one in list(all) {
        for namespace in list(&one["namespaces"]) {
            let owners: Vec<String> = list(&namespace["of"]).iter().map(owner).collect();
            line(&format!("missing: {} more of {}", leaf(&namespace["more"]), owners.join(", ")));
        }
        for key in list(&one["keys"]) {
            line(&format!("missing: key {}", leaf(key)));
        }
    }
}

fn alive(all: &Value) {
    for one in list(all) {
        let signers: Vec<String> = list(&one["signers"]).iter().map(leaf).collect();
        let enough = if one["satisfied"] == true { ", and these suffice" } else { "" };
        let transaction = leaf(&one["slot"]["transaction"]);
        line(&format!("alive: {transaction}, signed by {}{enough}", signers.join(", ")));
    }
}

fn people(what: &str, all: &Value) {
    let all: Vec<String> = list(all).iter().map(owner).collect();
    if !all.is_empty() {
        line(&format!("{what} {}", all.join(", ")));
    }
}

/// The name in the book, and the whole fingerprint.
fn owner(value: &Value) -> String {
    format!("{} ({})", leaf(&value["name"]), leaf(&value["namespace"]))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

//! What an offer lacks, in words: who must sign still, and why it is they. This is what a node keeps to itself when it
//! refuses a change without saying why.

use canton_topology::{id::Namespace, transaction::Transaction};

use crate::{intent::Change, life::Standing, merge::MissingNamespace, naming::subject};

/// One line for each namespace and each key that the newest offer lacks. `name` says how the reader calls somebody.
pub fn lacking(standing: &Standing, name: impl Fn(&Namespace) -> String) -> Vec<String> {
    let mut lines = Vec::new();
    for (transaction, missing) in standing.missing() {
        let of_namespace = |one: &MissingNamespace| {
            let mut people: Vec<String> = one.owners.iter().map(&name).collect();
            people.sort();
            format!("missing: {}, because {}", some(one.more, &people), because(one, transaction))
        };
        let mut of_namespaces: Vec<String> = missing.namespaces.iter().map(of_namespace).collect();
        of_namespaces.sort();
        lines.extend(of_namespaces);
        let what = words(transaction);
        let of_key = |key| format!("missing: key {key}, because a key that {what} gives a right must sign it itself");
        lines.extend(missing.keys.iter().map(of_key));
    }
    lines
}

/// Who suffices alone, in the place of everybody that [`lacking`] names: Canton lets a host go by its own yes.
pub fn suffices(change: &Change, name: impl Fn(&Namespace) -> String) -> Option<String> {
    let Change::LeaveHost(leave) = change else { return None };
    let host = name(leave.participant.namespace());
    Some(format!("or alone: {host}, because a host may leave by its own signature"))
}

/// All of these, or so many of them.
fn some(count: usize, people: &[String]) -> String {
    if count >= people.len() {
        return people.join(" and ");
    }
    format!("{count} of {}", people.join(", "))
}

fn because(one: &MissingNamespace, transaction: &Transaction) -> String {
    let what = words(transaction);
    match one.owners.as_slice() {
        [owner] if *owner == one.namespace => format!("{what} needs the yes of this very namespace"),
        _ => format!("{what} needs {} more of the owners of namespace {}", one.more, one.namespace),
    }
}

fn words(transaction: &Transaction) -> String {
    format!("{} of {}", transaction.mapping().code().name(), subject(transaction.mapping()))
}

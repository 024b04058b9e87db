//! What is shown of a case.

use canton_topology::{id::Namespace, transaction::Transaction};
use protocol::{api::CaseSummary, case::Case, life::Standing};

/// A case at a glance.
pub fn summary(case: &Case, standing: &Standing) -> CaseSummary {
    CaseSummary {
        case: case.id().to_string(),
        workflow: case.intent().change.name().to_owned(),
        proposer: case.intent().proposer.to_string(),
        status: standing.status.name().to_owned(),
        statements: case.statements().len() as u64,
        live: standing.live.len(),
    }
}

/// What is missing of a case's newest offer, in words.
pub fn missing_in_words(standing: &Standing) -> Vec<String> {
    let name = |transaction: &Transaction| transaction.mapping().code().name();
    let mut words: Vec<String> = standing.obstacle.iter().map(|reason| format!("an obstacle: {reason}")).collect();
    for one in standing.merged.iter().filter(|one| one.asleep) {
        let transaction = &one.signed.transaction;
        words.push(format!("{}: it sleeps; the signature of one more owner wakes it", name(transaction)));
    }
    for (transaction, missing) in standing.missing() {
        for namespace in &missing.namespaces {
            let owners: Vec<&str> = namespace.owners.iter().map(Namespace::as_str).collect();
            words.push(format!("{}: {} more of {}", name(transaction), namespace.more, owners.join(", ")));
        }
        words.extend(missing.keys.iter().map(|key| format!("{}: key {key}", name(transaction))));
    }
    words
}

//! What is shown of a case.

use canton_client::explain;
use protocol::{
    api::CaseSummary,
    case::Case,
    lacking::lacking,
    life::{Standing, Status},
};

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

/// What is missing of a case's newest offer, in words; and where a participant refused it, what that means.
pub fn missing_in_words(standing: &Standing) -> Vec<String> {
    let mut words: Vec<String> = standing.obstacle.iter().map(|reason| format!("an obstacle: {reason}")).collect();
    for one in standing.merged.iter().filter(|one| one.asleep) {
        let transaction = &one.signed.transaction;
        let kind = transaction.mapping().code().name();
        words.push(format!("{kind}: it sleeps; the signature of one more owner wakes it"));
    }
    if let Status::Rejected { reason } = &standing.status {
        let meaning = explain::of_text(reason).map(|line| format!("; {line}")).unwrap_or_default();
        words.push(format!("the participant refused it: {reason}{meaning}"));
    }
    words.extend(lacking(standing, |owner| format!("owner {owner}")));
    words
}

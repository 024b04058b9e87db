//! `GET /v1/cases` and `GET /v1/cases/{id}`: what is stored, and where it stands on topology as it was read last.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use canton_topology::{judge::Verifier, state::State as TopologyState};
use protocol::{
    api::{Base64, CaseDetail, CaseList, CaseSummary},
    case::Case,
    directory::Directory,
    intent::CaseId,
    life::{Standing, Status, standing},
    statement::Statement,
};
use serde::Deserialize;

use super::{
    Api,
    extract::{Caller, Query, blocking},
    problem::{Problem, Slug},
};
use crate::{
    clock,
    coordinator::{missing_in_words, summary},
    driver::Topology,
    store::StoreError,
};

/// Cases in one answer: each is read and judged anew.
const CASES_DEFAULT: usize = 50;
const CASES_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    before: Option<String>,
    limit: Option<usize>,
}

pub async fn list(State(api): State<Arc<Api>>, _: Caller, Query(page): Query<Page>) -> Result<Json<CaseList>, Problem> {
    let limit = page.limit.unwrap_or(CASES_DEFAULT);
    if !(1..=CASES_MAX).contains(&limit) {
        let detail = format!("limit: {limit}; expected from 1 to {CASES_MAX}");
        return Err(Problem::new(Slug::QueryMalformed, detail));
    }
    let before = page.before.map(|text| text.parse::<CaseId>()).transpose();
    let before = before.map_err(|error| Problem::new(Slug::QueryMalformed, format!("before: {error}")))?;
    let cases = blocking(move || summaries(&api, before, limit)).await??;
    Ok(Json(CaseList { cases }))
}

pub async fn show(State(api): State<Arc<Api>>, _: Caller, Path(id): Path<String>) -> Result<Json<CaseDetail>, Problem> {
    let id: CaseId = id.parse().map_err(|error| Problem::new(Slug::CaseUnknown, format!("{error}")))?;
    let detail = blocking(move || detail(&api, id)).await??;
    let unknown =
        || Problem::new(Slug::CaseUnknown, format!("case {id} is not here; GET /v1/cases lists those that are"));
    detail.map(Json).ok_or_else(unknown)
}

fn summaries(api: &Api, before: Option<CaseId>, limit: usize) -> Result<Vec<CaseSummary>, StoreError> {
    let directory = directory(api)?;
    let topology = api.driver.topology().borrow().clone();
    let mut all = Vec::new();
    for id in api.store.cases(before, limit)? {
        let Some(case) = load(api, id, &directory)? else { continue };
        let standing = stand(&case, topology.state().map(AsRef::as_ref));
        all.push(summary(&case, &standing));
    }
    Ok(all)
}

fn detail(api: &Api, id: CaseId) -> Result<Option<CaseDetail>, StoreError> {
    let Some(case) = load(api, id, &directory(api)?)? else { return Ok(None) };
    let topology = api.driver.topology().borrow().clone();
    let standing = stand(&case, topology.state().map(AsRef::as_ref));
    Ok(Some(CaseDetail {
        summary: summary(&case, &standing),
        head: hex::encode(case.checkpoint().head),
        missing: missing(api, &case, &standing, &topology),
        statements: case.statements().iter().map(|statement| Base64(statement.bytes().to_vec())).collect(),
    }))
}

fn stand(case: &Case, state: Option<&TopologyState>) -> Standing {
    standing(case, state, &mut Verifier::default(), clock::now())
}

/// What a case waits for, in words.
fn missing(api: &Api, case: &Case, standing: &Standing, topology: &Topology) -> Vec<String> {
    if standing.status != Status::Waiting {
        return missing_in_words(standing);
    }
    match topology {
        Topology::NotConfigured => vec![
            "this coordinator has no participant to read topology from: ask an owner's agent how the case stands"
                .to_owned(),
        ],
        Topology::Unread(reason) => vec![format!("topology: {reason}")],
        Topology::Read(state) | Topology::Stale(state, _) => match (api.planner)(case.intent(), state) {
            Ok(_) => vec!["the offer: it is being made".to_owned()],
            Err(error) => vec![format!("an offer: {error}")],
        },
    }
}

/// Everybody who was ever enrolled: what they have said stays said.
fn directory(api: &Api) -> Result<Directory, StoreError> {
    let mut directory = Directory::new(api.coordinator);
    for former in &api.former {
        directory.succeed(*former);
    }
    for (identity, owner) in api.register.identities() {
        directory.admit(identity, owner);
    }
    Ok(directory)
}

fn load(api: &Api, id: CaseId, directory: &Directory) -> Result<Option<Case>, StoreError> {
    let mut case: Option<Case> = None;
    for stored in api.store.load(id)? {
        let damaged = |reason: String| StoreError::Damaged { row: format!("statement {}", stored.sequence), reason };
        let statement = Statement::parse(&stored.bytes).map_err(|error| damaged(error.to_string()))?;
        let folded = match &mut case {
            Some(case) => case.append(statement, directory).map(drop),
            None => Case::open(statement, directory).map(|opened| case = Some(opened)),
        };
        folded.map_err(|error| damaged(error.to_string()))?;
    }
    Ok(case)
}

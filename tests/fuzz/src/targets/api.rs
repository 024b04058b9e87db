//! Bodies of the coordinator's HTTP API, in both directions.

use protocol::{
    api::{
        CaseDetail, CaseList, Directory, EnrollRequest, EnrollResponse, HandOver, HandedOver, Inbox, Introduced,
        Introductions, Nonce, PostIntroduction, PostStatement, Posted, Problem,
    },
    identity::IdentityCertificate,
    statement::Statement,
};
use serde::{Serialize, de::DeserializeOwned};

use super::statement;

/// What reads is written back to the same, and what it carries goes through its own door.
pub fn run(bytes: &[u8]) {
    body::<EnrollResponse>(bytes);
    body::<Posted>(bytes);
    body::<CaseList>(bytes);
    body::<Problem>(bytes);
    if let Some(request) = body::<EnrollRequest>(bytes) {
        let _ = IdentityCertificate::parse(&request.certificate.0);
    }
    if let Some(directory) = body::<Directory>(bytes) {
        for entry in &directory.owners {
            let _ = IdentityCertificate::parse(&entry.certificate.0);
        }
    }
    if let Some(post) = body::<PostStatement>(bytes) {
        statement::run(&post.statement.0);
    }
    body::<Nonce>(bytes);
    body::<Introduced>(bytes);
    if let Some(post) = body::<PostIntroduction>(bytes) {
        statement::introduction(&post.introduction.0);
    }
    if let Some(mailbox) = body::<Introductions>(bytes) {
        for one in &mailbox.introductions {
            statement::introduction(&one.0);
        }
    }
    body::<HandedOver>(bytes);
    if let Some(history) = body::<HandOver>(bytes) {
        for one in &history.statements {
            let _ = Statement::parse(&one.0);
        }
    }
    if let Some(inbox) = body::<Inbox>(bytes) {
        for entry in &inbox.entries {
            let _ = Statement::parse(&entry.statement.0);
        }
    }
    if let Some(detail) = body::<CaseDetail>(bytes) {
        let _ = detail.summary.id();
        for one in &detail.statements {
            let _ = Statement::parse(&one.0);
        }
    }
}

fn body<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let body: T = serde_json::from_slice(bytes).ok()?;
    let written = serde_json::to_vec(&body).expect("a body of texts and numbers can be written");
    let again: T = serde_json::from_slice(&written).expect("what we write reads");
    assert_eq!(serde_json::to_vec(&again).ok(), Some(written));
    Some(body)
}

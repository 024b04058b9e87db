//! `GET /v1/directory`: who is enrolled. A mailbox list: each agent believes its own book.

use std::sync::Arc;

use axum::{Json, extract::State};
use protocol::api::{Base64, Directory, DirectoryEntry};

use super::{Api, extract::Caller};

pub async fn directory(State(api): State<Arc<Api>>, _: Caller) -> Json<Directory> {
    let entry =
        |member: crate::register::Member| DirectoryEntry { name: member.name, certificate: Base64(member.certificate) };
    let owners = api.register.members().into_iter().map(entry).collect();
    Json(Directory { coordinator: api.coordinator, owners })
}

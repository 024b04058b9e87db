//! The owner's node as every step must find it.

use canton_client::participant::Participant;

use super::{error::StepError, held::Connection};

/// Whether a node is connected to nothing, and connects to nothing by itself.
pub(super) async fn is_disconnected(node: &Participant) -> Result<bool, StepError> {
    Ok(node.connected().await?.is_empty() && node.registered().await?.iter().all(|one| one.manual_connect))
}

/// The same, or what to do about it.
pub(super) async fn must_be_disconnected(node: &Participant) -> Result<(), StepError> {
    if is_disconnected(node).await? {
        return Ok(());
    }
    Err(StepError::Precondition(
        "the new host is connected, or would connect by itself: somebody connected it since; what it saw without the \
         contracts may have forked its ledger; restore its backup, disconnect it again with `workflow run --confirm \
         disconnect`, and go on"
            .to_owned(),
    ))
}

/// How a node's connections are now.
pub(super) async fn connections(node: &Participant) -> Result<Vec<Connection>, StepError> {
    let registered = node.registered().await?.into_iter();
    let connection = |one: canton_client::connectivity::Registered| Connection {
        alias: one.alias,
        connected: one.connected,
        manual: one.manual_connect,
    };
    Ok(registered.map(connection).collect())
}

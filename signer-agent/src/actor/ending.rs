//! An owner's no, and a proposer's taking back. Both stop agents and coordinator alone: a signature that is out stays
//! alive, and whoever says so is told.

use protocol::{
    intent::CaseId,
    limits,
    statement::{Statement, Withdrawal},
};
use serde_json::{Value, json};

use super::{Actor, failure};
use crate::control::Answer;

type Said = Result<(Answer, Option<Statement>), Answer>;

impl Actor {
    /// The owner's no.
    pub(super) fn decline(&self, id: &CaseId, reason: &str) -> Said {
        check_reason(reason)?;
        self.must_be_open(id)?;
        let statement = self.agent.decline(id, reason).map_err(failure)?;
        let mut value = json!({ "case": id.to_string(), "declined": reason });
        if self.is_own_signature_alive(id) {
            value["note"] = Value::from(format!(
                "this owner has signed it before, and that signature stays alive: Canton would take it; `void {id}` kills it"
            ));
        }
        Ok((Answer::Done { value }, Some(statement)))
    }

    /// The proposer takes it back.
    pub(super) fn withdraw(&self, id: &CaseId, reason: &str) -> Said {
        check_reason(reason)?;
        let Some(known) = self.agent.case(id) else { return Err(Answer::failed("UnknownCase", id)) };
        if known.intent().proposer != self.agent.me().owner {
            return Err(Answer::failed("NotTheProposer", "only the proposer withdraws; you may `decline`"));
        }
        self.must_be_open(id)?;
        let withdrawal = Withdrawal { case: *id, intent: known.intent_hash(), reason: reason.to_owned() };
        let statement = Statement::sign(&withdrawal, self.agent.identity());
        let live = self.standing(id).map_or(0, |standing| standing.live.len());
        let mut value = json!({ "case": id.to_string(), "withdrawn": reason, "live": live });
        if live > 0 {
            let note = format!("given signatures stay alive: Canton would take them; `void {id}` kills them");
            value["note"] = Value::from(note);
        }
        Ok((Answer::Done { value }, Some(statement)))
    }

    fn must_be_open(&self, id: &CaseId) -> Result<(), Answer> {
        let Some(standing) = self.standing(id) else { return Err(Answer::failed("UnknownCase", id)) };
        if standing.status.is_open() {
            return Ok(());
        }
        let more = if standing.live.is_empty() { "" } else { "; its signatures are alive, and only `void` kills them" };
        Err(Answer::failed("Ended", format!("case {id} is {}: it has ended{more}", standing.status.name())))
    }

    fn is_own_signature_alive(&self, id: &CaseId) -> bool {
        let me = self.agent.me();
        let hosted = me.host.iter().map(|(_, key)| key);
        let own: Vec<_> = me.keys.iter().chain(hosted).map(|key| key.fingerprint_ref()).collect();
        let live = self.standing(id).map(|standing| standing.live).unwrap_or_default();
        live.iter().flat_map(|live| &live.signers).any(|signer| own.contains(&signer))
    }
}

/// A reason that says something, within its limit.
pub(super) fn check_reason(reason: &str) -> Result<(), Answer> {
    let max = limits::REASON_BYTES_MAX;
    if reason.trim().is_empty() {
        return Err(Answer::failed("Reason", "--reason: it is empty; say why, everybody sees it"));
    }
    if reason.len() > max {
        return Err(Answer::failed("Reason", format!("--reason: {} bytes; at most {max} are taken", reason.len())));
    }
    Ok(())
}

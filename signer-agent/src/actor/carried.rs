//! What a key that lives elsewhere has to sign, and its signature when it comes.

use std::collections::BTreeSet;

use canton_topology::id::Fingerprint;
use protocol::{hosting, intent::CaseId, life::Standing, statement::Statement};
use serde_json::{Value, json};

use super::{Actor, error_name, now};
use crate::{
    agent::{AgentError, carried::CarryError},
    control::Answer,
};

impl Actor {
    /// The hashes to be signed, with what they change.
    pub(super) fn hashes(&self, id: &CaseId, key: Option<&Fingerprint>) -> Result<Value, Answer> {
        let key = self.key_carried(id, key)?;
        let (verified, public) = self.agent.verify_carried(id, &key, now()).map_err(|error| failure(&error))?;
        let asked = verified.requests().iter().filter(|request| request.key == key);
        let hashes: Vec<Value> = asked
            .map(|request| {
                let transaction = &verified.transactions()[request.index];
                json!({
                    "transaction": request.transaction.to_string(),
                    "what": protocol::naming::subject(transaction.mapping()),
                    "serial": request.serial.get(),
                })
            })
            .collect();
        Ok(json!({
            "case": id.to_string(),
            "offer": verified.offer().to_string(),
            "key": key.to_string(),
            "algorithm": public.spec().name(),
            "hashes": hashes,
        }))
    }

    /// The statement that carries a signature.
    pub(super) fn contribute(
        &self,
        id: &CaseId,
        key: Option<&Fingerprint>,
        bytes: &[u8],
    ) -> Result<(Answer, Option<Statement>), Answer> {
        let key = self.key_carried(id, key)?;
        let statement = self.agent.contribute(id, &key, bytes, now()).map_err(|error| failure(&error))?;
        let value = json!({ "case": id.to_string(), "contributed": key.to_string() });
        Ok((Answer::Done { value }, Some(statement)))
    }

    /// The key that is named, or the one that is missing and belongs to no node and no owner of a namespace of several.
    fn key_carried(&self, id: &CaseId, key: Option<&Fingerprint>) -> Result<Fingerprint, Answer> {
        if let Some(key) = key {
            return Ok(key.clone());
        }
        let node = self.agent.case(id).and_then(hosting::wanted).map(|change| change.target.participant.namespace());
        let standing = self.standing(id);
        let missing = standing.iter().flat_map(Standing::missing).flat_map(|(_, missing)| &missing.namespaces);
        let plain: BTreeSet<&Fingerprint> = missing
            .filter(|one| one.owners.len() == 1 && Some(&one.namespace) != node)
            .map(|one| one.namespace.fingerprint())
            .collect();
        match plain.iter().next() {
            Some(key) if plain.len() == 1 => Ok((*key).clone()),
            Some(_) | None => {
                let keys: Vec<String> = plain.iter().map(ToString::to_string).collect();
                let reason = match keys.is_empty() {
                    true => "no signature of a single key is missing; see `show`".to_owned(),
                    false => format!("name the key with --key FINGERPRINT; missing are {}", keys.join(", ")),
                };
                Err(Answer::failed("Key", reason))
            }
        }
    }
}

fn failure(error: &CarryError) -> Answer {
    match error {
        CarryError::Agent(AgentError::NotYet(_) | AgentError::NoTopology) => Answer::not_yet(error),
        CarryError::Agent(agent) => Answer::failed(&error_name(agent), error),
        CarryError::UnknownKey(_) => Answer::failed("UnknownKey", error),
        CarryError::NotItsSignature { .. } => Answer::failed("NotItsSignature", error),
    }
}

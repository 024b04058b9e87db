//! A party's keys move from their own mapping into the party's: first they stand in both, then the old mapping goes.

use canton_topology::{
    judge::next_serial,
    mapping::{Code, Mapping, PartyToKeyMapping, SigningKeysWithThreshold},
    state::State,
    transaction::{Operation, Transaction},
};

use crate::{
    intent::MigrateKeys,
    workflow::{
        building::{next, party},
        error::PlanError,
    },
};

/// Plans its next part.
///
/// # Errors
/// Names what is missing or contradicts; [`PlanError::NoChange`] where all of it is done.
pub fn plan(change: &MigrateKeys, state: &State) -> Result<Vec<Transaction>, PlanError> {
    let before = party(state, &change.party)?;
    let Some(old) = old_mapping(change, state) else {
        let what = format!("the keys of {}", change.party);
        return Err(match &before.signing_keys {
            Some(_) => PlanError::NoChange { what },
            None => PlanError::NotFound { what: format!("a key mapping of {}", change.party) },
        });
    };
    let moved = SigningKeysWithThreshold { keys: old.keys.clone(), threshold: old.threshold };
    match &before.signing_keys {
        None => {
            let mut after = before.clone();
            after.signing_keys = Some(moved);
            Ok(vec![next(state, Mapping::PartyToParticipant(after))?])
        }
        Some(inline) if *inline == moved => {
            let mapping = Mapping::PartyToKeyMapping(old.clone());
            let what = || PlanError::ChainEnded { what: format!("the key mapping of {}", change.party) };
            let serial = next_serial(state, &mapping.unique_key()).ok_or_else(what)?;
            Ok(vec![Transaction::build(Operation::Remove, serial, &mapping)])
        }
        Some(_) => {
            let reason = "it has other keys in its own mapping than in the old one; change those first".to_owned();
            Err(PlanError::Field { field: "party".to_owned(), reason })
        }
    }
}

fn old_mapping<'a>(change: &MigrateKeys, state: &'a State) -> Option<&'a PartyToKeyMapping> {
    state.of_kind(Code::PartyToKeyMapping).find_map(|row| match row.transaction.mapping() {
        Mapping::PartyToKeyMapping(mapping) if mapping.party == change.party => Some(mapping),
        _ => None,
    })
}

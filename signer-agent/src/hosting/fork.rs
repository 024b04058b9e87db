//! The silent fork: a node that comes back from before a hosting goes another way than the network, and nobody else sees it.
//! What is remembered after the hosting is what such a node cannot have.

use std::fmt;

use canton_client::{
    error::NodeError,
    ledger::{Ledger, Offset, updates::UpdateOfParty},
};
use canton_topology::id::PartyId;
use serde::{Deserialize, Serialize};

/// What a ledger says that has forgotten what is asked for.
pub(super) const PRUNED: &str = "PARTICIPANT_PRUNED_DATA_ACCESSED";

/// By what a node's ledger is known again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerMark {
    /// It never ends before this. A node that was put back and has caught up is beyond it all the same.
    pub end: Offset,
    /// The first update of the last import, which no other node was sent: only this ledger has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
}

/// An update of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Imported {
    /// The party whose contracts were imported.
    pub party: PartyId,
    /// The update.
    pub update: UpdateOfParty,
}

/// A ledger that is not the one after a hosting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fork {
    /// It ends before where it was.
    Ends {
        /// Where it ends.
        at: Offset,
        /// Where it was.
        mark: Offset,
    },
    /// What was imported is not there.
    Lacks(Imported),
}

impl LedgerMark {
    /// The mark of an import that lies between two ends of the ledger.
    pub(super) async fn after_import(
        ledger: &Ledger,
        party: &PartyId,
        from_exclusive: Offset,
        end: Offset,
    ) -> Result<Self, NodeError> {
        // An import of nothing leaves no update behind.
        let first = ledger.first_update_of(party, from_exclusive, end).await?;
        Ok(Self { end, imported: first.map(|update| Imported { party: party.clone(), update }) })
    }

    /// Whether a ledger is another one.
    pub(super) async fn fork(self, ledger: &Ledger) -> Result<Option<Fork>, NodeError> {
        let at = ledger.ledger_end().await?;
        if at < self.end {
            return Ok(Some(Fork::Ends { at, mark: self.end }));
        }
        let Some(imported) = self.imported else { return Ok(None) };
        let (party, offset) = (&imported.party, imported.update.offset);
        match ledger.first_update_of(party, Offset(offset.0 - 1), offset).await {
            Ok(Some(found)) if found == imported.update => Ok(None),
            Ok(_) => Ok(Some(Fork::Lacks(imported))),
            // It lies so far back that the node has forgotten it.
            Err(NodeError::Rejected { reason, .. }) if reason == PRUNED => Ok(None),
            // A party that has left is read by nobody any more.
            Err(error) => {
                if ledger.is_hosted_locally(party).await? {
                    Err(error)
                } else {
                    Ok(None)
                }
            }
        }
    }
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ends { at, mark } => {
                write!(f, "the node's ledger ends at {at}, and this agent saw it at {mark} after a hosting")?;
            }
            Self::Lacks(Imported { party, update }) => write!(
                f,
                "the node's ledger has at {} another update than the import of the contracts of {party}",
                update.offset
            )?,
        }
        write!(
            f,
            ": an older state was restored, and the node will go another way than the network; stop it, and set it up \
             anew from the network"
        )
    }
}

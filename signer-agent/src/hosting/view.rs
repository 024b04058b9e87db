//! What the thread that owns the agent tells a step about a case. A step decides nothing that stands here.

use canton_topology::{
    Timestamp,
    id::{Namespace, SynchronizerId},
    transaction::SignedTransaction,
};
use protocol::{
    book::{Addressee, NoAddressee},
    hosting::{checklist::Item, contract_set::Contents},
    intent::{CaseId, HostParty},
    statement::Snapshot,
};

/// A case of hosting, as the agent sees it.
#[derive(Clone, Debug)]
pub struct View {
    /// The case.
    pub case: CaseId,
    /// What is wanted.
    pub change: HostParty,
    /// The synchronizer.
    pub synchronizer: SynchronizerId,
    /// The owner.
    pub me: Namespace,
    /// Why the agent does nothing about it, where it comes from a stranger or names one.
    pub untrusted: Option<String>,
    /// The checklist.
    pub items: Vec<Item>,
    /// The packages that the new host lacks; `None` where it is not known what is needed.
    pub missing_packages: Option<Vec<String>>,
    /// What to submit, where Canton's rule is met.
    pub complete: Option<Vec<SignedTransaction>>,
    /// Whether the new host answered this owner's question lately.
    pub answered: bool,
    /// What other owners asked the new host, and was not answered.
    pub open_questions: Vec<[u8; 32]>,
    /// Whether the synchronizer holds the proposal with the new host's own signature.
    pub is_proposed: bool,
    /// When the new host was added.
    pub activated: Option<Timestamp>,
    /// What the source exported.
    pub snapshot: Option<Snapshot>,
    /// What the second host counted.
    pub counted: Option<Contents>,
    /// Whether topology shows the new host with no flag.
    pub is_hosted: bool,
    /// To whom a snapshot is sealed: the new host's owner, as the agent's own book has it, or why to nobody.
    pub addressee: Result<Addressee, NoAddressee>,
    /// Whether the owner configured a backup command.
    pub has_backup_command: bool,
}

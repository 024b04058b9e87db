//! What the thread that owns the agent tells a step about a case. A step decides nothing that stands here.

use canton_topology::{
    Timestamp,
    id::{Namespace, SynchronizerId},
    transaction::SignedTransaction,
};
use protocol::{
    book::{Addressee, NoAddressee},
    hosting::{HostingStep, contract_set::Contents, onboarding::Onboarding},
    intent::{CaseId, HostParty},
    progress::Item,
    statement::Snapshot,
    witness::NotVerified,
};

use crate::actor::ToVerify;

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
    pub items: Vec<Item<HostingStep>>,
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
    /// The new host has its onboarding flag.
    pub onboarding: Option<Onboarding>,
    /// What the source exported.
    pub snapshot: Option<Snapshot>,
    /// What the second host counted.
    pub counted: Option<Contents>,
    /// Whether topology shows the new host with no flag.
    pub is_hosted: bool,
    /// What the agent is to vouch for as an owner who has no other part in it, or why it does not; `None` where that is not
    /// its turn.
    pub verdict: Option<Result<ToVerify, NotVerified>>,
    /// To whom a snapshot is sealed: the new host's owner, as the agent's own book has it, or why to nobody.
    pub addressee: Result<Addressee, NoAddressee>,
    /// Whether the owner configured a backup command.
    pub has_backup_command: bool,
}

impl View {
    /// Leaves what is to be undone: nothing more is done for a stranger, and what was done comes back all the same.
    pub fn only_put_back(&mut self) {
        self.items.retain(|item| item.step.puts_back());
        self.open_questions.clear();
    }
}

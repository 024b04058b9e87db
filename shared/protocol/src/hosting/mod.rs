//! How a party gets a new host: the steps, who does each, and how far the case is.
//!
//! Nothing of it is stored. Everything is derived from what the seats' owners vouched for and from topology, so any step
//! can be repeated, and another coordinator or a restarted agent comes to the same list. What a step does on a node
//! stands in the agent, not here; whether the node may be touched still, the agent says.

pub mod checklist;
pub mod contract_set;
pub mod gate;
pub mod onboarding;
pub mod record;
pub mod touched;

use std::{collections::BTreeSet, fmt};

use canton_topology::{id::PartyId, state::State};
use serde::{Deserialize, Serialize};

use crate::{
    accepted::Accepted,
    case::Case,
    hosts::host_of,
    intent::{Change, HostParty, HostingPath, Intent},
    newcomers::newcomers,
};

/// One step of hosting. The order is the one in which they are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostingStep {
    /// The source makes sure that the party was never used.
    Look,
    /// The source lists the packages that the party's contracts need.
    Survey,
    /// The new host vets these packages.
    Vet,
    /// The source remembers its pruning schedule, turns pruning off and notes the ledger's end.
    Prepare,
    /// The second host notes its ledger's end.
    PrepareSecond,
    /// The new host agrees.
    Consent,
    /// The new host leaves every synchronizer, and connects to none by itself.
    Disconnect,
    /// The party's owners sign.
    Sign,
    /// The complete transaction is handed to the synchronizer.
    Submit,
    /// The source exports the party's contracts as they were when the new host was added.
    Export,
    /// The second host counts the same contracts.
    Count,
    /// The source's pruning schedule comes back.
    RestorePruning,
    /// The new host's database is backed up.
    Backup,
    /// The new host imports the contracts.
    Import,
    /// The new host connects again, and by itself where it did before.
    Reconnect,
    /// The new host's onboarding flag goes.
    Clear,
    /// The source sees the new host.
    VerifySource,
    /// The new host sees itself.
    VerifyTarget,
    /// Another owner of the party, or of a host, sees the new host on the owner's own node.
    Verify,
    /// The case has ended: the source's pruning schedule comes back.
    PutBackSource,
    /// The case has ended, or the new host is of no use: it connects again.
    PutBackTarget,
}

impl HostingStep {
    /// Every step with its name.
    pub const ALL: [(Self, &'static str); 21] = [
        (Self::Look, "look"),
        (Self::Survey, "survey"),
        (Self::Vet, "vet"),
        (Self::Prepare, "prepare"),
        (Self::PrepareSecond, "prepare-second"),
        (Self::Consent, "consent"),
        (Self::Disconnect, "disconnect"),
        (Self::Sign, "sign"),
        (Self::Submit, "submit"),
        (Self::Export, "export"),
        (Self::Count, "count"),
        (Self::RestorePruning, "restore-pruning"),
        (Self::Backup, "backup"),
        (Self::Import, "import"),
        (Self::Reconnect, "reconnect"),
        (Self::Clear, "clear"),
        (Self::VerifySource, "verify-source"),
        (Self::VerifyTarget, "verify-target"),
        (Self::Verify, "verify"),
        (Self::PutBackSource, "put-back-source"),
        (Self::PutBackTarget, "put-back-target"),
    ];

    /// The step's name, as on the command line and in `--json`.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(step, _)| *step == self).map_or("", |(_, name)| name)
    }

    /// The step of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(step, _)| *step)
    }

    /// What is done in it, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Look => "make sure that the party was never used",
            Self::Survey => "list the packages that the party's contracts need",
            Self::Vet => "vet the packages on the new host",
            Self::Prepare => "remember the pruning schedule, turn it off, note the ledger's end",
            Self::PrepareSecond => "note the ledger's end on the second host",
            Self::Consent => "sign as the new host",
            Self::Disconnect => {
                "disconnect the new host from every synchronizer, and keep it from connecting by itself"
            }
            Self::Sign => "sign as owners of the party",
            Self::Submit => "hand the complete transaction to the synchronizer",
            Self::Export => "export the contracts as of the activation, sealed for the new host",
            Self::Count => "count the same contracts on the second host",
            Self::RestorePruning => "bring the pruning schedule back",
            Self::Backup => "back up the new host's database",
            Self::Import => "import the contracts on the new host",
            Self::Reconnect => "note the ledger's end and connect the new host again",
            Self::Clear => "clear the onboarding flag",
            Self::VerifySource => "see the new host on the source",
            Self::VerifyTarget => "see the new host on itself",
            Self::Verify => "see the new host on the owner's own node, as the intent says",
            Self::PutBackSource => "bring the pruning schedule back; the case has ended",
            Self::PutBackTarget => "connect the new host again; it takes nothing over",
        }
    }

    /// Whether it undoes what was done to a node.
    pub fn puts_back(self) -> bool {
        matches!(self, Self::PutBackSource | Self::PutBackTarget)
    }

    /// Whether a human must confirm it at the agent each time.
    pub fn takes_a_human(self) -> bool {
        match self {
            Self::Prepare | Self::Consent | Self::Disconnect | Self::Sign | Self::Backup | Self::Import => true,
            Self::Look
            | Self::Survey
            | Self::Vet
            | Self::PrepareSecond
            | Self::Submit
            | Self::Export
            | Self::Count
            | Self::RestorePruning
            | Self::Reconnect
            | Self::Clear
            | Self::VerifySource
            | Self::VerifyTarget
            | Self::Verify
            | Self::PutBackSource
            | Self::PutBackTarget => false,
        }
    }
}

impl fmt::Display for HostingStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The parties that must never have been used for an intent to be right: a host that does not have one yet would come
/// without its contracts. None where the contracts are carried over, are left behind with everybody's knowledge, or nobody
/// comes.
pub fn must_be_unused(intent: &Intent, state: &State) -> Vec<PartyId> {
    let new = match &intent.change {
        Change::HostParty(HostParty { party, target, path: HostingPath::Simple { .. }, .. }) => {
            let is_there = host_of(state, party, &target.participant).is_some();
            if is_there { Vec::new() } else { vec![(party.clone(), target.participant.clone())] }
        }
        _ if intent.accepts.contains(&Accepted::HostWithoutContracts) => Vec::new(),
        change => newcomers(change, state),
    };
    let parties: BTreeSet<PartyId> = new.into_iter().map(|(party, _)| party).collect();
    parties.into_iter().collect()
}

/// The hosting that a case is about, where it is about one.
pub fn wanted(case: &Case) -> Option<&HostParty> {
    match &case.intent().change {
        Change::HostParty(change) => Some(change),
        Change::CreateParty(_)
        | Change::CreatePartyWithKeyMapping(_)
        | Change::Membership(_)
        | Change::Delegate(_)
        | Change::Revoke(_)
        | Change::RotateOwnerKey(_)
        | Change::LeaveHost(_)
        | Change::MigrateKeys(_)
        | Change::Raw(_)
        | Change::Void(_)
        | Change::Adopt(_) => None,
    }
}

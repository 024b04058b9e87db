//! What a transaction would change: facts before and after, for people to read and for the frame check to hold against
//! the intent.

use std::collections::BTreeMap;

use canton_topology::{
    id::{Fingerprint, Namespace, ParticipantId},
    key::SigningPublicKey,
    mapping::{HostingParticipant, Mapping, Restriction},
    show,
    state::State,
    transaction::{Operation, Serial, Transaction},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::naming::subject;

/// Something that a mapping says, under a name of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// Whether the mapping stands at all.
    Stands,
    /// How many owners must sign, or how many hosts confirm.
    Threshold,
    /// An owner of the namespace.
    Owner(Namespace),
    /// A host of the party.
    Host(ParticipantId),
    /// How many of the party's keys must sign.
    KeyThreshold,
    /// A key of the party.
    Key(Fingerprint),
    /// A key that may sign for the namespace.
    Target(Fingerprint),
    /// A field of another kind of mapping, by its path.
    Field(String),
}

impl std::fmt::Display for Fact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stands => f.write_str("mapping"),
            Self::Threshold => f.write_str("threshold"),
            Self::Owner(owner) => write!(f, "owner {owner}"),
            Self::Host(host) => write!(f, "host {host}"),
            Self::KeyThreshold => f.write_str("signing-key threshold"),
            Self::Key(key) => write!(f, "signing key {key}"),
            Self::Target(key) => write!(f, "delegated key {key}"),
            Self::Field(path) => f.write_str(path),
        }
    }
}

/// One fact before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which.
    pub fact: Fact,
    /// What it is today; `None` where it is not there.
    pub before: Option<String>,
    /// What it would be; `None` where it would be gone.
    pub after: Option<String>,
}

/// What one transaction would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What kind of mapping, by Canton's name.
    pub kind: &'static str,
    /// What it is about.
    pub subject: String,
    /// Whether it sets or removes.
    pub operation: Operation,
    /// The active serial; `None` where there is none.
    pub serial_before: Option<Serial>,
    /// The serial that it would have.
    pub serial_after: Serial,
    /// Facts that would change, in a fixed order.
    pub changes: Vec<Change>,
    /// Facts that stay, for the reader.
    pub unchanged: Vec<(Fact, String)>,
}

impl Difference {
    /// The difference in lines for people: what changes first, then what stays.
    pub fn lines(&self) -> Vec<String> {
        let before = self.serial_before.map_or_else(|| "new".to_owned(), |serial| format!("serial {serial}"));
        let mut lines =
            vec![format!("{} {}: {before} -> serial {}", self.kind, show::escaped(&self.subject), self.serial_after)];
        if self.operation == Operation::Remove {
            lines.push("  is removed".to_owned());
        }
        let value = |value: &Option<String>| value.as_deref().map_or_else(|| "nothing".to_owned(), show::escaped);
        for change in &self.changes {
            lines.push(format!("  {}: {} -> {}", change.fact, value(&change.before), value(&change.after)));
        }
        for (fact, value) in self.unchanged.iter().filter(|(fact, _)| *fact != Fact::Stands) {
            lines.push(format!("  {fact}: {} (unchanged)", show::escaped(value)));
        }
        lines
    }
}

/// What a transaction would change on this topology.
pub fn difference(transaction: &Transaction, state: &State) -> Difference {
    let active = state.active(&transaction.unique_key());
    let before = active
        .filter(|row| row.transaction.operation() == Operation::AddReplace)
        .map_or_else(BTreeMap::new, |row| facts(&row.transaction));
    let after = match transaction.operation() {
        Operation::AddReplace => facts(transaction),
        Operation::Remove => BTreeMap::new(),
    };
    let mut changes = Vec::new();
    let mut unchanged = Vec::new();
    let mut names: Vec<&Fact> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    for fact in names {
        match (before.get(fact), after.get(fact)) {
            (Some(a), Some(b)) if a == b => unchanged.push((fact.clone(), a.clone())),
            (a, b) => changes.push(Change { fact: fact.clone(), before: a.cloned(), after: b.cloned() }),
        }
    }
    Difference {
        kind: transaction.mapping().code().name(),
        subject: subject(transaction.mapping()),
        operation: transaction.operation(),
        serial_before: active.map(|row| row.serial()),
        serial_after: transaction.serial(),
        changes,
        unchanged,
    }
}

/// What each of these transactions would change, with those before it taken for accepted.
pub fn differences(transactions: &[Transaction], state: &State) -> Vec<Difference> {
    let mut scratch = state.clone();
    let mut all = Vec::new();
    for transaction in transactions {
        all.push(difference(transaction, &scratch));
        scratch.assume(transaction);
    }
    all
}

/// Everything that a transaction says.
fn facts(transaction: &Transaction) -> BTreeMap<Fact, String> {
    let mut facts = BTreeMap::from([(Fact::Stands, "yes".to_owned())]);
    match transaction.mapping() {
        Mapping::DecentralizedNamespaceDefinition(m) => {
            facts.insert(Fact::Threshold, m.threshold.to_string());
            facts.extend(m.owners.iter().map(|owner| (Fact::Owner(owner.clone()), "owner".to_owned())));
        }
        Mapping::PartyToParticipant(m) => {
            facts.insert(Fact::Threshold, m.threshold.to_string());
            facts.extend(m.participants.iter().map(|host| (Fact::Host(host.participant.clone()), of_host(host))));
            if let Some(keys) = &m.signing_keys {
                facts.insert(Fact::KeyThreshold, keys.threshold.to_string());
                facts.extend(keys.keys.iter().map(|key| (Fact::Key(key.fingerprint()), of_key(key))));
            }
        }
        Mapping::NamespaceDelegation(m) => {
            let may = of_restriction(&m.restriction);
            facts.insert(Fact::Target(m.target.fingerprint()), format!("{}; signs {may}", of_key(&m.target)));
        }
        Mapping::OwnerToKeyMapping(_)
        | Mapping::SynchronizerTrustCertificate(_)
        | Mapping::ParticipantSynchronizerPermission(_)
        | Mapping::PartyHostingLimits(_)
        | Mapping::VettedPackages(_)
        | Mapping::SynchronizerParametersState(_)
        | Mapping::MediatorSynchronizerState(_)
        | Mapping::SequencerSynchronizerState(_)
        | Mapping::DynamicSequencingParametersState(_)
        | Mapping::PartyToKeyMapping(_)
        | Mapping::LsuAnnouncement(_)
        | Mapping::LsuSequencerConnectionSuccessor(_) => {
            let lines = show::transaction(transaction).into_iter().filter(|line| line.path.starts_with("mapping."));
            facts.extend(lines.map(|line| (Fact::Field(line.path), line.value)));
        }
    }
    facts
}

pub(crate) fn of_restriction(restriction: &Restriction) -> String {
    match restriction {
        Restriction::All => "every mapping".to_owned(),
        Restriction::AllButNamespaceDelegations => "every mapping but delegations".to_owned(),
        Restriction::Specific(codes) => codes.iter().map(|code| code.name()).collect::<Vec<_>>().join(", "),
    }
}

pub(crate) fn of_host(host: &HostingParticipant) -> String {
    let onboarding = if host.onboarding { ", onboarding" } else { "" };
    format!("{}{onboarding}", host.permission.name())
}

pub(crate) fn of_key(key: &SigningPublicKey) -> String {
    let usages: Vec<&str> = key.usage().iter().map(|usage| usage.name()).collect();
    format!("{} for {}", key.spec().name(), usages.join(" + "))
}

/// What kind of difference an offer makes, as far as a rule may permit it without a human. What adds or removes
/// anybody, lowers a threshold, came as raw bytes or from strangers has no class of its own, so that no rule can name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceClass {
    /// Only thresholds change, and each grows.
    ThresholdRaise,
    /// What is active is said once more, so that serials are consumed.
    Unchanged,
    /// Anything else: only a human may permit it.
    Other,
}

/// The text is not a class that a rule may permit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a class that a rule may permit; there are threshold-raise and unchanged, all else takes a human")]
pub struct NotAClass(pub String);

impl DifferenceClass {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ThresholdRaise => "threshold-raise",
            Self::Unchanged => "unchanged",
            Self::Other => "other",
        }
    }

    /// Whether a rule may permit it at all.
    pub fn is_permissible_by_rule(self) -> bool {
        match self {
            Self::ThresholdRaise | Self::Unchanged => true,
            Self::Other => false,
        }
    }

    /// The class of these differences together.
    pub fn of(differences: &[Difference]) -> Self {
        let replaces = |one: &Difference| one.operation == Operation::AddReplace && one.serial_before.is_some();
        if differences.is_empty() || !differences.iter().all(replaces) {
            return Self::Other;
        }
        let changes = || differences.iter().flat_map(|difference| &difference.changes);
        if changes().next().is_none() {
            return Self::Unchanged;
        }
        if changes().all(raises) { Self::ThresholdRaise } else { Self::Other }
    }
}

impl std::str::FromStr for DifferenceClass {
    type Err = NotAClass;

    fn from_str(text: &str) -> Result<Self, NotAClass> {
        [Self::ThresholdRaise, Self::Unchanged]
            .into_iter()
            .find(|class| class.name() == text)
            .ok_or_else(|| NotAClass(text.to_owned()))
    }
}

fn raises(change: &Change) -> bool {
    let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<u32>().ok());
    matches!(change.fact, Fact::Threshold | Fact::KeyThreshold)
        && number(&change.before).zip(number(&change.after)).is_some_and(|(before, after)| after > before)
}

//! The frame check: what the intent names is done, everything else stays as it is.
//!
//! Written apart from the planners and without them, so that a mistake in one is caught by the other. It knows nothing
//! of how a change is planned: it holds what stands before each transaction against what would stand after it.

mod new_party;
mod thresholds;
mod void;

use std::fmt::Display;

use canton_topology::{
    id::Namespace,
    key::SigningPublicKey,
    mapping::{DecentralizedNamespaceDefinition, Mapping, NamespaceDelegation, Restriction, SigningKeysWithThreshold},
    state::State,
    transaction::{Operation, Transaction},
};

pub use self::void::names_what_is_alive;
use crate::{
    intent::{AddOwner, Change, Intent},
    plan::subject,
    refusal::Refusal,
};

/// Holds the transactions, in their order, against the intent, on the topology that they build on.
///
/// # Errors
/// [`Refusal::OutsideFrame`] for a field that would not be what the intent, or what stands today, says;
/// [`Refusal::FrameNotFilled`] for something that the intent names and no transaction does.
pub fn check(intent: &Intent, transactions: &[Transaction], state: &State) -> Result<(), Refusal> {
    match &intent.change {
        Change::Raw(wanted) => return raw(&wanted.transactions, transactions),
        Change::Adopt(wanted) => return raw(std::slice::from_ref(&wanted.transaction), transactions),
        Change::CreateParty(_) | Change::AddOwner(_) | Change::ChangeThresholds(_) | Change::Void(_) => {}
    }
    let mut scratch = state.clone();
    let mut done = Done::default();
    for (index, transaction) in transactions.iter().enumerate() {
        let step = Step { index, transaction, state: &scratch };
        step.same("operation", Operation::AddReplace.name(), transaction.operation().name())?;
        match &intent.change {
            Change::CreateParty(wanted) => new_party::check(wanted, &step, &mut done)?,
            Change::AddOwner(wanted) => add_owner(wanted, &step, &mut done)?,
            Change::ChangeThresholds(wanted) => thresholds::check(wanted, &step, &mut done)?,
            Change::Void(wanted) => void::check(wanted, &step)?,
            Change::Raw(_) | Change::Adopt(_) => {}
        }
        scratch.assume(transaction);
    }
    match &intent.change {
        Change::CreateParty(_) => {
            done.filled("a namespace definition", done.definition)?;
            done.filled("the party's mapping", done.party)
        }
        Change::AddOwner(_) => done.filled("a new owner", done.definition),
        Change::ChangeThresholds(wanted) => thresholds::filled(wanted, &done),
        Change::Void(wanted) => void::filled(wanted, transactions),
        Change::Raw(_) | Change::Adopt(_) => Ok(()),
    }
}

/// What of the intent was done by the transactions so far.
#[derive(Default)]
struct Done {
    definition: bool,
    party: bool,
}

impl Done {
    fn filled(&self, what: &str, is_done: bool) -> Result<(), Refusal> {
        if is_done { Ok(()) } else { Err(Refusal::FrameNotFilled { what: what.to_owned() }) }
    }
}

/// One transaction, and what stands before it.
struct Step<'a> {
    index: usize,
    transaction: &'a Transaction,
    state: &'a State,
}

impl Step<'_> {
    /// The mapping that stands; `None` where there is none or it was removed.
    fn before(&self) -> Option<&Mapping> {
        self.state
            .active(&self.transaction.unique_key())
            .filter(|row| row.transaction.operation() == Operation::AddReplace)
            .map(|row| row.transaction.mapping())
    }

    fn same<T: PartialEq + Display + ?Sized>(&self, field: &str, expected: &T, found: &T) -> Result<(), Refusal> {
        if expected == found { Ok(()) } else { Err(self.outside(field, expected, found)) }
    }

    fn outside(&self, field: &str, expected: &(impl Display + ?Sized), found: &(impl Display + ?Sized)) -> Refusal {
        Refusal::OutsideFrame {
            index: self.index,
            field: field.to_owned(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// A kind of mapping, or one about something, that the intent does not touch.
    fn untouched(&self) -> Refusal {
        let mapping = self.transaction.mapping();
        let field = format!("{} {}", mapping.code().name(), subject(mapping));
        self.outside(&field, "as it is", "something else")
    }

    /// Each part of the intent is done once.
    fn once(&self, is_done: &mut bool) -> Result<(), Refusal> {
        if std::mem::replace(is_done, true) { Err(self.untouched()) } else { Ok(()) }
    }

    /// The root delegation of a key that is to become an owner's, published where the owner has none.
    fn root(&self, delegation: &NamespaceDelegation, owners: &[SigningPublicKey]) -> Result<(), Refusal> {
        let namespace = Namespace::from(delegation.target.fingerprint());
        let Some(key) = owners.iter().find(|key| key.fingerprint_ref() == namespace.fingerprint()) else {
            return Err(self.untouched());
        };
        if self.state.has_root(&namespace) {
            return Err(self.untouched());
        }
        self.same("namespace", &namespace, &delegation.namespace)?;
        self.same("target key", key_words(key).as_str(), key_words(&delegation.target).as_str())?;
        match delegation.restriction {
            Restriction::All => Ok(()),
            Restriction::AllButNamespaceDelegations | Restriction::Specific(_) => {
                Err(self.outside("restriction", "every mapping", "fewer mappings"))
            }
        }
    }

    fn owners(&self, expected: &[Namespace], found: &DecentralizedNamespaceDefinition) -> Result<(), Refusal> {
        self.same("owners", sorted(expected).as_str(), sorted(&found.owners).as_str())?;
        // Without roots the definition is refused, and its signatures would lie around for ever.
        match found.owners.iter().find(|owner| !self.state.has_root(owner)) {
            None => Ok(()),
            Some(owner) => Err(Refusal::FrameNotFilled { what: format!("the root delegation of owner {owner}") }),
        }
    }

    fn keys(
        &self,
        expected: Option<(&[SigningPublicKey], u32)>,
        found: Option<&SigningKeysWithThreshold>,
    ) -> Result<(), Refusal> {
        let words = |keys: Option<(&[SigningPublicKey], u32)>| {
            let (keys, threshold) = keys?;
            let mut all: Vec<String> = keys.iter().map(key_words).collect();
            all.sort();
            Some((all.join(", "), threshold))
        };
        match (words(expected), words(found.map(|found| (found.keys.as_slice(), found.threshold)))) {
            (None, None) => Ok(()),
            (Some(expected), Some(found)) => {
                self.same("signing keys", expected.0.as_str(), found.0.as_str())?;
                self.same("signing-key threshold", &expected.1, &found.1)
            }
            (None, Some(found)) => Err(self.outside("signing keys", "none", &found.0)),
            (Some(expected), None) => Err(self.outside("signing keys", &expected.0, "none")),
        }
    }
}

/// A key with everything that stands about it in the bytes: two keys of equal words are written alike.
fn key_words(key: &SigningPublicKey) -> String {
    let written = key.as_written();
    let label =
        format!("{:?} spec {} scheme {} usage {:?}", written.format, written.spec, written.scheme, written.usage);
    format!("{} ({} bytes, {label})", key.fingerprint_ref(), written.bytes.len())
}

fn sorted(namespaces: &[Namespace]) -> String {
    let mut all: Vec<&str> = namespaces.iter().map(Namespace::as_str).collect();
    all.sort_unstable();
    all.join(", ")
}

/// The bytes themselves are the intent.
fn raw(wanted: &[Vec<u8>], transactions: &[Transaction]) -> Result<(), Refusal> {
    for (index, transaction) in transactions.iter().enumerate() {
        if wanted.get(index).map(Vec::as_slice) != Some(transaction.bytes()) {
            let expected = wanted.get(index).map_or_else(|| "nothing".to_owned(), hex::encode);
            let found = hex::encode(transaction.bytes());
            return Err(Refusal::OutsideFrame { index, field: "bytes".to_owned(), expected, found });
        }
    }
    if transactions.len() < wanted.len() {
        return Err(Refusal::FrameNotFilled { what: format!("transaction {}", transactions.len()) });
    }
    Ok(())
}

fn add_owner(wanted: &AddOwner, step: &Step<'_>, done: &mut Done) -> Result<(), Refusal> {
    let owner = Namespace::from(wanted.owner.fingerprint());
    match (step.before(), step.transaction.mapping()) {
        (_, Mapping::NamespaceDelegation(delegation)) if !done.definition => {
            step.root(delegation, std::slice::from_ref(&wanted.owner))
        }
        (Some(Mapping::DecentralizedNamespaceDefinition(before)), Mapping::DecentralizedNamespaceDefinition(after))
            if after.namespace == wanted.namespace =>
        {
            step.once(&mut done.definition)?;
            step.same("threshold", &wanted.threshold, &after.threshold)?;
            let expected: Vec<Namespace> = before.owners.iter().cloned().chain([owner]).collect();
            step.owners(&expected, after)
        }
        _ => Err(step.untouched()),
    }
}

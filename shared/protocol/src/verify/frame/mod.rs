//! The frame check: what the intent names is done, everything else stays as it is.
//!
//! Written apart from the planners and without them, so that a mistake in one is caught by the other. It knows nothing
//! of how a change is planned: it holds what stands before each transaction against what would stand after it.

mod delegation;
mod host;
mod membership;
mod new_party;
mod party;
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
    intent::{Change, Intent},
    naming::subject,
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
        Change::CreateParty(_)
        | Change::CreatePartyWithKeyMapping(_)
        | Change::Membership(_)
        | Change::Delegate(_)
        | Change::Revoke(_)
        | Change::RotateOwnerKey(_)
        | Change::LeaveHost(_)
        | Change::MigrateKeys(_)
        | Change::HostParty(_)
        | Change::Void(_) => {}
    }
    let mut scratch = state.clone();
    let mut done = Done::default();
    for (index, transaction) in transactions.iter().enumerate() {
        let step = Step { index, transaction, state: &scratch };
        match &intent.change {
            Change::CreateParty(wanted) => new_party::check(wanted, KeysIn::Party, &step, &mut done)?,
            Change::CreatePartyWithKeyMapping(wanted) => {
                new_party::check(wanted, KeysIn::OwnMapping, &step, &mut done)?;
            }
            Change::Membership(wanted) => membership::check(wanted, &step, &mut done)?,
            Change::Delegate(wanted) => delegation::delegate(wanted, &step, &mut done)?,
            Change::Revoke(wanted) => delegation::revoke(wanted, &step, &mut done)?,
            Change::RotateOwnerKey(wanted) => delegation::rotate(wanted, &step, &mut done)?,
            Change::LeaveHost(wanted) => party::leave(wanted, &step, &mut done)?,
            Change::MigrateKeys(wanted) => party::migrate(wanted, &step, &mut done)?,
            Change::Void(wanted) => void::check(wanted, &step)?,
            Change::HostParty(wanted) => host::check(wanted, &step, &mut done)?,
            Change::Raw(_) | Change::Adopt(_) => {}
        }
        scratch.assume(transaction);
    }
    match &intent.change {
        Change::CreateParty(_) => {
            done.filled("a namespace definition", done.definition)?;
            done.filled("the party's mapping", done.party)
        }
        Change::CreatePartyWithKeyMapping(_) => {
            done.filled("a namespace definition", done.definition)?;
            done.filled("the party's mapping", done.party)?;
            done.filled("the party's key mapping", done.keys)
        }
        Change::Membership(wanted) => membership::filled(wanted, state, &done),
        Change::Delegate(_) | Change::Revoke(_) => done.filled("the delegation", done.delegation),
        Change::RotateOwnerKey(_) => done.filled("the next stage", done.delegation || done.definition),
        Change::LeaveHost(_) => done.filled("the host's leaving", done.party),
        Change::MigrateKeys(_) => done.filled("the next stage", done.party || done.keys),
        Change::Void(wanted) => void::filled(wanted, transactions),
        Change::HostParty(_) => done.filled("the party's new host", done.party),
        Change::Raw(_) | Change::Adopt(_) => Ok(()),
    }
}

/// Where a new party's keys stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeysIn {
    /// In the party's mapping.
    Party,
    /// In a mapping of their own.
    OwnMapping,
}

/// What of the intent was done by the transactions so far.
#[derive(Default)]
struct Done {
    definition: bool,
    party: bool,
    keys: bool,
    delegation: bool,
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

    /// It sets what it says.
    fn sets(&self) -> Result<(), Refusal> {
        self.same("operation", Operation::AddReplace.name(), self.transaction.operation().name())
    }

    /// It removes exactly what stands.
    fn removes(&self) -> Result<(), Refusal> {
        self.same("operation", Operation::Remove.name(), self.transaction.operation().name())?;
        match self.before() {
            Some(before) if before == self.transaction.mapping() => Ok(()),
            Some(_) | None => Err(self.outside("what is removed", "what stands", "something else")),
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
        self.sets()?;
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

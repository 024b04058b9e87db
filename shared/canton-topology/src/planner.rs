//! What it takes: who must sign, who has, who is missing, by the same formula that judges.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Timestamp,
    authorization::{Needed, Requirement, requirement},
    id::{Fingerprint, Namespace},
    judge::{Roles, Time, Verdict, Verifier, fold_batch, speakers},
    key::SigningPublicKey,
    mapping::Mapping,
    state::{Row, State, root_delegation},
    transaction::{SignatureOver, SignedTransaction, Transaction},
};

/// Where a transaction stands with the signatures of certain keys. Says nothing of the checks that do not look at
/// signatures: see [`would_accept`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// What the transaction requires.
    pub requirement: Requirement,
    /// Whether the formula is met.
    pub satisfied: bool,
    /// Namespaces and keys that are missing.
    pub missing: Needed,
    /// Keys that serve nothing here.
    pub superfluous: BTreeSet<Fingerprint>,
}

/// What the transaction requires today.
pub fn required(state: &State, transaction: &Transaction) -> Requirement {
    let previous = previous(state, transaction);
    requirement(transaction, previous, state.synchronizer().logical.namespace(), state.rules())
}

fn previous<'a>(state: &'a State, transaction: &Transaction) -> Option<&'a Transaction> {
    state.active(&transaction.unique_key()).map(|row| row.transaction.as_ref())
}

/// Where the transaction stands, were these keys to sign it.
pub fn assess(state: &State, transaction: &Transaction, signers: &BTreeSet<Fingerprint>) -> Assessment {
    let requirement = required(state, transaction);
    if let Some(root) = first_root(state, transaction) {
        let signed = signers.contains(root.fingerprint_ref());
        let keys = if signed { BTreeSet::new() } else { BTreeSet::from([root.fingerprint()]) };
        let others = signers.iter().filter(|key| *key != root.fingerprint_ref()).cloned().collect();
        let missing = Needed { namespaces: BTreeSet::new(), keys };
        return Assessment { requirement, satisfied: signed, missing, superfluous: others };
    }
    if is_root_alone(transaction, signers) {
        let (missing, superfluous) = (Needed::default(), BTreeSet::new());
        return Assessment { requirement, satisfied: true, missing, superfluous };
    }
    let roles = Roles::of(state, transaction, previous(state, transaction), signers);
    let useful = |key: &&Fingerprint| roles.by_namespace.contains_key(*key) || roles.by_possession.contains_key(*key);
    let superfluous = signers.iter().filter(|key| !useful(key)).cloned().collect();
    let satisfied = roles.missing.is_empty() && !roles.by_namespace.is_empty();
    Assessment { requirement, satisfied, missing: roles.missing, superfluous }
}

/// The key of a root delegation that is published for the first time: it alone may sign, and must.
pub(crate) fn first_root<'a>(state: &State, transaction: &'a Transaction) -> Option<&'a SigningPublicKey> {
    let root = root_delegation(transaction)?;
    state.active(&transaction.unique_key()).is_none().then_some(&root.target)
}

/// Whether these signers are the root key of a root delegation and nobody else: its word stands whatever else does.
pub(crate) fn is_root_alone(transaction: &Transaction, signers: &BTreeSet<Fingerprint>) -> bool {
    root_delegation(transaction)
        .is_some_and(|root| signers.len() == 1 && signers.contains(root.target.fingerprint_ref()))
}

/// Which of these keys would count for the transaction, each with the key by which it would be verified.
pub fn permissible(
    state: &State,
    transaction: &Transaction,
    candidates: &BTreeSet<Fingerprint>,
) -> BTreeMap<Fingerprint, SigningPublicKey> {
    if let Some(root) = first_root(state, transaction) {
        let taken = candidates.contains(root.fingerprint_ref());
        return taken.then(|| (root.fingerprint(), root.clone())).into_iter().collect();
    }
    let roles = Roles::of(state, transaction, previous(state, transaction), candidates);
    let counting: BTreeMap<Fingerprint, SigningPublicKey> =
        roles.by_possession.into_iter().chain(roles.by_namespace).collect();
    // A root that was broken is mended by the root key, which counts for nothing unless it is alone.
    match root_delegation(transaction).map(|root| &root.target) {
        Some(root) if candidates.contains(root.fingerprint_ref()) && !counting.contains_key(root.fingerprint_ref()) => {
            [(root.fingerprint(), root.clone())].into()
        }
        Some(_) | None => counting,
    }
}

/// Owners of a namespace who have not agreed, and how many of them it takes. A plain namespace is its own only owner.
pub fn lacking_owners(
    state: &State,
    namespace: &Namespace,
    signers: &BTreeSet<Fingerprint>,
    transaction: &Transaction,
) -> (usize, Vec<Namespace>) {
    let code = transaction.mapping().code();
    let agrees = |owner: &Namespace| !speakers(state, owner, signers, code).1.is_empty();
    let Some(definition) = state.definition(namespace) else {
        return if agrees(namespace) { (0, Vec::new()) } else { (1, vec![namespace.clone()]) };
    };
    let silent: Vec<Namespace> = definition.owners.iter().filter(|owner| !agrees(owner)).cloned().collect();
    let agreed = definition.owners.len() - silent.len();
    ((definition.threshold as usize).saturating_sub(agreed), silent)
}

/// What the synchronizer would say to these transactions, sent together and complete, in this order.
pub fn would_accept(
    state: &State,
    verifier: &mut Verifier,
    transactions: &[SignedTransaction],
    now: Timestamp,
) -> Vec<Verdict> {
    let complete: Vec<SignedTransaction> =
        transactions.iter().map(|signed| SignedTransaction { proposal: false, ..signed.clone() }).collect();
    fold_batch(&mut state.clone(), verifier, &complete, Time { sequenced: now, effective: now })
}

impl State {
    /// Takes a transaction for accepted, as if everybody had signed who must: so that the later ones of a batch can be
    /// reasoned about before the earlier ones are signed. Never ask this of a state that decides.
    pub fn assume(&mut self, transaction: &Transaction) {
        let mut signatures = BTreeMap::new();
        if let Mapping::NamespaceDelegation(delegation) = transaction.mapping() {
            // Who signed a delegation decides how far it reaches: the root key signs all.
            let fingerprint = delegation.namespace.fingerprint().clone();
            let signature = crate::signature::Signature::new_ed25519([0; 64], fingerprint.clone());
            signatures.insert(
                fingerprint,
                SignatureOver { signature, message: *transaction.hash().as_bytes(), covers: Vec::new() },
            );
        }
        let transaction = std::sync::Arc::new(transaction.clone());
        let row = Row {
            transaction,
            signatures,
            proposal: false,
            sequenced: Timestamp(0),
            valid_from: Timestamp(0),
            valid_until: None,
        };
        self.store(row);
    }

    /// The signing key of that name, wherever topology or these transactions mention it.
    pub fn signing_key(&self, fingerprint: &Fingerprint, transactions: &[Transaction]) -> Option<SigningPublicKey> {
        let offered = transactions.iter().map(Transaction::mapping);
        let active = self.actives().map(|row| row.transaction.mapping());
        let mut named = offered.chain(active).flat_map(Mapping::signing_keys);
        named.find(|key| key.fingerprint_ref() == fingerprint).cloned()
    }
}

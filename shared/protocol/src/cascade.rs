//! What a change takes away beside what it names: keys that lose their authority with another, and given signatures that
//! count no more.

use std::collections::{BTreeMap, BTreeSet};

use canton_topology::{
    hash::TransactionHash,
    id::{Fingerprint, Namespace},
    mapping::{Code, Mapping},
    planner,
    state::State,
    transaction::{Operation, SignedTransaction, Transaction},
};
use serde::{Deserialize, Serialize};

/// What goes with a change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cascade {
    /// Keys that may sign less than before.
    pub keys: Vec<LostKey>,
    /// Given signatures that count no more.
    pub signatures: Vec<DyingSignatures>,
}

/// A key that may sign less for a namespace than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostKey {
    /// The namespace.
    pub namespace: Namespace,
    /// The key.
    pub key: Fingerprint,
    /// The kinds of mappings that it signs no more.
    pub kinds: Vec<Code>,
    /// Whether a transaction names it; where not, it goes with another key.
    pub named: bool,
}

/// Given signatures of one transaction that count no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DyingSignatures {
    /// What was signed.
    pub transaction: TransactionHash,
    /// The keys whose signatures count today and not after the change.
    pub keys: Vec<Fingerprint>,
}

/// What goes with these transactions, taken together. `live` are the signatures that the caller knows of beside the open
/// proposals of the topology.
pub fn cascade(transactions: &[Transaction], state: &State, live: &[SignedTransaction]) -> Cascade {
    let mut after = state.clone();
    transactions.iter().for_each(|transaction| after.assume(transaction));
    Cascade { keys: lost_keys(transactions, state, &after), signatures: dying(transactions, state, &after, live) }
}

/// Keys that may sign less in `after`, which these transactions made of `before`.
pub fn lost_keys(transactions: &[Transaction], before: &State, after: &State) -> Vec<LostKey> {
    let mut named: BTreeSet<(&Namespace, &Fingerprint)> = BTreeSet::new();
    let mut namespaces: BTreeSet<&Namespace> = BTreeSet::new();
    for transaction in transactions {
        if let Mapping::NamespaceDelegation(delegation) = transaction.mapping() {
            named.insert((&delegation.namespace, delegation.target.fingerprint_ref()));
            namespaces.insert(&delegation.namespace);
        }
    }
    let mut all = Vec::new();
    for namespace in namespaces {
        let mut lost: BTreeMap<Fingerprint, Vec<Code>> = BTreeMap::new();
        for code in Code::ALL {
            let still = after.keys_of(namespace, code);
            for key in before.keys_of(namespace, code).into_keys().filter(|key| !still.contains_key(key)) {
                lost.entry(key).or_default().push(code);
            }
        }
        all.extend(lost.into_iter().map(|(key, kinds)| LostKey {
            named: named.contains(&(namespace, &key)),
            namespace: namespace.clone(),
            key,
            kinds,
        }));
    }
    all
}

fn dying(
    transactions: &[Transaction],
    before: &State,
    after: &State,
    live: &[SignedTransaction],
) -> Vec<DyingSignatures> {
    let changed: BTreeSet<TransactionHash> = transactions.iter().map(Transaction::hash).collect();
    let mut given: BTreeMap<TransactionHash, (Transaction, BTreeSet<Fingerprint>)> = BTreeMap::new();
    for signed in before.proposals().map(|row| row.to_signed()).chain(live.iter().cloned()) {
        let signers = signed.distinct_signatures().into_iter().map(|over| over.signature.signed_by().clone());
        let signers: Vec<Fingerprint> = signers.collect();
        let hash = signed.transaction.hash();
        given.entry(hash).or_insert_with(|| (signed.transaction, BTreeSet::new())).1.extend(signers);
    }
    let mut all = Vec::new();
    for (transaction, (signed, signers)) in given.into_iter().filter(|(hash, _)| !changed.contains(hash)) {
        if is_consumed(before, &signed) {
            continue;
        }
        let counted = planner::permissible(before, &signed, &signers);
        let counts =
            if is_consumed(after, &signed) { BTreeMap::new() } else { planner::permissible(after, &signed, &signers) };
        let keys: Vec<Fingerprint> = counted.into_keys().filter(|key| !counts.contains_key(key)).collect();
        if !keys.is_empty() {
            all.push(DyingSignatures { transaction, keys });
        }
    }
    all
}

fn is_consumed(state: &State, transaction: &Transaction) -> bool {
    state.active(&transaction.unique_key()).is_some_and(|row| row.serial() >= transaction.serial())
}

impl Cascade {
    /// It in lines for people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for lost in &self.keys {
            let kinds: Vec<&str> = lost.kinds.iter().map(|code| code.name()).collect();
            let what = if lost.kinds.len() == Code::ALL.len() { "anything".to_owned() } else { kinds.join(", ") };
            let how = if lost.named { "" } else { ", because what let it was signed by a key that goes" };
            lines.push(format!("key {} of {} would not sign {what} any more{how}", lost.key, lost.namespace));
        }
        for dying in &self.signatures {
            let keys: Vec<String> = dying.keys.iter().map(|key| format!("key {key}")).collect();
            lines.push(format!(
                "given for {}: the signature of {} would count no more",
                dying.transaction,
                keys.join(", ")
            ));
        }
        lines
    }
}

/// Whether a transaction takes something away for good: Canton never lets the same delegation or definition return.
pub fn is_for_ever(transaction: &Transaction) -> bool {
    transaction.operation() == Operation::Remove
        && matches!(
            transaction.mapping().code(),
            Code::NamespaceDelegation
                | Code::DecentralizedNamespaceDefinition
                | Code::OwnerToKeyMapping
                | Code::SynchronizerTrustCertificate
        )
}

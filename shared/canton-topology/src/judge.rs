//! The judge: decides a transaction as every node of the synchronizer decides it.
//!
//! Split in two, because verifying costs and deciding does not: the [`Verifier`] checks signatures, in any order and on
//! any thread, and [`fold_batch`] decides one transaction after the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    Timestamp,
    authorization::{Needed, Rules, requirement},
    checks::{self, Scene},
    id::{Fingerprint, Namespace},
    key::{KeyUsage, SigningPublicKey},
    mapping::{Code, LsuAnnouncement, Mapping},
    rejection::{Rejection, SignatureRefusal},
    signature::{Signature, SignatureAlgorithm, SignatureError},
    snapshot::Item,
    state::{Row, State, root_delegation},
    transaction::{Operation, Serial, SignatureOver, SignedTransaction, Transaction},
};

pub use crate::{time::Time, verifier::Verifier};

/// What becomes of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stands.
    Active {
        /// The keys whose signatures count.
        signers: BTreeSet<Fingerprint>,
    },
    /// It waits for signatures.
    Proposal {
        /// The keys whose signatures count so far.
        signers: BTreeSet<Fingerprint>,
    },
    /// It is refused, and changes nothing.
    Rejected(Rejection),
}

/// Judges the transactions of one batch, in order, and changes `state` accordingly.
pub fn fold_batch(
    state: &mut State,
    verifier: &mut Verifier,
    transactions: &[SignedTransaction],
    time: Time,
) -> Vec<Verdict> {
    let announced: Vec<LsuAnnouncement> = checks::announcements(state).cloned().collect();
    let rules = state.rules();
    if time.sequenced == INITIAL {
        state.set_rules(Rules::InitialSnapshot);
    }
    let verdicts =
        transactions.iter().map(|transaction| fold(state, verifier, transaction, &announced, time)).collect();
    state.set_rules(rules);
    verdicts
}

/// Rebuilds topology from stored rows, in their order; says of each what the judge makes of it.
///
/// Rows that become effective at the same moment are one batch. A row that was refused when it was sequenced is passed
/// over.
pub fn replay(state: &mut State, verifier: &mut Verifier, items: &[Item]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for batch in items.chunk_by(|a, b| a.sequenced == b.sequenced && a.valid_from == b.valid_from) {
        let Some(time) = batch.first().map(Item::time) else { continue };
        let accepted: Vec<SignedTransaction> =
            batch.iter().filter(|item| item.rejection.is_none()).map(|item| item.transaction.clone()).collect();
        let mut judged = fold_batch(state, verifier, &accepted, time).into_iter();
        for item in batch {
            verdicts.extend(match &item.rejection {
                None => judged.next(),
                Some(reason) => Some(Verdict::Rejected(Rejection::InvalidTopologyMapping(reason.clone()))),
            });
        }
    }
    verdicts
}

fn fold(
    state: &mut State,
    verifier: &mut Verifier,
    signed: &SignedTransaction,
    announced: &[LsuAnnouncement],
    time: Time,
) -> Verdict {
    let transaction = &signed.transaction;
    let key = transaction.unique_key();
    let mut signatures = merged(state, signed);
    let previous = state.active(&key);
    let repeats_active = previous.is_some_and(|row| row.hash() == transaction.hash());
    let judged = {
        let scene = Scene { state, announced, previous, effective: time.effective };
        let is_root = is_root_certificate(transaction, &signatures);
        checks::check(&scene, transaction, is_root && transaction.operation() == Operation::Remove)
            .and_then(|()| check_serial(transaction, previous, repeats_active))
            .and_then(|()| authorize(state, verifier, transaction, &mut signatures, previous))
    };
    let missing = match judged {
        Ok(missing) => missing,
        Err(rejection) => return Verdict::Rejected(rejection),
    };
    let proposal = !missing.is_empty();
    if proposal && !signed.proposal {
        return Verdict::Rejected(Rejection::NotFullyAuthorized { missing });
    }
    let signers = signatures.keys().cloned().collect();
    let transaction = Arc::new(transaction.clone());
    let Time { sequenced, effective: valid_from } = time;
    state.store(Row { transaction, signatures, proposal, sequenced, valid_from, valid_until: None });
    if proposal { Verdict::Proposal { signers } } else { Verdict::Active { signers } }
}

/// The signatures with which a transaction is judged: its own, one for each key, and those of the stored row with the same
/// hash. Against a pending proposal the incoming signature of a key wins, against the active transaction the stored one.
pub fn merged(state: &State, signed: &SignedTransaction) -> BTreeMap<Fingerprint, SignatureOver> {
    let (key, hash) = (signed.transaction.unique_key(), signed.transaction.hash());
    let mut signatures: BTreeMap<Fingerprint, SignatureOver> =
        signed.distinct_signatures().into_iter().map(|signed| (signed.signature.signed_by().clone(), signed)).collect();
    if let Some(pending) = state.proposal(&key, &hash) {
        for (fingerprint, stored) in &pending.signatures {
            signatures.entry(fingerprint.clone()).or_insert_with(|| stored.clone());
        }
    }
    if let Some(active) = state.active(&key).filter(|row| row.hash() == hash) {
        signatures.extend(active.signatures.iter().map(|(fingerprint, stored)| (fingerprint.clone(), stored.clone())));
    }
    signatures
}

/// When the rows of an initial snapshot are sequenced: Canton's first moment and a microsecond.
pub const INITIAL: Timestamp = Timestamp(-62_135_596_799_999_999);

fn check_serial(transaction: &Transaction, previous: Option<&Row>, repeats_active: bool) -> Result<(), Rejection> {
    let Some(previous) = previous.filter(|_| !repeats_active) else { return Ok(()) };
    let expected = previous.serial().next().ok_or(Rejection::MaxSerialReached)?;
    let found = transaction.serial();
    if found == expected { Ok(()) } else { Err(Rejection::SerialMismatch { expected, found }) }
}

/// A root delegation counts as one only where nobody but the root key signed it.
fn is_root_certificate(transaction: &Transaction, signatures: &BTreeMap<Fingerprint, SignatureOver>) -> bool {
    root_delegation(transaction)
        .is_some_and(|root| signatures.len() == 1 && signatures.contains_key(root.target.fingerprint_ref()))
}

/// Drops the signatures that serve nothing, verifies the others, and says what is missing.
fn authorize(
    state: &State,
    verifier: &mut Verifier,
    transaction: &Transaction,
    signatures: &mut BTreeMap<Fingerprint, SignatureOver>,
    previous: Option<&Row>,
) -> Result<Needed, Rejection> {
    let own = &state.synchronizer().logical;
    if let Some(synchronizer) = transaction.mapping().restricted_to().filter(|synchronizer| *synchronizer != own) {
        return Err(Rejection::InvalidSynchronizer { synchronizer: synchronizer.clone() });
    }
    if is_root_certificate(transaction, signatures)
        && let Some(root) = root_delegation(transaction)
    {
        for signed in signatures.values() {
            verify(state, verifier, signed, &root.target, &[KeyUsage::Namespace])?;
        }
        return Ok(Needed::default());
    }
    let signers: BTreeSet<Fingerprint> = signatures.keys().cloned().collect();
    let roles = Roles::of(state, transaction, previous.map(|row| row.transaction.as_ref()), &signers);
    if roles.by_namespace.is_empty() && roles.by_possession.is_empty() {
        return Err(Rejection::NoDelegationFoundForKeys { keys: signers });
    }
    signatures.retain(|fingerprint, _| roles.key(fingerprint).is_some());
    if roles.by_namespace.is_empty() {
        return Err(Rejection::NotAuthorizedByNamespaceKey);
    }
    for (fingerprint, signed) in signatures.iter() {
        if let Some(key) = roles.key(fingerprint) {
            verify(state, verifier, signed, key, roles.usages(transaction, fingerprint))?;
        }
    }
    if previous.is_some_and(|row| says_the_same(&row.transaction, transaction)) {
        return Ok(Needed::default());
    }
    Ok(roles.missing_first)
}

fn says_the_same(a: &Transaction, b: &Transaction) -> bool {
    a.operation() == b.operation() && a.serial() == b.serial() && a.mapping() == b.mapping()
}

fn verify(
    state: &State,
    verifier: &mut Verifier,
    signed: &SignatureOver,
    key: &SigningPublicKey,
    usages: &[KeyUsage],
) -> Result<(), Rejection> {
    let refused = |reason| Err(Rejection::SignatureCheckFailed { key: signed.signature.signed_by().clone(), reason });
    if let Some(reason) = not_taken(state, &signed.signature, key) {
        return refused(reason);
    }
    let has_usage = usages.iter().any(|usage| key.usage().contains(usage));
    // The usage is asked for after the algorithm, and before the signature's format and the mathematics.
    match verifier.verify(signed, key) {
        Err(error @ (SignatureError::WrongKey | SignatureError::Delegated | SignatureError::Algorithm)) => {
            refused(error.into())
        }
        Ok(()) | Err(_) if !has_usage => refused(SignatureRefusal::KeyUsage),
        Ok(()) => Ok(()),
        Err(error) => refused(error.into()),
    }
}

/// What the synchronizer itself does not take, in Canton's order.
fn not_taken(state: &State, signature: &Signature, key: &SigningPublicKey) -> Option<SignatureRefusal> {
    let taken = state.parameters();
    if !taken.signature_formats.contains(&signature.format()) {
        return Some(SignatureRefusal::SignatureFormat);
    }
    if !taken.key_formats.contains(&key.format()) {
        return Some(SignatureRefusal::KeyFormat);
    }
    if !taken.signing_keys.contains(&key.spec()) {
        return Some(SignatureRefusal::KeySpec);
    }
    match signature.algorithm() {
        Some(algorithm) => (!taken.signing_algorithms.contains(&algorithm)).then_some(SignatureRefusal::Algorithm),
        None => (!taken.signing_algorithms.contains(&SignatureAlgorithm::of(key.spec())))
            .then_some(SignatureRefusal::NoAlgorithm),
    }
}

/// What the signers of a transaction are to it.
pub(crate) struct Roles {
    /// Keys that speak for a namespace that has something to say, with the key by which they are verified.
    pub by_namespace: BTreeMap<Fingerprint, SigningPublicKey>,
    /// Keys of the mapping itself whose holders prove that they hold them.
    pub by_possession: BTreeMap<Fingerprint, SigningPublicKey>,
    /// What is missing still.
    pub missing: Needed,
    /// What Canton says of it.
    missing_first: Needed,
}

impl Roles {
    /// Sorts the keys of `signers` by what they may say about the transaction.
    pub fn of(
        state: &State,
        transaction: &Transaction,
        previous: Option<&Transaction>,
        signers: &BTreeSet<Fingerprint>,
    ) -> Self {
        let synchronizer = state.synchronizer().logical.namespace();
        let rules = state.rules();
        let required = requirement(transaction, previous, synchronizer, rules);
        let now = required.mentioned();
        let as_new = requirement(transaction, None, synchronizer, rules).mentioned();
        let self_signing = match transaction.mapping() {
            Mapping::PartyToParticipant(party) => party.self_signing_key(),
            _ => None,
        };
        let mut by_namespace = BTreeMap::new();
        let mut authorized = BTreeSet::new();
        let all = now.namespaces.union(&as_new.namespaces).collect();
        // Of two keys with one name the one of the later namespace counts.
        for namespace in in_order(all, transaction.mapping(), previous, synchronizer) {
            let (mut is_met, keys) = speakers(state, namespace, signers, transaction.mapping().code());
            by_namespace.extend(keys);
            let own = self_signing.filter(|key| key.fingerprint_ref() == namespace.fingerprint());
            if let Some(key) = own.filter(|key| signers.contains(key.fingerprint_ref())) {
                is_met = true;
                by_namespace.insert(key.fingerprint(), key.clone());
            }
            if is_met {
                authorized.insert(namespace.clone());
            }
        }
        let mut by_possession = BTreeMap::new();
        if transaction.operation() == Operation::AddReplace {
            for key in transaction.mapping().mapped_signing_keys() {
                let fingerprint = key.fingerprint_ref();
                let may = now.keys.contains(fingerprint) || as_new.keys.contains(fingerprint);
                if may && signers.contains(fingerprint) {
                    by_possession.insert(fingerprint.clone(), key.clone());
                }
            }
        }
        let proved = by_possession.keys().cloned().collect();
        let mut missing = required.missing(&authorized, &proved);
        let mut missing_first = required.missing_first(&authorized, &proved);
        if rules.forgive_keys_of(transaction.mapping()) {
            missing.keys.clear();
            missing_first.keys.clear();
        }
        Self { missing, missing_first, by_namespace, by_possession }
    }

    fn key(&self, fingerprint: &Fingerprint) -> Option<&SigningPublicKey> {
        self.by_namespace.get(fingerprint).or_else(|| self.by_possession.get(fingerprint))
    }

    /// The usages of which a signing key needs one.
    fn usages(&self, transaction: &Transaction, fingerprint: &Fingerprint) -> &'static [KeyUsage] {
        let mapping = transaction.mapping();
        let is_own = matches!(mapping, Mapping::PartyToParticipant(party)
            if party.self_signing_key().is_some_and(|key| key.fingerprint_ref() == fingerprint));
        let is_mapped = mapping.mapped_signing_keys().iter().any(|key| key.fingerprint_ref() == fingerprint);
        if is_mapped && !is_own { &[KeyUsage::Namespace, KeyUsage::ProofOfOwnership] } else { &[KeyUsage::Namespace] }
    }
}

/// The namespaces in the order in which Canton asks them: the mapping's own, those whom it names, the synchronizer, those
/// whom only the active mapping names. Canton keeps to this order for up to four of them; a greater set it asks in the
/// order of their hashes, which is not followed here.
fn in_order<'a>(
    mut all: BTreeSet<&'a Namespace>,
    mapping: &Mapping,
    previous: Option<&Transaction>,
    synchronizer: &Namespace,
) -> Vec<&'a Namespace> {
    let hosts = |mapping: &Mapping| -> Vec<Namespace> {
        let Mapping::PartyToParticipant(party) = mapping else { return Vec::new() };
        party.participants.iter().map(|host| host.participant.namespace().clone()).collect()
    };
    let (first, last) = match mapping {
        Mapping::DecentralizedNamespaceDefinition(definition) => {
            (definition.owners.clone(), vec![definition.namespace.clone()])
        }
        other => {
            let own = std::iter::once(other.namespace().clone()).chain(hosts(other)).collect();
            (own, previous.map(Transaction::mapping).map(hosts).unwrap_or_default())
        }
    };
    let wanted = first.iter().chain([synchronizer]).chain(&last);
    let mut ordered: Vec<&Namespace> = wanted.filter_map(|namespace| all.take(namespace)).collect();
    ordered.extend(all);
    ordered
}

/// Whether the signers authorize a namespace, and which of them speak for it.
pub(crate) fn speakers(
    state: &State,
    namespace: &Namespace,
    signers: &BTreeSet<Fingerprint>,
    code: Code,
) -> (bool, BTreeMap<Fingerprint, SigningPublicKey>) {
    let of_plain = |namespace: &Namespace| {
        let mut keys = state.keys_of(namespace, code);
        keys.retain(|fingerprint, _| signers.contains(fingerprint));
        keys
    };
    let Some(definition) = state.definition(namespace) else {
        let keys = of_plain(namespace);
        return (!keys.is_empty(), keys);
    };
    let mut agreeing = 0;
    let mut all = BTreeMap::new();
    for owner in &definition.owners {
        let keys = of_plain(owner);
        agreeing += usize::from(!keys.is_empty());
        all.extend(keys);
    }
    (agreeing >= definition.threshold as usize, all)
}

/// The first serial or the next one of a chain; `None` where it is at its end.
pub fn next_serial(state: &State, key: &crate::hash::UniqueKey) -> Option<Serial> {
    match state.active(key) {
        None => Some(Serial::FIRST),
        Some(row) => row.serial().next(),
    }
}

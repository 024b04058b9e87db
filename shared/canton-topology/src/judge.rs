//! The judge: decides a transaction as every node of the synchronizer decides it.
//!
//! Split in two, because verifying costs and deciding does not: [`Verifier::prepare`] checks signatures, in any order and
//! on any thread, and [`fold_batch`] decides one transaction after the other.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry},
    sync::Arc,
};

use crate::{
    Timestamp,
    authorization::{Needed, requirement},
    checks::{self, Scene},
    id::{Fingerprint, Namespace},
    key::{KeyUsage, SigningPublicKey},
    mapping::{Code, LsuAnnouncement, Mapping},
    rejection::{Rejection, SignatureRefusal},
    signature::{
        CurveKey, SignatureAlgorithm, SignatureError,
        batch::{self, Candidate},
    },
    snapshot::Item,
    state::{Row, Rules, State, root_delegation},
    transaction::{Operation, Serial, SignatureOver, SignedTransaction, Transaction},
};

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

/// Remembers which signatures verify. The same signature is often judged again: at each merge, at each question.
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    known: HashMap<SigningPublicKey, Known>,
}

/// How many signatures are verified together: one that is wrong makes all of these be verified one by one.
const TOGETHER: usize = 2048;

/// A key's point, and what was found out about its signatures.
#[derive(Clone, Debug)]
struct Known {
    curve: Option<CurveKey>,
    verified: HashMap<SignatureOver, Result<(), SignatureError>>,
}

impl Verifier {
    /// Verifies signatures ahead of their judgement, as on another thread; what was found out is taken over with
    /// [`Verifier::merge`]. Many of them are verified together where they are all right.
    pub fn prepare<'a>(signatures: impl IntoIterator<Item = (&'a SignatureOver, &'a SigningPublicKey)>) -> Self {
        let mut verifier = Self::default();
        let all: Vec<(&SignatureOver, &SigningPublicKey)> = signatures.into_iter().collect();
        for part in all.chunks(TOGETHER) {
            verifier.verify_together(part);
            for (signed, key) in part {
                // Whether it verifies is remembered; a judgement asks again.
                let _ = verifier.verify(signed, key);
            }
        }
        verifier
    }

    fn verify_together(&mut self, all: &[(&SignatureOver, &SigningPublicKey)]) {
        for (_, key) in all {
            self.known(key);
        }
        let mut suitable = Vec::new();
        let mut candidates = Vec::new();
        for (signed, key) in all {
            let curve = self.known.get(*key).and_then(|known| known.curve.as_ref());
            let bytes = signed.signature.bytes().try_into();
            if let (Some(CurveKey::Ed25519(point)), Ok(()), Ok(signature)) =
                (curve, signed.signature.check_form(key), bytes)
            {
                candidates.push(Candidate { key: point, message: &signed.message, signature });
                suitable.push((*signed, *key));
            }
        }
        if candidates.len() < batch::WORTHWHILE || !batch::all_verify(&candidates) {
            return;
        }
        for (signed, key) in suitable {
            self.known(key).verified.insert(signed.clone(), Ok(()));
        }
    }

    fn known(&mut self, key: &SigningPublicKey) -> &mut Known {
        if !self.known.contains_key(key) {
            self.known.insert(key.clone(), Known { curve: CurveKey::of(key), verified: HashMap::new() });
        }
        self.known.get_mut(key).expect("it was put there if it was missing")
    }

    /// Verifies the signatures of stored rows ahead of their judgement, on as many threads as asked, by every key that the
    /// rows themselves name. Whatever it does not find is verified when it is judged.
    pub fn ahead(items: &[Item], threads: usize) -> Self {
        let mut keys: HashMap<&Fingerprint, &SigningPublicKey> = HashMap::new();
        for item in items {
            let mapping = item.transaction.transaction.mapping();
            let delegated = match mapping {
                Mapping::NamespaceDelegation(delegation) => Some(&delegation.target),
                _ => None,
            };
            for key in mapping.mapped_signing_keys().into_iter().chain(delegated) {
                keys.insert(key.fingerprint_ref(), key);
            }
        }
        let all: Vec<SignatureOver> = items.iter().flat_map(|item| item.transaction.distinct_signatures()).collect();
        let keys = &keys;
        let share = all.len().div_ceil(threads.max(1)).max(1);
        let verify = |part: &[SignatureOver]| {
            Self::prepare(part.iter().filter_map(|over| Some((over, *keys.get(over.signature.signed_by())?))))
        };
        std::thread::scope(|scope| {
            let (mine, others) = all.split_at(share.min(all.len()));
            let working: Vec<_> = others.chunks(share).map(|part| scope.spawn(move || verify(part))).collect();
            let mut verifier = verify(mine);
            for one in working {
                // A thread that panicked found nothing out; what it had to do is done at the judgement.
                verifier.merge(one.join().unwrap_or_default());
            }
            verifier
        })
    }

    /// Verifies a signature, or remembers.
    ///
    /// # Errors
    /// Why it does not verify.
    pub fn verify(&mut self, signed: &SignatureOver, key: &SigningPublicKey) -> Result<(), SignatureError> {
        let Known { curve, verified } = self.known(key);
        if let Some(known) = verified.get(signed) {
            return *known;
        }
        let found = signed.signature.verify_with(key, curve.as_ref(), &signed.message);
        verified.insert(signed.clone(), found);
        found
    }

    /// Takes over what another one found out, as from another thread.
    pub fn merge(&mut self, other: Self) {
        for (key, known) in other.known {
            match self.known.entry(key) {
                Entry::Occupied(mut own) => own.get_mut().verified.extend(known.verified),
                Entry::Vacant(place) => drop(place.insert(known)),
            }
        }
    }
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

/// When a batch was sequenced and when it becomes effective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// When the sequencer ordered it.
    pub sequenced: Timestamp,
    /// When it takes effect.
    pub effective: Timestamp,
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
    let mut signatures: BTreeMap<Fingerprint, SignatureOver> =
        signed.distinct_signatures().into_iter().map(|signed| (signed.signature.signed_by().clone(), signed)).collect();
    // Against a pending proposal the incoming signature of a key wins, against the active transaction the stored one.
    if let Some(pending) = state.proposal(&key, &transaction.hash()) {
        for (fingerprint, stored) in &pending.signatures {
            signatures.entry(fingerprint.clone()).or_insert_with(|| stored.clone());
        }
    }
    let previous = state.active(&key);
    let repeats_active = previous.is_some_and(|row| row.hash() == transaction.hash());
    if let Some(active) = previous.filter(|_| repeats_active) {
        signatures.extend(active.signatures.iter().map(|(fingerprint, stored)| (fingerprint.clone(), stored.clone())));
    }
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
    if transaction.mapping().restricted_to().is_some_and(|synchronizer| synchronizer != own) {
        return Err(Rejection::InvalidSynchronizer);
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
    Ok(roles.missing)
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
    let parameters = state.parameters();
    let algorithm = signed.signature.algorithm().unwrap_or(SignatureAlgorithm::of(key.spec()));
    if !parameters.signing_keys.contains(&key.spec()) || !parameters.signing_algorithms.contains(&algorithm) {
        return refused(SignatureRefusal::NotTaken);
    }
    if !usages.iter().any(|usage| key.usage().contains(usage)) {
        return refused(SignatureRefusal::KeyUsage);
    }
    match verifier.verify(signed, key) {
        Ok(()) => Ok(()),
        Err(error) => refused(error.into()),
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
        for namespace in now.namespaces.union(&as_new.namespaces) {
            let (mut is_met, keys) = speakers(state, namespace, signers, transaction.mapping().code());
            for (fingerprint, key) in keys {
                by_namespace.entry(fingerprint).or_insert(key);
            }
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
        Self { missing: required.missing(&authorized, &proved), by_namespace, by_possession }
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

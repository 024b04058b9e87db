//! Verifying signatures, once each: ahead of their judgement, together, and on many threads.

use std::collections::{HashMap, hash_map::Entry};

use crate::{
    id::Fingerprint,
    key::SigningPublicKey,
    signature::{
        CurveKey, SignatureError,
        batch::{self, Candidate},
    },
    snapshot::Item,
    transaction::SignatureOver,
};

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
            let named = item.transaction.transaction.mapping().signing_keys();
            keys.extend(named.into_iter().map(|key| (key.fingerprint_ref(), key)));
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

//! Signatures of keys that live elsewhere: a holder with a key on a machine of its own, and `openssl`. The agent verifies the
//! offer as if the key were its own before it says what there is to sign, and the signature before it carries it.

use canton_topology::{Timestamp, id::Fingerprint, judge::Verifier, key::SigningPublicKey};
use custody::keys::signature_from_bytes;
use protocol::{
    hosting::{gate, record::Record},
    identity::IdentityPublicKey,
    intent::CaseId,
    merge,
    reader::{Context, Me},
    refusal::Refusal,
    statement::{Contribution, EncodedSignature, Statement},
    verify::{Verification, Verified, Wait, verify},
};
use thiserror::Error;

use super::{Agent, AgentError};

/// Why nothing is carried.
#[derive(Debug, Error)]
pub enum CarryError {
    /// The offer is not to be signed, or not yet.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// Nobody knows the key.
    #[error("key {0} stands nowhere in topology or in the offer, so that its signature could not be verified")]
    UnknownKey(Fingerprint),
    /// The signature is none.
    #[error(
        "the signature is not key {key}'s over any transaction that it has to sign here ({hashes}); sign the bytes that `hash` wrote"
    )]
    NotItsSignature {
        /// The key.
        key: Fingerprint,
        /// The hashes that were tried.
        hashes: String,
    },
}

impl Agent {
    /// The offer, verified for a key that lives elsewhere; the requests are that key's.
    ///
    /// # Errors
    /// See [`CarryError`].
    pub fn verify_carried(
        &self,
        id: &CaseId,
        key: &Fingerprint,
        now: Timestamp,
    ) -> Result<(Verified, SigningPublicKey), CarryError> {
        let case = self.cases.get(id).ok_or(AgentError::UnknownCase(*id))?;
        let state = self.state.as_ref().ok_or(AgentError::NoTopology)?;
        let offered = case.offer().ok_or(AgentError::Refused(Refusal::NoOffer))?;
        let public = state.signing_key(key, &offered.transactions);
        let public = public.ok_or_else(|| CarryError::UnknownKey(key.clone()))?;
        let me = Me { keys: vec![public.clone()], ..self.me.clone() };
        let live = self.signed_elsewhere(id);
        let context = Context { me: &me, ..self.context(state, &live, now) };
        let verified = match verify(case, &context) {
            Verification::Verified(verified) => verified,
            Verification::Refused(refusal) => return Err(AgentError::Refused(refusal).into()),
            Verification::NotYet(wait) => return Err(AgentError::NotYet(wait).into()),
        };
        // Whoever may sign ahead does so with keys of its own; any other one can be the one that completes.
        let speaks = |signer: &IdentityPublicKey, owner: &_| context.speaks(signer, owner);
        if let Some(record) = Record::of(case, state, &speaks) {
            let merged = merge::merge(case, offered, state, &mut Verifier::default());
            gate::may_carry(&record, &merged, &me, now).map_err(|stop| match stop {
                gate::Stop::Refused(refusal) => AgentError::Refused(refusal),
                gate::Stop::NotYet(pending) => AgentError::NotYet(Wait::Hosting(pending)),
            })?;
        }
        Ok((verified, public))
    }

    /// A statement that carries the signature of a key that lives elsewhere. The bytes are as `openssl` writes them: 64 for
    /// Ed25519, ASN.1 for ECDSA.
    ///
    /// # Errors
    /// See [`CarryError`].
    pub fn contribute(
        &self,
        id: &CaseId,
        key: &Fingerprint,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<Statement, CarryError> {
        let (verified, public) = self.verify_carried(id, key, now)?;
        let asked: Vec<_> = verified.requests().iter().filter(|request| request.key == *key).collect();
        let wrong = || CarryError::NotItsSignature {
            key: key.clone(),
            hashes: asked.iter().map(|one| one.transaction.to_string()).collect::<Vec<_>>().join(", "),
        };
        let signature = signature_from_bytes(bytes, &public).ok_or_else(wrong)?;
        let of = asked.iter().find(|one| signature.verify(&public, one.transaction.as_bytes()).is_ok());
        let transaction = of.ok_or_else(wrong)?.transaction;
        let signatures = vec![EncodedSignature { transaction, signature: signature.encode() }];
        let contribution = Contribution { case: *id, offer: verified.offer(), signatures };
        Ok(Statement::sign(&contribution, self.identity.as_ref()))
    }
}

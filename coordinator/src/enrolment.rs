//! Enrolment: an invitation is made for a name, and used once, by the owner who proves a namespace key and a TLS key.
//!
//! What it ends in is the owner's identity certificate, which others believe because of their books and topology. The
//! coordinator only remembers which TLS key came with it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use canton_topology::{
    Timestamp,
    id::{Namespace, SynchronizerId},
};
use protocol::{
    api::{EnrollRequest, EnrollResponse, Invitation as InvitationText},
    book::is_plain_name,
    identity::{CertificateError, IdentityCertificate, IdentityPublicKey},
    limits,
};
use rand_core::{OsRng, RngCore as _};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;
use thiserror::Error;

use crate::{
    register::Register,
    store::{Batch, Enrolment, Invitation, Store, StoreError, Write},
    tls::authority::{Authority, AuthorityError, ClientRequest},
};

/// Makes and redeems invitations. Its calls wait for the disk.
pub struct Enroller {
    store: Arc<dyn Store>,
    authority: Arc<Authority>,
    register: Arc<Register>,
    coordinator: IdentityPublicKey,
    synchronizer: Option<SynchronizerId>,
    /// Held while a token is looked at and used up.
    redeeming: Mutex<()>,
}

/// Why somebody is not enrolled.
#[derive(Debug, Error)]
pub enum EnrolError {
    /// The token is unknown, was used for another key, or has expired. Which of them is not told.
    #[error("field token: it is not good (any more); ask the coordinator's operator for a new invitation")]
    Token,
    /// The certificate request.
    #[error("field {0}")]
    Request(AuthorityError),
    /// The identity certificate.
    #[error("field certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// The identity key is for another synchronizer.
    #[error("field certificate: it is for synchronizer {found}; this coordinator works on {expected}")]
    OtherSynchronizer {
        /// What the certificate says.
        found: SynchronizerId,
        /// What this coordinator works on.
        expected: SynchronizerId,
    },
    /// The name belongs to another owner.
    #[error("the name {name:?} belongs to owner {owner}; ask the operator for an invitation under another name")]
    NameTaken {
        /// The name.
        name: String,
        /// Whose it is.
        owner: Namespace,
    },
    /// The identity key belongs to another owner.
    #[error("field certificate: identity key {identity} belongs to another owner already; make a new identity key")]
    IdentityTaken {
        /// The key.
        identity: IdentityPublicKey,
    },
    /// The TLS key belongs to another enrolment.
    #[error("field csr_pem: this TLS key is enrolled already; make a new one")]
    TlsKeyTaken,
    /// The authority fails.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why there is no invitation.
#[derive(Debug, Error)]
pub enum InviteError {
    /// The name is not one.
    #[error("OWNER: {0:?}: use 1 to {max} letters, digits, '-', '_' or '.'", max = limits::NAME_CHARS_MAX)]
    Name(String),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who was just enrolled.
pub struct Enrolled {
    /// What the agent is told.
    pub response: EnrollResponse,
    /// The identity key that may speak from now on.
    pub identity: IdentityPublicKey,
    /// Its owner.
    pub owner: Namespace,
}

/// Makes an invitation.
///
/// # Errors
/// Where the name is not one, or the store fails.
pub fn invite(
    store: &dyn Store,
    authority: &Authority,
    name: &str,
    address: &str,
    lifetime: Duration,
    now: Timestamp,
) -> Result<InvitationText, InviteError> {
    if !is_plain_name(name) {
        return Err(InviteError::Name(name.to_owned()));
    }
    let mut token = [0u8; 32];
    OsRng.fill_bytes(&mut token);
    let lifetime = i64::try_from(lifetime.as_micros()).unwrap_or(i64::MAX);
    let invitation = Invitation {
        token_hash: Sha256::digest(token).into(),
        name: name.to_owned(),
        expires_at: now.plus_micros(lifetime),
        used: None,
    };
    store.append(Batch(vec![Write::Invitation(invitation)])).wait()?;
    Ok(InvitationText {
        address: address.to_owned(),
        token: URL_SAFE_NO_PAD.encode(token),
        ca_key_hash: authority.key_hash(),
    })
}

impl Enroller {
    /// One for a store.
    pub fn new(
        store: Arc<dyn Store>,
        authority: Arc<Authority>,
        register: Arc<Register>,
        coordinator: IdentityPublicKey,
        synchronizer: Option<SynchronizerId>,
    ) -> Self {
        Self { store, authority, register, coordinator, synchronizer, redeeming: Mutex::new(()) }
    }

    /// Redeems an invitation. The token is used up and the enrolment made in one durable step; the same request again
    /// gets the same answer.
    ///
    /// # Errors
    /// See [`EnrolError`]. The token stays good then.
    pub fn enroll(&self, request: &EnrollRequest, now: Timestamp) -> Result<Enrolled, EnrolError> {
        let certificate = IdentityCertificate::parse(&request.certificate.0)?;
        let tls = ClientRequest::parse(&request.csr_pem).map_err(EnrolError::Request)?;
        let _one_at_a_time = self.redeeming.lock().unwrap_or_else(PoisonError::into_inner);
        let invitation = self.invitation(&request.token)?;
        if let Some(used_for) = invitation.used {
            let enrolment = self.store.enrolment(&used_for)?.filter(|enrolment| !enrolment.replaced);
            let is_same = |enrolment: &Enrolment| {
                enrolment.tls_key_hash == tls.key_hash && enrolment.certificate == certificate.bytes()
            };
            return Ok(self.answer(&enrolment.filter(is_same).ok_or(EnrolError::Token)?, &certificate));
        }
        if invitation.expires_at < now {
            return Err(EnrolError::Token);
        }
        self.check_owner(&invitation.name, &certificate)?;
        if self.store.enrolment(&tls.key_hash)?.is_some() {
            return Err(EnrolError::TlsKeyTaken);
        }
        let enrolment = Enrolment {
            tls_key_hash: tls.key_hash,
            name: invitation.name.clone(),
            certificate: certificate.bytes().to_vec(),
            client_certificate_pem: self.authority.client_certificate(tls, &invitation.name)?,
            enrolled_at: now,
            replaced: false,
        };
        self.store(invitation, enrolment.clone())?;
        Ok(self.answer(&enrolment, &certificate))
    }

    /// Makes the enrolment, in the place of older ones of that name, and uses the invitation up.
    fn store(&self, invitation: Invitation, enrolment: Enrolment) -> Result<(), EnrolError> {
        let mut changed = Vec::new();
        for tls_key_hash in self.register.tls_keys_of(&invitation.name) {
            changed.extend(self.store.enrolment(&tls_key_hash)?.map(|old| Enrolment { replaced: true, ..old }));
        }
        let used = Invitation { used: Some(enrolment.tls_key_hash), ..invitation };
        changed.push(enrolment);
        let mut batch = vec![Write::Invitation(used)];
        batch.extend(changed.iter().cloned().map(Write::Enrolment));
        self.store.append(Batch(batch)).wait()?;
        for enrolment in &changed {
            self.register.enter(enrolment)?;
        }
        Ok(())
    }

    fn invitation(&self, token: &str) -> Result<Invitation, EnrolError> {
        let token = URL_SAFE_NO_PAD.decode(token).map_err(|_| EnrolError::Token)?;
        let hash: [u8; 32] = Sha256::digest(&token).into();
        let invitation = self.store.invitation(&hash)?.ok_or(EnrolError::Token)?;
        if bool::from(invitation.token_hash.ct_eq(&hash)) { Ok(invitation) } else { Err(EnrolError::Token) }
    }

    fn check_owner(&self, name: &str, certificate: &IdentityCertificate) -> Result<(), EnrolError> {
        let found = &certificate.claim().synchronizer;
        if let Some(expected) = self.synchronizer.as_ref().filter(|expected| *expected != found) {
            return Err(EnrolError::OtherSynchronizer { found: found.clone(), expected: expected.clone() });
        }
        let (owner, identity) = (certificate.owner(), certificate.identity());
        if let Some(other) = self.register.owner_named(name).filter(|other| *other != owner) {
            return Err(EnrolError::NameTaken { name: name.to_owned(), owner: other });
        }
        // Two owners with one identity key could speak in each other's name.
        if self.register.owner_of(&identity).is_some_and(|other| other != owner) || identity == self.coordinator {
            return Err(EnrolError::IdentityTaken { identity });
        }
        Ok(())
    }

    fn answer(&self, enrolment: &Enrolment, certificate: &IdentityCertificate) -> Enrolled {
        Enrolled {
            response: EnrollResponse {
                name: enrolment.name.clone(),
                client_certificate_pem: enrolment.client_certificate_pem.clone(),
                coordinator: self.coordinator,
            },
            identity: certificate.identity(),
            owner: certificate.owner(),
        }
    }
}

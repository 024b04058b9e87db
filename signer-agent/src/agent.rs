//! One owner's agent, without its shell: what it has seen, what it makes of an offer, and the climb from there to an
//! approval. Synchronous; the clock, the disk of the journal and the participant come as arguments.

mod rules;
mod said;

use std::collections::BTreeMap;

use canton_topology::{
    Timestamp,
    id::ParticipantId,
    key::SigningPublicKey,
    signature::Signature,
    state::State,
    transaction::{SignedTransaction, Transaction},
};
use custody::{
    journal::{Journal, JournalError},
    keys::{KeyBackend, KeyError},
    ladder::{NotPermitted, Permission, Permitted, Recorded, Released, SignError},
};
use protocol::{
    book::Book,
    case::{Case, CaseError},
    difference::DifferenceClass,
    directory::Directory,
    hosting::coordinator_submits,
    identity::IdentityPublicKey,
    intent::CaseId,
    refusal::Refusal,
    registry::Kind,
    statement::{Approval, Decline, EncodedSignature, SignStatements, Statement, StatementError},
    verify::{Context, Holder, Me, SignRequest, Verification, Verified, Wait, still_wanted, verify},
};
use thiserror::Error;

use self::said::Said;

/// Why an agent has nothing to send.
#[derive(Debug, Error)]
pub enum AgentError {
    /// The agent does not sign, for a reason that the others are told.
    #[error("{0}")]
    Refused(Refusal),
    /// The agent's participant has not seen the base yet.
    #[error("not yet: {0}")]
    NotYet(Wait),
    /// There is no topology to judge by.
    #[error("not yet: this agent's participant has shown no topology; is it reachable?")]
    NoTopology,
    /// There is no such case.
    #[error("case {0} is not known here; `list` shows those that are")]
    UnknownCase(CaseId),
    /// No rule permits it.
    #[error("no rule permits this; a human may, with `approve`")]
    NoRule,
    /// The journal refused.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A key backend failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Something signed that was not the pinned key.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The participant did not sign.
    #[error("the participant did not sign: {0}")]
    Participant(String),
}

impl From<Refusal> for AgentError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Why a statement from the coordinator is not taken.
#[derive(Debug, Error)]
pub enum Received {
    /// It does not belong where it was put.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// It is no statement.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The history of a case contradicts what was shown before.
    #[error("ForkedHistory: the coordinator shows case {0} differently than before; nothing of it is signed")]
    Forked(CaseId),
}

/// How a participant is asked for a signature of its own key; the transaction may carry none yet.
pub type AskParticipant<'a> = dyn FnMut(&SignedTransaction, &SigningPublicKey) -> Result<Signature, String> + 'a;

/// One owner's agent.
pub struct Agent {
    me: Me,
    identity: Box<dyn SignStatements + Send>,
    book: Book,
    directory: Directory,
    rules: Vec<DifferenceClass>,
    cases: BTreeMap<CaseId, Case>,
    state: Option<State>,
    frozen: bool,
    said: Said,
}

impl Agent {
    /// An agent that has seen nothing. It believes the coordinator's key and its book.
    pub fn new(
        me: Me,
        identity: Box<dyn SignStatements + Send>,
        coordinator: IdentityPublicKey,
        book: Book,
        rules: Vec<DifferenceClass>,
    ) -> Self {
        let directory = Directory::new(coordinator);
        let mut agent = Self {
            me,
            identity,
            book: Book::default(),
            directory,
            rules,
            cases: BTreeMap::new(),
            state: None,
            frozen: false,
            said: Said::default(),
        };
        agent.set_book(book);
        agent
    }

    /// Puts another book into the agent's hands.
    pub fn set_book(&mut self, book: Book) {
        self.directory.admit(self.me.identity, self.me.owner.clone());
        for entry in book.entries() {
            self.directory.admit(entry.card.identity, entry.card.owner());
        }
        self.book = book;
    }

    /// Lets another owner speak in cases, as the directory of the coordinator says. What counts for a signature is the
    /// book alone.
    pub fn admit(&mut self, identity: IdentityPublicKey, owner: canton_topology::id::Namespace) {
        if self.directory.owner(&identity).is_none() {
            self.directory.admit(identity, owner);
        }
    }

    /// Puts the owner's participant and the key that it holds into the agent's hands.
    pub fn set_host(&mut self, participant: ParticipantId, key: SigningPublicKey) {
        self.me.host = Some((participant, key));
    }

    /// Who the agent is.
    pub fn me(&self) -> &Me {
        &self.me
    }

    /// The owner's book.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Its topology.
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// Its identity key.
    pub fn identity(&self) -> &dyn SignStatements {
        self.identity.as_ref()
    }

    /// New topology, judged by the agent itself.
    pub fn topology_changed(&mut self, state: State) {
        self.state = Some(state);
    }

    /// Stops or resumes all signing.
    pub fn set_frozen(&mut self, frozen: bool) {
        self.frozen = frozen;
    }

    /// Remembers what the owner has said, whether or not the coordinator ever shows it.
    ///
    /// # Errors
    /// Where the statement's payload does not decode.
    pub fn remember(&mut self, statement: &Statement) -> Result<(), StatementError> {
        self.said.remember(statement)
    }

    /// Takes a statement from the coordinator's inbox.
    ///
    /// # Errors
    /// See [`Received`]. Nothing changed then.
    pub fn receive(&mut self, statement: Statement, position: u64) -> Result<CaseId, Received> {
        let id = statement.case()?;
        match self.cases.get_mut(&id) {
            None if statement.kind() == Kind::Intent => {
                self.cases.insert(id, Case::open(statement, &self.directory)?);
            }
            None => return Err(Received::Forked(id)),
            Some(case) => {
                let known = usize::try_from(position).ok().and_then(|position| case.statements().get(position));
                match known {
                    Some(known) if known.hash() == statement.hash() => {}
                    Some(_) => return Err(Received::Forked(id)),
                    None if position == case.statements().len() as u64 => {
                        case.append(statement, &self.directory)?;
                    }
                    None => return Err(Received::Forked(id)),
                }
            }
        }
        Ok(id)
    }

    /// A case.
    pub fn case(&self, id: &CaseId) -> Option<&Case> {
        self.cases.get(id)
    }

    /// Every case, oldest first.
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        self.cases.values()
    }

    /// What the agent knows when it verifies.
    pub fn context<'a>(&'a self, state: &'a State, live: &'a [SignedTransaction], now: Timestamp) -> Context<'a> {
        Context { me: &self.me, book: &self.book, state, live, now, frozen: self.frozen }
    }

    /// Every signature that the agent has seen, but for those of one case's newest offer: what that case offered before
    /// may sleep as well as another's.
    pub fn signed_elsewhere(&self, id: &CaseId) -> Vec<SignedTransaction> {
        let mut all = Vec::new();
        for case in self.cases.values() {
            let newest = case.offer().map(|offered| offered.hash).filter(|_| case.id() == *id);
            for offered in case.offers().iter().filter(|offered| Some(offered.hash) != newest) {
                let signed = offered.transactions.iter().map(|transaction| {
                    let signatures = case.signatures(&transaction.hash()).cloned().collect();
                    SignedTransaction::new(transaction.clone(), signatures, true)
                });
                all.extend(signed.filter(|signed| !signed.signatures.is_empty()));
            }
        }
        all
    }

    /// What the agent makes of a case's newest offer.
    ///
    /// # Errors
    /// Where it does not verify, by name.
    pub fn verify(&self, id: &CaseId, now: Timestamp) -> Result<Verified, AgentError> {
        let case = self.cases.get(id).ok_or(AgentError::UnknownCase(*id))?;
        self.said.may_sign(id)?;
        let state = self.state.as_ref().ok_or(AgentError::NoTopology)?;
        match verify(case, &self.context(state, &self.signed_elsewhere(id), now)) {
            Verification::Verified(verified) => Ok(verified),
            Verification::Refused(refusal) => Err(refusal.into()),
            Verification::NotYet(wait) => Err(AgentError::NotYet(wait)),
        }
    }

    /// Climbs from the newest offer of a case to the owner's approval: verify, permit, record, sign, verify what was
    /// signed, look again at what is wanted, release.
    ///
    /// # Errors
    /// See [`AgentError`]. What was signed before an error stays in the journal and comes back at the next attempt.
    pub fn approve(
        &self,
        id: &CaseId,
        permission: Permission,
        custody: &mut Custody<'_>,
        clock: &dyn Fn() -> Timestamp,
    ) -> Result<Statement, AgentError> {
        self.check_history(id, custody.journal)?;
        let verified = self.verify(id, clock())?;
        if let Permission::Rule(_) = permission {
            self.said.rule_may_decide(id)?;
        }
        let permitted = Permitted::new(verified, permission).map_err(|error| match error {
            NotPermitted::Refused(refusal) => AgentError::Refused(refusal),
            NotPermitted::OtherClass => AgentError::NoRule,
        })?;
        let mut released: Vec<Released> = Vec::new();
        for request in permitted.verified().requests() {
            let recorded = permitted.record(custody.journal, request, clock()).map_err(conflict)?;
            let pinned = self.pinned(request)?;
            let signature = self.signature(id, request, &recorded, &released, custody)?;
            let signed = recorded.signed(custody.journal, signature, &pinned)?;
            released.push(signed.release(self.still_wanted(id, clock()))?);
        }
        let case = self.cases.get(id).ok_or(AgentError::UnknownCase(*id))?;
        let verified = permitted.verified();
        let approval = Approval {
            case: *id,
            offer: verified.offer(),
            owner: self.me.owner.clone(),
            synchronizer: self.me.synchronizer.clone(),
            transactions: verified.transactions().iter().map(Transaction::hash).collect(),
            base: verified.base().to_vec(),
            policy: None,
            checkpoint: Some(case.checkpoint()),
            signatures: released
                .iter()
                .map(|one| EncodedSignature { transaction: one.transaction, signature: one.signature.encode() })
                .collect(),
        };
        Ok(Statement::sign(&approval, self.identity.as_ref()))
    }

    /// What was seen at the last signature must be the beginning of what is shown now, also after a restart: a coordinator
    /// that tells another story is refused.
    fn check_history(&self, id: &CaseId, journal: &Journal) -> Result<(), AgentError> {
        let case = self.cases.get(id).ok_or(AgentError::UnknownCase(*id))?;
        if let Some((statements, head)) = journal.head(id.as_bytes())?
            && case.head_at(statements) != Some(head)
        {
            return Err(Refusal::ForkedHistory.into());
        }
        let seen = case.checkpoint();
        Ok(journal.remember_head(id.as_bytes(), seen.statements, seen.head)?)
    }

    fn still_wanted(&self, id: &CaseId, now: Timestamp) -> Result<(), Refusal> {
        let case = self.cases.get(id).ok_or(Refusal::NoOffer)?;
        self.said.may_sign(id)?;
        let state = self.state.as_ref().ok_or(Refusal::NoOffer)?;
        still_wanted(case, &self.context(state, &[], now))
    }

    /// The public key that a request is pinned to.
    fn pinned(&self, request: &SignRequest) -> Result<SigningPublicKey, AgentError> {
        let hosted = self.me.host.iter().map(|(_, key)| key);
        let found = self.me.keys.iter().chain(hosted).find(|key| *key.fingerprint_ref() == request.key);
        found.cloned().ok_or_else(|| KeyError::UnknownKey(request.key.clone()).into())
    }

    /// The signature of whoever holds the key; the one that the journal has, where this is a retry.
    fn signature(
        &self,
        id: &CaseId,
        request: &SignRequest,
        recorded: &Recorded,
        released: &[Released],
        custody: &mut Custody<'_>,
    ) -> Result<Signature, AgentError> {
        if let Some(given) = recorded.given() {
            return Ok(given.clone());
        }
        match request.holder {
            Holder::Agent => {
                let holds = |backend: &&mut Box<dyn KeyBackend>| {
                    backend.keys().iter().any(|info| *info.public.fingerprint_ref() == request.key)
                };
                let backend = custody.backends.iter_mut().find(holds);
                Ok(backend.ok_or_else(|| KeyError::UnknownKey(request.key.clone()))?.sign(recorded)?)
            }
            Holder::Participant => {
                let case = self.cases.get(id).ok_or(AgentError::UnknownCase(*id))?;
                let transaction = case
                    .offer()
                    .and_then(|offered| offered.transactions.get(request.index))
                    .ok_or(AgentError::Refused(Refusal::NoOffer))?;
                // What carries a signature already, ours of a moment ago or another owner's, a participant signs and
                // hands back; what carries none, it proposes to the synchronizer at once.
                let own = released.iter().filter(|one| one.transaction == request.transaction);
                let own = own.map(|one| one.signature.clone());
                let others = case.signatures(&request.transaction).cloned();
                // A new host that will import contracts must see its own proposal on the synchronizer, or its node takes
                // no import: it proposes, whoever signed before.
                let carried = if coordinator_submits(case) { 1 } else { 0 };
                let signatures = own.chain(others).take(carried).collect();
                let signed = SignedTransaction::new(transaction.clone(), signatures, true);
                let pinned = self.pinned(request)?;
                (custody.participant)(&signed, &pinned).map_err(AgentError::Participant)
            }
        }
    }

    /// The owner's no.
    ///
    /// # Errors
    /// Where there is nothing to decline.
    pub fn decline(&self, id: &CaseId, reason: &str) -> Result<Statement, AgentError> {
        let case = self.cases.get(id).ok_or(AgentError::UnknownCase(*id))?;
        let offer = case.offer().ok_or(AgentError::Refused(Refusal::NoOffer))?.hash;
        let decline = Decline { case: *id, offer, owner: self.me.owner.clone(), reason: reason.to_owned() };
        Ok(Statement::sign(&decline, self.identity.as_ref()))
    }
}

/// What signs, and what remembers.
pub struct Custody<'a> {
    /// The journal.
    pub journal: &'a Journal,
    /// The key backends.
    pub backends: &'a mut [Box<dyn KeyBackend>],
    /// The participant.
    pub participant: &'a mut AskParticipant<'a>,
}

fn conflict(error: JournalError) -> AgentError {
    match error {
        JournalError::Conflict { existing, .. } => AgentError::Refused(Refusal::Conflict { existing }),
        other => AgentError::Journal(other),
    }
}

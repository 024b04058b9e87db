//! One owner's agent, without its shell: what it has seen, what it makes of an offer, and the climb from there to an
//! approval. Synchronous; the clock, the disk of the journal and the participant come as arguments.

pub mod carried;
mod elsewhere;
mod error;
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
    keys::{KeyError, Outcome, keyring::Keyring, to_sign::ToSign},
    ladder::{NotPermitted, Permission, Permitted, Recorded, Released},
};
use protocol::{
    book::Book,
    case::Case,
    difference::DifferenceClass,
    directory::Directory,
    identity::IdentityPublicKey,
    intent::CaseId,
    reader::{Context, Me},
    refusal::Refusal,
    registry::Kind,
    request::{Holder, SignRequest},
    statement::{Approval, Decline, EncodedSignature, SignStatements, Statement, StatementError},
    submission::{Submitter, submitter},
    verify::{Verification, Verified, still_wanted, verify},
};

pub use self::error::{AgentError, Asked, Received};
use self::said::Said;

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
    /// When the participant said last that this is how it stands.
    seen: Timestamp,
    frozen: bool,
    said: Said,
    /// What the agent said and the coordinator has not shown yet.
    unshown: BTreeMap<CaseId, Vec<Statement>>,
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
            seen: Timestamp(0),
            frozen: false,
            said: Said::default(),
            unshown: BTreeMap::new(),
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

    /// Puts the keys that sign into the agent's hands.
    pub fn set_keys(&mut self, keys: Vec<SigningPublicKey>) {
        self.me.keys = keys;
    }

    /// Who the agent is.
    pub fn me(&self) -> &Me {
        &self.me
    }

    /// The owner's book.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// The key of its coordinator.
    pub fn coordinator(&self) -> IdentityPublicKey {
        self.directory.coordinator()
    }

    /// Its topology.
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// Its identity key.
    pub fn identity(&self) -> &dyn SignStatements {
        self.identity.as_ref()
    }

    /// New topology, judged by the agent itself, and when it was asked for.
    pub fn topology_changed(&mut self, state: State, seen: Timestamp) {
        self.state = Some(state);
        self.seen = seen;
    }

    /// The topology that the agent has was still so when it was asked for again.
    pub fn topology_confirmed(&mut self, seen: Timestamp) {
        self.seen = seen;
    }

    /// Takes over the word of a coordinator at which the agent was enrolled before.
    pub fn succeed(&mut self, former: IdentityPublicKey) {
        self.directory.succeed(former);
    }

    /// Stops or resumes all signing.
    pub fn set_frozen(&mut self, frozen: bool) {
        self.frozen = frozen;
    }

    /// Remembers what the owner has said, whether or not the coordinator ever shows it: one that dies in between does not
    /// take it along.
    ///
    /// # Errors
    /// Where the statement's payload does not decode.
    pub fn remember(&mut self, statement: &Statement) -> Result<(), StatementError> {
        let id = statement.case()?;
        let is_shown = self.cases.get(&id).is_some_and(|case| case.position(&statement.hash()).is_some());
        let unshown = self.unshown.entry(id).or_default();
        if !is_shown && !unshown.iter().any(|known| known.hash() == statement.hash()) {
            unshown.push(statement.clone());
        }
        self.said.remember(statement)
    }

    /// Takes a statement from the coordinator's inbox.
    ///
    /// # Errors
    /// See [`Received`]. Nothing changed then.
    pub fn receive(&mut self, statement: Statement, position: u64) -> Result<CaseId, Received> {
        let (id, hash) = (statement.case()?, statement.hash());
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
        if let Some(unshown) = self.unshown.get_mut(&id) {
            unshown.retain(|said| said.hash() != hash);
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
        Context { me: &self.me, book: &self.book, state, seen: self.seen, live, now, frozen: self.frozen }
    }

    /// Every signature that the agent has seen, but for those of one case's newest offer: what that case offered before
    /// may sleep as well as another's.
    pub fn signed_elsewhere(&self, id: &CaseId) -> Vec<SignedTransaction> {
        self.signed_but_in(Some(id))
    }

    fn signed_but_in(&self, id: Option<&CaseId>) -> Vec<SignedTransaction> {
        let mut all = Vec::new();
        for case in self.cases.values() {
            let newest = case.offer().map(|offered| offered.hash).filter(|_| Some(&case.id()) == id);
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
        let mut pending: Vec<Asked> = Vec::new();
        // A participant comes last: what carries no signature yet, it would propose to the synchronizer.
        let comes_last = |request: &&SignRequest| {
            request.holder == Holder::Participant || custody.keyring.signs_topology_alone(&request.key)
        };
        let (last, first): (Vec<_>, Vec<_>) = permitted.verified().requests().iter().partition(comes_last);
        let before_last = first.len();
        for (place, request) in first.into_iter().chain(last).enumerate() {
            // Whoever takes hours is asked beside the others, not after them.
            if !pending.is_empty() && place >= before_last {
                break;
            }
            let recorded = permitted.record(custody.journal, request, clock()).map_err(conflict)?;
            let pinned = self.pinned(request)?;
            let signature = match self.signature(id, request, &recorded, &released, custody) {
                Err(AgentError::Pending { asked }) => {
                    pending.extend(asked);
                    continue;
                }
                other => other?,
            };
            let signed = recorded.signed(custody.journal, signature, &pinned)?;
            released.push(signed.release(self.still_wanted(id, clock()))?);
        }
        if !pending.is_empty() {
            return Err(AgentError::Pending { asked: pending });
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
                let case = self.cases.get(id).ok_or(AgentError::UnknownCase(*id))?;
                let transaction = case.offer().and_then(|offered| offered.transactions.get(request.index));
                let wanted = transaction.and_then(|transaction| ToSign::transaction(recorded, transaction));
                let wanted = wanted.ok_or(AgentError::Refused(Refusal::NoOffer))?;
                let wanted = wanted.carrying(given(case, request, released).collect());
                match custody.keyring.sign(&wanted)? {
                    Outcome::Signed(signature) => Ok(signature),
                    Outcome::Pending { note, retry_after } => {
                        let asked = vec![Asked { key: request.key.clone(), note, retry_after }];
                        Err(AgentError::Pending { asked })
                    }
                }
            }
            Holder::Participant => {
                let case = self.cases.get(id).ok_or(AgentError::UnknownCase(*id))?;
                let transaction = case
                    .offer()
                    .and_then(|offered| offered.transactions.get(request.index))
                    .ok_or(AgentError::Refused(Refusal::NoOffer))?;
                // What carries a signature already, ours of a moment ago or another owner's, a participant signs and
                // hands back; what carries none, it proposes to the synchronizer at once.
                // A new host that will import contracts must see its own proposal on the synchronizer, or its node takes
                // no import: it proposes, whoever signed before.
                let carried = match submitter(&case.intent().change) {
                    Submitter::Anybody => 1,
                    Submitter::AgentUnderConditions => 0,
                };
                let signatures = given(case, request, released).take(carried).collect();
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

/// The signatures of a request's transaction that are there: ours of a moment ago, and the other owners'.
fn given<'a>(
    case: &'a Case,
    request: &'a SignRequest,
    released: &'a [Released],
) -> impl Iterator<Item = Signature> + 'a {
    let own = released.iter().filter(|one| one.transaction == request.transaction).map(|one| one.signature.clone());
    own.chain(case.signatures(&request.transaction).cloned())
}

/// What signs, and what remembers.
pub struct Custody<'a> {
    /// The journal.
    pub journal: &'a Journal,
    /// The keys.
    pub keyring: &'a mut Keyring,
    /// The participant.
    pub participant: &'a mut AskParticipant<'a>,
}

fn conflict(error: JournalError) -> AgentError {
    match error {
        JournalError::Conflict { existing, .. } => AgentError::Refused(Refusal::Conflict { existing }),
        other => AgentError::Journal(other),
    }
}

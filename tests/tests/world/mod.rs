//! A world without sockets: one synchronizer, one coordinator, owners with agents. Every message waits in a queue until
//! somebody delivers it, so that a test decides what happens when.
#![allow(dead_code, reason = "each test file uses its own part of the world")]

mod crash;

use std::collections::VecDeque;

use canton_sandbox::genesis::{self, Node, NodeKey};
use canton_topology::{
    Timestamp,
    id::{MemberKind, Namespace},
    judge::{Time, Verdict, Verifier, fold_batch},
    key::{KeyUsage, SigningPublicKey},
    mapping::Permission,
    state::{State, StaticParameters},
    transaction::{SignedTransaction, Transaction},
};
use coordinator::coordinator::{Coordinator, Effect, Refused, SubmitResult};
use custody::{
    journal::Journal,
    keys::{Purpose, keyring::Keyring, secret_key::SecretKey},
    ladder::Permission as Permit,
};
use ed25519_dalek::SigningKey;
use protocol::{
    accepted::Accepted,
    api::Base64,
    book::{Book, Card, Entry},
    difference::DifferenceClass,
    intent::{CaseId, Change, CreateParty, Host, Intent, Membership, Order, OwnersChange, PartyChange},
    plan::plan,
    reader::Me,
    statement::{Offer, SignStatements, Statement, StatementHash, Withdrawal},
};
use signer_agent::{
    agent::{Agent, AgentError, Custody},
    folder::{Folder, Seen},
    lines::Lines,
    outgoing::{Outgoing, Settled},
};
use tests::memory_keys;

/// One owner.
pub struct Owner {
    pub agent: Agent,
    pub journal: Journal,
    pub card: Card,
    pub inbox: VecDeque<(Statement, u64)>,
    pub outgoing: Outgoing,
    rules: Vec<DifferenceClass>,
    folder: Folder,
    seen: Lines<Seen>,
    seen_count: u64,
    keyring: Keyring,
    identity: SigningKey,
    node: Node,
}

/// Everything.
pub struct World {
    pub coordinator: Coordinator,
    pub owners: Vec<Owner>,
    pub network: State,
    /// What the coordinator wants submitted and nobody has handed over yet.
    pub submissions: VecDeque<(CaseId, StatementHash, Vec<SignedTransaction>)>,
    /// What the coordinator's store holds.
    pub stored: Vec<Statement>,
    pub now: i64,
    pub planner: protocol::plan::Planner,
    coordinator_key: SigningKey,
    verifier: Verifier,
    cases: u128,
    _folder: tempfile::TempDir,
}

fn secret(seed: u64, index: u8) -> SigningKey {
    let mut bytes = [index; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    SigningKey::from_bytes(&bytes)
}

fn public(secret: &SigningKey, usage: KeyUsage) -> SigningPublicKey {
    SigningPublicKey::ed25519(secret.verifying_key().as_bytes(), &[usage]).unwrap()
}

impl World {
    /// As many owners as asked, who all know each other.
    pub fn new(seed: u64, owners: u8) -> Self {
        let (synchronizer, mut rows) = genesis::synchronizer("world", 34);
        let nodes: Vec<Node> =
            (0..owners).map(|index| Node::generate(MemberKind::Participant, &format!("node{index}"))).collect();
        for node in &nodes {
            rows.extend(node.onboarding(&synchronizer.logical));
        }
        let mut network = State::new(synchronizer.clone(), StaticParameters::default());
        let mut verifier = Verifier::default();
        let time = Time { sequenced: genesis::GENESIS, effective: genesis::GENESIS };
        for verdict in fold_batch(&mut network, &mut verifier, &rows, time) {
            assert!(matches!(verdict, Verdict::Active { .. }), "{verdict:?}");
        }
        let coordinator_key = secret(seed, 0xff);
        let mut world = Self {
            coordinator: Coordinator::new(Box::new(coordinator_key.clone()), plan),
            owners: Vec::new(),
            network,
            submissions: VecDeque::new(),
            stored: Vec::new(),
            now: 1_000_000,
            planner: plan,
            coordinator_key,
            verifier,
            cases: u128::from(seed) << 64,
            _folder: tempfile::tempdir().unwrap(),
        };
        for (index, node) in nodes.into_iter().enumerate() {
            world.add_owner(seed, index as u8, node);
        }
        world.introduce();
        world
    }

    fn add_owner(&mut self, seed: u64, index: u8, node: Node) {
        let (namespace, party, identity) =
            (secret(seed, 3 * index), secret(seed, 3 * index + 1), secret(seed, 3 * index + 2));
        let keyring = memory_keys::keyring(vec![
            (Purpose::Namespace, SecretKey::Ed25519(namespace)),
            (Purpose::Party, SecretKey::Ed25519(party)),
        ]);
        let card = Card {
            name: format!("owner{index}"),
            namespace_key: keyring.first(Purpose::Namespace).unwrap().clone(),
            identity: SignStatements::identity(&identity),
            host: Some(node.participant()),
            party_key: keyring.first(Purpose::Party).cloned(),
            parcel_key: None,
        };
        let me = Me {
            owner: card.owner(),
            identity: card.identity,
            keys: keyring.active().map(|key| key.public.clone()).collect(),
            host: Some((node.participant(), node.namespace_key.public().clone())),
            synchronizer: self.network.synchronizer().logical.clone(),
        };
        let known = SignStatements::identity(&self.coordinator_key);
        let agent = Agent::new(me, Box::new(identity.clone()), known, Book::default(), Vec::new());
        let folder = Folder::open(&self._folder.path().join(format!("owner{index}"))).unwrap();
        let journal = Journal::open(&folder.journal()).unwrap();
        self.owners.push(Owner {
            agent,
            journal,
            card,
            inbox: VecDeque::new(),
            outgoing: folder.outgoing().unwrap().0,
            rules: Vec::new(),
            seen: folder.seen().unwrap().0,
            seen_count: 0,
            folder,
            keyring,
            identity,
            node,
        });
    }

    fn introduce(&mut self) {
        let cards: Vec<Card> = self.owners.iter().map(|owner| owner.card.clone()).collect();
        for owner in &mut self.owners {
            let mut book = Book::default();
            for card in cards.iter().filter(|card| card.identity != owner.card.identity) {
                book.add(Entry { name: card.name.clone(), card: card.clone(), more_keys: Vec::new() }).unwrap();
            }
            owner.agent.set_book(book);
        }
        self.admit_everybody();
    }

    fn admit_everybody(&mut self) {
        for owner in &self.owners {
            self.coordinator.admit(owner.card.identity, owner.card.owner());
        }
    }

    /// The coordinator is gone; another process rises from what its store holds.
    pub fn crash_coordinator(&mut self) {
        self.coordinator = Coordinator::new(Box::new(self.coordinator_key.clone()), self.planner);
        self.admit_everybody();
        for statement in self.stored.clone() {
            self.coordinator.restore(statement).unwrap();
        }
        self.submissions.clear();
    }

    pub fn at(&self) -> Timestamp {
        Timestamp(self.now)
    }

    /// An owner wants something.
    pub fn propose(&mut self, owner: usize, change: Change) -> Result<CaseId, Refused> {
        self.cases += 1;
        let intent = self.intent(owner, change);
        let statement = Statement::sign(&intent, &self.owners[owner].identity);
        self.post(statement)?;
        Ok(intent.case)
    }

    fn intent(&self, owner: usize, change: Change) -> Intent {
        Intent {
            case: CaseId::from_bytes(self.cases.to_be_bytes()),
            synchronizer: self.network.synchronizer().logical.clone(),
            proposer: self.owners[owner].card.owner(),
            created_at: self.at(),
            deadline: self.at().plus_micros(86_400_000_000),
            reason: "as a test wants it".to_owned(),
            change,
            accepts: Accepted::PLAIN.map(|(danger, _)| danger).to_vec(),
            after: None,
        }
    }

    /// What a change would come to now.
    pub fn planned(&self, change: Change) -> Vec<Transaction> {
        plan(&self.intent(0, change), &self.network).unwrap().transactions
    }

    /// A statement reaches the coordinator.
    pub fn post(&mut self, statement: Statement) -> Result<(), Refused> {
        let (hash, signer) = (statement.hash(), statement.signer());
        let (_, effects) = self.coordinator.take(statement, self.at())?;
        self.obey(effects);
        if let Some(owner) = self.owners.iter_mut().find(|owner| owner.card.identity == signer)
            && owner.outgoing.waiting().any(|waiting| waiting.hash() == hash)
        {
            owner.outgoing.settle(hash, Settled::Taken).unwrap();
        }
        Ok(())
    }

    /// What an owner has said and the coordinator does not have reaches it.
    pub fn post_waiting(&mut self, owner: usize) {
        let waiting: Vec<Statement> = self.owners[owner].outgoing.waiting().cloned().collect();
        for statement in waiting {
            self.post(statement).unwrap();
        }
    }

    /// What a shell does: store, fan out, queue.
    fn obey(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Append { position, statement, .. } => {
                    self.stored.push(statement.clone());
                    for owner in &mut self.owners {
                        owner.inbox.push_back((statement.clone(), position));
                    }
                }
                Effect::Submit { case, offer, transactions } => {
                    self.submissions.push_back((case, offer, transactions));
                }
            }
        }
    }

    /// The coordinator sees topology as it is now.
    pub fn show_coordinator(&mut self) {
        self.now += 1;
        let effects = self.coordinator.topology_changed(self.network.clone(), self.at());
        self.obey(effects);
    }

    /// An owner's agent sees topology as it is now.
    pub fn show_owner(&mut self, owner: usize) {
        let (state, now) = (self.network.clone(), self.at());
        self.owners[owner].agent.topology_changed(state, now);
    }

    /// Time passes.
    pub fn tick(&mut self, micros: i64) {
        self.now += micros;
        let effects = self.coordinator.tick(self.at());
        self.obey(effects);
    }

    /// One waiting statement reaches an owner.
    pub fn deliver(&mut self, owner: usize) -> bool {
        let owner = &mut self.owners[owner];
        let Some((statement, position)) = owner.inbox.pop_front() else { return false };
        owner.seen_count += 1;
        let coordinator = Some(SignStatements::identity(&self.coordinator_key));
        let bytes = Base64(statement.bytes().to_vec());
        owner.agent.receive(statement, position).unwrap();
        owner.seen.append(&Seen { sequence: owner.seen_count, position, statement: bytes, coordinator }).unwrap();
        true
    }

    /// The oldest submission reaches the synchronizer, whole or not at all.
    pub fn submit(&mut self) -> bool {
        let Some((case, offer, transactions)) = self.submissions.pop_front() else { return false };
        let time = Time { sequenced: self.at(), effective: self.at().plus_micros(250_000) };
        let mut next = self.network.clone();
        let verdicts = fold_batch(&mut next, &mut self.verifier, &transactions, time);
        let refused = verdicts.iter().find_map(|verdict| match verdict {
            Verdict::Rejected(rejection) => Some(rejection.to_string()),
            Verdict::Active { .. } | Verdict::Proposal { .. } => None,
        });
        let result = match refused {
            Some(reason) => SubmitResult::Rejected(reason),
            None => {
                self.network = next;
                SubmitResult::Watch
            }
        };
        self.now += 1;
        let effects = self.coordinator.submitted(case, offer, result, self.at());
        self.obey(effects);
        true
    }

    /// Somebody hands transactions to the synchronizer, which takes them.
    pub fn hand_over(&mut self, transactions: &[SignedTransaction]) {
        let time = Time { sequenced: self.at(), effective: self.at().plus_micros(250_000) };
        for verdict in fold_batch(&mut self.network, &mut self.verifier, transactions, time) {
            assert!(matches!(verdict, Verdict::Active { .. }), "{verdict:?}");
        }
        self.now += 1;
    }

    /// An owner says yes to the newest offer that its agent knows.
    pub fn approve(&mut self, owner: usize, case: &CaseId) -> Result<Statement, AgentError> {
        let offered = self.owners[owner].agent.case(case).and_then(|case| case.offer());
        let shown = offered.map(|offered| offered.hash).ok_or(AgentError::UnknownCase(*case))?;
        let statement = self.sign(owner, case, Permit::Human { shown, release: None })?;
        self.say(owner, &statement);
        Ok(statement)
    }

    /// An owner's agent signs, and dies before it has kept what it signed.
    pub fn sign(&mut self, owner: usize, case: &CaseId, permission: Permit) -> Result<Statement, AgentError> {
        let now = self.at();
        let Owner { agent, journal, keyring, node, .. } = &mut self.owners[owner];
        let key: &NodeKey = &node.namespace_key;
        let mut participant = |signed: &SignedTransaction, _: &SigningPublicKey| Ok(key.sign(&signed.transaction));
        let mut custody = Custody { journal, keyring, participant: &mut participant };
        agent.approve(case, permission, &mut custody, &|| now)
    }

    /// An owner's agent keeps what it is about to say.
    fn say(&mut self, owner: usize, statement: &Statement) {
        let now = self.at();
        let owner = &mut self.owners[owner];
        owner.outgoing.keep(statement, now).unwrap();
        owner.agent.remember(statement).unwrap();
    }

    /// An owner says no.
    pub fn decline(&mut self, owner: usize, case: &CaseId) -> Result<Statement, AgentError> {
        let statement = self.owners[owner].agent.decline(case, "as a test wants it")?;
        self.say(owner, &statement);
        Ok(statement)
    }

    /// A proposer takes a case back.
    pub fn withdraw(&mut self, owner: usize, case: &CaseId) -> Result<Statement, AgentError> {
        let known = self.owners[owner].agent.case(case).ok_or(AgentError::UnknownCase(*case))?;
        let reason = "as a test wants it".to_owned();
        let withdrawal = Withdrawal { case: *case, intent: known.intent_hash(), reason };
        let statement = Statement::sign(&withdrawal, &self.owners[owner].identity);
        self.say(owner, &statement);
        Ok(statement)
    }

    /// An owner's agent starts anew with these rules.
    pub fn run_with_rules(&mut self, owner: usize, rules: &[DifferenceClass]) {
        self.owners[owner].rules = rules.to_vec();
        self.crash_agent(owner);
        self.show_owner(owner);
    }

    /// What an owner's rules approve now.
    pub fn follow_rules(&mut self, owner: usize) -> Vec<Statement> {
        let permitted = self.owners[owner].agent.permitted_by_rule(self.at());
        let signed = permitted.iter().map(|(case, permission)| self.sign(owner, case, *permission).unwrap());
        let signed: Vec<Statement> = signed.collect();
        for statement in &signed {
            self.say(owner, statement);
        }
        signed
    }

    /// The change that founds a party of the first `count` owners.
    pub fn founding(&self, count: usize, threshold: u32) -> Change {
        let founders = &self.owners[..count];
        let hosts = founders.iter().filter_map(|owner| owner.card.host.clone());
        let hosts = hosts.map(|participant| Host { participant, permission: Permission::Confirmation });
        Change::CreateParty(CreateParty {
            hint: "treasury".to_owned(),
            owners: founders.iter().map(|owner| owner.card.namespace_key.clone()).collect(),
            namespace_threshold: threshold,
            hosts: hosts.collect(),
            confirmation_threshold: 1,
            signing_keys: founders.iter().filter_map(|owner| owner.card.party_key.clone()).collect(),
            signing_threshold: 1,
        })
    }

    /// Another threshold of the namespace of the first `count` owners.
    pub fn threshold(&self, count: usize, threshold: u32) -> Change {
        self.membership(Some(OwnersChange { threshold: Some(threshold), ..self.owners_change(count) }), None)
    }

    /// A change set in stages.
    pub fn membership(&self, owners: Option<OwnersChange>, party: Option<PartyChange>) -> Change {
        Change::Membership(Membership { owners, party, order: Order::Staged })
    }

    /// A change of the namespace of the first `count` owners that names nothing yet.
    pub fn owners_change(&self, count: usize) -> OwnersChange {
        OwnersChange { namespace: self.namespace(count), add: Vec::new(), remove: Vec::new(), threshold: None }
    }

    /// A change of their party that names nothing yet.
    pub fn party_change(&self, count: usize) -> PartyChange {
        PartyChange::of(format!("treasury::{}", self.namespace(count)).parse().unwrap())
    }

    /// The namespace of the first `count` owners.
    pub fn namespace(&self, count: usize) -> Namespace {
        let owners: Vec<Namespace> = self.owners[..count].iter().map(|owner| owner.card.owner()).collect();
        canton_topology::id::decentralized_namespace(&owners)
    }

    /// Everything that waits happens, until nothing waits any more and everybody who can has said yes.
    pub fn settle(&mut self, case: &CaseId) {
        let everybody: Vec<usize> = (0..self.owners.len()).collect();
        self.settle_by(case, &everybody);
    }

    /// The same where nobody else can be reached.
    pub fn settle_by(&mut self, case: &CaseId, owners: &[usize]) {
        for _ in 0..200 {
            self.show_coordinator();
            let mut moved = self.submit();
            for owner in owners.iter().copied() {
                self.show_owner(owner);
                while self.deliver(owner) {
                    moved = true;
                }
                let me = self.owners[owner].card.owner();
                let done = self.owners[owner].agent.case(case).is_some_and(|case| case.is_approved_by(&me));
                if !done && let Ok(statement) = self.approve(owner, case) {
                    self.post(statement).unwrap();
                    moved = true;
                }
            }
            if !moved && self.submissions.is_empty() {
                return;
            }
        }
        panic!("the world does not settle");
    }

    /// An agent of that owner that has seen nothing but today's topology.
    pub fn fresh_agent(&self, owner: usize) -> Agent {
        let Owner { agent, identity, rules, .. } = &self.owners[owner];
        let known = SignStatements::identity(&self.coordinator_key);
        let book = agent.book().clone();
        let mut fresh = Agent::new(agent.me().clone(), Box::new(identity.clone()), known, book, rules.clone());
        fresh.topology_changed(self.network.clone(), self.at());
        fresh
    }

    /// What an owner makes of these bytes, offered by the coordinator instead of what the intent means.
    pub fn verdict_on(&self, owner: usize, intent: &Statement, transactions: Vec<Vec<u8>>) -> Result<(), String> {
        let parsed: Vec<Transaction> = transactions.iter().filter_map(|bytes| Transaction::parse(bytes).ok()).collect();
        let offer = Offer {
            case: intent.case().unwrap(),
            intent: intent.hash(),
            round: 0,
            base: protocol::plan::base_of(&parsed, &self.network),
            transactions,
        };
        let offer = Statement::sign(&offer, &self.coordinator_key);
        let mut agent = self.fresh_agent(owner);
        agent.receive(intent.clone(), 0).map_err(|error| error.to_string())?;
        agent.receive(offer, 1).map_err(|error| format!("Undecodable: {error}"))?;
        match agent.verify(&intent.case().unwrap(), self.at()) {
            Ok(_) => Ok(()),
            Err(AgentError::Refused(refusal)) => Err(refusal.name().to_owned()),
            Err(other) => Err(other.to_string()),
        }
    }

    /// The transactions of a case's newest offer.
    pub fn offered(&self, case: &CaseId) -> Vec<Transaction> {
        let offer = self.coordinator.case(case).and_then(|case| case.offer());
        offer.map(|offered| offered.transactions.clone()).unwrap_or_default()
    }
}

//! The replay: MainNet's most important decentralized namespace lives its real history through the whole product.
//!
//! Each distinct transaction is a raw intent of its own. One agent for each real owner climbs the real ladder; its key
//! backend gives the signature that the owner's key really gave. Signatures of keys that own nothing are handed in by the
//! harness. They arrive one by one, in a random order that a seed fixes; the coordinator must call the transaction ready
//! at exactly the one with which Canton's rule is met, and the sandbox's synchronizer must take it then.

mod backend;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use canton_client::access::Access;
use canton_client::participant::{Options as ClientOptions, Participant};
use canton_sandbox::network::{Network, Options as NetworkOptions};
use canton_topology::{
    Timestamp,
    authorization::Rules,
    hash::TransactionHash,
    id::{Fingerprint, Namespace, PhysicalSynchronizerId},
    judge::{Verifier, replay as replay_rows},
    key::SigningPublicKey,
    mapping::{Code, Mapping},
    signature::Signature,
    snapshot::{self, Item},
    state::{State, StaticParameters},
    transaction::{SignedTransaction, Transaction},
};
use coordinator::coordinator::{Coordinator, Effect};
use custody::{journal::Journal, keys::keyring::Keyring, ladder::Permission};
use ed25519_dalek::SigningKey;
use protocol::{
    book::{Book, Card, Entry},
    danger::{Danger, dangers},
    intent::{CaseId, Change, Intent, Raw},
    life::Status,
    plan::plan,
    reader::Me,
    statement::{Contribution, EncodedSignature, SignStatements, Statement},
};
use rand::{SeedableRng as _, seq::SliceRandom as _};
use serde::Serialize;
use signer_agent::agent::{Agent, AgentError, Custody};
use tests::naive_count::History;

use crate::print;

/// What to replay.
#[derive(Debug, clap::Args)]
pub struct ReplayArguments {
    /// The recorded history: a JSON file with the chain's signed transactions.
    chain: PathBuf,
    /// The network's snapshot that the chain comes from, for the rows of hosts and members that it needs.
    #[arg(long)]
    base: PathBuf,
    /// Fixes the order in which signatures arrive.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One JSON object for each transaction, the report last.
    #[arg(long)]
    json: bool,
}

/// What came out.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Distinct transactions.
    pub transactions: usize,
    /// Signatures that were handed in.
    pub signatures: usize,
    /// Signatures that arrived when Canton's rule was met already.
    pub superfluous: usize,
    /// Transactions that were not called ready at exactly the right signature, or not taken then.
    pub wrong_calls: usize,
}

#[derive(Debug, Serialize)]
struct Step {
    transaction: TransactionHash,
    kind: &'static str,
    serial: u32,
    signatures: usize,
    ready_at: usize,
    right: bool,
}

/// Replays and reports; the caller turns wrong calls into an exit code.
///
/// # Errors
/// Where an input does not read or the sandbox does not run.
pub async fn run(arguments: &ReplayArguments) -> Result<Report> {
    let chain = read_chain(&arguments.chain)?;
    let base = read_base(&arguments.base)?;
    let mut world = World::start(&chain, &base, arguments.seed).await?;
    let mut report = Report::default();
    for (index, (transaction, signatures)) in chain.iter().enumerate() {
        world.load(index).await?;
        let step = world.replay(transaction, signatures).await?;
        report.transactions += 1;
        report.signatures += step.signatures;
        report.superfluous += step.signatures - step.ready_at.min(step.signatures);
        report.wrong_calls += usize::from(!step.right);
        if arguments.json {
            print::line(&serde_json::to_string(&step)?);
        } else {
            let Step { kind, serial, signatures, ready_at, right, .. } = step;
            let verdict = if right { "right" } else { "WRONG" };
            let hash = transaction.hash().short();
            print::line(&format!(
                "{hash}  {kind} serial {serial}: ready at signature {ready_at} of {signatures}: {verdict}"
            ));
        }
    }
    if arguments.json {
        print::line(&serde_json::to_string(&report)?);
    } else {
        let Report { transactions, signatures, superfluous, wrong_calls } = &report;
        print::line(&format!(
            "{transactions} transactions, {signatures} signatures ({superfluous} after the rule was met), {wrong_calls} wrong calls"
        ));
    }
    Ok(report)
}

type Chain = Vec<(Transaction, Vec<Signature>)>;

/// The distinct transactions in their order, each with every signature that any of its rows has.
fn read_chain(path: &Path) -> Result<Chain> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    chain_of(&text).with_context(|| path.display().to_string())
}

fn chain_of(text: &str) -> Result<Chain> {
    let value: serde_json::Value = serde_json::from_str(text)?;
    let items = value.get("items").and_then(serde_json::Value::as_array).context("field items is missing")?;
    let mut chain: Chain = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let bytes = item.get("signed_tx_b64").and_then(serde_json::Value::as_str);
        let field = || format!("items[{index}].signed_tx_b64");
        let bytes = bytes.with_context(|| format!("{} is missing, or no text", field()))?;
        let bytes = STANDARD.decode(bytes).with_context(field)?;
        let signed = SignedTransaction::parse_wrapped(&bytes).with_context(|| format!("items[{index}]"))?;
        ensure!(signed.multi.is_empty(), "items[{index}] has a multi-hash signature");
        let at = chain.iter().position(|(known, _)| known.hash() == signed.transaction.hash());
        let at = at.unwrap_or_else(|| {
            chain.push((signed.transaction.clone(), Vec::new()));
            chain.len() - 1
        });
        for signature in signed.signatures {
            if chain[at].1.iter().all(|known| known.signed_by() != signature.signed_by()) {
                chain[at].1.push(signature);
            }
        }
    }
    Ok(chain)
}

fn read_base(path: &Path) -> Result<Vec<Item>> {
    let mut bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(bytes.as_slice())
            .read_to_end(&mut plain)
            .with_context(|| format!("{}: the gzip is broken or cut short", path.display()))?;
        bytes = plain;
    }
    Ok(snapshot::read(&bytes).with_context(|| format!("{}", path.display()))?.1)
}

/// The rows that each transaction of the chain stands on: the roots, keys and trust certificates that stand before it in
/// the network's own order, and none of the chain itself. The last list holds what comes after all of them.
fn needed_rows(base: &[Item], chain: &Chain) -> Vec<Vec<Item>> {
    let order: BTreeMap<TransactionHash, usize> =
        chain.iter().enumerate().map(|(index, (transaction, _))| (transaction.hash(), index)).collect();
    let mut rows: Vec<Vec<Item>> = vec![Vec::new(); chain.len() + 1];
    let mut next = 0;
    for item in base {
        if let Some(index) = order.get(&item.transaction.transaction.hash()) {
            next = next.max(index + 1);
            continue;
        }
        match item.transaction.transaction.mapping().code() {
            Code::NamespaceDelegation | Code::OwnerToKeyMapping | Code::SynchronizerTrustCertificate => {
                rows[next].push(item.clone());
            }
            _ => {}
        }
    }
    rows
}

struct Owner {
    agent: Agent,
    journal: Journal,
    keyring: Keyring,
    identity: SigningKey,
}

struct World {
    network: Network,
    participant: Participant,
    coordinator: Coordinator,
    owners: BTreeMap<Namespace, Owner>,
    harness: SigningKey,
    proposer: Namespace,
    rows: Vec<Vec<Item>>,
    random: rand_chacha::ChaCha8Rng,
    cases: u128,
    now: i64,
    verifier: Verifier,
    /// What "exactly" is, counted by somebody else.
    history: History,
    _folder: tempfile::TempDir,
}

impl World {
    async fn start(chain: &Chain, base: &[Item], seed: u64) -> Result<Self> {
        let parameters = chain.iter().find_map(|(transaction, _)| match transaction.mapping() {
            Mapping::SynchronizerParametersState(parameters) => Some(parameters.synchronizer.clone()),
            _ => None,
        });
        let logical = parameters.context("the chain has no synchronizer parameters")?;
        let synchronizer = PhysicalSynchronizerId { logical, serial: 0, protocol_version: 34 };
        let mut rows = needed_rows(base, chain);
        let first = std::mem::take(&mut rows[0]);
        let options = NetworkOptions { topology_change_delay: Duration::from_millis(1), ..NetworkOptions::default() };
        let network = Network::start_on(&options, synchronizer, &first).await?;
        let address = format!("http://{}", network.participants()[0].address);
        let participant =
            Participant::new(&ClientOptions { address, timeout: Duration::from_secs(30), access: Access::default() })?;
        let folder = tempfile::tempdir()?;
        let signatures = backend::recorded(chain);
        let coordinator_key = key(seed, 0);
        let mut coordinator = Coordinator::new(Box::new(coordinator_key.clone()), plan);
        let keys = owners_of(chain)?;
        let book = book(&keys, seed)?;
        let mut owners = BTreeMap::new();
        for (index, (namespace, public)) in keys.iter().enumerate() {
            let identity = key(seed, index as u64 + 1);
            coordinator.admit(SignStatements::identity(&identity), namespace.clone());
            let me = Me {
                owner: namespace.clone(),
                identity: SignStatements::identity(&identity),
                keys: vec![public.clone()],
                host: None,
                synchronizer: network.synchronizer().logical.clone(),
            };
            let coordinator_id = SignStatements::identity(&coordinator_key);
            let agent = Agent::new(me, Box::new(identity.clone()), coordinator_id, book.clone(), Vec::new());
            let journal = Journal::open(&folder.path().join(format!("journal-{index}")))?;
            let keyring = backend::keyring(public.clone(), signatures.clone());
            owners.insert(namespace.clone(), Owner { agent, journal, keyring, identity });
        }
        let proposer = keys.keys().next().context("the chain has no owner")?.clone();
        let harness = owners[&proposer].identity.clone();
        Ok(Self {
            network,
            participant,
            coordinator,
            owners,
            harness,
            proposer,
            rows,
            random: rand_chacha::ChaCha8Rng::seed_from_u64(seed),
            cases: u128::from(seed) << 64,
            now: 1,
            verifier: Verifier::default(),
            history: History::default(),
            _folder: folder,
        })
    }

    /// One transaction from its intent to the synchronizer.
    async fn replay(&mut self, transaction: &Transaction, signatures: &[Signature]) -> Result<Step> {
        let state = self.topology().await?;
        let expected = self.history.rule(transaction);
        let id = self.propose(transaction, &state)?;
        let mut order: Vec<&Signature> = signatures.iter().collect();
        order.shuffle(&mut self.random);
        let mut given: BTreeSet<Fingerprint> = BTreeSet::new();
        let (mut ready_at, mut right) = (0, true);
        for (index, signature) in order.iter().enumerate() {
            given.insert(signature.signed_by().clone());
            let statement = self.statement(&id, transaction, signature)?;
            let submits = self.post(statement)?;
            let should = expected.is_met(&given);
            let is_ready = ready_at > 0 || !submits.is_empty();
            right &= should == is_ready;
            for transactions in submits {
                ready_at = index + 1;
                right &= self.submit(&transactions).await?;
            }
        }
        let standing = self.coordinator.standing(&id, Timestamp(self.now)).context("the case is gone")?;
        right &= matches!(standing.status, Status::Effective { .. });
        self.history.happened(transaction);
        Ok(Step {
            transaction: transaction.hash(),
            kind: transaction.mapping().code().name(),
            serial: transaction.serial().get(),
            signatures: signatures.len(),
            ready_at,
            right,
        })
    }

    /// Loads the rows that the next transaction stands on.
    async fn load(&mut self, index: usize) -> Result<()> {
        let rows: Vec<SignedTransaction> =
            std::mem::take(&mut self.rows[index]).into_iter().map(|item| item.transaction).collect();
        let synchronizer = self.network.synchronizer().logical.clone();
        for batch in rows.chunks(100) {
            self.participant.add(&synchronizer, batch).await.context("a row of the base was refused")?;
        }
        if let Some(last) = rows.last() {
            self.wait_for(last.transaction.hash()).await?;
        }
        Ok(())
    }

    /// Reads the signed rows from the participant and judges them, for the coordinator and every agent.
    async fn topology(&mut self) -> Result<State> {
        let synchronizer = self.network.synchronizer().clone();
        let items = self.participant.topology(&synchronizer.logical).await?;
        let mut state = State::new(synchronizer, StaticParameters::default());
        // This history was lived under older releases; Canton itself judges it by the rules of initial snapshots.
        state.set_rules(Rules::InitialSnapshot);
        replay_rows(&mut state, &mut self.verifier, &items);
        self.now += 1;
        let effects = self.coordinator.topology_changed(state.clone(), Timestamp(self.now));
        self.deliver(&effects)?;
        for owner in self.owners.values_mut() {
            owner.agent.topology_changed(state.clone(), Timestamp(self.now));
        }
        Ok(state)
    }

    fn propose(&mut self, transaction: &Transaction, state: &State) -> Result<CaseId> {
        self.cases += 1;
        let case = CaseId::from_bytes(self.cases.to_be_bytes());
        let dangers = dangers(std::slice::from_ref(transaction), state, &[]);
        let intent = Intent {
            case,
            synchronizer: self.network.synchronizer().logical.clone(),
            proposer: self.proposer.clone(),
            created_at: Timestamp(self.now),
            deadline: Timestamp(self.now + 86_400_000_000),
            reason: "as it happened".to_owned(),
            change: Change::Raw(Raw { transactions: vec![transaction.bytes().to_vec()] }),
            // It happened: whoever wanted it accepted whatever is dangerous about it.
            accepts: dangers.iter().map(Danger::accepted_as).collect(),
            after: None,
        };
        let statement = Statement::sign(&intent, &self.harness);
        self.post(statement)?;
        Ok(case)
    }

    /// The owner's approval where the signature is one of an owner whose agent would give it; else a contribution.
    fn statement(&mut self, id: &CaseId, transaction: &Transaction, signature: &Signature) -> Result<Statement> {
        let namespace = Namespace::from(signature.signed_by().clone());
        let now = self.now;
        if let Some(owner) = self.owners.get_mut(&namespace) {
            let shown = owner.agent.case(id).and_then(|case| case.offer()).context("the offer did not arrive")?.hash;
            let mut participant = |_: &SignedTransaction, _: &SigningPublicKey| Err("there is none here".to_owned());
            let mut custody =
                Custody { journal: &owner.journal, keyring: &mut owner.keyring, participant: &mut participant };
            let permission = Permission::Human { shown, release: None };
            match owner.agent.approve(id, permission, &mut custody, &|| Timestamp(now)) {
                Ok(statement) => return Ok(statement),
                // The owner's key signed although it counts for nothing, or after the rule was met.
                Err(AgentError::Refused(refusal)) => tracing::debug!(%refusal, "an agent would not sign this"),
                Err(error) => bail!("{namespace}: {error}"),
            }
        }
        let case = self.coordinator.case(id).context("the case is gone")?;
        let offer = case.offer().context("there is no offer")?.hash;
        let signature = EncodedSignature { transaction: transaction.hash(), signature: signature.encode() };
        Ok(Statement::sign(&Contribution { case: *id, offer, signatures: vec![signature] }, &self.harness))
    }

    /// Hands a statement to the coordinator; what it wants submitted comes back.
    fn post(&mut self, statement: Statement) -> Result<Vec<Vec<SignedTransaction>>> {
        let (_, effects) = self.coordinator.take(statement, Timestamp(self.now))?;
        self.deliver(&effects)?;
        Ok(effects
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::Submit { transactions, .. } => Some(transactions),
                Effect::Append { .. } => None,
            })
            .collect())
    }

    fn deliver(&mut self, effects: &[Effect]) -> Result<()> {
        for effect in effects {
            let Effect::Append { position, statement, .. } = effect else { continue };
            for owner in self.owners.values_mut() {
                owner.agent.receive(statement.clone(), *position)?;
            }
        }
        Ok(())
    }

    /// Whether the synchronizer takes the transactions as complete.
    async fn submit(&mut self, transactions: &[SignedTransaction]) -> Result<bool> {
        let synchronizer = self.network.synchronizer().logical.clone();
        if let Err(error) = self.participant.add(&synchronizer, transactions).await {
            tracing::warn!(%error, "the synchronizer refused what the coordinator called ready");
            return Ok(false);
        }
        for transaction in transactions {
            self.wait_for(transaction.transaction.hash()).await?;
        }
        self.topology().await?;
        Ok(true)
    }

    async fn wait_for(&self, hash: TransactionHash) -> Result<()> {
        for _ in 0..5_000 {
            if self.network.head().effective_since(&hash).is_some() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bail!("{hash} did not become effective within ten seconds")
    }
}

/// The keys of everybody who ever owned the namespace: each is the target of a root delegation of the chain.
fn owners_of(chain: &Chain) -> Result<BTreeMap<Namespace, SigningPublicKey>> {
    let mut keys = BTreeMap::new();
    for (transaction, _) in chain {
        if let Mapping::NamespaceDelegation(delegation) = transaction.mapping()
            && delegation.is_root()
        {
            keys.insert(delegation.namespace.clone(), delegation.target.clone());
        }
    }
    ensure!(!keys.is_empty(), "the chain has no root delegation");
    Ok(keys)
}

/// Everybody knows everybody: the identity keys are ours, the namespace keys MainNet's.
fn book(keys: &BTreeMap<Namespace, SigningPublicKey>, seed: u64) -> Result<Book> {
    let mut book = Book::default();
    for (index, public) in keys.values().enumerate() {
        let name = format!("owner-{}", index + 1);
        let identity = SignStatements::identity(&key(seed, index as u64 + 1));
        let (namespace_key, entry) = (public.clone(), name.clone());
        let card = Card { name, namespace_key, identity, host: None, party_key: None, parcel_key: None };
        book.add(Entry { name: entry, card, more_keys: Vec::new() })?;
    }
    Ok(book)
}

/// An identity key of the replay.
fn key(seed: u64, index: u64) -> SigningKey {
    let mut bytes = [0x5a; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&index.to_le_bytes());
    SigningKey::from_bytes(&bytes)
}

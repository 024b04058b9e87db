//! What can be done at the consoles of a sandbox, and how it is done there.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use canton_client::{
    access::Access,
    participant::{Options, Participant},
    pruning::Schedule,
};
use canton_sandbox::{
    contract::NewContract,
    network::{Network, Participant as Node},
};
use canton_topology::{
    id::{Namespace, PartyId},
    key::{KeyUsage, SigningPublicKey},
    mapping::{
        HostingParticipant, Mapping, NamespaceDelegation, PartyToParticipant, Permission, SigningKeysWithThreshold,
        party_key,
    },
    signature::Signature,
    transaction::{Operation, Serial, SignedTransaction, Transaction},
};
use ed25519_dalek::{Signer as _, SigningKey, pkcs8::DecodePrivateKey as _};
use serde::{Deserialize, Serialize};

/// The package that every contract is made of. An archive that lists it is all that a node of the sandbox needs.
pub const PACKAGE: &str = "7adec01e2b1ce4dbcb2d8a1f6e3d2c0aa9f3e4d5c6b7a8091827364554637281";

/// How long a node may take for one call.
const CALL_WITHIN: Duration = Duration::from_secs(10);
/// How long one run of pruning may take.
const PRUNE_WITHIN: Duration = Duration::from_secs(3600);
/// How often, and how many times, the synchronizer is looked at for what was handed in.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS: usize = 100;

/// What is to be done.
#[derive(Serialize, Deserialize)]
pub enum Deed {
    /// Contracts of a party.
    Contracts {
        /// Whose.
        party: String,
        /// How many.
        count: u32,
    },
    /// When a node prunes by itself.
    Pruning {
        /// The node's name.
        at: String,
        /// When, as Quartz writes it, and how many hours are kept, where that is to be set.
        set: Option<(String, u32)>,
    },
    /// A proposal that the node's operator makes.
    Propose {
        /// The party.
        party: String,
        /// The confirmation threshold that it is to have.
        confirmations: u32,
        /// The node's name.
        at: String,
    },
    /// A party of a key that no node holds.
    ExternalParty {
        /// The first part of its id.
        hint: String,
        /// The key.
        pem: String,
        /// The node's name.
        at: String,
    },
}

/// What came of it, in words.
#[derive(Serialize, Deserialize)]
pub enum Done {
    /// It is done.
    Yes(String),
    /// It is not.
    No(String),
}

impl Deed {
    /// Does it.
    ///
    /// # Errors
    /// Where it cannot be done, or a node refuses.
    pub async fn on(self, network: &Network) -> Result<String> {
        match self {
            Self::Contracts { party, count } => {
                let count = usize::try_from(count)?;
                let new = NewContract {
                    package: PACKAGE.parse()?,
                    signatories: [party.parse::<PartyId>()?].into(),
                    observers: [].into(),
                    payload: vec![7; 100],
                };
                let made = network.transact(vec![new; count], Vec::new()).await;
                Ok(format!("{} contracts of {party}", made.len()))
            }
            Self::Pruning { at, set } => pruning(network, &at, set).await,
            Self::Propose { party, confirmations, at } => propose(network, &party.parse()?, confirmations, &at).await,
            Self::ExternalParty { hint, pem, at } => external_party(network, &hint, &pem, &at).await,
        }
    }
}

fn node<'a>(network: &'a Network, name: &str) -> Result<(&'a Node, Participant)> {
    let is_named = |node: &&Node| node.id.to_string().split("::").next() == Some(name);
    let node = network.participants().iter().find(is_named).with_context(|| format!("no node is called {name}"))?;
    let address = format!("http://{}", node.address);
    let console = Participant::new(&Options { address, timeout: CALL_WITHIN, access: Access::default() })?;
    Ok((node, console))
}

async fn pruning(network: &Network, at: &str, set: Option<(String, u32)>) -> Result<String> {
    let (_, console) = node(network, at)?;
    if let Some((cron, hours)) = set {
        let retention = Duration::from_secs(u64::from(hours) * 3600);
        let schedule = Schedule { cron, max_duration: PRUNE_WITHIN, retention, prune_internally_only: false };
        console.set_schedule(&schedule).await?;
    }
    Ok(console
        .schedule()
        .await?
        .map_or_else(|| format!("{at} does not prune by itself"), |set| format!("{at} prunes {set}")))
}

async fn propose(network: &Network, party: &PartyId, confirmations: u32, at: &str) -> Result<String> {
    let (node, console) = node(network, at)?;
    let head = network.head();
    let row = head.active(&party_key(party)).with_context(|| format!("{party} does not stand here"))?;
    let Mapping::PartyToParticipant(mut mapping) = row.transaction.mapping().clone() else {
        bail!("{party} has no hosts");
    };
    mapping.threshold = confirmations;
    let serial = row.transaction.serial().next().context("no serial is left")?;
    let transaction = Transaction::build(Operation::AddReplace, serial, &Mapping::PartyToParticipant(mapping));
    console.propose(&network.synchronizer().logical, &transaction, &node.namespace_key).await?;
    Ok(transaction.hash().to_string())
}

async fn external_party(network: &Network, hint: &str, pem: &str, at: &str) -> Result<String> {
    let (node, console) = node(network, at)?;
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = BASE64_STANDARD.decode(body).context("no PEM file")?;
    let secret = SigningKey::from_pkcs8_der(&der).context("no Ed25519 key")?;
    let usages = [KeyUsage::Namespace, KeyUsage::Protocol, KeyUsage::ProofOfOwnership];
    let key = SigningPublicKey::ed25519(secret.verifying_key().as_bytes(), &usages)?;
    let party: PartyId = format!("{hint}::{}", Namespace::from(key.fingerprint())).parse()?;
    let host =
        HostingParticipant { participant: node.id.clone(), permission: Permission::Confirmation, onboarding: false };
    let hosted = PartyToParticipant {
        party: party.clone(),
        threshold: 1,
        participants: vec![host],
        signing_keys: Some(SigningKeysWithThreshold { keys: vec![key.clone()], threshold: 1 }),
    };
    let signed = |mapping: &Mapping| {
        let transaction = Transaction::build(Operation::AddReplace, Serial::FIRST, mapping);
        let signature = secret.sign(transaction.hash().as_bytes()).to_bytes();
        let signatures = vec![Signature::new_ed25519(signature, key.fingerprint())];
        SignedTransaction::new(transaction, signatures, false)
    };
    let root = signed(&Mapping::NamespaceDelegation(NamespaceDelegation::root(key.clone())));
    let mut hosted = signed(&Mapping::PartyToParticipant(hosted));
    let synchronizer = &network.synchronizer().logical;
    let by_host = console.sign(synchronizer, &hosted, &node.namespace_key).await?;
    hosted.signatures.push(by_host);
    console.add(synchronizer, &[root, hosted]).await?;
    for _ in 0..LOOKS {
        if network.head().active(&party_key(&party)).is_some() {
            return Ok(party.to_string());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    bail!("the synchronizer did not take the party")
}

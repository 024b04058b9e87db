//! The recorded history under other keys. Nobody has the secrets of the recorded nodes and owners, so each key gets a
//! stand-in of its curve, and every signature that was good is made again by the stand-in; one that was bad stays bad.
//! Fingerprints, keys, hashes and signatures are as long as those that they replace, so that requests and answers are
//! translated byte by byte, whatever else they hold.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeSet, HashMap};

use canton_proto::{
    canton::{
        crypto::v30::Signature as WireSignature,
        protocol::v30::SignedTopologyTransaction,
        topology::admin::v30::{
            AddTransactionsRequest, AuthorizeResponse, GenerateTransactionsResponse, SignTransactionsRequest,
        },
    },
    daml::ledger::api::v2::{Signature as LedgerSignature, admin::AllocateExternalPartyRequest},
};
use canton_sandbox::genesis::Node;
use canton_topology::{
    hash::{MultiHash, TransactionHash},
    id::{Fingerprint, Namespace, decentralized_namespace},
    key::SigningPublicKey,
    mapping::Mapping,
    signature::Signature,
    transaction::Transaction,
};
use prost::Message as _;

use super::{
    keys::{Stand, find, public},
    recording::{Call, Outcome},
};

/// How many bytes decide which replacements are looked at.
const START: usize = 8;

/// What is replaced, and by what.
type Pair = (Vec<u8>, Vec<u8>);

#[derive(Default)]
pub struct Translation {
    pairs: HashMap<[u8; START], Vec<Pair>>,
    hashes: BTreeSet<TransactionHash>,
    requests: Vec<Vec<u8>>,
}

/// A signature of a recorded request, and what it is over.
struct Signed {
    signature: WireSignature,
    over: Over,
}

enum Over {
    One(Vec<u8>),
    Many(Vec<Vec<u8>>),
}

impl Over {
    fn message(&self, translate: impl Fn(&[u8]) -> Vec<u8>) -> [u8; 34] {
        let hash = |bytes: &Vec<u8>| TransactionHash::of(&translate(bytes));
        match self {
            Self::One(bytes) => *hash(bytes).as_bytes(),
            Self::Many(all) => *MultiHash::of(&all.iter().map(hash).collect::<Vec<_>>()).as_bytes(),
        }
    }
}

impl Translation {
    /// From the recorded nodes' fingerprints and all calls of one network.
    pub fn new(calls: &[Call], nodes: &[(String, &Node)], others: &[(String, String)]) -> Self {
        let mut all = Self::default();
        for (old, new) in others {
            all.add(old.as_bytes(), new.as_bytes());
        }
        for (old, node) in nodes {
            all.add(old.as_bytes(), node.namespace_key.fingerprint().as_str().as_bytes());
        }
        let stands = all.add_keys(calls);
        let transactions = transactions(calls);
        all.add_namespaces(&transactions);
        for old in &transactions {
            let (old_hash, new_hash) = (TransactionHash::of(old), TransactionHash::of(&all.apply(old)));
            all.add(old_hash.as_bytes(), new_hash.as_bytes());
            all.add(old_hash.to_string().as_bytes(), new_hash.to_string().as_bytes());
            all.hashes.insert(new_hash);
        }
        for one in &signatures(calls) {
            all.add_signature(one, &stands, nodes);
        }
        all.requests = calls.iter().flat_map(|call| &call.requests).map(|request| all.apply(request)).collect();
        all
    }

    fn add_keys(&mut self, calls: &[Call]) -> HashMap<String, (Stand, SigningPublicKey)> {
        let mut stands = HashMap::new();
        for (spec, spki) in calls.iter().flat_map(|call| &call.requests).flat_map(|request| find(request)) {
            let Some(old) = public(spec, &spki) else { continue };
            let name = old.fingerprint().to_string();
            if stands.contains_key(&name) {
                continue;
            }
            let stand = Stand::new(spec);
            let new = public(spec, &stand.spki()).unwrap();
            self.add(&spki, &stand.spki());
            self.add(name.as_bytes(), new.fingerprint().as_str().as_bytes());
            stands.insert(name, (stand, old));
        }
        stands
    }

    fn add_namespaces(&mut self, transactions: &BTreeSet<Vec<u8>>) {
        for bytes in transactions {
            let Ok(transaction) = Transaction::parse(bytes) else { continue };
            let Mapping::DecentralizedNamespaceDefinition(definition) = transaction.mapping() else { continue };
            if definition.namespace != decentralized_namespace(&definition.owners) {
                continue;
            }
            let owner = |owner: &Namespace| -> Namespace {
                let text = String::from_utf8(self.apply(owner.as_str().as_bytes())).unwrap();
                Namespace::from(text.parse::<Fingerprint>().unwrap())
            };
            let new = decentralized_namespace(&definition.owners.iter().map(owner).collect::<Vec<_>>());
            self.add(definition.namespace.as_str().as_bytes(), new.as_str().as_bytes());
        }
    }

    fn add_signature(
        &mut self,
        one: &Signed,
        stands: &HashMap<String, (Stand, SigningPublicKey)>,
        nodes: &[(String, &Node)],
    ) {
        let Signed { signature, over } = one;
        let new = over.message(|bytes| self.apply(bytes));
        if let Some((stand, old)) = stands.get(&signature.signed_by) {
            let parsed = Signature::parse(&signature.encode_to_vec()).unwrap();
            if parsed.verify(old, &over.message(<[u8]>::to_vec)).is_ok() {
                self.add(&signature.signature, &stand.sign(&new, signature.signature.len()));
            }
        } else if let Some((_, node)) = nodes.iter().find(|(old, _)| *old == signature.signed_by)
            && let Over::One(bytes) = over
            && let Ok(transaction) = Transaction::parse(&self.apply(bytes))
        {
            // What a node added is good.
            self.add(&signature.signature, node.namespace_key.sign(&transaction).bytes());
        }
    }

    fn add(&mut self, old: &[u8], new: &[u8]) {
        assert_eq!(old.len(), new.len(), "a replacement is as long as what it replaces");
        let Some(start) = old.first_chunk::<START>() else { return };
        let pairs = self.pairs.entry(*start).or_default();
        if !pairs.iter().any(|(known, _)| known == old) {
            pairs.push((old.to_vec(), new.to_vec()));
        }
    }

    /// The same bytes in the translated world.
    pub fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let mut all = bytes.to_vec();
        let mut at = 0;
        while let Some(start) = bytes[at..].first_chunk::<START>() {
            let pair =
                self.pairs.get(start).and_then(|pairs| pairs.iter().find(|(old, _)| bytes[at..].starts_with(old)));
            match pair {
                Some((old, new)) => {
                    all[at..at + old.len()].copy_from_slice(new);
                    at += old.len();
                }
                None => at += 1,
            }
        }
        all
    }

    /// Whether a request names the party.
    pub fn is_named(&self, party: &str) -> bool {
        let party = party.as_bytes();
        self.requests.iter().any(|request| request.windows(party.len()).any(|window| window == party))
    }

    /// Whether the recorded hash of this translated one is known: not of what a node made by itself.
    pub fn knows(&self, hash: &[u8]) -> bool {
        TransactionHash::try_from(hash).is_ok_and(|hash| self.hashes.contains(&hash))
    }
}

fn signed_transactions(call: &Call) -> Vec<SignedTopologyTransaction> {
    let Some(request) = call.requests.first() else { return Vec::new() };
    let request = request.as_slice();
    match call.rpc.as_str() {
        "AddTransactions" => AddTransactionsRequest::decode(request).unwrap().transactions,
        "SignTransactions" => SignTransactionsRequest::decode(request).unwrap().transactions,
        "Authorize" => match &call.outcome {
            Outcome::Answer(answer) => {
                AuthorizeResponse::decode(answer.as_slice()).unwrap().transaction.into_iter().collect()
            }
            Outcome::Stream(_) | Outcome::Refused { .. } => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn allocation(call: &Call) -> Option<AllocateExternalPartyRequest> {
    (call.rpc == "AllocateExternalParty")
        .then(|| AllocateExternalPartyRequest::decode(call.requests[0].as_slice()).unwrap())
}

/// The bytes of every transaction that the calls name.
fn transactions(calls: &[Call]) -> BTreeSet<Vec<u8>> {
    let signed = calls.iter().flat_map(signed_transactions).map(|signed| signed.transaction);
    let allocated = calls.iter().filter_map(allocation).flat_map(|request| request.onboarding_transactions);
    let generated = calls.iter().filter_map(|call| match &call.outcome {
        Outcome::Answer(answer) if call.rpc == "GenerateTransactions" => {
            Some(GenerateTransactionsResponse::decode(answer.as_slice()).unwrap().generated_transactions)
        }
        Outcome::Answer(_) | Outcome::Stream(_) | Outcome::Refused { .. } => None,
    });
    let generated = generated.flatten().map(|generated| generated.serialized_transaction);
    signed.chain(allocated.map(|signed| signed.transaction)).chain(generated).collect()
}

fn signatures(calls: &[Call]) -> Vec<Signed> {
    let mut all = Vec::new();
    let known: HashMap<Vec<u8>, Vec<u8>> =
        transactions(calls).into_iter().map(|bytes| (TransactionHash::of(&bytes).as_bytes().to_vec(), bytes)).collect();
    for signed in calls.iter().flat_map(signed_transactions) {
        for signature in signed.signatures {
            all.push(Signed { signature, over: Over::One(signed.transaction.clone()) });
        }
        for multi in signed.multi_transaction_signatures {
            let covered: Option<Vec<Vec<u8>>> =
                multi.transaction_hashes.iter().map(|hash| known.get(hash).cloned()).collect();
            let Some(covered) = covered else { continue };
            for signature in multi.signatures {
                all.push(Signed { signature, over: Over::Many(covered.clone()) });
            }
        }
    }
    for request in calls.iter().filter_map(allocation) {
        let covered: Vec<Vec<u8>> =
            request.onboarding_transactions.iter().map(|signed| signed.transaction.clone()).collect();
        for signature in &request.multi_hash_signatures {
            all.push(Signed { signature: admin(signature), over: Over::Many(covered.clone()) });
        }
        for signed in &request.onboarding_transactions {
            for signature in &signed.signatures {
                all.push(Signed { signature: admin(signature), over: Over::One(signed.transaction.clone()) });
            }
        }
    }
    all
}

fn admin(signature: &LedgerSignature) -> WireSignature {
    WireSignature {
        format: signature.format,
        signature: signature.signature.clone(),
        signed_by: signature.signed_by.clone(),
        signing_algorithm_spec: signature.signing_algorithm_spec,
        signature_delegation: None,
    }
}

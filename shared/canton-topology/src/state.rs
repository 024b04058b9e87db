//! Topology as it stands on one synchronizer: active rows, open proposals, and the rows of the past.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use crate::{
    Timestamp,
    authorization::Rules,
    hash::{TransactionHash, UniqueKey},
    id::{Fingerprint, Namespace, PartyId, PhysicalSynchronizerId},
    key::{EncryptionKeySpec, KeyFormat, KeySpec, SigningPublicKey},
    mapping::{
        Code, DecentralizedNamespaceDefinition, Mapping, NamespaceDelegation, PartyToParticipant, definition_key,
        party_key,
    },
    signature::{SignatureAlgorithm, SignatureFormat},
    snapshot::Item,
    transaction::{Operation, Serial, SignatureOver, SignedTransaction, Transaction},
};

/// What a synchronizer fixed at its birth, as far as it decides about topology.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticParameters {
    /// Curves of keys that may sign.
    pub signing_keys: BTreeSet<KeySpec>,
    /// Algorithms that a signature may name.
    pub signing_algorithms: BTreeSet<SignatureAlgorithm>,
    /// Specs of which a participant needs an encryption key.
    pub encryption_keys: BTreeSet<EncryptionKeySpec>,
    /// Formats in which Canton keeps keys that may sign.
    pub key_formats: BTreeSet<KeyFormat>,
    /// Formats in which Canton reads signatures that count.
    pub signature_formats: BTreeSet<SignatureFormat>,
}

impl Default for StaticParameters {
    /// What Canton makes of an empty configuration: everything that it knows.
    fn default() -> Self {
        Self {
            signing_keys: [KeySpec::Ed25519, KeySpec::P256, KeySpec::P384, KeySpec::Secp256k1].into(),
            signing_algorithms: [
                SignatureAlgorithm::Ed25519,
                SignatureAlgorithm::EcdsaSha256,
                SignatureAlgorithm::EcdsaSha384,
            ]
            .into(),
            encryption_keys: [EncryptionKeySpec::P256, EncryptionKeySpec::Rsa2048].into(),
            key_formats: [KeyFormat::Raw, KeyFormat::Spki].into(),
            signature_formats: [SignatureFormat::Der, SignatureFormat::Concat].into(),
        }
    }
}

/// A stored transaction: accepted, as a proposal or for good.
#[derive(Clone, Debug)]
pub struct Row {
    /// The transaction.
    pub transaction: Arc<Transaction>,
    /// The signatures that count, one for each key.
    pub signatures: BTreeMap<Fingerprint, SignatureOver>,
    /// Whether signatures are missing.
    pub proposal: bool,
    /// When it was sequenced.
    pub sequenced: Timestamp,
    /// From when on it stands.
    pub valid_from: Timestamp,
    /// Until when it stood; `None` where it still does.
    pub valid_until: Option<Timestamp>,
}

impl Row {
    /// Its place in the chain.
    pub fn serial(&self) -> Serial {
        self.transaction.serial()
    }

    /// What was signed.
    pub fn hash(&self) -> TransactionHash {
        self.transaction.hash()
    }

    /// The keys that signed.
    pub fn signers(&self) -> BTreeSet<Fingerprint> {
        self.signatures.keys().cloned().collect()
    }

    /// The transaction with its signatures, as it is sent and exported.
    pub fn to_signed(&self) -> SignedTransaction {
        SignedTransaction::signed_over((*self.transaction).clone(), self.signatures.values(), self.proposal)
    }

    /// The row as a snapshot holds it.
    pub fn to_item(&self) -> Item {
        Item {
            sequenced: self.sequenced,
            valid_from: self.valid_from,
            valid_until: self.valid_until,
            transaction: self.to_signed(),
            rejection: None,
        }
    }

    /// Whether it is a root delegation that only the root key signed: what Canton takes for a root certificate.
    pub fn is_root_certificate(&self) -> bool {
        root_delegation(&self.transaction).is_some_and(|root| {
            self.signatures.len() == 1 && self.signatures.contains_key(root.target.fingerprint_ref())
        })
    }
}

/// The delegation, where the transaction is one of a namespace to its own key.
pub(crate) fn root_delegation(transaction: &Transaction) -> Option<&NamespaceDelegation> {
    match transaction.mapping() {
        Mapping::NamespaceDelegation(delegation)
            if delegation.is_root() && delegation.restriction.allows(Code::NamespaceDelegation) =>
        {
            Some(delegation)
        }
        _ => None,
    }
}

/// Topology on one synchronizer. Cloning costs one pointer for each row.
#[derive(Clone, Debug)]
pub struct State {
    synchronizer: PhysicalSynchronizerId,
    parameters: StaticParameters,
    rules: Rules,
    rows: Vec<Arc<Row>>,
    active: HashMap<UniqueKey, usize>,
    proposals: HashMap<UniqueKey, BTreeMap<TransactionHash, usize>>,
    effective: HashMap<TransactionHash, Timestamp>,
    by_kind: HashMap<Code, BTreeSet<UniqueKey>>,
    delegations: HashMap<Namespace, BTreeSet<UniqueKey>>,
}

impl State {
    /// An empty store of one synchronizer.
    pub fn new(synchronizer: PhysicalSynchronizerId, parameters: StaticParameters) -> Self {
        Self {
            synchronizer,
            parameters,
            rules: Rules::Today,
            rows: Vec::new(),
            active: HashMap::new(),
            proposals: HashMap::new(),
            effective: HashMap::new(),
            by_kind: HashMap::new(),
            delegations: HashMap::new(),
        }
    }

    /// The synchronizer.
    pub fn synchronizer(&self) -> &PhysicalSynchronizerId {
        &self.synchronizer
    }

    /// Which rules decide.
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// Lets other rules decide from now on.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// What it fixed at its birth.
    pub fn parameters(&self) -> &StaticParameters {
        &self.parameters
    }

    /// Every row that was ever accepted, in the order of its acceptance.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().map(Arc::as_ref)
    }

    /// The active row of a chain: the last one accepted for good, be it a removal.
    pub fn active(&self, key: &UniqueKey) -> Option<&Row> {
        self.active.get(key).map(|index| self.rows[*index].as_ref())
    }

    /// The active rows of one kind that set something.
    pub fn of_kind(&self, code: Code) -> impl Iterator<Item = &Row> {
        self.of_kind_and(code, Operation::AddReplace)
    }

    /// The active rows of one kind and operation.
    pub fn of_kind_and(&self, code: Code, operation: Operation) -> impl Iterator<Item = &Row> {
        let keys = self.by_kind.get(&code).into_iter().flatten();
        keys.filter_map(|key| self.active(key)).filter(move |row| row.transaction.operation() == operation)
    }

    /// All active rows that set something.
    pub fn actives(&self) -> impl Iterator<Item = &Row> {
        self.active
            .values()
            .map(|index| self.rows[*index].as_ref())
            .filter(|row| row.transaction.operation() == Operation::AddReplace)
    }

    /// The open proposals of one chain.
    pub fn proposals_for(&self, key: &UniqueKey) -> impl Iterator<Item = &Row> {
        self.proposals.get(key).into_iter().flat_map(BTreeMap::values).map(|index| self.rows[*index].as_ref())
    }

    /// All open proposals.
    pub fn proposals(&self) -> impl Iterator<Item = &Row> {
        self.proposals.values().flat_map(BTreeMap::values).map(|index| self.rows[*index].as_ref())
    }

    /// The open proposal with that hash.
    pub fn proposal(&self, key: &UniqueKey, hash: &TransactionHash) -> Option<&Row> {
        let index = self.proposals.get(key)?.get(hash)?;
        Some(self.rows[*index].as_ref())
    }

    /// Since when a transaction is or was effective; `None` where it never was.
    pub fn effective_since(&self, hash: &TransactionHash) -> Option<Timestamp> {
        self.effective.get(hash).copied()
    }

    /// The active definition of a decentralized namespace.
    pub fn definition(&self, namespace: &Namespace) -> Option<&DecentralizedNamespaceDefinition> {
        let row = self.active(&definition_key(namespace))?;
        match row.transaction.mapping() {
            Mapping::DecentralizedNamespaceDefinition(definition)
                if row.transaction.operation() == Operation::AddReplace =>
            {
                Some(definition)
            }
            _ => None,
        }
    }

    /// The active hosting of a party.
    pub fn hosting(&self, party: &PartyId) -> Option<&PartyToParticipant> {
        let row = self.active(&party_key(party))?;
        match row.transaction.mapping() {
            Mapping::PartyToParticipant(hosting) if row.transaction.operation() == Operation::AddReplace => {
                Some(hosting)
            }
            _ => None,
        }
    }

    /// The active delegations of a namespace, with their rows.
    pub fn delegations<'a>(
        &'a self,
        namespace: &Namespace,
    ) -> impl Iterator<Item = (&'a NamespaceDelegation, &'a Row)> {
        let keys = self.delegations.get(namespace).into_iter().flatten();
        keys.filter_map(|key| self.active(key)).filter_map(|row| match row.transaction.mapping() {
            Mapping::NamespaceDelegation(delegation) if row.transaction.operation() == Operation::AddReplace => {
                Some((delegation, row))
            }
            _ => None,
        })
    }

    /// Whether the namespace's own key has an active root certificate.
    pub fn has_root(&self, namespace: &Namespace) -> bool {
        self.delegations(namespace).any(|(_, row)| row.is_root_certificate())
    }

    /// The keys that may sign mappings of a kind for a plain namespace: those to which an unbroken chain of
    /// delegations leads from the root.
    pub fn keys_of(&self, namespace: &Namespace, code: Code) -> BTreeMap<Fingerprint, SigningPublicKey> {
        let all: BTreeMap<&Fingerprint, (&NamespaceDelegation, &Row)> =
            self.delegations(namespace).map(|(d, row)| (d.target.fingerprint_ref(), (d, row))).collect();
        let mut reached: BTreeMap<&Fingerprint, &NamespaceDelegation> = BTreeMap::new();
        let root = namespace.fingerprint();
        let mut next: Vec<&Fingerprint> =
            all.get(root).filter(|(_, row)| row.signatures.contains_key(root)).map(|_| root).into_iter().collect();
        while let Some(fingerprint) = next.pop() {
            let Some((delegation, _)) = all.get(fingerprint) else { continue };
            if reached.insert(fingerprint, delegation).is_some() {
                continue;
            }
            if delegation.restriction.allows(Code::NamespaceDelegation) {
                let signed = all.iter().filter(|(_, (_, row))| row.signatures.contains_key(fingerprint));
                next.extend(signed.map(|(target, _)| *target).filter(|target| !reached.contains_key(target)));
            }
        }
        reached
            .into_iter()
            .filter(|(_, delegation)| delegation.restriction.allows(code))
            .map(|(fingerprint, delegation)| (fingerprint.clone(), delegation.target.clone()))
            .collect()
    }

    /// Takes over a proposal that a node's store shows as open. It is not judged: by the rules of today it may be complete
    /// and still sleep, until somebody sends it again. What waits for a consumed serial is passed over.
    pub fn keep_open(&mut self, item: &Item) {
        let transaction = &item.transaction.transaction;
        if self.active(&transaction.unique_key()).is_some_and(|row| row.serial() >= transaction.serial()) {
            return;
        }
        let signatures = item.transaction.distinct_signatures().into_iter();
        self.store(Row {
            transaction: Arc::new(transaction.clone()),
            signatures: signatures.map(|over| (over.signature.signed_by().clone(), over)).collect(),
            proposal: true,
            sequenced: item.sequenced,
            valid_from: item.valid_from,
            valid_until: None,
        });
    }

    /// Stores an accepted row and ends those that it replaces.
    pub(crate) fn store(&mut self, row: Row) {
        let key = row.transaction.unique_key();
        let effective = row.valid_from;
        let index = self.rows.len();
        let (hash, serial, proposal) = (row.hash(), row.serial(), row.proposal);
        let code = row.transaction.mapping().code();
        if let Mapping::NamespaceDelegation(delegation) = row.transaction.mapping() {
            self.delegations.entry(delegation.namespace.clone()).or_default().insert(key);
        }
        self.rows.push(Arc::new(row));
        let mut ended = Vec::new();
        if proposal {
            ended.extend(self.proposals.entry(key).or_default().insert(hash, index));
        } else {
            self.effective.entry(hash).or_insert(effective);
            self.by_kind.entry(code).or_default().insert(key);
            ended.extend(self.active.insert(key, index));
            if let Some(open) = self.proposals.get_mut(&key) {
                let rows = &self.rows;
                let expired: Vec<TransactionHash> =
                    open.iter().filter(|(_, index)| rows[**index].serial() <= serial).map(|(hash, _)| *hash).collect();
                ended.extend(expired.iter().filter_map(|hash| open.remove(hash)));
            }
        }
        for index in ended {
            Arc::make_mut(&mut self.rows[index]).valid_until = Some(effective);
        }
    }
}

//! From what someone wants to the transactions that it means on today's topology. The same function for the
//! coordinator, who offers, and for every agent, who plans again before it signs.

use canton_topology::{
    Timestamp,
    hash::{TransactionHash, UniqueKey},
    judge::{Verdict, Verifier},
    key::SigningPublicKey,
    mapping::Mapping,
    planner,
    rejection::Rejection,
    signature::Signature,
    state::State,
    transaction::{Serial, SignedTransaction, Transaction},
};

use crate::{
    intent::{Change, Intent},
    limits,
    statement::BaseRow,
    workflow::{
        self, after,
        building::{decode_error, in_range},
        error::PlanError,
    },
};

/// What an intent means right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The transactions, in the order in which they are submitted.
    pub transactions: Vec<Transaction>,
    /// What they build on, one row for each unique key.
    pub base: Vec<BaseRow>,
    /// The transactions of every later stage, as they would be if nothing else changed in between.
    pub later: Vec<Vec<Transaction>>,
}

/// How a coordinator plans. Handed in, so that a test can put a hostile one there.
pub type Planner = fn(&Intent, &State) -> Result<Plan, PlanError>;

/// Plans what an intent still lacks: all of it, or the next stage of a staged one, with the later ones beside it. Which
/// stage that is depends on the state alone.
///
/// # Errors
/// See [`PlanError`]: always names the field or the thing. An intent of which a later stage means nothing means nothing.
pub fn plan(intent: &Intent, state: &State) -> Result<Plan, PlanError> {
    if let Some(after) = intent.after.as_ref().filter(|_| !after::is_reached(intent, state)) {
        return Err(PlanError::ComesAfter { case: after.case });
    }
    let transactions = plan_one(intent, state)?;
    let mut later: Vec<Vec<Transaction>> = Vec::new();
    let mut scratch = state.clone();
    transactions.iter().for_each(|transaction| scratch.assume(transaction));
    while intent.change.is_staged() {
        in_range("stages", later.len() as u64 + 1, 1, limits::STAGES_MAX as u64, "")?;
        match plan_one(intent, &scratch) {
            Ok(stage) => {
                stage.iter().for_each(|transaction| scratch.assume(transaction));
                later.push(stage);
            }
            Err(PlanError::NoChange { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(Plan { base: base_of(&transactions, state), transactions, later })
}

/// Plans one stage.
fn plan_one(intent: &Intent, state: &State) -> Result<Vec<Transaction>, PlanError> {
    if intent.synchronizer != state.synchronizer().logical {
        return Err(PlanError::OtherSynchronizer);
    }
    let transactions = match &intent.change {
        Change::CreateParty(change) => workflow::create_party::plan(change, state)?,
        Change::CreatePartyWithKeyMapping(change) => workflow::create_party::plan_with_key_mapping(change, state)?,
        Change::Membership(change) => workflow::membership::plan(change, state)?,
        Change::Delegate(change) => workflow::delegation::delegate(change, state)?,
        Change::Revoke(change) => workflow::delegation::revoke(change, state)?,
        Change::RotateOwnerKey(change) => workflow::rotate_owner_key::plan(change, state)?,
        Change::LeaveHost(change) => workflow::leave_host::plan(change, state)?,
        Change::MigrateKeys(change) => workflow::migrate_keys::plan(change, state)?,
        Change::Raw(change) => workflow::raw::plan(change)?,
        Change::Void(change) => workflow::void::plan(change, state)?,
        Change::HostParty(change) => workflow::host_party::plan(change, state)?,
        Change::Adopt(change) => workflow::adopt::plan(change, state)?,
    };
    in_range("transactions", transactions.len() as u64, 1, limits::TRANSACTIONS_PER_PROPOSAL_MAX as u64, "")?;
    if !matches!(intent.change, Change::Raw(_)) {
        reads_back(&transactions)?;
    }
    would_be_judged(intent, &transactions, state)?;
    Ok(transactions)
}

/// What is planned is read by everybody as it was meant, or nobody is asked to sign it.
fn reads_back(transactions: &[Transaction]) -> Result<(), PlanError> {
    for (index, transaction) in transactions.iter().enumerate() {
        let field = format!("transactions[{index}]");
        let read = Transaction::parse(transaction.bytes()).map_err(|error| decode_error(&field, &error))?;
        if let Some(unshown) = read.unshown().first() {
            return Err(PlanError::Field { field, reason: format!("{unshown}; nobody signs what is not shown") });
        }
    }
    Ok(())
}

/// Nobody should be asked to sign what the synchronizer refuses whoever signs it: a host that is not there, a key that
/// was revoked, an upgrade that freezes topology.
fn would_be_judged(intent: &Intent, transactions: &[Transaction], state: &State) -> Result<(), PlanError> {
    let mut scratch = state.clone();
    for (index, transaction) in transactions.iter().enumerate() {
        if let Some(rejection) = obstacle(transaction, &scratch, intent.created_at) {
            let (name, reason) = (rejection.name().to_owned(), rejection.to_string());
            return Err(PlanError::WouldBeRejected { index, name, reason });
        }
        scratch.assume(transaction);
    }
    Ok(())
}

/// Why the synchronizer would refuse a transaction for another reason than its signatures.
fn obstacle(transaction: &Transaction, state: &State, now: Timestamp) -> Option<Rejection> {
    // Whether a removed root was ever published is judged by its signer; everything else looks at no signature.
    let signature = |key: &SigningPublicKey| Signature::new_ed25519([0; 64], key.fingerprint());
    let signatures = match transaction.mapping() {
        Mapping::NamespaceDelegation(delegation) if delegation.is_root() => vec![signature(&delegation.target)],
        _ => Vec::new(),
    };
    let unsigned = SignedTransaction::new(transaction.clone(), signatures, false);
    let verdict = planner::would_accept(state, &mut Verifier::default(), &[unsigned], now).pop();
    match verdict {
        Some(Verdict::Rejected(
            Rejection::NoDelegationFoundForKeys { .. }
            | Rejection::NotAuthorizedByNamespaceKey
            | Rejection::NotFullyAuthorized { .. }
            | Rejection::SignatureCheckFailed { .. },
        ))
        | Some(Verdict::Active { .. } | Verdict::Proposal { .. })
        | None => None,
        Some(Verdict::Rejected(rejection)) => Some(rejection),
    }
}

/// The active rows that the transactions build on.
pub fn base_of(transactions: &[Transaction], state: &State) -> Vec<BaseRow> {
    let mut base: Vec<BaseRow> = Vec::new();
    for transaction in transactions {
        let unique_key = transaction.unique_key();
        if !base.iter().any(|row| row.unique_key == unique_key) {
            base.push(BaseRow { unique_key, active: active(state, &unique_key) });
        }
    }
    base
}

/// Serial and hash of the active row of a chain.
pub fn active(state: &State, key: &UniqueKey) -> Option<(Serial, TransactionHash)> {
    state.active(key).map(|row| (row.serial(), row.hash()))
}

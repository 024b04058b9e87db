//! One recorded transaction or row against ours, in everything that is recorded of it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use canton_topology::{
    judge::Verdict,
    rejection::Rejection,
    state::State,
    transaction::{Operation, SignedTransaction, Transaction},
    wire::DecodeError,
};
use serde_json::{Value, json};

use super::{Report, list, text, texts};

/// What Canton's parser threw is recorded by its class, with or without its package.
pub(super) fn decoding(error: &DecodeError, canton: &str, place: &str, report: &mut Report) {
    let ours = error.kind.canton_name();
    let class = canton.strip_prefix("thrown:").and_then(|class| class.rsplit('.').next());
    let canton_name = class.map_or_else(|| canton.to_owned(), |class| format!("thrown:{class}"));
    if ours != canton_name {
        report.differs(place, format!("{ours} ({error})"), canton);
    }
}

pub(super) fn reading(signed: &SignedTransaction, recorded: &Value, place: &str, report: &mut Report) -> Result<()> {
    let transaction = &signed.transaction;
    let signers: BTreeSet<String> = signed.signers().iter().map(ToString::to_string).collect();
    let pairs = [
        (transaction.hash().to_string(), text(recorded, "tx_hash")?),
        (transaction.unique_key().to_string(), text(recorded, "unique_key")?),
        (transaction.mapping().code().letters().to_owned(), text(recorded, "mapping")?),
        (operation(transaction).to_owned(), text(recorded, "operation")?),
    ];
    for (ours, canton) in pairs {
        if ours != canton {
            report.differs(place, ours, canton);
        }
    }
    let serial = recorded.get("serial").and_then(Value::as_u64).context("field serial is missing")?;
    if u64::from(transaction.serial().get()) != serial {
        report.differs(place, format!("serial {}", transaction.serial()), serial);
    }
    let is_proposal = recorded.get("is_proposal").and_then(Value::as_bool).context("field is_proposal is missing")?;
    if signed.proposal != is_proposal {
        report.differs(place, format!("proposal {}", signed.proposal), is_proposal);
    }
    if signers != texts(recorded, "signers") {
        report.differs(place, format!("signers {signers:?}"), format!("{:?}", texts(recorded, "signers")));
    }
    Ok(())
}

pub(super) fn verdict(verdict: &Verdict, recorded: &Value, place: &str, report: &mut Report) -> Result<()> {
    let canton = match text(recorded, "verdict")? {
        "rejected" => text(recorded, "rejection")?.to_owned(),
        _ if recorded.get("stored_proposal").and_then(Value::as_bool) == Some(true) => "proposal".to_owned(),
        _ => "active".to_owned(),
    };
    let (ours, signers) = match verdict {
        Verdict::Active { signers } => ("active", Some(signers)),
        Verdict::Proposal { signers } => ("proposal", Some(signers)),
        Verdict::Rejected(rejection) => (rejection.name(), None),
    };
    let note = recorded.get("note").and_then(Value::as_str).unwrap_or_default();
    if ours != canton {
        let why = match verdict {
            Verdict::Rejected(rejection) => rejection.to_string(),
            Verdict::Active { .. } | Verdict::Proposal { .. } => String::new(),
        };
        report.differs(place, format!("{ours} {why} [{note}]"), canton);
        return Ok(());
    }
    if let Some(signers) = signers {
        let signers: BTreeSet<String> = signers.iter().map(ToString::to_string).collect();
        if signers != texts(recorded, "stored_signers") {
            report.differs(place, format!("stored signers {signers:?} [{note}]"), "others");
        }
    }
    if let (Verdict::Rejected(rejection), Some(code)) = (verdict, recorded.get("error_code").and_then(Value::as_str))
        && rejection.error_code().0 != code
    {
        report.differs(place, rejection.error_code().0, code);
    }
    if let Verdict::Rejected(rejection) = verdict {
        let recorded = recorded.get("rejection_data").cloned().unwrap_or_default();
        let ours = rejection_data(rejection);
        if sorted(ours.clone()) != sorted(recorded.clone()) {
            report.differs(place, ours, recorded);
        }
    }
    Ok(())
}

/// What is recorded of a rejection beside its name; nothing for most of them.
fn rejection_data(rejection: &Rejection) -> Value {
    match rejection {
        Rejection::NotFullyAuthorized { missing } => {
            json!({ "missing_namespaces": missing.namespaces, "missing_extra_keys": missing.keys })
        }
        Rejection::NoDelegationFoundForKeys { keys } => json!({ "keys": keys }),
        Rejection::SerialMismatch { expected, found } => json!({ "actual": found, "expected": expected }),
        Rejection::SignatureCheckFailed { reason, .. } => json!({ "error": reason.name() }),
        Rejection::InsufficientKeys { members } | Rejection::UnknownMembers { members } => {
            json!({ "members": members })
        }
        Rejection::NamespaceHasBeenRevoked { namespace } | Rejection::NamespaceAlreadyInUse { namespace } => {
            json!({ "namespace": namespace })
        }
        Rejection::MaxSerialReached
        | Rejection::NotAuthorizedByNamespaceKey
        | Rejection::InvalidSynchronizer { .. }
        | Rejection::NoCorrespondingActiveTxToRevoke { .. }
        | Rejection::InvalidTopologyMapping(_)
        | Rejection::CannotRemoveMapping { .. }
        | Rejection::RemoveMustNotChangeMapping { .. }
        | Rejection::MissingSynchronizerParameters { .. }
        | Rejection::PartyIdConflictWithAdminParty { .. }
        | Rejection::ParticipantIdConflictWithPartyId { .. }
        | Rejection::InvalidOwnerToKeyMapping { .. }
        | Rejection::InvalidOwnerToKeyMappingRemoval { .. }
        | Rejection::CannotReregisterKeys { .. }
        | Rejection::ParticipantCannotRejoinSynchronizer { .. }
        | Rejection::OnboardingRestrictionInPlace { .. }
        | Rejection::AnnouncedLsuTopologyFreeze { .. }
        | Rejection::NoLsuAnnounced
        | Rejection::InvalidSynchronizerSuccessor { .. }
        | Rejection::LsuSequencerSuccessorInvalidSuccessorPsid { .. }
        | Rejection::InvalidUpgradeTime { .. }
        | Rejection::MediatorsAlreadyInOtherGroups { .. }
        | Rejection::MultiTransactionHashMismatch { .. }
        | Rejection::NoSignatureProvided
        | Rejection::InternalError { .. }
        | Rejection::ParticipantStillHostsParties { .. }
        | Rejection::MembersCannotRejoinSynchronizer { .. } => Value::Null,
    }
}

/// The same with its lists in order: they are sets.
fn sorted(mut value: Value) -> Value {
    for list in value.as_object_mut().into_iter().flat_map(|fields| fields.values_mut()).filter_map(Value::as_array_mut)
    {
        list.sort_by_key(ToString::to_string);
    }
    value
}

pub(super) fn final_state(state: &State, history: &Value, id: &str, report: &mut Report) -> Result<()> {
    let recorded = list(history, "final_state");
    let rows: Vec<_> = state.rows().collect();
    if rows.len() != recorded.len() {
        report.differs(id, format!("{} rows at the end", rows.len()), recorded.len());
        return Ok(());
    }
    for (index, (row, canton)) in rows.iter().zip(recorded).enumerate() {
        let signers: BTreeSet<String> = row.signers().iter().map(ToString::to_string).collect();
        let same = row.hash().to_string() == text(canton, "tx_hash")?
            && row.transaction.unique_key().to_string() == text(canton, "unique_key")?
            && row.transaction.mapping().code().letters() == text(canton, "mapping")?
            && operation(&row.transaction) == text(canton, "operation")?
            && Some(row.proposal) == canton.get("is_proposal").and_then(Value::as_bool)
            && Some(row.valid_from.0) == canton.get("valid_from").and_then(Value::as_i64)
            && row.valid_until.map(|time| time.0) == canton.get("valid_until").and_then(Value::as_i64)
            && Some(i64::from(row.serial().get())) == canton.get("serial").and_then(Value::as_i64)
            && signers == texts(canton, "signers");
        if !same {
            report.differs(&format!("{id} final row {index}"), format!("{row:?}"), canton);
        }
    }
    Ok(())
}

fn operation(transaction: &Transaction) -> &'static str {
    match transaction.operation() {
        Operation::AddReplace => "add_replace",
        Operation::Remove => "remove",
    }
}

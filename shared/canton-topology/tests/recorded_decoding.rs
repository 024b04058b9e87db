//! Every transaction of the recorded histories decodes, or fails to, exactly as Canton's own parser did, and what was
//! read is what Canton read.
#![allow(clippy::unwrap_used)]

mod fixture;

use canton_topology::transaction::{Operation, SignedTransaction};
use fixture::{base64, list, must_list_histories, text};
use serde_json::Value;

#[test]
fn every_recorded_transaction_decodes_or_fails_as_cantons_parser_did() {
    let mut differences = Vec::new();
    let (mut decoded, mut refused) = (0, 0);
    for name in must_list_histories() {
        for history in fixture::lines(&name).unwrap() {
            for (index, step) in list(&history, "steps").iter().enumerate() {
                for recorded in list(step, "transactions") {
                    let place = format!("{} step {index}", text(&history, "id"));
                    match check(recorded) {
                        Ok(true) => decoded += 1,
                        Ok(false) => refused += 1,
                        Err(difference) => differences.push(format!("{place}: {difference}")),
                    }
                }
            }
        }
    }
    println!("{decoded} decode, {refused} do not");
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

/// Whether it decodes.
fn check(recorded: &Value) -> Result<bool, String> {
    let undecodable = text(recorded, "verdict") == "undecodable";
    match (SignedTransaction::parse_wrapped(&base64(recorded, "bytes")), undecodable) {
        (Ok(signed), false) => compare(&signed, recorded).map(|()| true),
        (Ok(_), true) => Err(format!("decodes; Canton: {}", text(recorded, "rejection"))),
        (Err(error), false) => Err(format!("{error}; Canton reads it")),
        (Err(error), true) => {
            let canton = text(recorded, "rejection");
            let ours = error.kind.canton_name();
            // A key of one curve under the name of another makes Canton's parser throw instead of answering.
            let same = ours == canton || (canton.starts_with("thrown:") && ours == "CryptoDeserializationError");
            if same { Ok(false) } else { Err(format!("{ours} ({error}); Canton: {canton}")) }
        }
    }
}

fn compare(signed: &SignedTransaction, recorded: &Value) -> Result<(), String> {
    let transaction = &signed.transaction;
    let operation = match transaction.operation() {
        Operation::AddReplace => "add_replace",
        Operation::Remove => "remove",
    };
    let ours = serde_json::json!({
        "tx_hash": transaction.hash().to_string(),
        "unique_key": transaction.unique_key().to_string(),
        "mapping": transaction.mapping().code().letters(),
        "operation": operation,
        "serial": transaction.serial().get(),
        "is_proposal": signed.proposal,
        "signers": signed.signers().iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    for (name, value) in ours.as_object().unwrap() {
        if *value != recorded[name] {
            return Err(format!("{name} is {value}; Canton: {}", recorded[name]));
        }
    }
    Ok(())
}

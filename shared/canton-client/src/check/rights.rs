//! The least that the node's operator must allow, written as the node's configuration wants it.

use super::{Api, services};
use crate::check::Use;

/// The part of a node's configuration that lets one user do what is needed and nothing else.
#[must_use]
pub fn least_rights(user: &str, uses: &[Use], api: Api) -> String {
    match api {
        Api::Admin => {
            let names: Vec<String> =
                services::needed(Api::Admin, uses).map(|service| format!("        \"{}\"", service.name)).collect();
            format!(
                "canton.participants.<name>.admin-api.auth-services = [{{\n  type = jwt-jwks\n  url = \"<the keys of your token \
                 provider>\"\n  target-audience = \"<the audience of the tokens>\"\n  users = [{{\n    user-id = \"{user}\"\n    \
                 allowed-services = [\n{}\n    ]\n  }}]\n}}]",
                names.join(",\n")
            )
        }
        Api::Ledger => format!(
            "a user {user:?} of the Ledger API with the rights ParticipantAdmin (for GetParties) and CanReadAs for each \
             party that is moved, or CanReadAsAnyParty (for its contracts and its past); no CanActAs, no CanExecuteAs"
        ),
    }
}

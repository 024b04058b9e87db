//! What a token says of itself. The node tells nobody why it does not believe one; most reasons stand in the token.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{Api, Line};
use crate::access::Tokens;

/// Longest life that a node believes, unless its operator raised `max-token-lifetime`.
const LIFE_MAX: Duration = Duration::from_secs(300);

/// What the token says, where one is asked for.
///
/// # Errors
/// Where there is none.
pub(super) async fn look(tokens: &Tokens, api: Api, now: SystemTime) -> Result<Option<Line>, Line> {
    let tried = match tokens {
        Tokens::None => return Ok(None),
        Tokens::File(path) => format!("the token in {}", path.display()),
        Tokens::Fetched(source) => format!("a token from {}", source.provider()),
    };
    match tokens.current().await {
        Ok(header) => {
            let text = header.as_ref().and_then(|header| header.to_str().ok()).unwrap_or_default();
            let token = text.strip_prefix("Bearer ").unwrap_or_default();
            Ok(Some(claims(&tried, token, api, now)))
        }
        Err(error) => Err(Line::wrong(tried, error.to_string(), "mend what it says")),
    }
}

/// Reads, and does not verify: that is the node's part.
fn claims(tried: &str, token: &str, api: Api, now: SystemTime) -> Line {
    let body = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let Some(claims) = body.and_then(|body| serde_json::from_slice::<Value>(&body).ok()) else {
        return Line::wrong(tried, "it is no JWT", "write the token itself into the file, without `Bearer`");
    };
    let user = claims["sub"].as_str().unwrap_or_default();
    if user.is_empty() {
        return Line::wrong(tried, "it names no user (claim sub)", "let the provider put the user into sub");
    }
    let Some(ends) = claims["exp"].as_u64() else {
        return Line::wrong(tried, "it does not say when it ends (claim exp)", "a node wants one: set exp");
    };
    let ends = UNIX_EPOCH + Duration::from_secs(ends.min(u64::from(u32::MAX) * 2));
    let Ok(left) = ends.duration_since(now) else {
        let ago = now.duration_since(ends).unwrap_or_default().as_secs();
        let found = format!("it ended {ago} seconds ago");
        return Line::wrong(tried, found, "renew it; if it is new, compare this machine's clock with the provider's");
    };
    let audience = claims["aud"].as_str().or_else(|| claims["aud"][0].as_str()).unwrap_or("none");
    let found = format!(
        "user {:?}, audience {:?}, good for {} seconds",
        user.escape_debug().to_string(),
        audience.escape_debug().to_string(),
        left.as_secs()
    );
    if left > LIFE_MAX {
        let advice = format!(
            "a node refuses tokens that live longer than 300 seconds: let the provider give out shorter ones, or raise \
             max-token-lifetime of the {}",
            api.name()
        );
        // It is wrong only where the node says so.
        return Line { advice: Some(advice), ..Line::right(tried, found) };
    }
    Line::right(tried, found)
}

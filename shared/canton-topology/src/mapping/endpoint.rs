//! Addresses of sequencers, read as Canton reads them: as URIs (RFC 2396), of which it keeps host, port and whether TLS
//! is used.

use std::fmt;

use crate::wire::DecodeErrorKind;

/// Where a sequencer is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// Whether with TLS.
    pub tls: bool,
    /// A name or an address.
    pub host: String,
    /// The port; 443 or 80 where the text has none.
    pub port: u16,
}

impl Endpoint {
    /// Reads `https://HOST[:PORT]` or `http://HOST[:PORT]`; user, path, query and fragment are taken and forgotten.
    pub(super) fn parse(text: &str) -> Result<Self, DecodeErrorKind> {
        let refused = || {
            let reason = format!("{text:?} is not an address; expected https://HOST[:PORT] or http://HOST[:PORT]");
            DecodeErrorKind::ValueDeserialization(reason)
        };
        let (tls, rest) = if let Some(rest) = text.strip_prefix("https://") {
            (true, rest)
        } else {
            (false, text.strip_prefix("http://").ok_or_else(refused)?)
        };
        let (authority, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user, server) = authority.split_once('@').unwrap_or(("", authority));
        let (host, port) = split_port(server).ok_or_else(refused)?;
        let is_host = is_bracketed(host) || is_ipv4(host) || is_name(host);
        if !is_host || !is_escaped(user) || !is_escaped(behind) || behind.matches('#').count() > 1 {
            return Err(refused());
        }
        let port = match port {
            "" => Some(if tls { 443 } else { 80 }),
            // A port beyond what Canton's numbers hold makes the whole authority no server's.
            digits => digits.parse::<i32>().map_err(|_| refused())?.try_into().ok(),
        };
        let port =
            port.ok_or_else(|| DecodeErrorKind::ValueConversion(format!("{text:?}: the port is above 65535")))?;
        Ok(Self { tls, host: host.to_owned(), port })
    }
}

/// As Canton writes it, with its port.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

fn split_port(server: &str) -> Option<(&str, &str)> {
    let behind_host = server.find(']').map_or(0, |bracket| bracket + 1);
    let (host, port) = match server[behind_host..].find(':') {
        Some(colon) => (&server[..behind_host + colon], &server[behind_host + colon + 1..]),
        None => (server, ""),
    };
    port.bytes().all(|byte| byte.is_ascii_digit()).then_some((host, port))
}

fn is_bracketed(host: &str) -> bool {
    let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else { return false };
    let (address, zone) = inner.split_once('%').unwrap_or((inner, "0"));
    let is_zone = !zone.is_empty() && zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte));
    is_zone && address.parse::<core::net::Ipv6Addr>().is_ok()
}

fn is_ipv4(host: &str) -> bool {
    let parts: Vec<&str> = host.split('.').collect();
    let is_byte = |part: &&str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) && part.parse::<u32>().is_ok_and(|n| n < 256)
    };
    parts.len() == 4 && parts.iter().all(is_byte)
}

/// Labels of letters, digits and inner hyphens; the last of several begins with a letter; a dot may end them.
fn is_name(host: &str) -> bool {
    let labels: Vec<&str> = host.strip_suffix('.').unwrap_or(host).split('.').collect();
    let is_label = |label: &&str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    let top_is_named =
        labels.last().is_some_and(|top| labels.len() == 1 || top.starts_with(|c: char| c.is_alphabetic()));
    labels.iter().all(is_label) && top_is_named
}

/// Whether a part of a URI has only characters that may stand there, and every `%` two hex digits.
fn is_escaped(part: &str) -> bool {
    let taken = |c: char| match c {
        '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' => false,
        _ => !c.is_control() && !c.is_whitespace(),
    };
    let percents = part.match_indices('%');
    let mut escapes = percents.map(|(at, _)| part.as_bytes().get(at + 1..at + 3));
    part.chars().all(taken)
        && escapes.all(|digits| digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(bool, String, u16)> {
        Endpoint::parse(text).ok().map(|endpoint| (endpoint.tls, endpoint.host, endpoint.port))
    }

    #[test]
    fn addresses_are_read_with_their_default_ports() {
        assert_eq!(read("https://a.example"), Some((true, "a.example".to_owned(), 443)));
        assert_eq!(read("http://a.example"), Some((false, "a.example".to_owned(), 80)));
        assert_eq!(read("http://localhost:5018"), Some((false, "localhost".to_owned(), 5018)));
        assert_eq!(read("https://10.0.0.1:1/path?query#part"), Some((true, "10.0.0.1".to_owned(), 1)));
        assert_eq!(read("https://[::1]:8080"), Some((true, "[::1]".to_owned(), 8080)));
        assert_eq!(read("https://user:word@host:"), Some((true, "host".to_owned(), 443)));
    }

    #[test]
    fn what_is_no_servers_address_is_refused() {
        for text in [
            "",
            "a.example",
            "ftp://a",
            "HTTPS://a",
            "https:a",
            "https://",
            "https:///path",
            "https://a_b",
            "https://-a",
            "https://a.1",
            "https://a:b",
            "https://a b",
            "https://a/%zz",
            "https://[::1",
            "https://a:99999999999",
            "https://1.2.3.256",
        ] {
            assert!(matches!(Endpoint::parse(text), Err(DecodeErrorKind::ValueDeserialization(_))), "{text:?}");
        }
        assert!(matches!(Endpoint::parse("https://a:65536"), Err(DecodeErrorKind::ValueConversion(_))));
    }
}

//! The configuration file. Unknown fields are refused; every complaint names the field and the fix.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use canton_client::{access::Access, participant::Options};
use canton_topology::id::SynchronizerId;
use protocol::identity::IdentityPublicKey;
use serde::Deserialize;
use thiserror::Error;

use crate::parcels::ledger::Quotas;

/// What `coordinator init` writes.
pub const SAMPLE: &str = include_str!("config_sample.toml");

/// How a coordinator runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The data folder.
    pub data: PathBuf,
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// How agents reach it, `HOST:PORT`; `None` where that is the address that it listens on.
    pub public_address: Option<String>,
    /// How long an invitation is good.
    pub invitation_lifetime: Duration,
    /// What is logged, where the environment does not say it.
    pub log: String,
    /// Identity keys of coordinators from which this one takes over.
    pub former: Vec<IdentityPublicKey>,
    /// The participant by which topology is read and changes are submitted.
    pub participant: Option<ParticipantConfig>,
    /// How many bytes of parcels are held, and how long.
    pub parcels: Quotas,
}

/// A participant's admin API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantConfig {
    /// Its address, such as `http://127.0.0.1:5002`.
    pub address: String,
    /// The synchronizer that this coordinator works on.
    pub synchronizer: SynchronizerId,
    /// How often topology is read.
    pub poll: Duration,
    /// Longest call.
    pub timeout: Duration,
    /// How it lets us in.
    pub access: Access,
}

impl ParticipantConfig {
    /// How it is called.
    pub fn options(&self) -> Options {
        Options { address: self.address.clone(), timeout: self.timeout, access: self.access.clone() }
    }
}

/// Why a configuration is refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// There is no such file.
    #[error("there is no file {path}; name the configuration with --config; `coordinator init` writes a sample")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file does not read.
    #[error("{path}: {error}; `coordinator init` writes a sample")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file is not such a configuration.
    #[error("{path}: {reason}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// A field has a value that cannot be.
    #[error("{path}: field {field}: {reason}")]
    Field {
        /// The file.
        path: PathBuf,
        /// Which field.
        field: &'static str,
        /// What is wrong, and what to write.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data: PathBuf,
    listen: SocketAddr,
    public_address: Option<String>,
    #[serde(default = "invitation_hours")]
    invitation_hours: u64,
    #[serde(default = "log")]
    log: String,
    #[serde(default)]
    former: Vec<String>,
    participant: Option<FileParticipant>,
    #[serde(default)]
    parcels: FileParcels,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileParcels {
    owner_and_case_gib: u64,
    owner_gib: u64,
    total_gib: u64,
    keep_free_gib: u64,
    keep_days: u64,
}

impl Default for FileParcels {
    fn default() -> Self {
        Self { owner_and_case_gib: 32, owner_gib: 64, total_gib: 128, keep_free_gib: 2, keep_days: 7 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileParticipant {
    address: String,
    synchronizer: SynchronizerId,
    #[serde(default = "poll_ms")]
    poll_ms: u64,
    #[serde(default = "timeout_ms")]
    timeout_ms: u64,
    #[serde(default)]
    access: Access,
}

fn invitation_hours() -> u64 {
    72
}

fn log() -> String {
    "info".to_owned()
}

fn poll_ms() -> u64 {
    250
}

fn timeout_ms() -> u64 {
    30_000
}

impl Config {
    /// Reads a file. A relative data folder is looked for beside it.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => ConfigError::Missing { path: path.to_owned() },
            _ => ConfigError::Read { path: path.to_owned(), error },
        })?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let file: File = toml::from_str(text)
            .map_err(|error| ConfigError::Parse { path: path.to_owned(), reason: error.to_string() })?;
        let field = |field, reason: String| ConfigError::Field { path: path.to_owned(), field, reason };
        if let Some(address) = &file.public_address {
            host_of(address).map_err(|reason| field("public_address", reason))?;
        } else if file.listen.ip().is_unspecified() {
            let reason = format!(
                "missing; agents cannot dial {}: write the name or address by which they reach this machine, such as \"coordinator.example.org:{}\"",
                file.listen.ip(),
                file.listen.port()
            );
            return Err(field("public_address", reason));
        }
        let in_range = |name, found: u64, min, max| {
            let reason = format!("{found}; expected from {min} to {max}");
            if (min..=max).contains(&found) { Ok(found) } else { Err(field(name, reason)) }
        };
        let hours = in_range("invitation_hours", file.invitation_hours, 1, 24 * 365)?;
        let former = file.former.iter().map(|text| {
            let expected =
                |error| format!("{text:?}: {error}; its owners' agents print it as `coordinator` in `status`");
            text.parse::<IdentityPublicKey>().map_err(|error| field("former", expected(error)))
        });
        let former = former.collect::<Result<Vec<_>, _>>()?;
        let beside = path.parent().unwrap_or(Path::new("."));
        let participant = file.participant.map(|participant| {
            Ok(ParticipantConfig {
                address: participant.address,
                synchronizer: participant.synchronizer,
                poll: Duration::from_millis(in_range("participant.poll_ms", participant.poll_ms, 10, 3_600_000)?),
                timeout: Duration::from_millis(in_range(
                    "participant.timeout_ms",
                    participant.timeout_ms,
                    100,
                    600_000,
                )?),
                access: participant.access.beside(beside),
            })
        });
        let gib = |name, found| Ok::<_, ConfigError>(in_range(name, found, 1, 1 << 20)? << 30);
        let parcels = Quotas {
            owner_and_case: gib("parcels.owner_and_case_gib", file.parcels.owner_and_case_gib)?,
            owner: gib("parcels.owner_gib", file.parcels.owner_gib)?,
            total: gib("parcels.total_gib", file.parcels.total_gib)?,
            keep_free: gib("parcels.keep_free_gib", file.parcels.keep_free_gib)?,
            keep_micros: days(in_range("parcels.keep_days", file.parcels.keep_days, 1, 3650)?),
        };
        Ok(Self {
            data: beside.join(file.data),
            listen: file.listen,
            public_address: file.public_address,
            invitation_lifetime: Duration::from_secs(hours * 3600),
            log: file.log,
            former,
            participant: participant.transpose()?,
            parcels,
        })
    }

    /// How agents reach a coordinator that listens there.
    pub fn advertised(&self, bound: SocketAddr) -> String {
        self.public_address.clone().unwrap_or_else(|| bound.to_string())
    }

    /// The names and addresses that the server's certificate is for.
    pub fn names(&self, bound: SocketAddr) -> Vec<String> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        if !bound.ip().is_unspecified() {
            names.push(bound.ip().to_string());
        }
        names.extend(self.public_address.as_deref().and_then(|address| host_of(address).ok()));
        names.sort();
        names.dedup();
        names
    }
}

/// Days in microseconds.
fn days(days: u64) -> i64 {
    i64::try_from(days).unwrap_or(i64::MAX).saturating_mul(24 * 3600 * 1_000_000)
}

/// The host of `HOST:PORT`, without the brackets of an IPv6 address.
fn host_of(address: &str) -> Result<String, String> {
    let expected = || format!("{address:?}; expected HOST:PORT, such as \"coordinator.example.org:8443\"");
    let (host, port) = address.rsplit_once(':').ok_or_else(expected)?;
    if port.parse::<u16>().map_or(true, |port| port == 0) {
        return Err(expected());
    }
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<IpAddr>().map(|ip| ip.to_string()).map_err(|_| expected());
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    if host.is_empty() || !host.chars().all(is_plain) { Err(expected()) } else { Ok(host.to_owned()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn refused(text: &str) -> String {
        Config::parse(text, Path::new("/etc/c.toml")).unwrap_err().to_string()
    }

    #[test]
    fn the_sample_is_a_configuration() {
        let config = Config::parse(SAMPLE, Path::new("/etc/countersign/coordinator.toml")).unwrap();

        assert_eq!(config.data, Path::new("/etc/countersign/coordinator-data"));
        assert_eq!(config.listen.to_string(), "127.0.0.1:8443");
        assert_eq!(config.participant, None);
    }

    #[test]
    fn the_sample_names_every_field() {
        let all: String =
            SAMPLE.lines().map(|line| format!("{}\n", line.strip_prefix("#: ").unwrap_or(line))).collect();

        let config = Config::parse(&all, Path::new("c.toml")).unwrap();

        assert_eq!(config.participant.unwrap().poll, Duration::from_millis(250));
        assert_eq!(config.public_address.as_deref(), Some("coordinator.example.org:8443"));
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let refused = refused("data = \"d\"\nlisten = \"127.0.0.1:1\"\nlisen = 1\n");

        assert!(refused.contains("lisen") && refused.contains("line 3"), "{refused}");
    }

    #[test]
    fn a_missing_field_is_refused_by_name() {
        assert!(refused("data = \"d\"\n").contains("listen"));
    }

    #[test]
    fn a_former_coordinator_is_named_by_its_identity_key() {
        let text = |key: &str| format!("data = \"d\"\nlisten = \"127.0.0.1:1\"\nformer = [\"{key}\"]\n");
        let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

        let config = Config::parse(&text(key), Path::new("c.toml")).unwrap();

        assert_eq!(config.former[0].to_string(), key);
        assert!(refused(&text("mallory")).contains("field former: \"mallory\""));
    }

    #[test]
    fn listening_everywhere_needs_a_public_address() {
        let refused = refused("data = \"d\"\nlisten = \"0.0.0.0:8443\"\n");

        assert!(refused.contains("field public_address: missing"), "{refused}");
    }

    #[test]
    fn a_public_address_without_a_port_is_refused_with_an_example() {
        let refused = refused("data = \"d\"\nlisten = \"127.0.0.1:1\"\npublic_address = \"example.org\"\n");

        assert!(refused.contains("public_address") && refused.contains("HOST:PORT"), "{refused}");
    }

    #[test]
    fn a_poll_time_out_of_range_is_refused_with_the_range() {
        let synchronizer = format!("sync::1220{}", "ab".repeat(32));
        let text = format!(
            "data = \"d\"\nlisten = \"127.0.0.1:1\"\n[participant]\naddress = \"http://h:1\"\nsynchronizer = \"{synchronizer}\"\npoll_ms = 1\n"
        );

        let refused = refused(&text);

        assert!(refused.contains("participant.poll_ms: 1; expected from 10 to 3600000"), "{refused}");
    }
}

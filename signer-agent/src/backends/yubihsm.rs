//! The backend `yubihsm`: keys in a YubiHSM 2, by Yubico's connector over HTTP; the session itself is encrypted and
//! authenticated between this process and the device. Tried against a software device; untested on hardware.

mod audit;
mod objects;
pub mod session;

use std::{path::PathBuf, sync::Arc, time::Duration};

use canton_topology::key::{KeySpec, SigningPublicKey};
use custody::{
    keys::{
        Abilities, Held, KeyBackend, KeyError, NewKey, Outcome, PinnedKey, Purpose,
        backends::{OpenError, Opening},
        credential::Credential,
        public_key_from_point, signature_from_bytes,
        to_sign::ToSign,
    },
    random,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256, Sha384};
use yubihsm::{Client, Connector, Domain, HttpConfig, domain::DOMAINS, object};

use self::{
    objects::{algorithm_of, capability_of, facts, id_of, reference_of, spec_of, weaknesses},
    session::{Access, Device, DeviceError, Line},
};

/// Its kind in the configuration.
pub const KIND: &str = "yubihsm";
/// Longest message that the device signs at once, in bytes: its own messages have 2048 in all.
const MESSAGE_BYTES_MAX: usize = 1_900;
/// How many ids are tried for a new key; a device holds at most 256 objects.
const IDS_TRIED: usize = 64;

/// Its section of `agent.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the connector listens: `127.0.0.1:12345`.
    pub connector: String,
    /// The id of the authentication key.
    pub auth_key: u16,
    /// Its password.
    #[serde(default)]
    pub password: Credential,
    /// The domains of keys that are made, 1 to 16.
    #[serde(default = "usual_domains")]
    pub domains: Vec<usize>,
    /// Where the device's audit log goes before the device forgets it. Where absent, somebody else must empty it.
    pub audit_log: Option<PathBuf>,
    /// How long one call may take, in milliseconds.
    #[serde(default = "time_limit_ms")]
    pub time_limit_ms: u64,
}

fn time_limit_ms() -> u64 {
    10_000
}

fn usual_domains() -> Vec<usize> {
    vec![1]
}

/// The backend.
pub struct YubiHsm {
    device: Arc<Device>,
    domains: Domain,
}

/// Opens one. Nothing is sent yet.
///
/// # Errors
/// See [`OpenError`].
pub fn open(opening: Opening<'_>) -> Result<Box<dyn KeyBackend>, OpenError> {
    let config: Config = opening.config()?;
    let wrong = |reason: String| OpenError::Config { section: opening.section.to_owned(), reason };
    let address = config.connector.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) =
        address.ok_or_else(|| wrong("`connector`: write HOST:PORT, such as 127.0.0.1:12345".to_owned()))?;
    let mut domains = Domain::empty();
    for number in &config.domains {
        let domain = number.checked_sub(1).and_then(|index| DOMAINS.get(index));
        domains |= *domain.ok_or_else(|| wrong(format!("`domains`: {number} is none; they are 1 to 16")))?;
    }
    if domains.is_empty() {
        return Err(wrong("`domains`: name at least one".to_owned()));
    }
    let password = config
        .password
        .resolve(opening.section, "password", opening.ask)
        .map_err(|error| OpenError::Credential { section: opening.section.to_owned(), error })?;
    if config.time_limit_ms == 0 {
        return Err(wrong("`time_limit_ms`: at least 1".to_owned()));
    }
    let http = HttpConfig { addr: host.to_owned(), port, ..HttpConfig::default() };
    let device = Device::new(
        move || Connector::http(&http),
        Access {
            auth_key: config.auth_key,
            password,
            audit_log: config.audit_log,
            time_limit: Duration::from_millis(config.time_limit_ms),
        },
    );
    Ok(Box::new(YubiHsm::new(Arc::new(device), domains)))
}

impl YubiHsm {
    /// Keys of a device, those that are made in these domains.
    pub fn new(device: Arc<Device>, domains: Domain) -> Self {
        Self { device, domains }
    }
}

fn held(line: &mut Line, id: object::Id, purpose: Purpose) -> Result<Held, KeyError> {
    let info = line.with(|client| client.get_object_info(id, object::Type::AsymmetricKey));
    let info = info.map_err(|error| error.about(id))?;
    let key = line.with(|client| client.get_public_key(id)).map_err(|error| error.about(id))?;
    let reference = reference_of(id);
    let missing = |reason: String| KeyError::Missing { reference: reference.clone(), reason };
    let spec = spec_of(key.algorithm)
        .ok_or_else(|| missing(format!("it is {:?}, with which Canton signs nothing", key.algorithm)))?;
    let public: SigningPublicKey = public_key_from_point(spec, &key.bytes, purpose)
        .ok_or_else(|| missing("what the device shows is no public key of its curve".to_owned()))?;
    Ok(Held { public, facts: facts(&info), weaknesses: weaknesses(&info, spec), reference })
}

/// An id that no key has.
fn free_id(line: &mut Line) -> Result<object::Id, KeyError> {
    for _ in 0..IDS_TRIED {
        let mut bytes = [0; 2];
        random::fill(&mut bytes).map_err(|error| KeyError::Backend(error.to_string()))?;
        let id = u16::from_be_bytes(bytes);
        // 0 asks the device for one, and 0xffff is its own.
        if id == 0 || id == u16::MAX {
            continue;
        }
        match line.with(|client| client.get_object_info(id, object::Type::AsymmetricKey)) {
            Err(DeviceError::NotFound) => return Ok(id),
            Ok(_) => {}
            Err(error) => return Err(error.about(id)),
        }
    }
    Err(KeyError::Backend("no free id was found on the device; delete keys that nobody needs".to_owned()))
}

fn made(line: &mut Line, id: object::Id, wanted: &NewKey, domains: Domain) -> Result<Held, KeyError> {
    let label = wanted.name.as_bytes();
    let label = object::Label::from_bytes(&label[..label.len().min(object::LABEL_SIZE)]).unwrap_or_default();
    let (capability, algorithm) = (capability_of(wanted.spec), algorithm_of(wanted.spec));
    let made = line.with(|client| client.generate_asymmetric_key(id, label.clone(), domains, capability, algorithm));
    made.map_err(|error| error.about(id))?;
    held(line, id, wanted.purpose)
}

impl KeyBackend for YubiHsm {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn abilities(&self) -> Abilities {
        Abilities { specs: &KeySpec::ALL, makes: true }
    }

    fn probe(&mut self) -> Result<Vec<(String, String)>, KeyError> {
        let info = self.device.call(|line| line.with(Client::device_info).map_err(DeviceError::of_device))?;
        let log = match self.device.audit_log() {
            Some(path) => path.display().to_string(),
            None => "not read by this agent; a device that enforces it stops when it is full".to_owned(),
        };
        Ok(vec![
            ("serial".to_owned(), info.serial_number.to_string()),
            ("firmware".to_owned(), format!("{}.{}.{}", info.major_version, info.minor_version, info.build_version)),
            ("audit-log".to_owned(), log),
            ("audit-entries".to_owned(), format!("{} of {}", info.log_store_used, info.log_store_capacity)),
        ])
    }

    fn generate(&mut self, wanted: &NewKey) -> Result<Held, KeyError> {
        let id = self.device.call(free_id)?;
        let (wanted, domains) = (wanted.clone(), self.domains);
        let made = self.device.call(move |line| made(line, id, &wanted, domains));
        made.map_err(|error| match error {
            KeyError::Backend(reason) => KeyError::Backend(format!(
                "{reason}; if the key was made all the same, it is {}: `keys import` takes it",
                reference_of(id)
            )),
            other => other,
        })
    }

    fn find(&mut self, reference: &str, purpose: Purpose) -> Result<Held, KeyError> {
        let id = id_of(reference)?;
        self.device.call(move |line| held(line, id, purpose))
    }

    fn sign(&mut self, key: &PinnedKey, wanted: &ToSign<'_>) -> Result<Outcome, KeyError> {
        let id = id_of(&key.reference)?;
        let message = wanted.message();
        if message.len() > MESSAGE_BYTES_MAX {
            let words = format!("{} bytes are more than the device signs at once", message.len());
            return Err(KeyError::Unable(words));
        }
        let (spec, message) = (key.public.spec(), message.to_vec());
        let bytes = self.device.call(move |line| {
            let signed = line.with(|client| match spec {
                KeySpec::Ed25519 => Ok(client.sign_ed25519(id, &*message)?.to_bytes().to_vec()),
                KeySpec::P256 | KeySpec::Secp256k1 => {
                    client.sign_ecdsa_prehash_raw(id, Sha256::digest(&message).to_vec())
                }
                KeySpec::P384 => client.sign_ecdsa_prehash_raw(id, Sha384::digest(&message).to_vec()),
            });
            signed.map_err(|error| error.about(id))
        })?;
        let wrong = || KeyError::NotThePinnedKey { key: wanted.key().clone() };
        signature_from_bytes(&bytes, &key.public).map(Outcome::Signed).ok_or_else(wrong)
    }
}

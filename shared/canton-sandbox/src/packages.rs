//! A participant's packages: DARs as opaque bytes, and the ids of what they hold.

use std::collections::BTreeMap;

use canton_topology::{Timestamp, mapping::PackageId};
use sha2::{Digest as _, Sha256};

/// A DAR.
#[derive(Clone, Debug)]
pub(crate) struct Dar {
    /// Its description.
    pub description: String,
    /// What it holds.
    pub packages: Vec<PackageId>,
    /// When it was uploaded.
    pub uploaded: Timestamp,
    /// How many bytes it has.
    pub size: usize,
}

/// DARs by the ids of their main packages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packages {
    dars: BTreeMap<PackageId, Dar>,
}

impl Packages {
    /// The package that every participant has from the beginning.
    pub const BUILT_IN: &str = "de2cc2f90eb523414ff54e899951dadd8789a4c07e0f71f6d6c9eaf57d412a54";

    /// Every DAR with its main package.
    pub fn dars(&self) -> impl Iterator<Item = (&PackageId, &Dar)> {
        self.dars.iter()
    }

    /// Whether a package is here.
    pub fn has(&self, package: &PackageId) -> bool {
        package.as_str() == Self::BUILT_IN || self.dars.values().any(|dar| dar.packages.contains(package))
    }

    /// Takes in a DAR.
    pub fn upload(&mut self, bytes: &[u8], description: String, uploaded: Timestamp) -> Vec<PackageId> {
        let packages = contents(bytes);
        if let Some(main) = packages.first() {
            let dar = Dar { description, packages: packages.clone(), uploaded, size: bytes.len() };
            self.dars.insert(*main, dar);
        }
        packages
    }
}

/// What a DAR holds, the main package first: where its bytes are lines of package ids, those; else one package, named by
/// the hash of the bytes.
pub(crate) fn contents(bytes: &[u8]) -> Vec<PackageId> {
    let is_id = |line: &&str| line.len() == 64 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    let lines = std::str::from_utf8(bytes).ok().map(|text| text.lines().collect::<Vec<_>>());
    if let Some(lines) = lines.filter(|lines| !lines.is_empty() && lines.iter().all(|line| is_id(line))) {
        return lines.iter().filter_map(|line| line.parse().ok()).collect();
    }
    hex::encode(Sha256::digest(bytes)).parse().into_iter().collect()
}

//! A set of contract ids in constant memory: two hosts count a party's contracts each in its own order and compare.
//!
//! Each id is spread over 1,024 numbers of 16 bits by SHA-256, and the numbers of all ids are added up (the construction
//! known as LtHash). Sets may be added; nobody finds two different sets of equal sums.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Numbers in a sum.
const LANES: usize = 1_024;
/// Numbers that one SHA-256 gives.
const LANES_PER_BLOCK: usize = 16;

/// A sum over contract ids.
#[derive(Clone, PartialEq, Eq)]
pub struct ContractSet {
    count: u64,
    sums: Box<[u16; LANES]>,
}

/// What a set of contracts is, in a few bytes: how many, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// How many contracts.
    pub contracts: u64,
    /// SHA-256 over the sum of their ids.
    pub ids: [u8; 32],
}

impl Default for ContractSet {
    /// The empty set.
    fn default() -> Self {
        Self { count: 0, sums: Box::new([0; LANES]) }
    }
}

impl ContractSet {
    /// Adds a contract by its id, as lower-case hex. Each is added once.
    pub fn add(&mut self, contract_id: &str) {
        self.count += 1;
        let mut seed = Sha256::new();
        seed.update(b"countersign/contract-id/v1\n");
        seed.update(contract_id.as_bytes());
        let seed = seed.finalize();
        for (index, lanes) in self.sums.chunks_exact_mut(LANES_PER_BLOCK).enumerate() {
            let mut block = Sha256::new();
            block.update(seed);
            block.update((index as u64).to_be_bytes());
            for (lane, pair) in lanes.iter_mut().zip(block.finalize().chunks_exact(2)) {
                *lane = lane.wrapping_add(u16::from_be_bytes([pair[0], pair[1]]));
            }
        }
    }

    /// Both sets together; they have no contract in common.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        self.count += other.count;
        for (lane, more) in self.sums.iter_mut().zip(other.sums.iter()) {
            *lane = lane.wrapping_add(*more);
        }
        self
    }

    /// How many contracts there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The set in a few bytes.
    pub fn contents(&self) -> Contents {
        let mut digest = Sha256::new();
        digest.update(b"countersign/contract-set/v1\n");
        digest.update(self.count.to_be_bytes());
        for lane in self.sums.iter() {
            digest.update(lane.to_be_bytes());
        }
        Contents { contracts: self.count, ids: digest.finalize().into() }
    }

    /// The whole sum, to be kept and read back: the count, then the numbers, big-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.count.to_be_bytes().to_vec();
        bytes.extend(self.sums.iter().flat_map(|lane| lane.to_be_bytes()));
        bytes
    }

    /// Reads a kept sum; `None` where the length is not that of one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (count, lanes) = bytes.split_first_chunk::<8>()?;
        let lanes: Vec<u16> = lanes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        let sums: Box<[u16; LANES]> = lanes.into_boxed_slice().try_into().ok()?;
        (bytes.len() == 8 + 2 * LANES).then_some(Self { count: u64::from_be_bytes(*count), sums })
    }
}

impl std::fmt::Debug for ContractSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ContractSet({} contracts, {})", self.count, hex::encode(&self.contents().ids[..6]))
    }
}

impl Contents {
    /// The count and the first digits of the digest, for people.
    pub fn words(&self) -> String {
        format!("{} contracts ({}…)", self.contracts, hex::encode(&self.ids[..6]))
    }
}

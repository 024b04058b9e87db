//! Every bound of the product, in one place. A limit that is reached is always an error that names it.

/// Longest statement, in bytes, that is decoded or stored.
pub const STATEMENT_BYTES_MAX: usize = 1 << 20;
/// Most topology transactions in one proposal. Canton broadcasts at most 100 transactions at once.
pub const TRANSACTIONS_PER_PROPOSAL_MAX: usize = 100;
/// Most Canton signatures in one approval or contribution.
pub const SIGNATURES_PER_STATEMENT_MAX: usize = 1_000;
/// Most statements in one case.
pub const STATEMENTS_PER_CASE_MAX: usize = 10_000;
/// Most statements that one owner may make in one case: as many owners as a change may name leave room for the others.
pub const STATEMENTS_PER_OWNER_AND_CASE_MAX: usize = STATEMENTS_PER_CASE_MAX / OWNERS_MAX - 10;
/// Most stages of one intent.
pub const STAGES_MAX: usize = 8;
/// Most transactions of one offer of which every subset is named as a state of its own: 62 states.
pub const PARTS_MAX: usize = 6;
/// Most offers in one case.
pub const OFFERS_PER_CASE_MAX: usize = 100;
/// Most different signatures of one key over one transaction that one owner may bring.
pub const SIGNATURES_PER_KEY_AND_CARRIER_MAX: usize = 4;
/// Most cases that one owner may have open at the same coordinator.
pub const OPEN_CASES_PER_OWNER_MAX: usize = 1_000;
/// Most bytes of statements that one owner may have in cases that have not settled: 64 MiB.
pub const OPEN_BYTES_PER_OWNER_MAX: usize = 64 << 20;
/// Most dangers that an intent may accept.
pub const ACCEPTED_DANGERS_MAX: usize = 100;
/// Longest reason that a human may give, in bytes of UTF-8.
pub const REASON_BYTES_MAX: usize = 1_000;
/// Longest name in a book or an invitation, in characters.
pub const NAME_CHARS_MAX: usize = 64;
/// Most owners that a change may name. Canton has no maximum for a namespace; its Ledger API stops at 10.
pub const OWNERS_MAX: usize = 100;
/// Most hosts that a change may name.
pub const HOSTS_MAX: usize = 100;
/// Most inline signing keys of a party (Canton's own maximum).
pub const SIGNING_KEYS_MAX: usize = 20;
/// Most proposals made elsewhere that are shown of those that one namespace has signed; the rest is counted.
pub const FOREIGN_PER_NAMESPACE_MAX: usize = 10;
/// Most proposals made elsewhere that are shown at all.
pub const FOREIGN_SHOWN_MAX: usize = 200;
/// Most bytes of statements of one case that a coordinator takes over at once: 32 MiB.
pub const TAKE_OVER_BYTES_MAX: usize = 32 << 20;
/// Most cases that a coordinator reads at once in order to take them over: each may be long.
pub const TAKE_OVERS_AT_ONCE_MAX: usize = 2;
/// Most owners of a coordinator's directory that an agent reads and keeps.
pub const DIRECTORY_OWNERS_MAX: usize = 1_000;
/// Most entries that one inbox answer carries.
pub const INBOX_ENTRIES_MAX: usize = 500;
/// Longest time, in milliseconds, that an inbox request may wait.
pub const INBOX_WAIT_MS_MAX: u64 = 30_000;
/// Longest sealed file that is carried: 256 GiB.
pub const PARCEL_BYTES_MAX: u64 = 256 << 30;
/// Most bytes of a parcel in one request: 4 MiB.
pub const PARCEL_CHUNK_BYTES_MAX: usize = 4 << 20;
/// Longest head of a sealed file: one recipient, and what age adds for exercise.
pub const PARCEL_HEAD_BYTES_MAX: usize = 4096;
/// Most parcels that one owner may have in one case at the same coordinator.
pub const PARCELS_PER_OWNER_AND_CASE_MAX: usize = 16;
/// Most parcels that one owner may have at the same coordinator.
pub const PARCELS_PER_OWNER_MAX: usize = 1_000;
/// Longest time, in microseconds, that a parcel may wait for its next piece: three days.
pub const PARCEL_IDLE_MICROS_MAX: i64 = 3 * 24 * 3600 * 1_000_000;
/// Longest time, in microseconds, that a parcel is kept without anybody touching it, whatever its case: 120 days.
pub const PARCEL_KEPT_MICROS_MAX: i64 = 120 * 24 * 3600 * 1_000_000;
/// Longest time, in microseconds, between an intent's creation and its deadline: 90 days.
pub const DEADLINE_MICROS_MAX: i64 = 90 * 24 * 3600 * 1_000_000;
/// How far, in microseconds, a proposer's clock may run ahead of ours: five minutes.
pub const CLOCK_SKEW_MICROS_MAX: i64 = 5 * 60 * 1_000_000;
/// Most packages that a party's contracts, or an intent, may name.
pub const PACKAGES_MAX: usize = 10_000;
/// How old, in microseconds, the answer to a question may be when something is signed because of it: ten minutes.
pub const FRESH_MICROS_MAX: i64 = 10 * 60 * 1_000_000;
/// How old, in microseconds, the topology may be that an agent signs by: one minute.
pub const TOPOLOGY_AGE_MICROS_MAX: i64 = 60 * 1_000_000;
/// How long, in microseconds, a complete case is left to the coordinator before an agent submits it: one minute.
pub const COORDINATOR_SUBMITS_WITHIN_MICROS: i64 = 60 * 1_000_000;
/// How long, in microseconds, an agent leaves a complete case to the approver before it, and to its own last attempt.
pub const AGENT_SUBMITS_WITHIN_MICROS: i64 = 20 * 1_000_000;
/// Longest introduction, in bytes.
pub const INTRODUCTION_BYTES_MAX: usize = 64 << 10;
/// Most keys in one introduction.
pub const INTRODUCED_KEYS_MAX: usize = 32;
/// Longest attestation of one key, in bytes.
pub const ATTESTATION_BYTES_MAX: usize = 8 << 10;
/// Most nonces that wait for one owner's answer at a coordinator; a newer one takes the oldest one's place.
pub const NONCES_PER_OWNER_MAX: usize = 4;
/// How long, in microseconds, a nonce waits for its answer: a day, since some custodians need hours.
pub const NONCE_MICROS_MAX: i64 = 24 * 3600 * 1_000_000;
/// Most introductions in one answer.
pub const INTRODUCTIONS_PER_ANSWER_MAX: usize = 16;

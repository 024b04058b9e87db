//! What is decided about parcels: who may have how much here, which piece comes next, who may fetch, what has expired.
//! Pure: no disk, no clock.

use std::collections::BTreeMap;

use canton_topology::{Timestamp, id::Namespace};
use protocol::{
    api::{ParcelState, ParcelStatus},
    intent::CaseId,
    limits,
    parcel::ContentHash,
};
use thiserror::Error;

/// A parcel of one sender in one case. The sender is part of it: otherwise whoever heard a name first could squat on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The case.
    pub case: CaseId,
    /// What the sealed file hashes to, as its sender says.
    pub parcel: ContentHash,
    /// The owner who sends it.
    pub from: Namespace,
}

/// What is known of a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The owner who may fetch it.
    pub to: Namespace,
    /// The sealed file's length, as its sender said with the first piece.
    pub length: u64,
    /// How many of these bytes are there.
    pub received: u64,
    /// How far it is.
    pub state: ParcelState,
    /// When its sender or its receiver last did something about it.
    pub touched_at: Timestamp,
}

/// A piece of a parcel on its way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Of which parcel.
    pub key: Key,
    /// The owner who may fetch it.
    pub to: Namespace,
    /// The whole parcel's length.
    pub length: u64,
    /// Where the piece belongs.
    pub offset: u64,
}

/// How much is held, and how long. All in bytes and microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Of one owner in one case.
    pub owner_and_case: u64,
    /// Of one owner.
    pub owner: u64,
    /// Altogether.
    pub total: u64,
    /// What stays free on the disk, for the statements.
    pub keep_free: u64,
    /// How long a parcel stays after its case has ended.
    pub keep_micros: i64,
}

/// Why a parcel is not taken or given.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// Its length is none.
    #[error("length: {found}; a parcel has from 1 to {max} bytes", max = limits::PARCEL_BYTES_MAX)]
    Length {
        /// The length.
        found: u64,
    },
    /// The owner has as many in this case as one may have.
    #[error("owner {owner} has {max} parcels in this case, the most that one may have; take some back")]
    TooManyInCase {
        /// The owner.
        owner: Namespace,
        /// The limit.
        max: usize,
    },
    /// The owner has as many as one may have.
    #[error("owner {owner} has {max} parcels here, the most that one may have; take some back")]
    TooMany {
        /// The owner.
        owner: Namespace,
        /// The limit.
        max: usize,
    },
    /// It would be more bytes than are held for somebody.
    #[error(
        "{whose} would be {wanted} bytes of parcels here; at most {max} are held: take some back, ask the operator for more, or carry the file by hand"
    )]
    Quota {
        /// For whom.
        whose: &'static str,
        /// How many bytes it would be.
        wanted: u64,
        /// The limit.
        max: u64,
    },
    /// The disk has no room for it.
    #[error(
        "{wanted} bytes are still to come and {free} are free here; carry the file by hand, or ask the operator for a larger disk"
    )]
    NoRoom {
        /// What is still to come of all parcels.
        wanted: u64,
        /// What is free, after what is kept for statements.
        free: u64,
    },
    /// The sender said something else with an earlier piece.
    #[error("{field}: not what the parcel's first piece said; take the parcel back and begin anew")]
    OtherTerms {
        /// What differs.
        field: &'static str,
    },
    /// Another piece comes next.
    #[error("offset: {found}; the next piece is the one at {expected}")]
    Offset {
        /// Where the next piece begins.
        expected: u64,
        /// Where this one does.
        found: u64,
    },
    /// The piece is empty or reaches beyond the parcel's end.
    #[error("the piece has {found} bytes; from 1 to {max} are to come")]
    PieceLength {
        /// Its length.
        found: u64,
        /// What is left of the parcel.
        max: u64,
    },
    /// Somebody is at it.
    #[error("somebody is at parcel {parcel}: another piece of it, or its check; try again in a moment")]
    Busy {
        /// Which parcel.
        parcel: ContentHash,
    },
    /// There is no such parcel in the case.
    #[error("parcel {parcel} is not in case {case}")]
    Unknown {
        /// The case.
        case: CaseId,
        /// The parcel.
        parcel: ContentHash,
    },
    /// It is neither from nor for the caller.
    #[error("parcel {parcel} is neither from nor for owner {owner}")]
    NotYours {
        /// The parcel.
        parcel: ContentHash,
        /// The caller.
        owner: Namespace,
    },
    /// It is not all there.
    #[error("parcel {parcel} is not all here: {received} of {length} bytes, {state:?}; ask its sender to go on")]
    Incomplete {
        /// The parcel.
        parcel: ContentHash,
        /// How much of it is there.
        received: u64,
        /// How much it will be.
        length: u64,
        /// How far it is.
        state: ParcelState,
    },
    /// Nothing begins there.
    #[error("offset: {found}; the parcel has {length} bytes")]
    PastEnd {
        /// The offset.
        found: u64,
        /// The parcel's length.
        length: u64,
    },
}

/// Every parcel that is held.
#[derive(Debug)]
pub struct Ledger {
    quotas: Quotas,
    held: BTreeMap<Key, Held>,
    /// When a case with parcels was first seen to have ended.
    ended_at: BTreeMap<CaseId, Timestamp>,
}

impl Ledger {
    /// An empty one.
    pub fn new(quotas: Quotas) -> Self {
        Self { quotas, held: BTreeMap::new(), ended_at: BTreeMap::new() }
    }

    /// Takes back what was held, at start.
    pub fn restore(&mut self, key: Key, held: Held) {
        self.held.insert(key, held);
    }

    /// Lets the next piece of a parcel in, or says why not; `true` where it begins the parcel, whose whole length is
    /// reserved then. `free` is what the disk has.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn admit(&mut self, piece: &Piece, bytes: u64, free: u64, now: Timestamp) -> Result<bool, Refused> {
        let known = self.held.get(&piece.key).filter(|held| held.state != ParcelState::Refused);
        let (received, is_new) = known.map_or((0, true), |held| (held.received, false));
        match known {
            Some(held) if held.to != piece.to => return Err(Refused::OtherTerms { field: "to" }),
            Some(held) if held.length != piece.length => return Err(Refused::OtherTerms { field: "length" }),
            Some(_) => {}
            None => self.check_quotas(piece)?,
        }
        if piece.offset != received {
            return Err(Refused::Offset { expected: received, found: piece.offset });
        }
        let max = piece.length - received;
        if bytes == 0 || bytes > max {
            return Err(Refused::PieceLength { found: bytes, max });
        }
        self.check_room(if is_new { piece.length } else { 0 }, free)?;
        if is_new {
            let held = Held {
                to: piece.to.clone(),
                length: piece.length,
                received: 0,
                state: ParcelState::Receiving,
                touched_at: now,
            };
            self.held.insert(piece.key.clone(), held);
        }
        Ok(is_new)
    }

    fn check_quotas(&self, piece: &Piece) -> Result<(), Refused> {
        if piece.length == 0 || piece.length > limits::PARCEL_BYTES_MAX {
            return Err(Refused::Length { found: piece.length });
        }
        let owner = &piece.key.from;
        // A refused one is begun anew, and its place with it.
        let others = || self.held.iter().filter(|(key, _)| **key != piece.key);
        let of_owner = || others().filter(|(key, _)| key.from == *owner);
        let in_case = || of_owner().filter(|(key, _)| key.case == piece.key.case);
        let (max, max_in_case) = (limits::PARCELS_PER_OWNER_MAX, limits::PARCELS_PER_OWNER_AND_CASE_MAX);
        if in_case().count() >= max_in_case {
            return Err(Refused::TooManyInCase { owner: owner.clone(), max: max_in_case });
        }
        if of_owner().count() >= max {
            return Err(Refused::TooMany { owner: owner.clone(), max });
        }
        let wanted = |held: u64| held.saturating_add(piece.length);
        for (whose, wanted, max) in [
            ("one owner's in one case", wanted(bytes(in_case())), self.quotas.owner_and_case),
            ("one owner's", wanted(bytes(of_owner())), self.quotas.owner),
            ("everybody's", wanted(bytes(others())), self.quotas.total),
        ] {
            if wanted > max {
                return Err(Refused::Quota { whose, wanted, max });
            }
        }
        Ok(())
    }

    /// What is still to come must fit on the disk, and leave room for statements: without them the coordinator stops.
    fn check_room(&self, new: u64, free: u64) -> Result<(), Refused> {
        let receiving = self.held.values().filter(|held| held.state == ParcelState::Receiving);
        let wanted = receiving.map(|held| held.length - held.received).fold(new, u64::saturating_add);
        let free = free.saturating_sub(self.quotas.keep_free);
        if wanted > free { Err(Refused::NoRoom { wanted, free }) } else { Ok(()) }
    }

    /// A piece is durable.
    pub fn received(&mut self, key: &Key, bytes: u64, now: Timestamp) {
        let Some(held) = self.held.get_mut(key) else { return };
        held.received += bytes;
        held.touched_at = now;
        if held.received >= held.length {
            held.state = ParcelState::Checking;
        }
    }

    /// A parcel was hashed. Of a refused one nothing is kept.
    pub fn checked(&mut self, key: &Key, state: ParcelState, now: Timestamp) {
        let Some(held) = self.held.get_mut(key) else { return };
        held.state = state;
        held.touched_at = now;
        if state == ParcelState::Refused {
            held.received = 0;
        }
    }

    /// A parcel.
    ///
    /// # Errors
    /// [`Refused::Unknown`].
    pub fn held(&self, key: &Key) -> Result<&Held, Refused> {
        self.held.get(key).ok_or(Refused::Unknown { case: key.case, parcel: key.parcel })
    }

    /// A parcel, as it is told.
    ///
    /// # Errors
    /// [`Refused::Unknown`].
    pub fn status(&self, key: &Key) -> Result<ParcelStatus, Refused> {
        let held = self.held(key)?;
        Ok(ParcelStatus {
            parcel: key.parcel.to_string(),
            from: key.from.to_string(),
            to: held.to.to_string(),
            length: held.length,
            received: held.received,
            state: held.state,
        })
    }

    /// The caller's own parcel of that name, or else the one for the caller that is furthest.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn find(&self, case: CaseId, parcel: ContentHash, caller: &Namespace) -> Result<Key, Refused> {
        self.best(case, parcel, caller, |is_own, held| (is_own, held.state == ParcelState::Complete, held.received))
    }

    /// Of those that are from or for the caller, the one that ranks highest.
    fn best<R: Ord>(
        &self,
        case: CaseId,
        parcel: ContentHash,
        caller: &Namespace,
        rank: impl Fn(bool, &Held) -> R,
    ) -> Result<Key, Refused> {
        let mut named = self.held.iter().filter(|(key, _)| key.case == case && key.parcel == parcel).peekable();
        if named.peek().is_none() {
            return Err(Refused::Unknown { case, parcel });
        }
        let callers = named.filter(|(key, held)| key.from == *caller || held.to == *caller);
        let best = callers.max_by_key(|(key, held)| rank(key.from == *caller, held));
        best.map(|(key, _)| key.clone()).ok_or_else(|| Refused::NotYours { parcel, owner: caller.clone() })
    }

    /// The parcel from which the caller may read at an offset.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn fetch(
        &mut self,
        case: CaseId,
        parcel: ContentHash,
        caller: &Namespace,
        offset: u64,
        now: Timestamp,
    ) -> Result<Key, Refused> {
        // Those that are complete hold the same bytes, whoever sent them.
        let key = self.best(case, parcel, caller, |_, held| (held.state == ParcelState::Complete, held.received))?;
        let unknown = Refused::Unknown { case, parcel };
        let held = self.held.get_mut(&key).ok_or(unknown)?;
        let Held { received, length, state, .. } = *held;
        if state != ParcelState::Complete {
            return Err(Refused::Incomplete { parcel, received, length, state });
        }
        if offset >= length {
            return Err(Refused::PastEnd { found: offset, length });
        }
        held.touched_at = now;
        Ok(key)
    }

    /// Parcels whose bytes are all there and that nobody has hashed.
    pub fn unchecked(&self) -> Vec<Key> {
        let unchecked = self.held.iter().filter(|(_, held)| held.state == ParcelState::Checking);
        unchecked.map(|(key, _)| key.clone()).collect()
    }

    /// Parcels that nobody needs any more, and why.
    pub fn expired(&mut self, is_open: impl Fn(CaseId) -> bool, now: Timestamp) -> Vec<(Key, &'static str)> {
        for case in self.held.keys().map(|key| key.case) {
            if is_open(case) {
                // Somebody has made another statement about it.
                self.ended_at.remove(&case);
            } else {
                self.ended_at.entry(case).or_insert(now);
            }
        }
        let expired = self.held.iter().filter_map(|(key, held)| Some((key.clone(), self.why_expired(key, held, now)?)));
        expired.collect()
    }

    fn why_expired(&self, key: &Key, held: &Held, now: Timestamp) -> Option<&'static str> {
        let is_past = |since: Timestamp, micros| now > since.plus_micros(micros);
        if held.state != ParcelState::Complete && is_past(held.touched_at, limits::PARCEL_IDLE_MICROS_MAX) {
            return Some("its sender has not gone on");
        }
        if is_past(held.touched_at, limits::PARCEL_KEPT_MICROS_MAX) {
            return Some("nobody has touched it for long");
        }
        let ended_at = *self.ended_at.get(&key.case)?;
        is_past(ended_at.max(held.touched_at), self.quotas.keep_micros).then_some("its case has ended")
    }

    /// Forgets a parcel.
    pub fn remove(&mut self, key: &Key) {
        self.held.remove(key);
        if !self.held.keys().any(|other| other.case == key.case) {
            self.ended_at.remove(&key.case);
        }
    }
}

/// What is on the disk of these parcels, or will be.
fn bytes<'a>(held: impl Iterator<Item = (&'a Key, &'a Held)>) -> u64 {
    let kept = held.filter(|(_, held)| held.state != ParcelState::Refused);
    kept.map(|(_, held)| held.length).fold(0, u64::saturating_add)
}

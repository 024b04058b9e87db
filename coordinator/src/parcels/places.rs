//! How many pieces of parcels may be in memory at once, and how many of one owner.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use canton_topology::id::Namespace;

/// Most pieces at once: 128 MiB of them.
const PLACES: usize = 32;
/// Most pieces of one owner at once, so that slow ones of one do not stop everybody.
const PLACES_PER_OWNER: usize = 2;

/// The places.
#[derive(Debug, Default)]
pub struct Places(Mutex<BTreeMap<Namespace, usize>>);

/// A place; free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    owner: Namespace,
}

impl Places {
    /// A place for an owner's piece, where there is one.
    pub fn take(self: &Arc<Self>, owner: &Namespace) -> Option<Place> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_owner = taken.get(owner).copied().unwrap_or(0);
        if of_owner >= PLACES_PER_OWNER || taken.values().sum::<usize>() >= PLACES {
            return None;
        }
        taken.insert(owner.clone(), of_owner + 1);
        Some(Place { places: Arc::clone(self), owner: owner.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.owner) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(taken.remove(&self.owner)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn owner(number: usize) -> Namespace {
        format!("1220{number:064}").parse().unwrap()
    }

    #[test]
    fn one_owner_cannot_take_the_places_of_the_others() {
        let places = Arc::new(Places::default());
        let first: Vec<Place> = (0..PLACES_PER_OWNER).map(|_| places.take(&owner(1)).unwrap()).collect();

        assert!(places.take(&owner(1)).is_none());
        let other = places.take(&owner(2)).unwrap();

        drop(first);
        assert!(places.take(&owner(1)).is_some());
        drop(other);
    }

    #[test]
    fn altogether_there_are_no_more_places_than_memory_is_for() {
        let places = Arc::new(Places::default());
        let taken: Vec<Place> = (0..PLACES).map(|number| places.take(&owner(number)).unwrap()).collect();

        assert!(places.take(&owner(PLACES)).is_none());
        drop(taken);
        assert!(places.take(&owner(PLACES)).is_some());
    }
}

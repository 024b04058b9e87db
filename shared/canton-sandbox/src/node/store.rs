//! Which store a call means.

use canton_proto::canton::topology::admin::v30::{StoreId, Synchronizer, store_id, synchronizer};
use canton_topology::state::State;

use super::Api;
use crate::{
    refused::{Refused, short, short_psid},
    standing::LocalStore,
};

/// A store of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Store {
    /// The synchronizer's.
    Synchronizer,
    /// One that no other node sees.
    Local(LocalStore),
}

impl Api {
    /// The store that is meant, where it is there.
    pub(super) fn store(&self, named: Option<StoreId>) -> Result<Store, Refused> {
        match named.and_then(|named| named.store).ok_or_else(|| Refused::not_set("store"))? {
            store_id::Store::Synchronizer(synchronizer) => {
                self.check_synchronizer(synchronizer.kind)?;
                Ok(Store::Synchronizer)
            }
            store_id::Store::Authorized(_) => Ok(Store::Local(LocalStore::Authorized)),
            store_id::Store::Temporary(temporary) => {
                let local = LocalStore::Temporary(temporary.name.clone());
                if self.0.standing().stores.contains_key(&local) {
                    return Ok(Store::Local(local));
                }
                let cause = format!("Topology store '{}' is not known.", temporary.name);
                Err(Refused::no_store(cause).with("storeId", temporary.name))
            }
        }
    }

    fn check_synchronizer(&self, kind: Option<synchronizer::Kind>) -> Result<(), Refused> {
        let own = &self.0.synchronizer.id;
        let (named, known) = match kind.ok_or_else(|| Refused::not_set("kind"))? {
            synchronizer::Kind::Id(id) => {
                let known = id == own.logical.to_string();
                (short(&id), known)
            }
            synchronizer::Kind::PhysicalId(id) => {
                let known = id == own.to_string();
                (if known { short_psid(own) } else { id }, known)
            }
        };
        if !known {
            let cause = format!("No active synchronizer found for {named}.");
            return Err(Refused::no_store(cause).with("synchronizerId", named));
        }
        if !self.0.standing().connected {
            let named = short_psid(own);
            return Err(Refused::no_store(format!("Topology store '{named}' is not known.")).with("storeId", named));
        }
        Ok(())
    }

    /// What stands in a store.
    pub(super) fn state(&self, store: &Store) -> Result<State, Refused> {
        let standing = self.0.standing();
        match store {
            Store::Synchronizer => Ok(standing.topology.clone()),
            Store::Local(local) => {
                let state = standing.stores.get(local).cloned();
                state.ok_or_else(|| Refused::no_store("The topology store was dropped."))
            }
        }
    }

    /// How answers name a store.
    pub(super) fn name(&self, store: &Store) -> StoreId {
        let store = match store {
            Store::Synchronizer => {
                let kind = Some(synchronizer::Kind::PhysicalId(self.0.synchronizer.id.to_string()));
                store_id::Store::Synchronizer(Synchronizer { kind })
            }
            Store::Local(LocalStore::Authorized) => store_id::Store::Authorized(store_id::Authorized {}),
            Store::Local(LocalStore::Temporary(name)) => {
                store_id::Store::Temporary(store_id::Temporary { name: name.clone() })
            }
        };
        StoreId { store: Some(store) }
    }
}

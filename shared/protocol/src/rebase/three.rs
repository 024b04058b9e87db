//! Three versions of one thing, and what comes out where each side keeps what the other one changed. Knows nothing of
//! mappings.

use std::collections::BTreeMap;

/// What both sides changed, each in its own way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// Which part of the mapping.
    pub field: String,
    /// What stands there now; `None` where it is gone.
    pub stands: Option<String>,
    /// What is wanted there; `None` where it is to go.
    pub wanted: Option<String>,
}

/// What a change was made on, what stands now, and what the change wants.
#[derive(Clone, Copy, Debug)]
pub struct Three<'a, T> {
    /// What the change was made on.
    pub base: &'a T,
    /// What stands now.
    pub stands: &'a T,
    /// What the change wants.
    pub wanted: &'a T,
}

impl<T> Three<'_, T> {
    /// One field that is there in each of the three.
    ///
    /// # Errors
    /// Where both sides changed it differently.
    pub fn field<V: PartialEq>(
        &self,
        name: &str,
        of: impl Fn(&T) -> V,
        show: impl Fn(&V) -> String,
    ) -> Result<V, Clash> {
        let (base, stands, wanted) = (of(self.base), of(self.stands), of(self.wanted));
        if stands == wanted || wanted == base {
            return Ok(stands);
        }
        if stands == base {
            return Ok(wanted);
        }
        Err(Clash { field: name.to_owned(), stands: Some(show(&stands)), wanted: Some(show(&wanted)) })
    }

    /// Entries that have a key each: those that stand in their order, and behind them those that only the change has.
    ///
    /// # Errors
    /// Where both sides changed the entry of one key differently, or one key has two entries.
    pub fn entries<K: Ord + Clone, V: PartialEq + Clone>(
        &self,
        of: impl Fn(&T) -> Vec<(K, V)>,
        name: impl Fn(&K) -> String,
        show: impl Fn(&V) -> String,
    ) -> Result<Vec<(K, V)>, Clash> {
        let (base, stands, wanted) = (of(self.base), of(self.stands), of(self.wanted));
        let [base_by, stands_by, wanted_by] = [by_key(&base, &name)?, by_key(&stands, &name)?, by_key(&wanted, &name)?];
        let added = wanted.iter().filter(|(key, _)| !stands_by.contains_key(key));
        let mut merged = Vec::new();
        for (key, _) in stands.iter().chain(added) {
            let (was, is, wants) = (base_by.get(key), stands_by.get(key), wanted_by.get(key));
            let kept = if is == wants || wants == was {
                is
            } else if is == was {
                wants
            } else {
                let shown = |value: Option<&&V>| value.map(|value| show(value));
                return Err(Clash { field: name(key), stands: shown(is), wanted: shown(wants) });
            };
            merged.extend(kept.map(|value| (key.clone(), (*value).clone())));
        }
        Ok(merged)
    }
}

fn by_key<'a, K: Ord, V>(entries: &'a [(K, V)], name: &impl Fn(&K) -> String) -> Result<BTreeMap<&'a K, &'a V>, Clash> {
    let mut by_key = BTreeMap::new();
    for (key, value) in entries {
        if by_key.insert(key, value).is_some() {
            let twice = || Some("written twice".to_owned());
            return Err(Clash { field: name(key), stands: twice(), wanted: twice() });
        }
    }
    Ok(by_key)
}

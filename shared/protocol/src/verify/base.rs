//! Whether an offer builds on the topology that this agent sees.

use canton_topology::{judge::next_serial, state::State};
use serde::{Deserialize, Serialize};

use super::Stop;
use crate::{case::Offered, plan, refusal::Refusal};

/// The agent's participant lags behind the offer's base.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Which transaction of the offer.
    pub index: usize,
    /// The active serial that the offer builds on.
    pub expected: u32,
    /// The active serial that this agent sees; 0 for none.
    pub seen: u32,
}

pub(super) fn check(offered: &Offered, state: &State) -> Result<(), Stop> {
    let mut scratch = state.clone();
    for (index, transaction) in offered.transactions.iter().enumerate() {
        if state.effective_since(&transaction.hash()).is_some() {
            continue;
        }
        let key = transaction.unique_key();
        let row = offered.offer.base.iter().find(|row| row.unique_key == key);
        let claimed = row.and_then(|row| row.active);
        let seen = plan::active(state, &key);
        if claimed != seen {
            let number = |active: Option<(canton_topology::transaction::Serial, _)>| {
                active.map_or(0, |(serial, _)| serial.get())
            };
            return Err(if row.is_some() && number(claimed) > number(seen) {
                Stop::NotYet(Wait { index, expected: number(claimed), seen: number(seen) })
            } else {
                Refusal::StaleBase { index }.into()
            });
        }
        let expected = next_serial(&scratch, &key);
        if expected != Some(transaction.serial()) {
            let expected = expected.map_or(0, |serial| serial.get());
            return Err(Refusal::SerialNotNext { index, expected, found: transaction.serial().get() }.into());
        }
        scratch.assume(transaction);
    }
    Ok(())
}

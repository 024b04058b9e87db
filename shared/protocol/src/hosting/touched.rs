//! What an agent has done to its own node and has perhaps not vouched for. It is remembered before the node is touched, so
//! that it comes back after a crash too. Nobody else knows of it.

/// How an agent has touched its own node for a case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Its pruning schedule may be off.
    pub pruning: bool,
    /// It may be disconnected.
    pub connections: bool,
    /// It turned out to be of no use as a new host, and is to be connected again though the case goes on.
    pub gives_up: bool,
}

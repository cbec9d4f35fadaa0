//! Against Bee, and the lanes against each other.

mod bee;
mod refused;
mod same;

use crate::crypto::swarm::lanes::Lanes;

/// Every way to hash that this processor has.
fn ways() -> Vec<Lanes> {
    [Some(Lanes::ONE), Lanes::four(), Lanes::eight()]
        .into_iter()
        .flatten()
        .collect()
}

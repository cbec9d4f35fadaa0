//! Against Bee, and the lanes against each other.

mod bee;
mod refused;
mod same;

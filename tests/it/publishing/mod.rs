//! What the file system writes, published by the engine and read by readers that share nothing with it.

mod boxed;
mod breaks;
mod clock;
mod confused;
mod costs;
mod evicted;
mod golden;
mod loss;
mod model;
mod moved;
mod shelf;
mod steps;
mod world;

//! Made-up work of agents, like in shape, size and repetition to what real ones send: 15 attributes a span, about
//! 920 bytes on the wire. The same seed gives the same work; ids differ from run to run, as they must.

mod attributes;
mod cast;
mod conversation;
mod stream;
mod trace;

pub use stream::{Request, Stream};

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    pub seed: u64,
    /// Decides the ids, so that a second run with the same seed adds to the first.
    pub run: u64,
    /// On which part of the model calls what was said is recorded, from 0 to 1.
    pub content: f64,
}

#[cfg(test)]
mod tests;

//! What attributes are called: the names that Clew reads, by meaning, and the kinds of node that spans are.
//!
//! A meaning has several names: the current OpenTelemetry one first, then the other conventions' and older ones.

pub mod canonical;
pub mod node_kind;

pub use canonical::Meaning;
pub use node_kind::NodeKind;

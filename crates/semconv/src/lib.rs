//! What attributes are called: the names that Clew reads, by meaning, and the kinds of node that spans are.
//!
//! A meaning has several names: the current OpenTelemetry one first, then the other conventions' and older ones. They
//! stand in a table ([`table`]), from which everything else follows.

pub mod canonical;
pub mod node_kind;
pub mod table;
pub mod usage;

pub use canonical::Meaning;
pub use node_kind::NodeKind;
pub use usage::Usage;

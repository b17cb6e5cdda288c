//! Files of telemetry: what `clew export` writes and `clew import` reads.

mod jaeger;
mod reading;
pub mod table;

pub use reading::read;

use model::Signal;

/// An OTLP export request, or several one after the other, in protobuf.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub signal: Signal,
    pub wire: Vec<u8>,
}

/// A part of a file that cannot be read; the other parts can.
#[derive(Debug, Clone, PartialEq)]
pub struct Unreadable {
    /// `line 12`, `row 7`, or nothing when it is the whole file.
    pub place: String,
    pub reason: String,
}

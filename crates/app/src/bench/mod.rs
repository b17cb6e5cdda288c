//! Loads a server and measures it, so that every figure that we publish can be repeated.

mod figures;
mod load;
mod prepare;
mod process;
mod questions;
mod server;
mod workload;

pub use figures::{Latencies, Percentiles};
pub use load::{Load, Sent};
pub use prepare::{Cut, Requests};
pub use process::{Process, Usage};
pub use questions::{Expect, Kind, Question, Stored};
pub use server::{Moment, Server};
pub use workload::Workload;

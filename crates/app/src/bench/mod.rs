//! Loads a server and measures it, so that every figure that we publish can be repeated.

mod figures;
mod load;
mod process;
mod template;
mod workload;

pub use figures::{Latencies, Percentiles};
pub use load::{Load, Sent};
pub use process::{Process, Usage};
pub use template::Template;
pub use workload::Workload;

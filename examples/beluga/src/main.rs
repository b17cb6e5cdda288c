//! The system beluga of the seeds, on the SDK.

fn main() {}

//! The system aob of the seeds, on the SDK.

fn main() {}

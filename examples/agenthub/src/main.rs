//! The system agenthub of the seeds, on the SDK.

fn main() {}

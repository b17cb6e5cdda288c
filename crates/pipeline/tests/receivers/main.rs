//! The receivers as senders meet them: requests in, answers out, and what reaches the exporter.

extern crate clew_pipeline as pipeline;

// Marked as tests, so that the lints know them as such.
#[cfg(test)]
mod connections;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod http;

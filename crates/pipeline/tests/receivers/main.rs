//! The receivers as senders meet them: requests in, answers out, and what reaches the exporter.

extern crate clew_pipeline as pipeline;

mod connections;
mod fixture;
mod grpc;
mod http;

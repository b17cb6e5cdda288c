//! What can go wrong with a process of this program as a whole.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use thiserror::Error;

/// Why a process ends early.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error(
        "listening on {address}: {source}; another program may have the port, and there is a flag for another one"
    )]
    Listen { address: SocketAddr, source: io::Error },
    #[error("using the queue {path}: {source}")]
    Queue { path: PathBuf, source: io::Error },
    #[error("the queue {path} is used by another broker; give this one a directory of its own")]
    QueueTaken { path: PathBuf },
    #[error("the queue {path} is damaged in line {line}: {source}; remove that line to lose that event only")]
    QueueDamaged { path: PathBuf, line: usize, source: serde_json::Error },
    #[error("using JetStream at {url}: {message}")]
    JetStream { url: String, message: String },
    #[error("using the directory of results {path}: {source}")]
    Results { path: PathBuf, source: io::Error },
    #[error("the task's parameters are not a JSON object: {0}")]
    Parameters(serde_json::Error),
    #[error("{0:?} is not of the form key=value")]
    Pair(String),
    #[error("the broker's address is not a URL: {0}")]
    Address(tonic::transport::Error),
    #[error("serving: {0}")]
    Serve(#[from] io::Error),
    #[error("serving gRPC: {0}")]
    ServeGrpc(tonic::transport::Error),
    #[error("metrics: {0}")]
    Metrics(String),
    #[error("{missing} of {published} tasks have no result")]
    Unanswered { missing: usize, published: usize },
}

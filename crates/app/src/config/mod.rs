//! The configuration: one typed tree, filled from flags, environment variables, one YAML file and defaults, in that
//! order of precedence. The table in `table.rs` is the only list of settings.

mod error;
mod file;
mod flags;
mod layers;
mod table;
mod unit;

pub use error::Error;
pub use flags::Flags;
pub use layers::{Effective, Environment};
pub use table::{Key, TABLE};
pub use unit::{ByteSize, Period, Share};

use std::net::SocketAddr;
use std::path::PathBuf;

/// Every setting, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub otlp: Otlp,
    pub query: Query,
    pub prometheus: Prometheus,
    pub storage: Storage,
    pub sampling: Sampling,
    pub limits: Limits,
    pub prices: Prices,
    pub log: Log,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Otlp {
    pub grpc_address: SocketAddr,
    pub http_address: SocketAddr,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub address: SocketAddr,
    /// Names other than the address itself under which the page may be asked for.
    pub allowed_hosts: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prometheus {
    /// `None` for no port of its own.
    pub address: Option<SocketAddr>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    pub directory: PathBuf,
    /// Of an object store; `None` for blocks in the directory.
    pub blocks_url: Option<String>,
    pub max_age: Period,
    pub max_bytes: ByteSize,
    /// Of each signal, in the order of `Signal::ALL`; `None` where it has no limits of its own.
    pub signal_max_age: [Option<Period>; 3],
    pub signal_max_bytes: [Option<ByteSize>; 3],
    pub seal_bytes: ByteSize,
    pub seal_age: Period,
    pub hot_limit: ByteSize,
}

/// Which traces are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampling {
    /// Of those that no filter keeps; `None` when every trace is kept.
    pub rest: Option<Share>,
    /// The filter for whose sake traces are kept; empty for none.
    pub keep: String,
    pub wait: Period,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices {
    /// Of the user's own prices.
    pub file: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub request_bytes: ByteSize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    pub level: tracing::level_filters::LevelFilter,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Human,
    Json,
}

#[cfg(test)]
mod tests;

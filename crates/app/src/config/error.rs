//! What can be wrong with the configuration, said so that the user can put it right.

use super::layers::Origin;
use std::path::PathBuf;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    #[error("reading the configuration file {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} is not YAML: {detail}")]
    Syntax { path: PathBuf, detail: String },
    #[error("{path}:{line}: {what}")]
    Shape { path: PathBuf, line: usize, what: String },
    #[error(
        "{path}:{line}: unknown key `{key}`; did you mean `{nearest}`? (`clew config print` lists all keys)"
    )]
    UnknownKey { path: PathBuf, line: usize, key: String, nearest: &'static str },
    #[error("{key} = `{value}` ({origin}) is wrong: expected {expected}")]
    WrongValue { key: &'static str, value: String, origin: Origin, expected: String },
    #[error(
        "sampling.keep is set, but not sampling.rest: which share of the other traces is kept, such as 0.1, or 0 for none"
    )]
    NothingDropped,
    #[error("{first} and {second} are both {address}; give each its own port")]
    SameAddress { first: &'static str, second: &'static str, address: std::net::SocketAddr },
}

//! Why a command did not do what it was asked to, and the exit code that says so.

use crate::terminal::tell;
use std::process::ExitCode;
use thiserror::Error;

/// What a user of the command line can do about it decides the exit code.
#[derive(Debug, Error)]
pub enum Failure {
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
    /// A flag, variable, file or query is wrong.
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Unreachable(String),
    /// The reader of standard output has gone (`clew tail | head`): nobody is left to tell.
    #[error("standard output is closed")]
    OutputClosed,
}

/// The table shown by `clew --help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  wrong flag, variable, configuration file or query
  3  what was asked for is not stored
  4  the server cannot be reached";

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::NotFound(_) => 3,
            Self::Unreachable(_) => 4,
        }
    }

    /// Tells the user on standard error.
    pub fn report(&self) -> ExitCode {
        if !matches!(self, Self::OutputClosed) {
            // Nothing is left to do when even standard error is closed.
            let _ = tell(&format!("clew: {self}"));
        }
        ExitCode::from(self.exit_code())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            Self::OutputClosed
        } else {
            Self::Failed(error.into())
        }
    }
}

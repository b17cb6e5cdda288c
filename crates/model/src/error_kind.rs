//! The six things an error can mean to a caller; `server` and `pipeline` turn them into status codes.

/// What the caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request is wrong; repeating it unchanged fails again.
    Invalid,
    /// What was asked for does not exist.
    NotFound,
    /// The caller may not do this.
    Denied,
    /// A limit was reached; repeat later.
    Busy,
    /// Something needed is out of order (a full disk, a lost connection); repeat later.
    Unavailable,
    /// A bug or a damaged file; repeating does not help.
    Internal,
}

//! The filter language of the query bar: `key:value` terms, `AND`, `OR`, `NOT`, parentheses. `docs/api.md` describes it.
//! Jaeger's search parameters become the same tree.

mod ast;
mod lexer;
mod literal;
mod parser;
mod print;
mod term;

#[cfg(test)]
mod tests;

pub use ast::{Comparison, Expression, Field, Literal, Operator};
pub use literal::read as literal;
pub use print::print;

use thiserror::Error;

/// A filter that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ParseError {
    /// Byte offset in the query of what is at fault, and how long that is.
    pub at: usize,
    /// How many bytes are at fault; zero where something is missing.
    pub length: usize,
    /// What was found, what was expected, how to mend it.
    pub message: String,
}

/// Reads a filter. The empty text matches everything.
///
/// ```
/// use clew_query::filter::parse;
/// assert!(parse("kind:tool duration:>1.5s").is_ok());
/// assert_eq!(parse("kind:").unwrap_err().at, 4);
/// ```
///
/// # Errors
/// When it is not a filter; says where.
pub fn parse(text: &str) -> Result<Expression, ParseError> {
    parser::parse(text)
}

//! Reads a filter's tokens into its tree.

use super::lexer::{Placed, Token, tokens};
use super::term::{self, Key, Value};
use super::{Expression, ParseError};

/// Bounds that no person meets.
const MAX_BYTES: usize = 16 << 10;
const MAX_TERMS: usize = 256;
const MAX_DEPTH: usize = 64;

struct Parser<'t> {
    tokens: std::iter::Peekable<std::slice::Iter<'t, Placed>>,
    end: usize,
    terms: usize,
}

/// Reads a filter.
pub fn parse(text: &str) -> Result<Expression, ParseError> {
    if text.len() > MAX_BYTES {
        let message = format!("this query is longer than {MAX_BYTES} bytes; shorten it");
        return Err(ParseError { at: MAX_BYTES, length: text.len() - MAX_BYTES, message });
    }
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(Expression::All);
    }
    let mut parser = Parser { tokens: tokens.iter().peekable(), end: text.len(), terms: 0 };
    let expression = parser.any(0)?;
    match parser.tokens.next() {
        None => Ok(expression),
        Some(extra) => Err(error(extra, "this parenthesis was never opened; remove it")),
    }
}

pub fn error(at: &Placed, message: impl Into<String>) -> ParseError {
    ParseError { at: at.at, length: at.length, message: message.into() }
}

/// One expression stays itself, several become a list.
fn joined(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    if parts.len() == 1 { parts.remove(0) } else { join(parts) }
}

impl<'t> Parser<'t> {
    fn word(&mut self, word: &str) -> bool {
        let found =
            matches!(self.tokens.peek(), Some(Placed { token: Token::Word(text), .. }) if text == word);
        if found {
            self.tokens.next();
        }
        found
    }

    /// `a OR b`
    fn any(&mut self, depth: usize) -> Result<Expression, ParseError> {
        let mut parts = vec![self.all(depth)?];
        while self.word("OR") {
            parts.push(self.all(depth)?);
        }
        Ok(joined(parts, Expression::Or))
    }

    /// `a b` or `a AND b`
    fn all(&mut self, depth: usize) -> Result<Expression, ParseError> {
        let mut parts = vec![self.one(depth)?];
        loop {
            if self.word("AND") {
                parts.push(self.one(depth)?);
                continue;
            }
            match self.tokens.peek() {
                None | Some(Placed { token: Token::Close, .. }) => break,
                Some(Placed { token: Token::Word(word), .. }) if word == "OR" => break,
                Some(_) => parts.push(self.one(depth)?),
            }
        }
        Ok(joined(parts, Expression::And))
    }

    fn one(&mut self, depth: usize) -> Result<Expression, ParseError> {
        let Some(next) = self.tokens.next() else {
            let message = "something is missing at the end; write a term such as kind:tool".to_owned();
            return Err(ParseError { at: self.end, length: 0, message });
        };
        if depth > MAX_DEPTH {
            return Err(error(next, "this nests too deep; use fewer parentheses"));
        }
        match &next.token {
            Token::Minus => Ok(Expression::Not(Box::new(self.one(depth + 1)?))),
            Token::Word(word) if word == "NOT" => Ok(Expression::Not(Box::new(self.one(depth + 1)?))),
            Token::Open => self.group(next, depth),
            Token::Close => {
                Err(error(next, "a term is missing before this parenthesis; add one or remove it"))
            }
            Token::Operator(_) => {
                Err(error(next, "a key is missing before this; write key:value without a space"))
            }
            Token::Word(word) if matches!(word.as_str(), "OR" | "AND") => {
                Err(error(next, "a term is missing before this; to search for the word itself, quote it"))
            }
            Token::Word(text) => self.term(next, Key { text, quoted: false }),
            Token::Quoted(text) => self.term(next, Key { text, quoted: true }),
        }
    }

    fn group(&mut self, open: &Placed, depth: usize) -> Result<Expression, ParseError> {
        let inner = self.any(depth + 1)?;
        match self.tokens.next() {
            Some(Placed { token: Token::Close, .. }) => Ok(inner),
            _ => Err(error(open, "this parenthesis is not closed; add ) at the end")),
        }
    }

    fn term(&mut self, first: &'t Placed, key: Key<'t>) -> Result<Expression, ParseError> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(error(first, format!("this query has more than {MAX_TERMS} terms; use fewer")));
        }
        let Some(Placed { token: Token::Operator(operator), spaced: false, .. }) = self.tokens.peek() else {
            return term::text(first, &key);
        };
        let at = self.tokens.next().unwrap_or(first);
        let value = match self.tokens.peek() {
            Some(place @ Placed { token: Token::Word(text), spaced: false, .. }) => {
                Value { text, quoted: false, place }
            }
            Some(place @ Placed { token: Token::Quoted(text), spaced: false, .. }) => {
                Value { text, quoted: true, place }
            }
            Some(Placed { token: Token::Word(_) | Token::Quoted(_), .. }) => {
                let message = format!("there is a space after {}{operator}; remove it", key.text);
                return Err(error(at, message));
            }
            _ => {
                let message =
                    format!("a value is missing after {}{operator}; for an empty one write \"\"", key.text);
                return Err(error(at, message));
            }
        };
        self.tokens.next();
        term::compare(&key, operator, &value)
    }
}

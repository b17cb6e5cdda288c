//! Reads a filter's tokens into its tree.

use super::lexer::{Placed, Token, tokens};
use super::literal;
use super::{Comparison, Expression, Field, Operator, ParseError};

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

fn error(at: &Placed, message: &str) -> ParseError {
    ParseError { at: at.at, length: at.length, message: message.to_owned() }
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
            Token::Close => Err(error(next, "this parenthesis was never opened; remove it")),
            Token::Operator(_) => Err(error(next, "a key is missing before this; write key:value")),
            Token::Word(word) if matches!(word.as_str(), "OR" | "AND") => {
                Err(error(next, "a term is missing before this; to search for the word itself, quote it"))
            }
            Token::Word(text) | Token::Quoted(text) => self.term(next, text),
        }
    }

    fn group(&mut self, open: &Placed, depth: usize) -> Result<Expression, ParseError> {
        let inner = self.any(depth + 1)?;
        match self.tokens.next() {
            Some(Placed { token: Token::Close, .. }) => Ok(inner),
            _ => Err(error(open, "this parenthesis is not closed; add ) at the end")),
        }
    }

    fn term(&mut self, first: &'t Placed, text: &str) -> Result<Expression, ParseError> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(error(first, "this query has more than 256 terms; use fewer"));
        }
        let operator = match self.tokens.peek() {
            Some(Placed { token: Token::Operator(operator), spaced: false, .. }) => *operator,
            _ => return Ok(Expression::Text(text.to_owned())),
        };
        let at = self.tokens.next().unwrap_or(first);
        let (value, quoted, place) = match self.tokens.peek() {
            Some(value @ Placed { token: Token::Word(text), spaced: false, .. }) => (text, false, *value),
            Some(value @ Placed { token: Token::Quoted(text), spaced: false, .. }) => (text, true, *value),
            _ => {
                return Err(error(
                    at,
                    &format!("a value is missing after {text}{operator}; for an empty one write \"\""),
                ));
            }
        };
        self.tokens.next();
        compare(text, operator, value, quoted, place)
    }
}

fn compare(
    key: &str,
    operator: &str,
    value: &str,
    quoted: bool,
    at: &Placed,
) -> Result<Expression, ParseError> {
    if key == "has" && operator == ":" {
        return Ok(match value {
            "error" => comparison(Field::Status, Operator::Equal, "error"),
            _ => Expression::Exists(Field::from_key(value)),
        });
    }
    let field = Field::from_key(key);
    let range = (operator == ":" && !quoted).then(|| value.split_once("..")).flatten();
    if let Some((from, to)) = range.filter(|(from, to)| !from.is_empty() && !to.is_empty()) {
        return Ok(Expression::And(vec![
            ordered(&field, Operator::GreaterOrEqual, from, at)?,
            ordered(&field, Operator::LessOrEqual, to, at)?,
        ]));
    }
    match operator {
        ":=" => Ok(comparison(field, Operator::Equal, value)),
        ":>" => ordered(&field, Operator::Greater, value, at),
        ":>=" => ordered(&field, Operator::GreaterOrEqual, value, at),
        ":<" => ordered(&field, Operator::Less, value, at),
        ":<=" => ordered(&field, Operator::LessOrEqual, value, at),
        _ if !quoted && value.contains('*') => Ok(comparison(field, Operator::Glob, value)),
        _ => Ok(comparison(field, Operator::Matches, value)),
    }
}

fn comparison(field: Field, operator: Operator, value: &str) -> Expression {
    let value = literal::read(&field, value);
    Expression::Compare(Comparison { field, operator, value })
}

fn ordered(field: &Field, operator: Operator, value: &str, at: &Placed) -> Result<Expression, ParseError> {
    let value = literal::read(field, value);
    if value.number.is_none() {
        let example =
            if *field == Field::Duration { "a duration such as 1.5s" } else { "a number such as 10 or 1.5" };
        return Err(error(at, &format!("{:?} is not {example}", value.text)));
    }
    Ok(Expression::Compare(Comparison { field: field.clone(), operator, value }))
}

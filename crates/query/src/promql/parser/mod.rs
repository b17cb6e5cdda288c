//! Reads a query's tokens into its tree.

mod binary;
mod call;
mod expression;
mod length;
mod selector;

use super::lexer::{Placed, Token, tokens};
use super::{Expression, check};
use crate::ParseError;

/// Bounds that no person meets.
const MAX_BYTES: usize = 64 << 10;
const MAX_DEPTH: usize = 200;

/// Reads a query and checks it.
pub fn parse(text: &str) -> Result<Expression, ParseError> {
    let expression = syntax(text)?;
    check::check(text, &expression)?;
    Ok(expression)
}

fn syntax(text: &str) -> Result<Expression, ParseError> {
    if text.len() > MAX_BYTES {
        let message = format!("this query is longer than {MAX_BYTES} bytes; shorten it");
        return Err(ParseError { at: MAX_BYTES, length: text.len() - MAX_BYTES, message });
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens, next: 0, depth: 0, patterns: 0 };
    if *parser.peek() == Token::End {
        return Err(parser.error("no expression found in input; write one, such as up"));
    }
    let tree = parser.expression(0)?;
    match parser.peek() {
        Token::End => Ok(tree.expression),
        Token::Symbol(")") => Err(parser.error("unexpected right parenthesis ')'; remove it")),
        _ => Err(parser.unexpected("", "an operator or the end")),
    }
}

/// An expression, and how high its tree is.
struct Tree {
    expression: Expression,
    height: usize,
}

struct Parser<'q> {
    /// The last one is the end.
    tokens: Vec<Placed<'q>>,
    next: usize,
    /// How deep the parser is within itself.
    depth: usize,
    /// How many regular expressions there were so far.
    patterns: usize,
}

impl<'q> Parser<'q> {
    /// The next token, or one after it.
    fn ahead(&self, count: usize) -> &Token<'q> {
        self.tokens.get(self.next + count).map_or(&Token::End, |placed| &placed.token)
    }

    fn peek(&self) -> &Token<'q> {
        self.ahead(0)
    }

    fn at_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), Token::Symbol(found) if *found == symbol)
    }

    /// The next word in lower case, when it is one: keywords may be written in any case.
    fn keyword(&self) -> Option<String> {
        match self.peek() {
            Token::Word(word) => Some(word.to_ascii_lowercase()),
            _ => None,
        }
    }

    fn at_keyword(&self, keyword: &str) -> bool {
        matches!(self.peek(), Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    fn advance(&mut self) {
        self.next += 1;
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.at_symbol(symbol);
        self.next += usize::from(found);
        found
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = self.at_keyword(keyword);
        self.next += usize::from(found);
        found
    }

    /// Where the next token begins.
    fn start(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(0, |placed| placed.at)
    }

    /// Where the last token that was read ends.
    fn end(&self) -> usize {
        let last = self.next.checked_sub(1).and_then(|last| self.tokens.get(last));
        last.map_or(0, |placed| placed.at + placed.length)
    }

    /// An error at the next token.
    fn error(&self, message: impl Into<String>) -> ParseError {
        let length = self.tokens.get(self.next).map_or(0, |placed| placed.length);
        ParseError { at: self.start(), length, message: message.into() }
    }

    /// An error at what was read since `start`.
    fn error_from(&self, start: usize, message: impl Into<String>) -> ParseError {
        ParseError { at: start, length: self.end().saturating_sub(start), message: message.into() }
    }

    /// The next token is not what may stand here.
    fn unexpected(&self, context: &str, expected: &str) -> ParseError {
        let found = match self.peek() {
            Token::End => "end of input".to_owned(),
            Token::Word(word) => format!("{word:?}"),
            Token::Number(number) => format!("number {number}"),
            Token::Duration(seconds) => format!("duration of {seconds} s"),
            Token::Text(text) => format!("string {:?}", text.chars().take(20).collect::<String>()),
            Token::Symbol(symbol) => format!("{symbol:?}"),
        };
        let context = if context.is_empty() { String::new() } else { format!(" in {context}") };
        self.error(format!("unexpected {found}{context}, expected {expected}"))
    }

    fn expect(&mut self, symbol: &str, context: &str) -> Result<(), ParseError> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.unexpected(context, &format!("{symbol:?}"))) }
    }

    /// Goes one deeper for as long as `read` takes.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, ParseError>) -> Result<T, ParseError> {
        self.bounded(self.depth + 1)?;
        self.depth += 1;
        let answer = read(self);
        self.depth -= 1;
        answer
    }

    fn bounded(&self, height: usize) -> Result<(), ParseError> {
        if height <= MAX_DEPTH {
            return Ok(());
        }
        let message = format!(
            "this query nests deeper than {MAX_DEPTH}; split it, or use fewer parentheses and operators"
        );
        Err(self.error(message))
    }
}

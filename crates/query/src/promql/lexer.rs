//! Cuts a query into words, numbers, texts and symbols, each with its place.

use super::literal;
use crate::ParseError;

/// What a query is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum Token<'q> {
    /// A name or a keyword.
    Word(&'q str),
    Number(f64),
    /// In seconds.
    Duration(f64),
    /// `"…"`, unescaped.
    Text(String),
    /// An operator, a bracket and the like.
    Symbol(&'static str),
    /// Nothing follows.
    End,
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed<'q> {
    pub token: Token<'q>,
    pub at: usize,
    pub length: usize,
}

/// Longer ones first.
const SYMBOLS: [&str; 27] = [
    "==", "=~", "!=", "!~", "<=", ">=", "</", ">/", "=", "<", ">", "+", "-", "*", "/", "%", "^", "@", "(",
    ")", "{", "}", "[", "]", ",", ":", ";",
];

/// Within which brackets a token stands: that decides whether a colon is part of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Query,
    Braces,
    Brackets,
}

/// All tokens; the last one is [`Token::End`].
pub fn tokens(text: &str) -> Result<Vec<Placed<'_>>, ParseError> {
    let mut found = Vec::new();
    let mut within = Within::Query;
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let blank = blank(rest);
        at += blank;
        if blank > 0 {
            continue;
        }
        let (token, length) = token(rest, at, within)?;
        match token {
            Token::Symbol("{") => within = Within::Braces,
            Token::Symbol("[") => within = Within::Brackets,
            Token::Symbol("}" | "]") => within = Within::Query,
            _ => {}
        }
        let end = token == Token::End;
        found.push(Placed { token, at, length });
        at += length;
        if end {
            return Ok(found);
        }
    }
}

/// How many bytes of white space, or of a comment, it begins with.
fn blank(rest: &str) -> usize {
    if rest.starts_with('#') {
        return rest.find(['\n', '\r']).unwrap_or(rest.len());
    }
    rest.find(|character| !matches!(character, ' ' | '\t' | '\n' | '\r')).unwrap_or(rest.len())
}

fn token(rest: &str, at: usize, within: Within) -> Result<(Token<'_>, usize), ParseError> {
    let mut characters = rest.chars();
    let Some(first) = characters.next() else { return Ok((Token::End, 0)) };
    let second = characters.next().unwrap_or(' ');
    if matches!(first, '"' | '\'' | '`') {
        let (text, length) = literal::text(rest, at)?;
        return Ok((Token::Text(text), length));
    }
    if first.is_ascii_digit() || (first == '.' && second.is_ascii_digit()) {
        return literal::number(rest, at);
    }
    let colons = within == Within::Query;
    if first.is_ascii_alphabetic() || first == '_' || (colons && first == ':') {
        return Ok(word(rest, within));
    }
    if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
        return Ok((Token::Symbol(symbol), symbol.len()));
    }
    Err(unknown(first, at))
}

fn word(rest: &str, within: Within) -> (Token<'_>, usize) {
    let goes_on = |character: char| {
        character.is_ascii_alphanumeric() || character == '_' || (within == Within::Query && character == ':')
    };
    let end = rest.find(|character| !goes_on(character)).unwrap_or(rest.len());
    let word = rest.get(..end).unwrap_or_default();
    let token = match word.to_ascii_lowercase().as_str() {
        "inf" if within == Within::Query => Token::Number(f64::INFINITY),
        "nan" if within == Within::Query => Token::Number(f64::NAN),
        _ => Token::Word(word),
    };
    (token, end)
}

fn unknown(character: char, at: usize) -> ParseError {
    let mend = match character {
        '!' => "to compare, write != or, in braces, !~; to leave out, write \"unless\"",
        '&' => "to have both, write \"and\"",
        '|' => "to have either, write \"or\"",
        '$' => "a variable must be replaced before the query is sent",
        '“' | '”' | '„' | '‘' | '’' => "write a plain quote, \"",
        _ if character.is_alphabetic() => {
            "a name with other letters than a to z is quoted, in braces: {\"name\"}"
        }
        _ => "remove it",
    };
    let message = format!("unexpected character: {character:?}; {mend}");
    ParseError { at, length: character.len_utf8(), message }
}

//! Cuts a filter into words, quoted texts, parentheses and operators, each with its place.

use super::ParseError;

/// What a filter is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A bare word; may hold `*`, dots and the like.
    Word(String),
    /// `"…"`, unescaped.
    Quoted(String),
    Open,
    Close,
    /// A leading `-`.
    Minus,
    /// `:`, `:=`, `:>`, `:>=`, `:<`, `:<=`.
    Operator(&'static str),
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    pub token: Token,
    pub at: usize,
    pub length: usize,
    /// Whether white space stands before it: `key: value` is not `key:value`.
    pub spaced: bool,
}

const OPERATORS: [&str; 6] = [":>=", ":<=", ":>", ":<", ":=", ":"];

/// What other languages have after the colon, and what to write here. As a value it is quoted.
pub const MISTAKEN: [(&str, &str); 4] = [
    ("!=", "write -key:=value for what is not equal"),
    ("=~", "there are no regular expressions; write key:*part* with * for any text"),
    ("!~", "there are no regular expressions; write -key:*part* with * for any text"),
    ("~", "there are no regular expressions; write key:*part* with * for any text, or quote the value"),
];

pub fn tokens(text: &str) -> Result<Vec<Placed>, ParseError> {
    let mut found: Vec<Placed> = Vec::new();
    let mut at = 0;
    let mut spaced = true;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or(' ');
        if first.is_whitespace() {
            at += first.len_utf8();
            spaced = true;
            continue;
        }
        let before = found.last().filter(|_| !spaced).map(|placed| &placed.token);
        let (token, length) = token(rest, at, before)?;
        found.push(Placed { token, at, length, spaced });
        at += length;
        spaced = false;
    }
    Ok(found)
}

/// `before` is what the token touches.
fn token(rest: &str, at: usize, before: Option<&Token>) -> Result<(Token, usize), ParseError> {
    let value = matches!(before, Some(Token::Operator(_)));
    match rest.as_bytes().first() {
        Some(b'(') => return Ok((Token::Open, 1)),
        Some(b')') => return Ok((Token::Close, 1)),
        Some(b'"') => return quoted(rest, at),
        // Within a word it is a hyphen.
        Some(b'-') if matches!(before, None | Some(Token::Open | Token::Minus)) => {
            return Ok((Token::Minus, 1));
        }
        _ => {}
    }
    if !value && let Some(operator) = OPERATORS.into_iter().find(|operator| rest.starts_with(operator)) {
        return Ok((Token::Operator(operator), operator.len()));
    }
    // A value may hold colons (times, workflow ids); a key may not.
    let ends = |character: char| {
        character.is_whitespace() || matches!(character, '(' | ')' | '"') || (!value && character == ':')
    };
    let end = rest.find(ends).unwrap_or(rest.len());
    let word = rest.get(..end).unwrap_or_default();
    match MISTAKEN.into_iter().find(|(mistaken, _)| value && word.starts_with(mistaken)) {
        Some((mistaken, instead)) => Err(ParseError {
            at: at - 1,
            length: mistaken.len() + 1,
            message: format!("there is no operator :{mistaken}; {instead}"),
        }),
        None => Ok((Token::Word(word.to_owned()), end)),
    }
}

fn quoted(rest: &str, at: usize) -> Result<(Token, usize), ParseError> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Ok((Token::Quoted(text), place + 1)),
            '\\' => {
                text.extend(
                    characters.next().map(|(_, escaped)| if escaped == 'n' { '\n' } else { escaped }),
                );
            }
            other => text.push(other),
        }
    }
    Err(ParseError {
        at,
        length: rest.len(),
        message: "this quote is not closed; add a \" at the end".to_owned(),
    })
}

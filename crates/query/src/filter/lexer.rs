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
        let after_operator =
            !spaced && matches!(found.last(), Some(Placed { token: Token::Operator(_), .. }));
        let (token, length) = token(rest, at, spaced, after_operator)?;
        found.push(Placed { token, at, length, spaced });
        at += length;
        spaced = false;
    }
    Ok(found)
}

#[expect(clippy::fn_params_excessive_bools, reason = "both are facts of the text before")]
fn token(rest: &str, at: usize, spaced: bool, value: bool) -> Result<(Token, usize), ParseError> {
    match rest.as_bytes().first() {
        Some(b'(') => return Ok((Token::Open, 1)),
        Some(b')') => return Ok((Token::Close, 1)),
        Some(b'"') => return quoted(rest, at),
        Some(b'-') if spaced && !value => return Ok((Token::Minus, 1)),
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
    Ok((Token::Word(word.to_owned()), end))
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

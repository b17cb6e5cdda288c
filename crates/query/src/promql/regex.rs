//! Regular expressions as Prometheus has them: RE2's syntax, the whole text must match, a dot is any character.

use ::regex::{Regex, RegexBuilder};
use std::iter::Peekable;
use std::str::Chars;

/// A compiled expression is not larger than this.
const MAX_SIZE: usize = 1 << 20;

/// Compiles a regular expression that matches whole texts only.
///
/// # Errors
/// When it is none, or too large; says why.
pub fn anchored(pattern: &str) -> Result<Regex, String> {
    let translated = translate(pattern);
    RegexBuilder::new(&format!("^(?s:{translated})$")).size_limit(MAX_SIZE).build().map_err(|error| {
        let why = match error {
            ::regex::Error::CompiledTooBig(_) => "it is too large; match less with it".to_owned(),
            ::regex::Error::Syntax(text) => text.lines().last().unwrap_or_default().to_owned(),
            other => other.to_string(),
        };
        let why = why.strip_prefix("error: ").unwrap_or(&why);
        format!("error parsing regexp: {why}: `{pattern}`; the syntax is RE2's, a literal . * + ? ( ) [ ] needs a \\ before it")
    })
}

/// An expression that needs no machine.
#[derive(Debug, PartialEq, Eq)]
pub enum Simple {
    /// These texts; sorted.
    OneOf(Vec<String>),
    /// Texts that begin so.
    Prefix(String),
    /// All but the empty text.
    NotEmpty,
}

/// What an expression means, if it is simple: `a|b|c`, `prefix.*`, `.+`.
pub fn simple(pattern: &str) -> Option<Simple> {
    let special =
        |text: &str| text.contains(['.', '*', '+', '?', '(', ')', '[', ']', '{', '}', '^', '$', '\\', '|']);
    if pattern == ".+" {
        return Some(Simple::NotEmpty);
    }
    if let Some(prefix) = pattern.strip_suffix(".*").filter(|prefix| !special(prefix)) {
        return Some(Simple::Prefix(prefix.to_owned()));
    }
    let inner = pattern.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(pattern);
    let mut texts: Vec<String> = inner.split('|').map(str::to_owned).collect();
    if texts.iter().any(|text| special(text)) {
        return None;
    }
    texts.sort_unstable();
    texts.dedup();
    Some(Simple::OneOf(texts))
}

/// From RE2's syntax to that of the `regex` crate.
fn translate(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len() + 8);
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => escape(&mut characters, &mut text, false),
            '[' => class(&mut characters, &mut text),
            '{' if !repeats(characters.clone()) => text.push_str("\\{"),
            other => text.push(other),
        }
    }
    text
}

/// Whether `{` begins a count, such as `{2,3}`; else it stands for itself.
fn repeats(mut rest: Peekable<Chars<'_>>) -> bool {
    let inner: String = rest.by_ref().take_while(|character| *character != '}').collect();
    let mut counts = inner.splitn(2, ',');
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let least = counts.next().is_some_and(number);
    least && counts.next().is_none_or(|most| most.is_empty() || number(most))
}

/// What follows a backslash. Classes such as `\d` are of ASCII only.
fn escape(characters: &mut Peekable<Chars<'_>>, text: &mut String, in_class: bool) {
    match characters.next() {
        Some('d') => text.push_str("[0-9]"),
        Some('D') => text.push_str("[^0-9]"),
        Some('w') => text.push_str("[0-9A-Za-z_]"),
        Some('W') => text.push_str("[^0-9A-Za-z_]"),
        Some('s') => text.push_str("[\\t\\n\\f\\r ]"),
        Some('S') => text.push_str("[^\\t\\n\\f\\r ]"),
        Some('b') if !in_class => text.push_str("(?-u:\\b)"),
        Some('B') if !in_class => text.push_str("(?-u:\\B)"),
        Some('Q') if !in_class => quoted(characters, text),
        Some(angle @ ('<' | '>')) => text.push(angle),
        Some(braced @ ('p' | 'P' | 'x')) => {
            text.extend(['\\', braced]);
            if characters.peek() == Some(&'{') {
                braces(characters, text);
            }
        }
        Some(other) => text.extend(['\\', other]),
        None => text.push('\\'),
    }
}

/// `{…}` after `\p` or `\x`.
fn braces(characters: &mut Peekable<Chars<'_>>, text: &mut String) {
    for character in characters {
        text.push(character);
        if character == '}' {
            return;
        }
    }
}

/// `\Q…\E`: as it is written.
fn quoted(characters: &mut Peekable<Chars<'_>>, text: &mut String) {
    while let Some(character) = characters.next() {
        if character == '\\' && characters.peek() == Some(&'E') {
            characters.next();
            return;
        }
        if character.is_ascii_punctuation() && !matches!(character, '<' | '>') {
            text.push('\\');
        }
        text.push(character);
    }
}

/// `[…]`: brackets and doubled `&`, `-`, `~` in it mean nothing but themselves.
fn class(characters: &mut Peekable<Chars<'_>>, text: &mut String) {
    text.push('[');
    if characters.peek() == Some(&'^') {
        characters.next();
        text.push('^');
    }
    let mut first = true;
    while let Some(character) = characters.next() {
        match character {
            ']' if !first => {
                text.push(']');
                return;
            }
            ']' => text.push_str("\\]"),
            '[' if characters.peek() == Some(&':') => named(characters, text),
            '[' | '&' | '~' => text.extend(['\\', character]),
            '-' if first || characters.peek() == Some(&'-') => text.push_str("\\-"),
            '\\' => escape(characters, text, true),
            other => text.push(other),
        }
        first = false;
    }
}

/// `[:alpha:]`.
fn named(characters: &mut Peekable<Chars<'_>>, text: &mut String) {
    text.push('[');
    while let Some(character) = characters.next() {
        text.push(character);
        if character == ':' && characters.peek() == Some(&']') {
            break;
        }
        if characters.peek() == Some(&']') && character != ':' {
            break;
        }
    }
    text.extend(characters.next());
}

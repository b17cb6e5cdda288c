//! Words of text, as searches see them: runs of letters and digits, whatever their case; of scripts that are written
//! without spaces, each character. Who indexes words and who looks for them must agree, so that both ask here.
//!
//! Messages are often JSON within text, where `\n` before a word is no part of it; text with a backslash is read both
//! ways.

/// Calls `each` with every word, in lower case and in order; text with escapes is gone through a second time as what the
/// escapes stand for.
pub fn each(text: &str, mut each: impl FnMut(&str)) {
    runs(text, &mut each);
    if let Some(unescaped) = unescaped(text) {
        runs(&unescaped, &mut each);
    }
}

/// Words that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    words: Vec<String>,
}

impl Phrase {
    /// The words of a text that is looked for.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut words = Vec::new();
        runs(text, &mut |word: &str| words.push(word.to_owned()));
        Self { words }
    }

    /// Each of which a text must have.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Whether a text has these words one after the other. Without words: any text.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        let Some(first) = self.words.first() else { return true };
        // Of the escapes, only these could hide a letter.
        let is_plain = |text: &str| memchr::memmem::find(text.as_bytes(), b"\\u").is_none();
        if first.is_ascii() && text.is_ascii() && !has(text, first) && is_plain(text) {
            return false;
        }
        self.follows_in(text) || unescaped(text).is_some_and(|text| self.follows_in(&text))
    }

    fn follows_in(&self, text: &str) -> bool {
        // How many words each match that is under way has.
        let mut under_way: Vec<usize> = Vec::new();
        let mut found = false;
        runs(text, &mut |word: &str| {
            if found {
                return;
            }
            under_way.push(0);
            under_way.retain_mut(|matched| {
                let fits = self.words.get(*matched).is_some_and(|wanted| wanted == word);
                *matched += 1;
                found |= fits && *matched == self.words.len();
                fits
            });
        });
        found
    }
}

/// Letters from the most frequent to the rarest, in English; what is not among them is rarer still.
const FREQUENT: &[u8] = b"etaoinsrhdlucmfywgpbvk";

/// Whether a text has a word, or a longer one around it: a cheap look, before words are told apart. Both are ASCII.
fn has(text: &str, word: &str) -> bool {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    // What is rare is looked for; the rest of the word is around it.
    let rarity = |byte: &u8| FREQUENT.iter().position(|letter| letter == byte).unwrap_or(FREQUENT.len());
    let Some((place, rare)) = word.iter().enumerate().max_by_key(|(_, byte)| rarity(byte)) else {
        return true;
    };
    memchr::memchr2_iter(*rare, rare.to_ascii_uppercase(), text).any(|at| {
        let start = at.checked_sub(place);
        let part = start.and_then(|start| text.get(start..start + word.len()));
        part.is_some_and(|part| part.eq_ignore_ascii_case(word))
    })
}

fn runs(text: &str, each: &mut impl FnMut(&str)) {
    let mut start = None;
    let mut lower = true;
    let mut end_run = |start: &mut Option<usize>, lower: &mut bool, end: usize| {
        if let Some(start) = start.take() {
            let word = text.get(start..end).unwrap_or_default();
            if *lower { each(word) } else { each(&word.to_lowercase()) }
        }
        *lower = true;
    };
    for (at, character) in text.char_indices() {
        if stands_alone(character) {
            end_run(&mut start, &mut lower, at);
            start = Some(at);
            end_run(&mut start, &mut lower, at + character.len_utf8());
        } else if character.is_ascii_alphanumeric() || (!character.is_ascii() && character.is_alphanumeric())
        {
            start.get_or_insert(at);
            lower &= character.is_ascii_lowercase() || character.is_ascii_digit();
        } else {
            end_run(&mut start, &mut lower, at);
        }
    }
    end_run(&mut start, &mut lower, text.len());
}

/// Thai, Lao, Kana, Han: written without spaces.
const fn stands_alone(character: char) -> bool {
    matches!(character,
        '\u{e00}'..='\u{eff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

/// The text with JSON's escapes resolved, however often it was escaped; `None` when it has none.
fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('\\');
    let first = parts.next()?;
    let mut out = String::new();
    let mut any = false;
    let mut halves = None;
    for part in parts {
        if !any {
            out.reserve(text.len());
            out.push_str(first);
            any = true;
        }
        let mut characters = part.chars();
        match characters.next() {
            Some('n' | 'r' | 't' | 'b' | 'f') => out.push(' '),
            Some('u') => match part.get(1..5).and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
                Some(code) => {
                    push_unit(&mut out, &mut halves, code);
                    out.push_str(part.get(5..).unwrap_or_default());
                    halves = halves.filter(|_| part.len() == 5);
                    continue;
                }
                None => out.push('u'),
            },
            Some(other) => out.push(other),
            None => {}
        }
        halves = None;
        out.push_str(characters.as_str());
    }
    any.then_some(out)
}

/// Adds a UTF-16 unit; the first half of a pair waits for the second.
fn push_unit(out: &mut String, waiting: &mut Option<u32>, unit: u32) {
    match (waiting.take(), unit) {
        (_, 0xd800..=0xdbff) => *waiting = Some(unit),
        (Some(high), 0xdc00..=0xdfff) => {
            out.extend(char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (unit - 0xdc00)));
        }
        _ => out.extend(char::from_u32(unit)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Phrase, each};

    #[test]
    fn words() {
        let check = |text: &str, expect: &[&str]| {
            let mut found = Vec::new();
            each(text, |word| found.push(word.to_owned()));
            assert_eq!(found, expect, "{text}");
        };
        check("", &[]);
        check("Hello, wORLD-42!", &["hello", "world", "42"]);
        check("gpt-4.1 user_id", &["gpt", "4", "1", "user", "id"]);
        check("Äpfel ÉTÉ straße", &["äpfel", "été", "straße"]);
        check("東京 tower", &["東", "京", "tower"]);
        check(r"a\nb", &["a", "nb", "a", "b"]);
        check(r"caf\u00e9 \ud83d\ude00x", &["caf", "u00e9", "ud83d", "ude00x", "café", "x"]);
        check(r"\", &[]);
        check(r"a\\\nb \ud83d\u0041", &["a", "nb", "ud83d", "u0041", "a", "b", "a"]);
        check(r"\ud83d \u12 \uzzzz", &["ud83d", "u12", "uzzzz", "u12", "uzzzz"]);
    }

    #[test]
    fn phrases() {
        let check = |phrase: &str, text: &str, expect: bool| {
            assert_eq!(Phrase::new(phrase).is_in(text), expect, "{phrase} in {text}");
        };
        check("refund", "The Refund was sent", true);
        check("refund", "refunded", false);
        check("refund policy", "our refund-policy", true);
        check("refund policy", "policy refund", false);
        check("a b a c", "a b a b a c", true);
        check("order 1234", "order-1234", true);
        check("world", r#"{"text":"hello\nworld"}"#, true);
        check("temp", r"C:\temp\new", true);
        check("café", r#""caf\u00e9""#, true);
        check("京", "東京", true);
        check("!", "anything", true);
        check("ÉTÉ", "en été", true);
    }
}

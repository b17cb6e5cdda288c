//! What the text of a statement tells, and the text without the values in it.

use std::iter::Peekable;
use std::str::Chars;

/// A statement as it may be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// Its text, with `?` in the place of texts and numbers, and without comments.
    pub(super) text: String,
    /// What it does: `SELECT`.
    pub(super) operation: Option<String>,
    /// The first table that it does it to.
    pub(super) collection: Option<String>,
}

/// Reads a statement; to some databases, what stands in double quotes is a text and no name.
pub(super) fn read(text: &str, double_quotes_hold_texts: bool) -> Read {
    let words = words(text, double_quotes_hold_texts);
    let mut text = String::new();
    for word in &words {
        match word {
            // One space is as good as any.
            Word::Space if text.is_empty() || text.ends_with(' ') => {}
            Word::Space => text.push(' '),
            Word::Value => text.push('?'),
            Word::Name(name) => text.push_str(name),
            Word::Sign(sign) => text.push(*sign),
        }
    }
    let names: Vec<_> = words.iter().filter(|word| !matches!(word, Word::Space)).collect();
    let names = without_with(&names);
    Read { text: text.trim_end().to_owned(), operation: operation(names), collection: collection(names) }
}

#[derive(Debug, PartialEq, Eq)]
enum Word {
    Space,
    /// A text or a number.
    Value,
    /// A keyword, a name with its quotes, or a place for a value.
    Name(String),
    Sign(char),
}

impl Word {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            _ => None,
        }
    }

    fn is(&self, keyword: &str) -> bool {
        self.name().is_some_and(|name| name.eq_ignore_ascii_case(keyword))
    }
}

/// What is done with what `WITH` names stands after all of that, outside of brackets.
fn without_with<'a>(words: &'a [&'a Word]) -> &'a [&'a Word] {
    if !words.first().is_some_and(|word| word.is("WITH")) {
        return words;
    }
    let verbs = ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"];
    let mut depth = 0_u32;
    let verb = words.iter().position(|word| {
        deepen(&mut depth, word);
        depth == 0 && verbs.iter().any(|verb| word.is(verb))
    });
    verb.and_then(|verb| words.get(verb..)).unwrap_or(words)
}

fn operation(words: &[&Word]) -> Option<String> {
    words.iter().find_map(|word| word.name()).map(str::to_ascii_uppercase)
}

/// The first table outside of brackets, or else the first in them: `extract(year FROM born)` names none.
fn collection(words: &[&Word]) -> Option<String> {
    let mut depth = 0_u32;
    let mut inner = None;
    for (place, word) in words.iter().enumerate() {
        deepen(&mut depth, word);
        if !["FROM", "INTO", "UPDATE", "TABLE"].iter().any(|before| word.is(before)) {
            continue;
        }
        let mut after = words.iter().skip(place + 1);
        let named =
            after.find(|word| !["IF", "NOT", "EXISTS", "ONLY"].iter().any(|between| word.is(between)));
        // A statement in brackets may stand there, too.
        let Some(name) = named.and_then(|word| word.name()) else { continue };
        let name = name.replace(['"', '`'], "");
        if depth == 0 {
            return Some(name);
        }
        inner = inner.or(Some(name));
    }
    inner
}

fn deepen(depth: &mut u32, word: &Word) {
    match word {
        Word::Sign('(') => *depth += 1,
        Word::Sign(')') => *depth = depth.saturating_sub(1),
        _ => {}
    }
}

fn words(text: &str, double_quotes_hold_texts: bool) -> Vec<Word> {
    let mut letters = text.chars().peekable();
    let mut words = Vec::new();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied();
        match letter {
            _ if letter.is_whitespace() => words.push(Word::Space),
            '-' if next == Some('-') => {
                letters.by_ref().find(|letter| *letter == '\n');
                words.push(Word::Space);
            }
            '/' if next == Some('*') => {
                comment(&mut letters);
                words.push(Word::Space);
            }
            '\'' => {
                // `E'...'`, `x'...'`: the letter before belongs to it.
                let prefix = words.pop_if(|word| matches!(word, Word::Name(name) if name.len() == 1));
                let escaped = double_quotes_hold_texts || prefix.is_some_and(|word| word.is("E"));
                quoted(&mut letters, '\'', escaped);
                words.push(Word::Value);
            }
            '"' if double_quotes_hold_texts => {
                quoted(&mut letters, '"', true);
                words.push(Word::Value);
            }
            '"' | '`' => name(&mut words, letter, &quoted(&mut letters, letter, false)),
            '$' if next.is_none_or(|next| !next.is_ascii_digit()) => {
                dollars(&mut letters);
                words.push(Word::Value);
            }
            _ if letter.is_ascii_digit() => {
                word(&mut letters, letter);
                words.push(Word::Value);
            }
            _ if letter.is_alphanumeric() || matches!(letter, '_' | '$' | ':' | '@') => {
                words.push(Word::Name(word(&mut letters, letter)));
            }
            _ => words.push(Word::Sign(letter)),
        }
    }
    words
}

/// A name in quotes may go on the one before it: `public."users"`.
fn name(words: &mut Vec<Word>, quote: char, inner: &str) {
    let quoted = format!("{quote}{inner}{quote}");
    match words.last_mut() {
        Some(Word::Name(name)) if name.ends_with('.') => name.push_str(&quoted),
        _ => words.push(Word::Name(quoted)),
    }
}

fn word(letters: &mut Peekable<Chars<'_>>, first: char) -> String {
    let mut word = String::from(first);
    let goes_on = |letter: &char| letter.is_alphanumeric() || matches!(letter, '_' | '$' | '.' | ':');
    while let Some(letter) = letters.next_if(goes_on) {
        word.push(letter);
    }
    word
}

/// What is within quotes; a quote that is doubled does not end it.
fn quoted(letters: &mut Peekable<Chars<'_>>, quote: char, escaped: bool) -> String {
    let mut inner = String::new();
    while let Some(letter) = letters.next() {
        if escaped && letter == '\\' {
            letters.next();
        } else if letter == quote && letters.next_if_eq(&quote).is_none() {
            break;
        }
        inner.push(letter);
    }
    inner
}

/// `$$...$$` and `$tag$...$tag$`, from behind the first sign.
fn dollars(letters: &mut Peekable<Chars<'_>>) {
    let tag: String = letters.by_ref().take_while(|letter| *letter != '$').collect();
    let end = format!("${tag}$");
    let mut inner = String::new();
    for letter in letters {
        inner.push(letter);
        if inner.ends_with(&end) {
            return;
        }
    }
}

/// The rest of a comment.
fn comment(letters: &mut Peekable<Chars<'_>>) {
    letters.next();
    let mut before = ' ';
    for letter in letters {
        if (before, letter) == ('*', '/') {
            return;
        }
        before = letter;
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn values_are_left_out_and_names_are_kept() {
        for (text, told, operation, collection) in [
            ("SELECT * FROM users WHERE id = $1", "SELECT * FROM users WHERE id = $1", "SELECT", "users"),
            (
                "select a1 from t2 where n>10.5e3 and s='it''s'",
                "select a1 from t2 where n>? and s=?",
                "SELECT",
                "t2",
            ),
            (
                "INSERT INTO public.\"User s\" (a) VALUES (-1, 'x'),(?, :name)",
                "INSERT INTO public.\"User s\" (a) VALUES (-?, ?),(?, :name)",
                "INSERT",
                "public.User s",
            ),
            (
                "UPDATE ONLY runs\n  SET state = E'a\\'b' -- secret\n WHERE x = 0xFF",
                "UPDATE ONLY runs SET state = ? WHERE x = ?",
                "UPDATE",
                "runs",
            ),
            (
                "/* by='me' */ DELETE FROM `events` WHERE body = $tag$it's $ here$tag$",
                "DELETE FROM `events` WHERE body = ?",
                "DELETE",
                "events",
            ),
            (
                "CREATE TABLE IF NOT EXISTS runs (id BIGINT DEFAULT 7)",
                "CREATE TABLE IF NOT EXISTS runs (id BIGINT DEFAULT ?)",
                "CREATE",
                "runs",
            ),
            (
                "WITH old AS (SELECT id FROM runs) INSERT INTO archive SELECT * FROM old",
                "WITH old AS (SELECT id FROM runs) INSERT INTO archive SELECT * FROM old",
                "INSERT",
                "archive",
            ),
            (
                "SELECT extract(year FROM born) FROM people",
                "SELECT extract(year FROM born) FROM people",
                "SELECT",
                "people",
            ),
            (
                "SELECT n FROM (SELECT 1 FROM inner_table) AS x",
                "SELECT n FROM (SELECT ? FROM inner_table) AS x",
                "SELECT",
                "inner_table",
            ),
            (
                "SELECT x::text FROM a WHERE b = 'never ended",
                "SELECT x::text FROM a WHERE b = ?",
                "SELECT",
                "a",
            ),
            ("PRAGMA journal_mode", "PRAGMA journal_mode", "PRAGMA", ""),
            ("", "", "", ""),
        ] {
            let read = read(text, false);
            let (had, table) = (read.operation.unwrap_or_default(), read.collection.unwrap_or_default());
            assert_eq!(
                (read.text.as_str(), had.as_str(), table.as_str()),
                (told, operation, collection),
                "{text}"
            );
        }
        let text = "SELECT a FROM `t` WHERE b = \"Ada\\\" L\" AND c = 'it\\'s'";
        assert_eq!(read(text, true).text, "SELECT a FROM `t` WHERE b = ? AND c = ?");
    }
}

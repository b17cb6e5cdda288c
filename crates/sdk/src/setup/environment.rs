//! The one place where the environment is read, and where what is wrong in it is told.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Looks a variable up: the process's own, or a table's in tests.
type Lookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A variable that was set to what cannot be used; the default was taken instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The variable's name.
    pub variable: String,
    /// What it was set to.
    pub value: String,
    /// What it may be set to.
    pub allowed: String,
    /// What was taken instead.
    pub taken: String,
}

impl Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, value, allowed, taken } = self;
        write!(formatter, "{variable}={value:?} is not used; allowed: {allowed}; taken instead: {taken}")
    }
}

/// Variables, and what was wrong with those that were asked for.
#[derive(Clone)]
pub(crate) struct Environment {
    lookup: Lookup,
    pub(crate) warnings: Vec<Warning>,
}

impl Environment {
    /// The process's.
    #[expect(clippy::disallowed_methods, reason = "this is the place where the environment is read")]
    pub(crate) fn process() -> Self {
        Self { lookup: Arc::new(|name| std::env::var(name).ok()), warnings: Vec::new() }
    }

    /// A table's.
    #[cfg(test)]
    pub(crate) fn of(table: &[(&'static str, &'static str)]) -> Self {
        let table: std::collections::HashMap<_, _> = table.iter().copied().collect();
        let lookup = move |name: &str| table.get(name).map(|value| (*value).to_owned());
        Self { lookup: Arc::new(lookup), warnings: Vec::new() }
    }

    /// What a variable says; empty is as good as unset, as the specification has it.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The first of several variables that says something, and its name.
    pub(crate) fn first(&self, names: &[&str]) -> Option<(String, String)> {
        names.iter().find_map(|name| Some(((*name).to_owned(), self.text(name)?)))
    }

    /// Tells that a variable cannot be used.
    pub(crate) fn warn(&mut self, variable: &str, value: &str, allowed: &str, taken: impl Display) {
        let (variable, value) = (variable.to_owned(), value.to_owned());
        let warning = Warning { variable, value, allowed: allowed.to_owned(), taken: taken.to_string() };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// A number out of the first variable that is set.
    pub(crate) fn number<T: FromStr + Display>(&mut self, names: &[&str], default: T) -> T {
        let Some((name, value)) = self.first(names) else { return default };
        match value.parse() {
            Ok(number) => number,
            Err(_) => {
                self.warn(&name, &value, "a whole number that is not negative", &default);
                default
            }
        }
    }

    /// Milliseconds out of the first variable that is set.
    pub(crate) fn milliseconds(&mut self, names: &[&str], default: Duration) -> Duration {
        let default = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.number(names, default))
    }

    /// `true` or `false`; anything else counts as false, as the specification has it, and is told.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let Some(value) = self.text(name) else { return false };
        match value.to_ascii_lowercase().as_str() {
            "true" => true,
            "false" => false,
            _ => {
                self.warn(name, &value, "true, false", "false");
                false
            }
        }
    }

    /// One of a few words out of the first variable that is set.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        names: &[&str],
        choices: &[(&'static str, T)],
        default: (&'static str, T),
    ) -> T {
        let Some((name, value)) = self.first(names) else { return default.1 };
        let word = value.to_ascii_lowercase();
        if let Some((_, choice)) = choices.iter().find(|(choice, _)| *choice == word) {
            return *choice;
        }
        let allowed: Vec<_> = choices.iter().map(|(choice, _)| *choice).collect();
        self.warn(&name, &value, &allowed.join(", "), default.0);
        default.1
    }

    /// `key=value,key=value`, percent-encoded, as in baggage; entries that are not so are told and left out.
    pub(crate) fn pairs(&mut self, name: &str) -> Vec<(String, String)> {
        let Some(text) = self.text(name) else { return Vec::new() };
        let mut pairs = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            match entry.split_once('=') {
                Some((key, value)) if !key.trim().is_empty() => {
                    pairs.push((key.trim().to_owned(), decoded(value.trim())));
                }
                // Only the key may be told: the rest can be a secret.
                _ => self.warn(name, "(an entry without `=`)", "key=value,key=value", "the other entries"),
            }
        }
        pairs
    }
}

/// `%41` as `A`; what is not so encoded stays as it is.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let digits = (byte == b'%').then(|| [ahead.next(), ahead.next()]);
        match digits.and_then(hexadecimal) {
            Some(value) => {
                decoded.push(value);
                bytes = ahead;
            }
            None => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

fn hexadecimal(digits: [Option<u8>; 2]) -> Option<u8> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()
}

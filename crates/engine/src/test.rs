//! A comparison of the filter language, held against one value of any type.

use model::Value;
use model::otlp::{any_value, each_tail_text, each_text, tail_attributes};
use model::words::Phrase;
use query::filter::{Comparison, Literal, Operator};

/// What a field's value must satisfy.
#[derive(Debug, Clone)]
pub enum Test {
    Exists,
    Compare(Operator, Literal),
    /// Text that has these words.
    Words(Phrase),
}

/// What bare words stand for: text that has them, or that looks so when a `*` stands for a part.
impl From<&str> for Test {
    fn from(text: &str) -> Self {
        match as_glob(text) {
            Some(text) => Self::Compare(Operator::Glob, Literal { text, number: None, integer: None }),
            None => Self::Words(Phrase::new(text)),
        }
    }
}

/// A pattern over a whole text, when what is asked for has a `*`, or no words at all.
pub fn as_glob(text: &str) -> Option<String> {
    (text.contains('*') || Phrase::new(text).words().is_empty()).then(|| format!("*{text}*"))
}

impl From<&Comparison> for Test {
    fn from(comparison: &Comparison) -> Self {
        Self::Compare(comparison.operator, comparison.value.clone())
    }
}

impl Test {
    /// Whether it asks for what is more or less.
    pub fn is_ordered(&self) -> bool {
        let unordered = [Operator::Matches, Operator::Equal, Operator::Glob];
        matches!(self, Self::Compare(operator, _) if !unordered.contains(operator))
    }

    pub fn text(&self, text: &str) -> bool {
        let (operator, literal) = match self {
            Self::Exists => return true,
            Self::Words(phrase) => return phrase.is_in(text),
            Self::Compare(operator, literal) => (operator, literal),
        };
        match operator {
            Operator::Matches => contains(text, &literal.text),
            Operator::Equal => text == literal.text,
            Operator::Glob => glob(&text.to_lowercase(), &literal.text.to_lowercase()),
            _ => {
                match text.parse().ok().filter(|number: &f64| number.is_finite() && literal.number.is_some())
                {
                    Some(number) => self.number(number),
                    None => in_order(*operator, text, &literal.text),
                }
            }
        }
    }

    pub fn number(&self, number: f64) -> bool {
        let Self::Compare(operator, literal) = self else { return matches!(self, Self::Exists) };
        let Some(wanted) = literal.number else { return false };
        match operator {
            #[expect(clippy::float_cmp, reason = "the user asked for this very number")]
            Operator::Matches | Operator::Equal => number == wanted,
            Operator::Glob => false,
            Operator::Less => number < wanted,
            Operator::LessOrEqual => number <= wanted,
            Operator::Greater => number > wanted,
            Operator::GreaterOrEqual => number >= wanted,
        }
    }

    pub fn integer(&self, number: i64) -> bool {
        let Self::Compare(operator, literal) = self else { return matches!(self, Self::Exists) };
        let Some(wanted) = literal.integer else {
            #[expect(
                clippy::cast_precision_loss,
                reason = "the literal is a fraction, so exactness is not at stake"
            )]
            return self.number(number as f64);
        };
        match operator {
            Operator::Matches | Operator::Equal => number == wanted,
            Operator::Glob => false,
            Operator::Less => number < wanted,
            Operator::LessOrEqual => number <= wanted,
            Operator::Greater => number > wanted,
            Operator::GreaterOrEqual => number >= wanted,
        }
    }

    pub fn boolean(&self, yes: bool) -> bool {
        let Self::Compare(operator, literal) = self else { return matches!(self, Self::Exists) };
        matches!(operator, Operator::Matches | Operator::Equal)
            && literal.text.eq_ignore_ascii_case(if yes { "true" } else { "false" })
    }

    /// The bytes of a value.
    pub fn encoded(&self, value: &[u8]) -> bool {
        if let Self::Words(phrase) = self {
            let mut found = false;
            each_text(value, &mut |text| found = found || phrase.is_in(text));
            return found;
        }
        self.value(&any_value(value))
    }

    /// A value that nests matches when something in it does.
    pub fn value(&self, value: &Value) -> bool {
        match value {
            Value::Empty | Value::Bytes(_) => matches!(self, Self::Exists),
            Value::String(text) => self.text(text),
            Value::Bool(yes) => self.boolean(*yes),
            Value::Int(number) => self.integer(*number),
            Value::Double(number) => self.number(*number),
            Value::Array(values) => {
                matches!(self, Self::Exists) || values.iter().any(|value| self.value(value))
            }
            Value::Map(attributes) => {
                matches!(self, Self::Exists)
                    || attributes.iter().any(|attribute| self.value(&attribute.value))
            }
        }
    }

    /// Whether any attribute of a tail does.
    pub fn any_in_tail(&self, tail: &[u8]) -> bool {
        if let Self::Words(phrase) = self {
            let mut found = false;
            each_tail_text(tail, &mut |text| found = found || phrase.is_in(text));
            return found;
        }
        tail_attributes(tail).iter().any(|attribute| self.value(&attribute.value))
    }
}

/// Whether two texts are in this order.
fn in_order(operator: Operator, text: &str, wanted: &str) -> bool {
    match operator {
        Operator::Less => text < wanted,
        Operator::LessOrEqual => text <= wanted,
        Operator::Greater => text > wanted,
        Operator::GreaterOrEqual => text >= wanted,
        Operator::Matches | Operator::Equal | Operator::Glob => false,
    }
}

/// Case-insensitive containment.
fn contains(text: &str, wanted: &str) -> bool {
    text.to_lowercase().contains(&wanted.to_lowercase())
}

/// Whether `*` in the pattern can stand for what is in the text. Linear: greedy from the left, the last part at the end.
pub fn glob(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn globs() {
        let check = |text, pattern, expect| assert_eq!(glob(text, pattern), expect, "{text} {pattern}");
        check("chat gpt", "chat*", true);
        check("chat gpt", "*gpt", true);
        check("chat gpt", "*t g*", true);
        check("chat gpt", "*x*", false);
        check("chat", "chat", true);
        check("ab", "a*ab", false);
        check("", "*", true);
        check("aab", "*ab", true);
    }
}

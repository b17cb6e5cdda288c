//! Selectors, and what says when they are looked at.

use super::{Parser, Tree};
use crate::ParseError;
use crate::promql::lexer::Token;
use crate::promql::{
    At, Expression, Length, METRIC_NAME, Matcher, MatcherOperator, Node, Range, RangeModifier, Selector,
    VectorShift,
};

/// Each regular expression takes time and memory to be made ready.
const PATTERNS: usize = 100;

impl Parser<'_> {
    /// `name{label="value"}`, either part of it.
    pub(super) fn selector(&mut self) -> Result<Tree, ParseError> {
        let start = self.start();
        let name = match self.peek() {
            Token::Word(word) => Some((*word).to_owned()),
            _ => None,
        };
        self.next += usize::from(name.is_some());
        let mut matchers = if self.at_symbol("{") { self.matchers()? } else { Vec::new() };
        if let Some(name) = &name {
            let name = equal(METRIC_NAME.to_owned(), name.clone());
            matchers.insert(0, name);
        }
        let selector = Selector { name, matchers, modifier: None, shift: VectorShift::default() };
        let expression = Expression { node: Node::Selector(selector), place: start..self.end() };
        Ok(Tree { expression, height: 1 })
    }

    fn matchers(&mut self) -> Result<Vec<Matcher>, ParseError> {
        let open = self.start();
        self.advance();
        let mut matchers = Vec::new();
        while !self.take_symbol("}") {
            matchers.push(self.matcher(open)?);
            if !self.at_symbol("}") && !self.take_symbol(",") {
                return Err(self.in_braces(open, "\",\" or \"}\""));
            }
        }
        Ok(matchers)
    }

    fn in_braces(&self, open: usize, expected: &str) -> ParseError {
        if *self.peek() == Token::End {
            let message = "unexpected end of input inside braces; add } at the end".to_owned();
            return ParseError { at: open, length: self.end() - open, message };
        }
        self.unexpected("label matching", expected)
    }

    /// `label="value"`, or `"metric"`.
    fn matcher(&mut self, open: usize) -> Result<Matcher, ParseError> {
        let start = self.start();
        let (name, quoted) = match self.peek() {
            Token::Word(word) => ((*word).to_owned(), false),
            Token::Text(text) => (text.clone(), true),
            _ => return Err(self.in_braces(open, "identifier or \"}\"")),
        };
        self.advance();
        let operator = match self.peek() {
            Token::Symbol("=") => MatcherOperator::Equal,
            Token::Symbol("!=") => MatcherOperator::NotEqual,
            Token::Symbol("=~") => MatcherOperator::Matches,
            Token::Symbol("!~") => MatcherOperator::MatchesNot,
            Token::Symbol("==") => {
                return Err(
                    self.unexpected("label matching", "label matching operator; write = for what is equal")
                );
            }
            _ if quoted => return Ok(equal(METRIC_NAME.to_owned(), name)),
            _ => return Err(self.in_braces(open, "label matching operator: =, !=, =~ or !~")),
        };
        self.advance();
        let Token::Text(value) = self.peek().clone() else {
            return Err(self.in_braces(open, "string, such as \"value\""));
        };
        self.advance();
        self.patterns +=
            usize::from(matches!(operator, MatcherOperator::Matches | MatcherOperator::MatchesNot));
        if self.patterns > PATTERNS {
            let message = format!(
                "a query has {PATTERNS} regular expressions at most; ask several queries, or join some with |"
            );
            return Err(self.error_from(start, message));
        }
        let matcher = Matcher { name, operator, value };
        match matcher.compile() {
            Ok(_) => Ok(matcher),
            Err(message) => Err(self.error_from(start, message)),
        }
    }

    /// A range of what stands before the bracket at `open`.
    pub(super) fn range(
        &self,
        of: Expression,
        length: Length,
        open: usize,
    ) -> Result<Expression, ParseError> {
        let place = of.place.start..self.end();
        let message = match of.node {
            Node::Selector(selector) if selector.shift == VectorShift::default() => {
                let range = Range { selector, place: of.place, length };
                return Ok(Expression { node: Node::Range(range), place });
            }
            Node::Selector(Selector { shift: VectorShift { offset: Some(_), .. }, .. }) => {
                "no offset modifiers allowed before range; write it after the ]"
            }
            Node::Selector(_) => "no @ modifiers allowed before range; write it after the ]",
            _ => {
                "ranges only allowed for vector selectors; for values of an expression over time write a subquery, such as [5m:1m]"
            }
        };
        Err(self.error_from(open, message))
    }

    /// `@ 1609746000`, `@ start()`.
    pub(super) fn at_time(&mut self, of: &mut Expression) -> Result<(), ParseError> {
        self.advance();
        let at = match self.keyword().as_deref() {
            Some("start") => At::Start,
            Some("end") => At::End,
            _ => self.timestamp(of)?,
        };
        if !matches!(at, At::Time(_)) {
            self.advance();
            self.expect("(", "@")?;
            self.expect(")", "@")?;
        }
        let place = of.place.start;
        let Some(shift) = shift(of) else {
            return Err(self.error_from(place, "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery; move it next to the selector"));
        };
        if shift.at.is_some() {
            return Err(self.error_from(place, "@ <timestamp> may not be set multiple times; remove one"));
        }
        shift.at = Some(at);
        Ok(())
    }

    fn timestamp(&mut self, of: &Expression) -> Result<At, ParseError> {
        let seconds = self.signed_number("@", "timestamp: seconds since the Unix epoch, start() or end()")?;
        let milliseconds = (seconds * 1000.0).round();
        // Not a number compares with nothing.
        let held = seconds.abs() < MOST_SECONDS;
        if !held {
            let message = format!(
                "timestamp out of bounds for @ modifier: {seconds}; it is in seconds since the Unix epoch"
            );
            return Err(self.error_from(of.place.start, message));
        }
        Ok(At::Time(whole(milliseconds)))
    }

    /// `offset 5m`.
    pub(super) fn offset(&mut self, of: &mut Expression) -> Result<(), ParseError> {
        self.advance();
        let offset = self.offset_length()?;
        let place = of.place.start;
        let Some(shift) = shift(of) else {
            return Err(self.error_from(place, "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery; move it next to the selector"));
        };
        if shift.offset.is_some() {
            return Err(self.error_from(place, "offset may not be set multiple times; add them up"));
        }
        shift.offset = Some(offset).filter(|offset| *offset != Length::Milliseconds(0));
        Ok(())
    }

    /// `anchored`, `smoothed`.
    pub(super) fn range_modifier(&mut self, of: &mut Expression) -> Result<(), ParseError> {
        let anchored = self.at_keyword("anchored");
        let name = if anchored { "anchored" } else { "smoothed" };
        let modifier = if anchored { RangeModifier::Anchored } else { RangeModifier::Smoothed };
        let selector = match &mut of.node {
            Node::Selector(selector) | Node::Range(Range { selector, .. }) => selector,
            Node::Subquery(_) => {
                return Err(self.error(format!("{name} modifier is not supported for subqueries; remove it")));
            }
            _ => {
                return Err(self
                    .error(format!("{name} modifier not implemented for this; write it after a selector")));
            }
        };
        if selector.modifier.is_some_and(|before| before != modifier) {
            return Err(self.error("anchored and smoothed modifiers cannot be used together; remove one"));
        }
        selector.modifier = Some(modifier);
        self.advance();
        Ok(())
    }
}

const MOST_SECONDS: f64 = 9.0e15;

/// A number of milliseconds without a fraction.
#[expect(clippy::cast_possible_truncation, reason = "it is small enough, or saturates")]
pub(super) const fn whole(milliseconds: f64) -> i64 {
    milliseconds as i64
}

const fn equal(name: String, value: String) -> Matcher {
    Matcher { name, operator: MatcherOperator::Equal, value }
}

const fn shift(of: &mut Expression) -> Option<&mut VectorShift> {
    match &mut of.node {
        Node::Selector(selector) | Node::Range(Range { selector, .. }) => Some(&mut selector.shift),
        Node::Subquery(subquery) => Some(&mut subquery.shift),
        _ => None,
    }
}

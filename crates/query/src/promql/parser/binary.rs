//! Binary operators, and which elements they match.

use super::Parser;
use crate::ParseError;
use crate::promql::lexer::Token;
use crate::promql::{Binary, BinaryOperator, Cardinality, Expression, Fill, Matching, ValueType};

/// An operator's node. What is not used is not kept: between a vector and a number nothing is matched.
pub(super) fn between(
    operator: BinaryOperator,
    return_bool: bool,
    left: Expression,
    right: Expression,
    mut matching: Matching,
) -> Binary {
    if operator.is_set() && matching.cardinality == Cardinality::OneToOne {
        matching.cardinality = Cardinality::ManyToMany;
    }
    let vectors = [&left, &right].iter().all(|side| side.value_type() == ValueType::Vector);
    if !vectors && !operator.is_set() && matching.labels.is_empty() && matching.fill == Fill::default() {
        matching = Matching::default();
    }
    Binary { operator, return_bool, left, right, matching }
}

impl Parser<'_> {
    /// The operator that comes next, and how tight it binds.
    pub(super) fn operator(&self) -> Option<(BinaryOperator, u8)> {
        let operator = match self.peek() {
            Token::Symbol(symbol) => BinaryOperator::from_text(symbol)?,
            Token::Word(word) => BinaryOperator::from_text(&word.to_ascii_lowercase())?,
            _ => return None,
        };
        Some((operator, operator.tightness()))
    }

    /// `bool on (…) group_left (…) fill (…)` after an operator.
    pub(super) fn modifiers(&mut self) -> Result<(bool, Matching), ParseError> {
        let return_bool = self.take_keyword("bool");
        let mut matching = Matching { on: self.at_keyword("on"), ..Matching::default() };
        let matched = matching.on || self.at_keyword("ignoring");
        if matched {
            self.advance();
            matching.labels = self.labels()?;
        }
        matching.cardinality = match self.keyword().as_deref() {
            Some("group_left") => Cardinality::ManyToOne,
            Some("group_right") => Cardinality::OneToMany,
            _ => Cardinality::OneToOne,
        };
        if matching.cardinality != Cardinality::OneToOne {
            if !matched {
                return Err(self.unexpected("binary expression", "on (…) or ignoring (…) before it"));
            }
            self.advance();
            if self.at_symbol("(") {
                matching.include = self.labels()?;
            }
        }
        matching.fill = self.fills()?;
        Ok((return_bool, matching))
    }

    /// `fill (0)`, or `fill_left (0) fill_right (0)`. Without the parenthesis they are metrics.
    fn fills(&mut self) -> Result<Fill, ParseError> {
        let mut fill = Fill::default();
        while *self.ahead(1) == Token::Symbol("(") {
            let (left, right) = match self.keyword().as_deref() {
                Some("fill") => (true, true),
                Some("fill_left") => (true, false),
                Some("fill_right") => (false, true),
                _ => break,
            };
            if (left && fill.left.is_some()) || (right && fill.right.is_some()) {
                return Err(self.unexpected("fill modifier", "each side once"));
            }
            self.advance();
            let value = self.fill_value()?;
            fill.left = fill.left.or(left.then_some(value));
            fill.right = fill.right.or(right.then_some(value));
        }
        Ok(fill)
    }

    fn fill_value(&mut self) -> Result<f64, ParseError> {
        self.expect("(", "fill modifier")?;
        let value = self.signed_number("fill modifier", "a number")?;
        self.expect(")", "fill modifier")?;
        Ok(value)
    }

    /// `1`, `-1`, `5m`.
    pub(super) fn signed_number(&mut self, context: &str, expected: &str) -> Result<f64, ParseError> {
        let negative = self.at_symbol("-");
        let signed = negative || self.at_symbol("+");
        let (Token::Number(number) | Token::Duration(number)) = *self.ahead(usize::from(signed)) else {
            self.next += usize::from(signed);
            return Err(self.unexpected(context, expected));
        };
        self.next += 1 + usize::from(signed);
        Ok(if negative { -number } else { number })
    }

    /// `(job, "a label")`.
    pub(super) fn labels(&mut self) -> Result<Vec<String>, ParseError> {
        self.expect("(", "grouping opts")?;
        let mut labels = Vec::new();
        while !self.take_symbol(")") {
            let label = match self.peek() {
                Token::Word(word) => (*word).to_owned(),
                Token::Text(text) if !text.is_empty() => text.clone(),
                Token::Text(_) => {
                    return Err(
                        self.error("invalid label name for grouping: \"\"; a label's name is not empty")
                    );
                }
                _ => return Err(self.unexpected("grouping opts", "label")),
            };
            self.advance();
            labels.push(label);
            if !self.at_symbol(")") && !self.take_symbol(",") {
                return Err(self.unexpected("grouping opts", "\",\" or \")\""));
            }
        }
        Ok(labels)
    }
}

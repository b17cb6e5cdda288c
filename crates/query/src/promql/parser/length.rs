//! Lengths of time: of ranges, steps and offsets.

use super::Parser;
use super::selector::whole;
use crate::ParseError;
use crate::promql::lexer::Token;
use crate::promql::{BinaryOperator, Length, LengthExpression};

/// How tight `^` binds, tighter than a sign.
const POWER: u8 = 6;

/// What Prometheus can count, in seconds: 64 bits of nanoseconds.
const MOST: f64 = 9_223_372_036.854_776;

/// A length and how high its tree is.
type Built = (LengthExpression, usize);

impl Parser<'_> {
    /// Between brackets.
    pub(super) fn positive_length(&mut self) -> Result<Length, ParseError> {
        let start = self.start();
        let (length, _) = self.length(0)?;
        match length {
            LengthExpression::Seconds(seconds) | LengthExpression::Duration(seconds) if seconds <= 0.0 => {
                Err(self.error_from(start, "duration must be greater than 0"))
            }
            length => Ok(finished(length)),
        }
    }

    /// After `offset`: arithmetic needs parentheses there, but for a parenthesis that comes first.
    pub(super) fn offset_length(&mut self) -> Result<Length, ParseError> {
        let signed = usize::from(self.at_symbol("-") || self.at_symbol("+"));
        let alone = match self.ahead(signed) {
            Token::Number(_) | Token::Duration(_) => true,
            Token::Word(_) => *self.ahead(signed + 1) == Token::Symbol("("),
            Token::Symbol("(") => signed == 1,
            _ => false,
        };
        if !alone {
            return Ok(finished(self.length(0)?.0));
        }
        let start = self.start();
        let negative = self.at_symbol("-");
        self.next += signed;
        let inner = self.single_length("offset", "number, duration, step(), or range()")?;
        if !negative {
            return Ok(finished(inner.0));
        }
        Ok(finished(self.negated(inner, start)?.0))
    }

    /// Arithmetic whose operators bind at least as tight as `least`.
    fn length(&mut self, least: u8) -> Result<Built, ParseError> {
        let mut left = self.deeper(Self::signed_length)?;
        while let Some((operator, tightness)) = self.operator().filter(|(operator, tightness)| {
            *tightness >= least && operator.is_arithmetic() && *operator != BinaryOperator::Atan2
        }) {
            let start = self.start();
            self.advance();
            let right = tightness + u8::from(tightness != POWER);
            let right = self.deeper(|parser| parser.length(right))?;
            let zero = matches!(right.0, LengthExpression::Seconds(0.0) | LengthExpression::Duration(0.0));
            match operator {
                BinaryOperator::Divide if zero => return Err(self.error_from(start, "division by zero")),
                BinaryOperator::Modulo if zero => return Err(self.error_from(start, "modulo by zero")),
                _ => {}
            }
            let height = 1 + left.1.max(right.1);
            self.bounded(height)?;
            left = (LengthExpression::Binary(operator, Box::new(left.0), Box::new(right.0)), height);
        }
        Ok(left)
    }

    fn signed_length(&mut self) -> Result<Built, ParseError> {
        let start = self.start();
        let negative = self.at_symbol("-");
        if !negative && !self.at_symbol("+") {
            return self.single_length("duration expression", "number, duration, step(), or range()");
        }
        self.advance();
        let inner = self.deeper(|parser| parser.length(POWER))?;
        if negative { self.negated(inner, start) } else { Ok(inner) }
    }

    fn negated(&self, (inner, height): Built, start: usize) -> Result<Built, ParseError> {
        self.bounded(height + 1)?;
        let negated = match inner {
            LengthExpression::Seconds(seconds) => LengthExpression::Seconds(-seconds),
            LengthExpression::Duration(seconds) => LengthExpression::Duration(-seconds),
            inner => LengthExpression::Negative(Box::new(inner)),
        };
        match negated {
            LengthExpression::Seconds(seconds) if seconds < -MOST => {
                Err(self.error_from(start, "duration out of range; 292 years are the most"))
            }
            negated => Ok((negated, height + 1)),
        }
    }

    fn single_length(&mut self, context: &str, expected: &str) -> Result<Built, ParseError> {
        let start = self.start();
        let length = match self.peek() {
            Token::Number(number) => LengthExpression::Seconds(*number),
            Token::Duration(seconds) => LengthExpression::Duration(*seconds),
            Token::Symbol("(") => {
                self.advance();
                let (inner, height) = self.length(0)?;
                self.expect(")", context)?;
                let again = matches!(inner, LengthExpression::Parentheses(_));
                let length = if again { inner } else { LengthExpression::Parentheses(Box::new(inner)) };
                return Ok((length, height + 1));
            }
            Token::Word(word) => return self.called_length(&word.to_ascii_lowercase(), context, expected),
            _ => return Err(self.unexpected(context, expected)),
        };
        self.advance();
        let (LengthExpression::Seconds(seconds) | LengthExpression::Duration(seconds)) = length else {
            return Ok((length, 1));
        };
        // Not a number compares with nothing.
        if seconds <= MOST {
            return Ok((length, 1));
        }
        Err(self.error_from(start, "duration out of range; 292 years are the most"))
    }

    fn called_length(&mut self, name: &str, context: &str, expected: &str) -> Result<Built, ParseError> {
        if !matches!(name, "step" | "range" | "min_of" | "max_of") {
            return Err(self.unexpected(context, expected));
        }
        self.advance();
        self.expect("(", context)?;
        let built = match name {
            "step" => (LengthExpression::Step, 1),
            "range" => (LengthExpression::Range, 1),
            _ => {
                let (one, height) = self.length(0)?;
                self.expect(",", context)?;
                let (other, beside) = self.length(0)?;
                let (one, other) = (Box::new(one), Box::new(other));
                let of = if name == "min_of" { LengthExpression::Minimum } else { LengthExpression::Maximum };
                (of(one, other), 1 + height.max(beside))
            }
        };
        self.expect(")", context)?;
        Ok(built)
    }
}

/// What is known now becomes milliseconds: nanoseconds are rounded, what is left of a millisecond is dropped.
fn finished(length: LengthExpression) -> Length {
    match length {
        LengthExpression::Seconds(seconds) | LengthExpression::Duration(seconds) => {
            Length::Milliseconds(whole((seconds * 1e9).round() / 1e6))
        }
        length => Length::Computed(Box::new(length)),
    }
}

//! Lengths of time that are known only when the query's step and range are.

use query::Error;
use query::promql::{BinaryOperator, Length, LengthExpression};

/// The longest length in seconds: about 292 years.
const LONGEST: f64 = 9_223_372_036.0;

/// What lengths are computed from, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lengths {
    /// Between two steps of the query; zero for an instant query.
    pub(super) step: i64,
    /// From its first step to its end.
    pub(super) range: i64,
}

impl Lengths {
    /// In milliseconds, above zero.
    pub(super) fn positive(&self, length: &Length) -> Result<i64, Error> {
        let milliseconds = self.any(length)?;
        if milliseconds > 0 { Ok(milliseconds) } else { Err(wrong("duration must be greater than 0")) }
    }

    /// In milliseconds; below zero too.
    pub(super) fn any(&self, length: &Length) -> Result<i64, Error> {
        let expression = match length {
            Length::Milliseconds(milliseconds) => return Ok(*milliseconds),
            Length::Computed(expression) => expression,
        };
        let seconds = self.seconds(expression)?;
        if !seconds.is_finite() {
            return Err(wrong("duration is NaN or infinite"));
        }
        if seconds.abs() > LONGEST {
            return Err(wrong("duration is out of range"));
        }
        Ok(milliseconds(seconds))
    }

    fn seconds(&self, expression: &LengthExpression) -> Result<f64, Error> {
        Ok(match expression {
            LengthExpression::Seconds(seconds) | LengthExpression::Duration(seconds) => *seconds,
            LengthExpression::Parentheses(inner) => self.seconds(inner)?,
            LengthExpression::Step => self.step as f64 / 1000.0,
            LengthExpression::Range => self.range as f64 / 1000.0,
            LengthExpression::Negative(operand) => -self.seconds(operand)?,
            LengthExpression::Minimum(left, right) => self.seconds(left)?.min(self.seconds(right)?),
            LengthExpression::Maximum(left, right) => self.seconds(left)?.max(self.seconds(right)?),
            LengthExpression::Binary(operator, left, right) => {
                computed(*operator, self.seconds(left)?, self.seconds(right)?)?
            }
        })
    }
}

fn computed(operator: BinaryOperator, left: f64, right: f64) -> Result<f64, Error> {
    match operator {
        BinaryOperator::Add => Ok(left + right),
        BinaryOperator::Subtract => Ok(left - right),
        BinaryOperator::Multiply => Ok(left * right),
        BinaryOperator::Divide if right == 0.0 => Err(wrong("division by zero")),
        BinaryOperator::Divide => Ok(left / right),
        BinaryOperator::Modulo if right == 0.0 => Err(wrong("modulo by zero")),
        BinaryOperator::Modulo => Ok(left % right),
        BinaryOperator::Power => Ok(left.powf(right)),
        _ => Err(wrong("durations know + - * / % ^ alone")),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked against the longest length")]
const fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0) as i64
}

fn wrong(message: &str) -> Error {
    Error::Invalid { message: message.to_owned() }
}

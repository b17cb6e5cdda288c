//! Calculates.

use crate::failure::Failure;
use crate::openai::{ToolCall, ToolDefinition};
use crate::tools::{Tool, arguments, definition};
use async_trait::async_trait;
use serde::Deserialize;
use std::iter::Peekable;
use std::str::Chars;

/// How deep parentheses may nest.
const DEPTH: usize = 64;

/// The tool `calculate`: `+ - * /` and parentheses.
#[derive(Debug)]
pub struct Calculator;

#[derive(Debug, Deserialize)]
struct Arguments {
    expression: String,
}

#[async_trait]
impl Tool for Calculator {
    fn definition(&self) -> ToolDefinition {
        definition("calculate", "The value of an arithmetic expression", "expression")
    }

    async fn call(&self, call: &ToolCall) -> Result<String, Failure> {
        let Arguments { expression } = arguments(call)?;
        let invalid = |reason| Failure::Arguments { tool: call.function.name.clone(), reason };
        let value = evaluate(&expression).map_err(invalid)?;
        Ok(format!("{expression} = {value}"))
    }
}

fn evaluate(expression: &str) -> Result<f64, String> {
    let mut reader = Reader { left: expression.chars().peekable(), depth: 0 };
    let value = reader.sum()?;
    match reader.next() {
        None => Ok(value),
        Some(other) => Err(format!("{other:?} is not expected in {expression:?}")),
    }
}

struct Reader<'a> {
    left: Peekable<Chars<'a>>,
    depth: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        while self.left.next_if(|character| character.is_whitespace()).is_some() {}
        self.left.peek().copied()
    }

    fn take(&mut self, wanted: [char; 2]) -> Option<char> {
        let next = self.next()?;
        wanted.contains(&next).then(|| self.left.next())?
    }

    fn sum(&mut self) -> Result<f64, String> {
        let mut value = self.product()?;
        while let Some(operator) = self.take(['+', '-']) {
            let other = self.product()?;
            value = if operator == '+' { value + other } else { value - other };
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<f64, String> {
        let mut value = self.factor()?;
        while let Some(operator) = self.take(['*', '/']) {
            let other = self.factor()?;
            value = if operator == '*' { value * other } else { value / other };
        }
        Ok(value)
    }

    fn factor(&mut self) -> Result<f64, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("too many parentheses".to_owned());
        }
        let value = self.signed();
        self.depth -= 1;
        value
    }

    fn signed(&mut self) -> Result<f64, String> {
        if self.take(['-', '-']).is_some() {
            return Ok(-self.factor()?);
        }
        if self.take(['(', '(']).is_none() {
            return self.number();
        }
        let value = self.sum()?;
        self.take([')', ')']).map(|_| value).ok_or_else(|| "a parenthesis is not closed".to_owned())
    }

    fn number(&mut self) -> Result<f64, String> {
        self.next();
        let mut digits = String::new();
        while let Some(digit) = self.left.next_if(|character| character.is_ascii_digit() || *character == '.')
        {
            digits.push(digit);
        }
        digits.parse().map_err(|_| "a number is missing".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::evaluate;

    fn check(expression: &str, expected: Result<f64, &str>) {
        assert_eq!(evaluate(expression), expected.map_err(str::to_owned), "{expression}");
    }

    #[test]
    fn expressions_have_the_value_that_one_learns_at_school() {
        check("1 + 2 * 3", Ok(7.0));
        check("(1 + 2) * 3", Ok(9.0));
        check("10 - 4 - 3", Ok(3.0));
        check("2 * -3.5", Ok(-7.0));
        check("1 +", Err("a number is missing"));
        check("(1", Err("a parenthesis is not closed"));
        check("1 2", Err("'2' is not expected in \"1 2\""));
        check(&"(".repeat(100), Err("too many parentheses"));
    }
}

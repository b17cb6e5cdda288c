//! Expressions: operators before, between and after others.

use super::{Parser, Tree};
use crate::ParseError;
use crate::promql::lexer::Token;
use crate::promql::{Expression, Node, Subquery, VectorShift};

/// How tight `^` binds, tighter than a sign; the other operators are in `binary`.
const POWER: u8 = 6;

impl Parser<'_> {
    /// An expression whose operators bind at least as tight as `least`.
    pub(super) fn expression(&mut self, least: u8) -> Result<Tree, ParseError> {
        let mut left = self.deeper(Self::signed)?;
        while let Some((operator, tightness)) = self.operator().filter(|(_, tightness)| *tightness >= least) {
            self.advance();
            let (return_bool, matching) = self.modifiers()?;
            // `^` groups to the right, all others to the left.
            let right = tightness + u8::from(tightness != POWER);
            let right = self.deeper(|parser| parser.expression(right))?;
            let height = 1 + left.height.max(right.height);
            self.bounded(height)?;
            let place = left.expression.place.start..right.expression.place.end;
            let (left_side, right) = (left.expression, right.expression);
            let binary = super::binary::between(operator, return_bool, left_side, right, matching);
            left = Tree { expression: Expression { node: Node::Binary(Box::new(binary)), place }, height };
        }
        Ok(left)
    }

    /// `-expression`, which binds as tight as `*`.
    fn signed(&mut self) -> Result<Tree, ParseError> {
        let start = self.start();
        let negative = self.at_symbol("-");
        if !negative && !self.at_symbol("+") {
            return self.followed();
        }
        self.advance();
        let operand = self.deeper(|parser| parser.expression(POWER))?;
        let height = operand.height + 1;
        self.bounded(height)?;
        let sign = if negative { -1.0 } else { 1.0 };
        let place = start..operand.expression.place.end;
        let node = match operand.expression.node {
            Node::Number(number) => Node::Number(number * sign),
            Node::Duration(seconds) => Node::Duration(seconds * sign),
            _ => Node::Sign { negative, operand: Box::new(operand.expression) },
        };
        Ok(Tree { expression: Expression { node, place }, height })
    }

    /// An expression and what may follow it: a range, `offset`, `@`, `anchored`, `smoothed`.
    fn followed(&mut self) -> Result<Tree, ParseError> {
        let mut tree = self.primary()?;
        loop {
            if self.at_symbol("[") {
                tree.expression = self.brackets(tree.expression)?;
                tree.height += 1;
                self.bounded(tree.height)?;
            } else if self.at_symbol("@") {
                self.at_time(&mut tree.expression)?;
            } else if self.at_keyword("offset") {
                self.offset(&mut tree.expression)?;
            } else if self.at_keyword("anchored") || self.at_keyword("smoothed") {
                self.range_modifier(&mut tree.expression)?;
            } else {
                return Ok(tree);
            }
            tree.expression.place.end = self.end();
        }
    }

    fn primary(&mut self) -> Result<Tree, ParseError> {
        let start = self.start();
        let node = match self.peek() {
            Token::Number(number) => Node::Number(*number),
            Token::Duration(seconds) => Node::Duration(*seconds),
            Token::Text(text) => Node::String(text.clone()),
            Token::Symbol("(") => return self.parentheses(),
            Token::Symbol("{") | Token::Word(_) => return self.named(),
            _ => {
                return Err(
                    self.unexpected("", "an expression, such as a metric's name, a function or a number")
                );
            }
        };
        self.advance();
        Ok(Tree { expression: Expression { node, place: start..self.end() }, height: 1 })
    }

    fn parentheses(&mut self) -> Result<Tree, ParseError> {
        let start = self.start();
        self.advance();
        let inner = self.expression(0)?;
        if !self.take_symbol(")") {
            return Err(self.unclosed(start));
        }
        let height = inner.height + 1;
        self.bounded(height)?;
        let node = Node::Parentheses(Box::new(inner.expression));
        Ok(Tree { expression: Expression { node, place: start..self.end() }, height })
    }

    /// An error about the parenthesis at `open`, or about what stands where it should be closed.
    pub(super) fn unclosed(&self, open: usize) -> ParseError {
        if *self.peek() == Token::End {
            let message = "unclosed left parenthesis; add ) at the end".to_owned();
            return ParseError { at: open, length: 1, message };
        }
        self.unexpected("", "an operator, \",\" or \")\"")
    }

    /// `[5m]` or `[1h:5m]` after an expression.
    fn brackets(&mut self, of: Expression) -> Result<Expression, ParseError> {
        let open = self.start();
        self.advance();
        let length = self.positive_length()?;
        if self.take_symbol("]") {
            return self.range(of, length, open);
        }
        if !self.take_symbol(":") {
            return Err(self.unexpected("subquery or range", "\":\" or \"]\""));
        }
        let step = if self.at_symbol("]") { None } else { Some(self.positive_length()?) };
        self.expect("]", "subquery selector")?;
        let place = of.place.start..self.end();
        let subquery = Subquery { expression: of, length, step, shift: VectorShift::default() };
        Ok(Expression { node: Node::Subquery(Box::new(subquery)), place })
    }
}

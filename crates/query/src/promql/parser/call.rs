//! What begins with a name: functions, aggregations, metrics.

use super::{Parser, Tree};
use crate::ParseError;
use crate::promql::lexer::Token;
use crate::promql::{Aggregation, Aggregator, Expression, Grouping, Node, functions};

/// Words that cannot be a metric's name outside braces.
const RESERVED: [&str; 6] = ["atan2", "bool", "group_left", "group_right", "ignoring", "on"];

impl Parser<'_> {
    pub(super) fn named(&mut self) -> Result<Tree, ParseError> {
        let Token::Word(word) = *self.peek() else { return self.selector() };
        let keyword = word.to_ascii_lowercase();
        let open = *self.ahead(1) == Token::Symbol("(");
        let grouped = matches!(self.ahead(1), Token::Word(word) if ["by", "without"].iter().any(|by| word.eq_ignore_ascii_case(by)));
        match Aggregator::from_name(&keyword) {
            Some(aggregator) if open || grouped => self.deeper(|parser| parser.aggregation(aggregator)),
            _ if open => self.deeper(|parser| parser.call(word)),
            _ if RESERVED.contains(&keyword.as_str()) => Err(self.error(format!(
                "unexpected <{keyword}>, expected an expression; a metric of this name is written {{{word:?}}}"
            ))),
            _ => self.selector(),
        }
    }

    fn call(&mut self, name: &str) -> Result<Tree, ParseError> {
        let start = self.start();
        if functions::find(name).is_none() {
            return Err(self.error(unknown(name)));
        }
        self.advance();
        let (arguments, height) = self.arguments()?;
        let node = Node::Call { function: name.to_owned(), arguments };
        Ok(Tree { expression: Expression { node, place: start..self.end() }, height: height + 1 })
    }

    fn arguments(&mut self) -> Result<(Vec<Expression>, usize), ParseError> {
        let open = self.start();
        self.expect("(", "aggregation")?;
        let mut arguments = Vec::new();
        let mut height = 0;
        if self.take_symbol(")") {
            return Ok((arguments, height));
        }
        loop {
            let argument = self.expression(0)?;
            height = height.max(argument.height);
            self.bounded(height + 1)?;
            arguments.push(argument.expression);
            if self.take_symbol(")") {
                return Ok((arguments, height));
            }
            if !self.at_symbol(",") {
                return Err(self.unclosed(open));
            }
            if *self.ahead(1) == Token::Symbol(")") {
                return Err(self.error("trailing commas not allowed in function call args; remove it"));
            }
            self.advance();
        }
    }

    fn aggregation(&mut self, aggregator: Aggregator) -> Result<Tree, ParseError> {
        let start = self.start();
        self.advance();
        let before = self.grouping()?;
        let (mut arguments, height) = self.arguments()?;
        let grouping = match before {
            Some(grouping) => grouping,
            None => self.grouping()?.unwrap_or_default(),
        };
        let wanted = 1 + usize::from(aggregator.has_parameter());
        let found = arguments.len();
        let expression = arguments.pop().filter(|_| found == wanted);
        let Some(expression) = expression else {
            return Err(self.error_from(start, count(aggregator, wanted, found)));
        };
        let aggregation = Aggregation { aggregator, expression, parameter: arguments.pop(), grouping };
        let node = Node::Aggregation(Box::new(aggregation));
        Ok(Tree { expression: Expression { node, place: start..self.end() }, height: height + 1 })
    }

    fn grouping(&mut self) -> Result<Option<Grouping>, ParseError> {
        let without = self.at_keyword("without");
        if !without && !self.at_keyword("by") {
            return Ok(None);
        }
        self.advance();
        Ok(Some(Grouping { without, labels: self.labels()? }))
    }
}

fn unknown(name: &str) -> String {
    let names = functions::all().map(|function| function.name).chain(Aggregator::all().map(|(name, _)| name));
    let mend = functions::nearest(name, names).map_or_else(
        || "Prometheus 3.14 has no such function".to_owned(),
        |near| format!("did you mean {near}?"),
    );
    format!("unknown function with name {name:?}; {mend}")
}

fn count(aggregator: Aggregator, wanted: usize, found: usize) -> String {
    let name = aggregator.name();
    let mend = match (aggregator, wanted) {
        (_, 1) => format!("write {name}(expression)"),
        (Aggregator::CountValues, _) => format!("write {name}(\"label\", expression)"),
        _ => format!("write {name}(number, expression)"),
    };
    if found == 0 {
        return format!("no arguments for aggregate expression provided; {mend}");
    }
    format!(
        "wrong number of arguments for aggregate expression provided, expected {wanted}, got {found}; {mend}"
    )
}

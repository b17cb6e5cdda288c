//! Calls of functions made ready.

use super::super::functions;
use super::{CallPlan, Operation, Plan, Planner, RangeContent, Shift, Source, Span, invalid};
use query::Error;
use query::promql::{Expression, METRIC_NAME, Matcher, MatcherOperator, Node, RangeModifier};

/// The functions that know `anchored`.
const ANCHORED: [&str; 5] = ["changes", "delta", "increase", "rate", "resets"];
/// The functions that know `smoothed`.
const SMOOTHED: [&str; 3] = ["delta", "increase", "rate"];

impl Planner {
    pub(super) fn call<'a>(
        &mut self,
        expression: &'a Expression,
        name: &'a str,
        arguments: &'a [Expression],
        (span, depth): (Span, usize),
    ) -> Result<Plan<'a>, Error> {
        let function =
            functions::find(name).ok_or_else(|| invalid(format!("the function {name} is not there")))?;
        let written: Vec<&Expression> = arguments.iter().map(bare).collect();
        let is_info = name == "info";
        let planned = if is_info { written.get(..1).unwrap_or_default() } else { &written };
        let outer = self.reading;
        self.reading.statistics |= matches!(name, "histogram_count" | "histogram_sum" | "histogram_avg");
        self.reading.buckets |=
            matches!(name, "histogram_quantile" | "histogram_quantiles" | "histogram_fraction");
        let mut plans = Vec::with_capacity(planned.len());
        for argument in planned {
            plans.push(self.plan(argument, span, depth)?);
        }
        self.reading = outer;
        let info = if is_info { self.info(&plans, &written, span) } else { None };
        allowed(name, &plans)?;
        let invariant = plans.iter().all(|plan| plan.invariant) && !depends_on_time(name, &plans);
        let operation = Operation::Call(CallPlan { name, function, arguments: plans, written, info });
        Ok(Plan { operation, place: &expression.place, invariant })
    }

    /// The info series are looked at when the first selector of the first argument is.
    fn info(&mut self, plans: &[Plan<'_>], written: &[&Expression], span: Span) -> Option<Source> {
        let shift = first_shift(plans.first()?).unwrap_or_default();
        let mut wanted = span.shifted(shift);
        wanted.from = wanted.from.saturating_sub(self.lookback);
        let matchers = match written.get(1).map(|argument| &argument.node) {
            Some(Node::Selector(selector)) => info_matchers(&selector.matchers),
            _ => info_matchers(&[]),
        };
        Some(self.select(matchers, wanted, shift, None))
    }
}

/// Without the parentheses around it.
fn bare(expression: &Expression) -> &Expression {
    match &expression.node {
        Node::Parentheses(inner) => bare(inner),
        _ => expression,
    }
}

/// Which info series: those asked for by name; if only names that are not wanted are told, all the others that end in
/// `_info`; else `target_info`.
fn info_matchers(matchers: &[Matcher]) -> Vec<Matcher> {
    let name =
        |operator, value: &str| Matcher { name: METRIC_NAME.to_owned(), operator, value: value.to_owned() };
    let mut names = matchers.iter().filter(|matcher| matcher.name == METRIC_NAME).peekable();
    let mut all = matchers.to_vec();
    if names.peek().is_none() {
        all.push(name(MatcherOperator::Equal, "target_info"));
    } else if names
        .all(|name| matches!(name.operator, MatcherOperator::NotEqual | MatcherOperator::MatchesNot))
    {
        all.push(name(MatcherOperator::Matches, ".+_info"));
    }
    all
}

/// The shift of the first selector; around it those of the subqueries that it is in, up to the first `@`.
fn first_shift(plan: &Plan<'_>) -> Option<Shift> {
    match &plan.operation {
        Operation::Number(_) | Operation::Text(_) => None,
        Operation::Selector(source) => Some(source.shift),
        Operation::Range(range) => match &range.content {
            RangeContent::Stored(source) => Some(source.shift),
            RangeContent::Computed { expression, shift, .. } => {
                let inner = first_shift(expression)?;
                match inner.at {
                    Some(_) => Some(inner),
                    None => Some(Shift { offset: inner.offset.saturating_add(shift.offset), at: shift.at }),
                }
            }
        },
        Operation::Negate(operand) => first_shift(operand),
        Operation::Binary { left, right, .. } => first_shift(left).or_else(|| first_shift(right)),
        Operation::Aggregation { input, .. } => first_shift(input),
        Operation::Call(call) => call.arguments.iter().find_map(first_shift),
    }
}

/// Whether it differs from step to step although its arguments do not.
fn depends_on_time(name: &str, arguments: &[Plan<'_>]) -> bool {
    match name {
        "time" | "predict_linear" => true,
        "timestamp" => {
            !matches!(arguments, [argument] if matches!(argument.operation, Operation::Selector(_)))
        }
        "days_in_month" | "day_of_month" | "day_of_week" | "day_of_year" | "hour" | "minute" | "month"
        | "year" => arguments.is_empty(),
        _ => false,
    }
}

/// Whether the function knows the modifiers of its ranges.
fn allowed(name: &str, arguments: &[Plan<'_>]) -> Result<(), Error> {
    let modifiers = arguments.iter().filter_map(|argument| match &argument.operation {
        Operation::Range(range) => match &range.content {
            RangeContent::Stored(source) => source.modifier,
            RangeContent::Computed { .. } => None,
        },
        _ => None,
    });
    for modifier in modifiers {
        let (word, known): (&str, &[&str]) = match modifier {
            RangeModifier::Anchored => ("anchored", &ANCHORED),
            RangeModifier::Smoothed => ("smoothed", &SMOOTHED),
        };
        if !known.contains(&name) {
            let known = known.join(", ");
            let message = format!("{word} modifier can only be used with: {known} - not with {name}");
            return Err(Error::Execution { message });
        }
    }
    Ok(())
}

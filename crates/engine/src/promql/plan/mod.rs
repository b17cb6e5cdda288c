//! A query made ready: lengths and times are known, selectors are numbered, and what is the same at every step is marked.

mod calls;
mod lengths;

use super::column::Frame;
use super::functions::Function;
use lengths::Lengths;
use query::Error;
use query::promql::{
    Aggregation, At, Binary, BinaryOperator, Expression, Length, Matcher, Node, PromqlRequest, RangeModifier,
    Selection, Selector, Steps, Subquery, VectorShift,
};
use std::ops;

/// The most steps that a range query may have.
const MAXIMUM_STEPS: i64 = 11_000;
/// How often a subquery computes that does not say it: each minute.
const SUBQUERY_STEP: i64 = 60_000;
/// How deep expressions may be within each other.
const MAXIMUM_DEPTH: usize = 250;

/// An expression made ready.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// What is done.
    pub(super) operation: Operation<'a>,
    /// Where it stands, without parentheses around it.
    pub(super) place: &'a ops::Range<usize>,
    /// Whether it is the same at every step.
    pub(super) invariant: bool,
}

/// The kinds of them.
#[derive(Debug)]
pub(super) enum Operation<'a> {
    /// A number.
    Number(f64),
    /// A text.
    Text(&'a str),
    /// The present value of each series.
    Selector(Source),
    /// A range of samples of each series.
    Range(RangeSource<'a>),
    /// The sign is turned.
    Negate(Box<Plan<'a>>),
    /// Two become one.
    Binary { binary: &'a Binary, left: Box<Plan<'a>>, right: Box<Plan<'a>> },
    /// Many series become fewer.
    Aggregation { aggregation: &'a Aggregation, input: Box<Plan<'a>>, parameter: Option<Box<Plan<'a>>> },
    /// A function.
    Call(CallPlan<'a>),
}

/// A call of a function.
#[derive(Debug)]
pub(super) struct CallPlan<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// How it is called.
    pub(super) function: Function,
    /// Its arguments.
    pub(super) arguments: Vec<Plan<'a>>,
    /// As they were written, without parentheses around them.
    pub(super) written: Vec<&'a Expression>,
    /// Of `info`: where the info series are, and when.
    pub(super) info: Option<Source>,
}

/// Where series come from, and the time that is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    /// The number of the selection.
    pub(super) index: usize,
    /// When.
    pub(super) shift: Shift,
    /// What is taken for the value between samples.
    pub(super) modifier: Option<RangeModifier>,
    /// Whether resets of histograms are found when they are read. Prometheus does so where only sums and counts of
    /// histograms matter, which decides about warnings of resets that collide.
    pub(super) finds_resets: bool,
}

/// `offset` and `@`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shift {
    /// How much earlier.
    pub(super) offset: i64,
    /// At this time instead of the step's.
    pub(super) at: Option<i64>,
}

impl Shift {
    /// The time that is looked at in a step.
    pub(super) fn time(&self, step: i64) -> i64 {
        self.at.unwrap_or(step).saturating_sub(self.offset)
    }
}

/// Where a range of samples comes from.
#[derive(Debug)]
pub(super) struct RangeSource<'a> {
    /// How long, in milliseconds.
    pub(super) length: i64,
    /// What is in it.
    pub(super) content: RangeContent<'a>,
}

/// What is in a range.
#[derive(Debug)]
pub(super) enum RangeContent<'a> {
    /// Samples as they are stored.
    Stored(Source),
    /// Values of an expression, at each multiple of `step`.
    Computed { expression: Box<Plan<'a>>, step: i64, shift: Shift },
}

impl RangeSource<'_> {
    /// When it ends.
    pub(super) const fn shift(&self) -> Shift {
        match &self.content {
            RangeContent::Stored(source) => source.shift,
            RangeContent::Computed { shift, .. } => *shift,
        }
    }
}

/// The times of a query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// The steps.
    pub(super) frame: Frame,
    /// The end that was asked for.
    pub(super) end: i64,
    /// The step that was asked for; of an instant query zero.
    pub(super) step: i64,
}

impl Times {
    /// Of a request, checked.
    pub(super) fn of(steps: Steps) -> Result<Self, Error> {
        let (start, end, step) = match steps {
            Steps::Instant(time) => {
                return Ok(Self { frame: Frame { start: time, step: 1, steps: 1 }, end: time, step: 0 });
            }
            Steps::Range { start, end, step } => (start, end, step),
        };
        if step <= 0 {
            return Err(invalid(
                "zero or negative query resolution step widths are not accepted. Try a positive integer",
            ));
        }
        let last = end.saturating_sub(start) / step;
        if end < start {
            return Err(invalid("end timestamp must not be before start time"));
        }
        if last > MAXIMUM_STEPS {
            return Err(invalid(
                "exceeded maximum resolution of 11,000 points per timeseries. \
                 Try decreasing the query resolution (?step=XX)",
            ));
        }
        let steps = usize::try_from(last + 1).unwrap_or_default();
        Ok(Self { frame: Frame { start, step, steps }, end, step })
    }
}

/// A query made ready.
#[derive(Debug)]
pub(super) struct Planned<'a> {
    /// What is done.
    pub(super) plan: Plan<'a>,
    /// When.
    pub(super) times: Times,
    /// What must be loaded for it, by number.
    pub(super) selections: Vec<Selection>,
}

/// Makes a query ready.
pub(super) fn plan(request: &PromqlRequest) -> Result<Planned<'_>, Error> {
    let times = Times::of(request.steps)?;
    let lengths = Lengths { step: times.step, range: times.end.saturating_sub(times.frame.start) };
    let mut planner = Planner {
        times,
        lengths,
        lookback: request.lookback,
        selections: Vec::new(),
        reading: Reading::default(),
    };
    let span = Span { from: times.frame.start, to: times.frame.end() };
    let plan = planner.plan(&request.expression, span, 0)?;
    Ok(Planned { plan, times, selections: planner.selections })
}

/// The time in which an expression is computed.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: i64,
    to: i64,
}

impl Span {
    /// The time that is looked at when it is computed in this one.
    fn shifted(self, shift: Shift) -> Self {
        Self { from: shift.time(self.from), to: shift.time(self.to) }
    }
}

struct Planner {
    times: Times,
    lengths: Lengths,
    lookback: i64,
    selections: Vec<Selection>,
    reading: Reading,
}

/// What is needed of the histograms that are read.
#[derive(Debug, Clone, Copy, Default)]
struct Reading {
    /// Something asks for their sums or counts.
    statistics: bool,
    /// Something needs their buckets.
    buckets: bool,
}

impl Planner {
    fn plan<'a>(&mut self, expression: &'a Expression, span: Span, depth: usize) -> Result<Plan<'a>, Error> {
        if depth > MAXIMUM_DEPTH {
            return Err(invalid("the query's expressions are too deep within each other; make it simpler"));
        }
        let depth = depth + 1;
        let (operation, invariant) = match &expression.node {
            Node::Number(value) | Node::Duration(value) => (Operation::Number(*value), true),
            Node::String(text) => (Operation::Text(text), true),
            Node::Selector(selector) => {
                let source = self.source(selector, span)?;
                (Operation::Selector(source), source.shift.at.is_some())
            }
            Node::Range(range) => {
                let length = self.lengths.positive(&range.length)?;
                let source = self.range_source(&range.selector, length, span)?;
                let content = RangeContent::Stored(source);
                (Operation::Range(RangeSource { length, content }), source.shift.at.is_some())
            }
            Node::Subquery(subquery) => self.subquery(subquery, span, depth)?,
            Node::Parentheses(inner) | Node::Sign { negative: false, operand: inner } => {
                return self.plan(inner, span, depth);
            }
            Node::Sign { negative: true, operand } => {
                let operand = self.plan(operand, span, depth)?;
                let invariant = operand.invariant;
                (Operation::Negate(Box::new(operand)), invariant)
            }
            Node::Binary(binary) => self.binary(binary, span, depth)?,
            Node::Aggregation(aggregation) => self.aggregation(aggregation, span, depth)?,
            Node::Call { function, arguments } => {
                return self.call(expression, function, arguments, (span, depth));
            }
        };
        Ok(Plan { operation, place: &expression.place, invariant })
    }

    fn binary<'a>(
        &mut self,
        binary: &'a Binary,
        span: Span,
        depth: usize,
    ) -> Result<(Operation<'a>, bool), Error> {
        let trims = matches!(binary.operator, BinaryOperator::TrimUpper | BinaryOperator::TrimLower);
        let outer = self.reading;
        self.reading.buckets |= trims;
        let left = Box::new(self.plan(&binary.left, span, depth)?);
        let right = Box::new(self.plan(&binary.right, span, depth)?);
        self.reading = outer;
        let invariant = left.invariant && right.invariant;
        Ok((Operation::Binary { binary, left, right }, invariant))
    }

    fn aggregation<'a>(
        &mut self,
        aggregation: &'a Aggregation,
        span: Span,
        depth: usize,
    ) -> Result<(Operation<'a>, bool), Error> {
        let parameter = match &aggregation.parameter {
            Some(parameter) => Some(Box::new(self.plan(parameter, span, depth)?)),
            None => None,
        };
        let input = Box::new(self.plan(&aggregation.expression, span, depth)?);
        let invariant = input.invariant && parameter.as_ref().is_none_or(|parameter| parameter.invariant);
        Ok((Operation::Aggregation { aggregation, input, parameter }, invariant))
    }

    fn subquery<'a>(
        &mut self,
        subquery: &'a Subquery,
        span: Span,
        depth: usize,
    ) -> Result<(Operation<'a>, bool), Error> {
        let length = self.lengths.positive(&subquery.length)?;
        let step = match &subquery.step {
            Some(step) => self.lengths.positive(step)?,
            None => SUBQUERY_STEP,
        };
        let shift = self.shift(&subquery.shift)?;
        let Span { from, to } = span.shifted(shift);
        let inner = Span { from: from.saturating_sub(length), to };
        let outer = self.reading;
        self.reading.buckets = true;
        let expression = Box::new(self.plan(&subquery.expression, inner, depth)?);
        self.reading = outer;
        let content = RangeContent::Computed { expression, step, shift };
        Ok((Operation::Range(RangeSource { length, content }), shift.at.is_some()))
    }

    fn source(&mut self, selector: &Selector, span: Span) -> Result<Source, Error> {
        let shift = self.shift(&selector.shift)?;
        let mut wanted = span.shifted(shift);
        wanted.from = wanted.from.saturating_sub(self.lookback);
        if selector.modifier == Some(RangeModifier::Smoothed) {
            wanted.to = wanted.to.saturating_add(self.lookback);
        }
        Ok(self.select(selector.matchers.clone(), wanted, shift, selector.modifier))
    }

    fn range_source(&mut self, selector: &Selector, length: i64, span: Span) -> Result<Source, Error> {
        let shift = self.shift(&selector.shift)?;
        let mut wanted = span.shifted(shift);
        wanted.from = wanted.from.saturating_sub(length);
        if selector.modifier.is_some() {
            wanted.from = wanted.from.saturating_sub(self.lookback);
        }
        if selector.modifier == Some(RangeModifier::Smoothed) {
            wanted.to = wanted.to.saturating_add(self.lookback);
        }
        Ok(self.select(selector.matchers.clone(), wanted, shift, selector.modifier))
    }

    /// Both borders of what is wanted are as ranges are: open at the beginning.
    fn select(
        &mut self,
        matchers: Vec<Matcher>,
        wanted: Span,
        shift: Shift,
        modifier: Option<RangeModifier>,
    ) -> Source {
        let index = self.selections.len();
        self.selections.push(Selection { matchers, from: wanted.from.saturating_add(1), to: wanted.to });
        let finds_resets = self.reading.statistics && !self.reading.buckets;
        Source { index, shift, modifier, finds_resets }
    }

    fn shift(&self, shift: &VectorShift) -> Result<Shift, Error> {
        let offset = shift.offset.as_ref().map_or(Ok(0), |offset: &Length| self.lengths.any(offset))?;
        let at = shift.at.map(|at| match at {
            At::Time(time) => time,
            At::Start => self.times.frame.start,
            At::End => self.times.end,
        });
        Ok(Shift { offset, at })
    }
}

/// An error of the request.
fn invalid(message: impl Into<String>) -> Error {
    Error::Invalid { message: message.into() }
}

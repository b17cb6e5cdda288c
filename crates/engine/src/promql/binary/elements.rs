//! What operators make of two samples.

use super::super::column::{ABSENT, Column, SampleRef, is_absent};
use super::super::functions::Notes;
use query::promql::{BinaryOperator, Combined, Histogram, IncompatibleBuckets, ResetHint, Sample};
use std::ops::Range;
use std::sync::Arc;

/// What an operator does with two floats.
#[derive(Debug, Clone, Copy)]
pub(super) enum Computation {
    /// A third one.
    Arithmetic(fn(f64, f64) -> f64),
    /// The left one stays or goes.
    Comparison(fn(f64, f64) -> bool),
    /// Nothing: it is of histograms. Sets are no matter of elements.
    None,
}

impl Computation {
    pub(super) fn of(operator: BinaryOperator) -> Self {
        match operator {
            BinaryOperator::Add => Self::Arithmetic(|left, right| left + right),
            BinaryOperator::Subtract => Self::Arithmetic(|left, right| left - right),
            BinaryOperator::Multiply => Self::Arithmetic(|left, right| left * right),
            BinaryOperator::Divide => Self::Arithmetic(|left, right| left / right),
            BinaryOperator::Modulo => Self::Arithmetic(|left, right| left % right),
            BinaryOperator::Power => Self::Arithmetic(f64::powf),
            BinaryOperator::Atan2 => Self::Arithmetic(f64::atan2),
            BinaryOperator::Equal => Self::Comparison(|left, right| left == right),
            BinaryOperator::NotEqual => Self::Comparison(|left, right| left != right),
            BinaryOperator::Greater => Self::Comparison(|left, right| left > right),
            BinaryOperator::Less => Self::Comparison(|left, right| left < right),
            BinaryOperator::GreaterOrEqual => Self::Comparison(|left, right| left >= right),
            BinaryOperator::LessOrEqual => Self::Comparison(|left, right| left <= right),
            BinaryOperator::And
            | BinaryOperator::Or
            | BinaryOperator::Unless
            | BinaryOperator::TrimUpper
            | BinaryOperator::TrimLower => Self::None,
        }
    }
}

/// As it is written.
pub(super) const fn written(operator: BinaryOperator) -> &'static str {
    match operator {
        BinaryOperator::Add => "+",
        BinaryOperator::Subtract => "-",
        BinaryOperator::Multiply => "*",
        BinaryOperator::Divide => "/",
        BinaryOperator::Modulo => "%",
        BinaryOperator::Power => "^",
        BinaryOperator::Atan2 => "atan2",
        BinaryOperator::Equal => "==",
        BinaryOperator::NotEqual => "!=",
        BinaryOperator::Greater => ">",
        BinaryOperator::Less => "<",
        BinaryOperator::GreaterOrEqual => ">=",
        BinaryOperator::LessOrEqual => "<=",
        BinaryOperator::And => "and",
        BinaryOperator::Or => "or",
        BinaryOperator::Unless => "unless",
        BinaryOperator::TrimUpper => "</",
        BinaryOperator::TrimLower => ">/",
    }
}

/// An operator between elements.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elements<'a> {
    /// Which one.
    pub(super) operator: BinaryOperator,
    /// What it does with floats.
    pub(super) computation: Computation,
    /// Whether a comparison answers 0 or 1.
    pub(super) return_bool: bool,
    /// Whether what stays of a comparison is the right one.
    pub(super) keeps_right: bool,
    /// Where it stands.
    pub(super) place: &'a Range<usize>,
}

impl Elements<'_> {
    /// Of two columns, step by step.
    pub(super) fn columns(&self, left: &Column, right: &Column, notes: &mut Notes) -> Column {
        if left.has_histograms() || right.has_histograms() || matches!(self.computation, Computation::None) {
            return self.samples(left, right, notes);
        }
        let pairs = left.floats().iter().zip(right.floats());
        let both = |left: f64, right: f64| !is_absent(left) && !is_absent(right);
        Column::of(match self.computation {
            Computation::Arithmetic(compute) => pairs
                .map(|(left, right)| if both(*left, *right) { compute(*left, *right) } else { ABSENT })
                .collect(),
            Computation::Comparison(compare) => pairs
                .map(
                    |(left, right)| {
                        if both(*left, *right) { self.compared(compare, *left, *right) } else { ABSENT }
                    },
                )
                .collect(),
            Computation::None => Vec::new(),
        })
    }

    fn compared(&self, compare: fn(f64, f64) -> bool, left: f64, right: f64) -> f64 {
        let holds = compare(left, right);
        match (self.return_bool, holds) {
            (true, true) => 1.0,
            (true, false) => 0.0,
            (false, true) if self.keeps_right => right,
            (false, true) => left,
            (false, false) => ABSENT,
        }
    }

    /// Whether it is defined for samples of these kinds; else they are as if they did not match.
    pub(super) const fn takes(&self, left: SampleRef<'_>, right: SampleRef<'_>) -> bool {
        use BinaryOperator as Is;
        match (left, right) {
            (SampleRef::Float(_), SampleRef::Float(_)) => !matches!(self.computation, Computation::None),
            (SampleRef::Float(_), SampleRef::Histogram(_)) => matches!(self.operator, Is::Multiply),
            (SampleRef::Histogram(_), SampleRef::Float(_)) => {
                matches!(self.operator, Is::Multiply | Is::Divide | Is::TrimUpper | Is::TrimLower)
            }
            (SampleRef::Histogram(_), SampleRef::Histogram(_)) => {
                matches!(self.operator, Is::Add | Is::Subtract | Is::Equal | Is::NotEqual)
            }
        }
    }

    fn samples(&self, left: &Column, right: &Column, notes: &mut Notes) -> Column {
        let mut column = Column::empty(left.steps());
        for (step, left) in left.iter() {
            if let Some(sample) = right.get(step).and_then(|right| self.sample(left, right, notes)) {
                column.set(step, sample);
            }
        }
        column
    }

    fn sample(&self, left: SampleRef<'_>, right: SampleRef<'_>, notes: &mut Notes) -> Option<Sample> {
        match (left, right) {
            (SampleRef::Float(left), SampleRef::Float(right)) => match self.computation {
                Computation::Arithmetic(compute) => Some(Sample::Float(compute(left, right))),
                Computation::Comparison(compare) => {
                    let value = self.compared(compare, left, right);
                    (!is_absent(value)).then_some(Sample::Float(value))
                }
                Computation::None => self.incompatible("float", "float", notes),
            },
            (SampleRef::Float(left), SampleRef::Histogram(right)) => match self.operator {
                BinaryOperator::Multiply => Some(changed(right, |histogram| histogram.multiply(left))),
                _ => self.incompatible("float", "histogram", notes),
            },
            (SampleRef::Histogram(left), SampleRef::Float(right)) => match self.operator {
                BinaryOperator::Multiply => Some(changed(left, |histogram| histogram.multiply(right))),
                BinaryOperator::Divide => Some(changed(left, |histogram| histogram.divide(right))),
                BinaryOperator::TrimUpper => Some(trimmed(left, |histogram| histogram.keep_below(right))),
                BinaryOperator::TrimLower => Some(trimmed(left, |histogram| histogram.keep_above(right))),
                _ => self.incompatible("histogram", "float", notes),
            },
            (SampleRef::Histogram(left), SampleRef::Histogram(right)) => self.histograms(left, right, notes),
        }
    }

    fn histograms(&self, left: &Arc<Histogram>, right: &Histogram, notes: &mut Notes) -> Option<Sample> {
        let holds = match self.operator {
            BinaryOperator::Add => {
                let mut sum = left.as_ref().clone();
                let combined = sum.add(right);
                return self.combined(sum, combined, "addition", notes);
            }
            BinaryOperator::Subtract => {
                let mut difference = left.as_ref().clone();
                let combined = difference.subtract(right);
                difference.reset_hint = ResetHint::Gauge;
                return self.combined(difference, combined, "subtraction", notes);
            }
            BinaryOperator::Equal => left.same_as(right),
            BinaryOperator::NotEqual => !left.same_as(right),
            _ => return self.incompatible("histogram", "histogram", notes),
        };
        if self.return_bool {
            return Some(Sample::Float(f64::from(u8::from(holds))));
        }
        holds.then(|| Sample::Histogram(Arc::clone(left)))
    }

    fn combined(
        &self,
        mut result: Histogram,
        combined: Result<Combined, IncompatibleBuckets>,
        operation: &str,
        notes: &mut Notes,
    ) -> Option<Sample> {
        let Ok(combined) = combined else {
            let operator = written(self.operator);
            notes.warn(
                format!("incompatible bucket layout encountered for binary operator {operator}"),
                self.place,
            );
            return None;
        };
        if combined.resets_collide {
            notes.warn(format!("conflicting counter resets during histogram {operation}"), self.place);
            return None;
        }
        if combined.bounds_reconciled {
            notes.inform(format!("mismatched custom buckets were reconciled during {operation}"), self.place);
        }
        result.compact();
        Some(Sample::Histogram(Arc::new(result)))
    }

    fn incompatible(&self, left: &str, right: &str, notes: &mut Notes) -> Option<Sample> {
        let operator = written(self.operator);
        let message = format!(
            "incompatible sample types encountered for binary operator \"{operator}\": {left} {operator} {right}"
        );
        notes.inform(message, self.place);
        None
    }
}

fn changed(histogram: &Histogram, change: impl FnOnce(&mut Histogram)) -> Sample {
    let mut changed = histogram.clone();
    change(&mut changed);
    changed.compact();
    Sample::Histogram(Arc::new(changed))
}

fn trimmed(histogram: &Histogram, trim: impl FnOnce(&mut Histogram)) -> Sample {
    let mut trimmed = histogram.clone();
    trim(&mut trimmed);
    Sample::Histogram(Arc::new(trimmed))
}

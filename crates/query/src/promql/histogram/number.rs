//! Numbers that are added up: plain ones, and sums that keep what rounding loses.

/// What counts of histograms are made of.
pub trait Number: Copy + Default {
    /// A number as it is.
    fn new(value: f64) -> Self;
    /// The number, rounded.
    fn value(self) -> f64;
    /// With another one added.
    #[must_use]
    fn plus(self, value: f64) -> Self;
    /// With a sum of its own added.
    #[must_use]
    fn join(self, other: Self) -> Self;
    /// Each part of it changed.
    #[must_use]
    fn map(self, change: impl Fn(f64) -> f64) -> Self;
    /// Whether there is nothing in it.
    fn is_empty(self) -> bool;
}

impl Number for f64 {
    fn new(value: f64) -> Self {
        value
    }

    fn value(self) -> f64 {
        self
    }

    fn plus(self, value: f64) -> Self {
        self + value
    }

    fn join(self, other: Self) -> Self {
        self + other
    }

    fn map(self, change: impl Fn(f64) -> f64) -> Self {
        change(self)
    }

    fn is_empty(self) -> bool {
        self == 0.0
    }
}

/// A sum after Kahan and Neumaier: what rounding took from it is kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Kahan {
    /// The sum so far.
    pub sum: f64,
    /// What it lacks.
    pub rest: f64,
}

impl Number for Kahan {
    fn new(value: f64) -> Self {
        Self { sum: value, rest: 0.0 }
    }

    fn value(self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.rest }
    }

    fn plus(self, value: f64) -> Self {
        let sum = self.sum + value;
        let rest = if sum.is_infinite() {
            0.0
        } else if self.sum.abs() >= value.abs() {
            self.rest + ((self.sum - sum) + value)
        } else {
            self.rest + ((value - sum) + self.sum)
        };
        Self { sum, rest }
    }

    fn join(self, other: Self) -> Self {
        self.plus(other.sum).plus(other.rest)
    }

    fn map(self, change: impl Fn(f64) -> f64) -> Self {
        Self { sum: change(self.sum), rest: change(self.rest) }
    }

    fn is_empty(self) -> bool {
        self.sum == 0.0 && self.rest == 0.0
    }
}

impl FromIterator<f64> for Kahan {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        values.into_iter().fold(Self::default(), Self::plus)
    }
}

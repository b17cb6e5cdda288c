//! What is kept of floats while they are aggregated.

use query::promql::{Kahan, Number};

/// What becomes of histograms in an aggregation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Histograms {
    /// They are left out, and an info says so.
    Ignored,
    /// They count as any sample.
    Counted,
    /// They are added up.
    Added,
    /// Their mean is computed.
    Averaged,
}

/// One aggregation of floats.
pub(super) trait Fold: Clone {
    /// What becomes of histograms.
    const HISTOGRAMS: Histograms;
    /// With the first float.
    fn first(value: f64) -> Self;
    /// With another one.
    fn add(&mut self, value: f64);
    /// The result.
    fn finish(&self) -> f64;
}

/// `sum`.
#[derive(Clone)]
pub(super) struct Sum(Kahan);

impl Fold for Sum {
    const HISTOGRAMS: Histograms = Histograms::Added;

    fn first(value: f64) -> Self {
        Self(Kahan::new(value))
    }

    fn add(&mut self, value: f64) {
        self.0 = self.0.plus(value);
    }

    fn finish(&self) -> f64 {
        self.0.value()
    }
}

/// `avg`: a sum, or a mean that is carried along once the sum is too large.
#[derive(Clone)]
pub(super) struct Average {
    sum: Kahan,
    count: f64,
    is_mean: bool,
}

impl Fold for Average {
    const HISTOGRAMS: Histograms = Histograms::Averaged;

    fn first(value: f64) -> Self {
        Self { sum: Kahan::new(value), count: 1.0, is_mean: false }
    }

    fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.is_mean {
            let sum = self.sum.plus(value);
            if !sum.sum.is_infinite() {
                self.sum = sum;
                return;
            }
            let before = self.count - 1.0;
            self.is_mean = true;
            self.sum = self.sum.map(|part| part / before);
        }
        let part = (self.count - 1.0) / self.count;
        self.sum = self.sum.map(|sum| sum * part).plus(value / self.count);
    }

    fn finish(&self) -> f64 {
        if self.is_mean {
            return self.sum.sum + self.sum.rest;
        }
        self.sum.sum / self.count + self.sum.rest / self.count
    }
}

/// `min`: NaN only if there is nothing else.
#[derive(Clone)]
pub(super) struct Minimum(f64);

impl Fold for Minimum {
    const HISTOGRAMS: Histograms = Histograms::Ignored;

    fn first(value: f64) -> Self {
        Self(value)
    }

    fn add(&mut self, value: f64) {
        if self.0 > value || self.0.is_nan() {
            self.0 = value;
        }
    }

    fn finish(&self) -> f64 {
        self.0
    }
}

/// `max`: NaN only if there is nothing else.
#[derive(Clone)]
pub(super) struct Maximum(f64);

impl Fold for Maximum {
    const HISTOGRAMS: Histograms = Histograms::Ignored;

    fn first(value: f64) -> Self {
        Self(value)
    }

    fn add(&mut self, value: f64) {
        if self.0 < value || self.0.is_nan() {
            self.0 = value;
        }
    }

    fn finish(&self) -> f64 {
        self.0
    }
}

/// `group`.
#[derive(Clone)]
pub(super) struct Group;

impl Fold for Group {
    const HISTOGRAMS: Histograms = Histograms::Counted;

    fn first(_: f64) -> Self {
        Self
    }

    fn add(&mut self, _: f64) {}

    fn finish(&self) -> f64 {
        1.0
    }
}

/// `count`.
#[derive(Clone)]
pub(super) struct Count(f64);

impl Fold for Count {
    const HISTOGRAMS: Histograms = Histograms::Counted;

    fn first(_: f64) -> Self {
        Self(1.0)
    }

    fn add(&mut self, _: f64) {
        self.0 += 1.0;
    }

    fn finish(&self) -> f64 {
        self.0
    }
}

/// `stdvar`, after Welford.
#[derive(Clone)]
pub(super) struct Variance {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Fold for Variance {
    const HISTOGRAMS: Histograms = Histograms::Ignored;

    fn first(value: f64) -> Self {
        Self { count: 1.0, mean: value, squares: if value.is_finite() { 0.0 } else { f64::NAN } }
    }

    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let away = value - self.mean;
        self.mean += away / self.count;
        self.squares += away * (value - self.mean);
    }

    fn finish(&self) -> f64 {
        self.squares / self.count
    }
}

/// `stddev`.
#[derive(Clone)]
pub(super) struct StandardDeviation(Variance);

impl Fold for StandardDeviation {
    const HISTOGRAMS: Histograms = Histograms::Ignored;

    fn first(value: f64) -> Self {
        Self(Variance::first(value))
    }

    fn add(&mut self, value: f64) {
        self.0.add(value);
    }

    fn finish(&self) -> f64 {
        self.0.finish().sqrt()
    }
}

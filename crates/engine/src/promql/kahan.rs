//! Sums that do not lose what is small beside what is large: Neumaier's variant of Kahan's.

/// A sum, and what rounding has taken from it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Sum {
    /// As added up.
    pub(super) sum: f64,
    /// What is missing in it.
    pub(super) compensation: f64,
}

impl Sum {
    /// Of one number.
    pub(super) const fn of(value: f64) -> Self {
        Self { sum: value, compensation: 0.0 }
    }

    /// With one more.
    pub(super) fn plus(self, value: f64) -> Self {
        let sum = self.sum + value;
        let compensation = if sum.is_infinite() {
            0.0
        } else if self.sum.abs() >= value.abs() {
            self.compensation + ((self.sum - sum) + value)
        } else {
            self.compensation + ((value - sum) + self.sum)
        };
        Self { sum, compensation }
    }

    /// Times a number.
    pub(super) fn times(self, factor: f64) -> Self {
        Self { sum: self.sum * factor, compensation: self.compensation * factor }
    }

    /// The whole.
    pub(super) fn total(self) -> f64 {
        self.sum + self.compensation
    }
}

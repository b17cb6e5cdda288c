//! Sums and means over time, of floats or histograms.

use super::remarks::{Incompatible, Remarks, rounded};
use super::{Call, FloatPoint, HistogramPoint, Notes, Window};
use query::promql::{Histogram, Kahan, Number, ResetHint, Sample};
use std::sync::Arc;

/// `sum_over_time`.
pub(super) fn sum(window: &Window<'_>, call: &Call<'_>, notes: &mut Notes) -> Option<Sample> {
    over_time(window, &mut Remarks::new(window, call, notes), sum_of_floats, sum_of_histograms)
}

/// `avg_over_time`.
pub(super) fn average(window: &Window<'_>, call: &Call<'_>, notes: &mut Notes) -> Option<Sample> {
    over_time(window, &mut Remarks::new(window, call, notes), mean_of_floats, mean_of_histograms)
}

type OfHistograms = fn(&[HistogramPoint], &mut Additions) -> Result<Histogram, ()>;

fn over_time(
    window: &Window<'_>,
    remarks: &mut Remarks<'_>,
    of_floats: fn(&[FloatPoint]) -> f64,
    of_histograms: OfHistograms,
) -> Option<Sample> {
    match (window.floats, window.histograms) {
        ([], []) => None,
        (floats, []) => Some(Sample::Float(of_floats(floats))),
        ([], histograms) => {
            let mut additions = Additions::default();
            let Ok(histogram) = of_histograms(histograms, &mut additions) else {
                let Incompatible = remarks.mixed_buckets();
                return None;
            };
            additions.remark(histograms, remarks);
            Some(Sample::Histogram(Arc::new(histogram)))
        }
        _ => {
            remarks.mixed();
            None
        }
    }
}

fn sum_of_floats(points: &[FloatPoint]) -> f64 {
    points.iter().map(|point| point.value).collect::<Kahan>().value()
}

/// As long as the sum is finite, the mean comes from it; then it is carried on from mean to mean.
fn mean_of_floats(points: &[FloatPoint]) -> f64 {
    let (mut sum, mut count, mut from_mean) = (Kahan::default(), 0.0, false);
    for point in points {
        count += 1.0;
        let longer = if from_mean { sum } else { sum.plus(point.value) };
        if !from_mean && (count == 1.0 || !longer.sum.is_infinite()) {
            sum = longer;
            continue;
        }
        if !from_mean {
            from_mean = true;
            sum = sum.map(|part| part / (count - 1.0));
        }
        let weight = (count - 1.0) / count;
        sum = sum.map(|part| part * weight).plus(point.value / count);
    }
    if from_mean { sum.sum + sum.rest } else { sum.sum / count + sum.rest / count }
}

/// Adds histograms, and remembers what there is to say.
#[derive(Default)]
struct Additions {
    reconciled: bool,
}

impl Additions {
    fn add(&mut self, sum: &mut Histogram<Kahan>, other: &Histogram) -> Result<(), ()> {
        let combined = sum.add(other).map_err(|_| ())?;
        self.reconciled |= combined.bounds_reconciled;
        Ok(())
    }

    fn remark(&self, points: &[HistogramPoint], remarks: &mut Remarks<'_>) {
        let has = |hint| points.iter().any(|point| point.value.reset_hint == hint);
        if has(ResetHint::Reset) && has(ResetHint::NotReset) {
            remarks.resets_collide();
        }
        if self.reconciled {
            remarks.reconciled("aggregation");
        }
    }
}

fn sum_of_histograms(points: &[HistogramPoint], additions: &mut Additions) -> Result<Histogram, ()> {
    let (first, rest) = points.split_first().ok_or(())?;
    let mut sum = first.value.map(Kahan::new);
    for point in rest {
        additions.add(&mut sum, &point.value)?;
    }
    Ok(rounded(&sum))
}

/// As with floats.
fn mean_of_histograms(points: &[HistogramPoint], additions: &mut Additions) -> Result<Histogram, ()> {
    let (first, rest) = points.split_first().ok_or(())?;
    let (mut sum, mut count, mut from_mean) = (first.value.map(Kahan::new), 1.0, false);
    for point in rest {
        count += 1.0;
        if !from_mean {
            let mut longer = sum.clone();
            additions.add(&mut longer, &point.value)?;
            if !longer.overflows() {
                sum = longer;
                continue;
            }
            from_mean = true;
            sum.divide(count - 1.0);
        }
        sum.multiply((count - 1.0) / count);
        let mut part = point.value.as_ref().clone();
        part.divide(count);
        additions.add(&mut sum, &part)?;
    }
    if !from_mean {
        sum.divide(count);
    }
    Ok(rounded(&sum))
}

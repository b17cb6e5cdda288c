//! Totals as Prometheus' functions want them: counters that go on from zero. Deltas are added up, from the first point
//! that was read on.

use super::stream::{Distribution, Timed, milliseconds, settle};
use query::promql::Histogram;
use std::sync::Arc;

/// A running total of exponential histograms has no more buckets; OpenTelemetry's own have 160 on either side.
const BUCKETS: usize = 320;
/// The schema with the widest buckets.
const COARSEST: i32 = -4;
/// In nanoseconds.
const MILLISECOND: u64 = 1_000_000;

/// What can be added up.
pub trait Total: Clone {
    /// The same, with nothing in it.
    fn emptied(&self) -> Self;
    fn add(&mut self, value: &Self);
}

impl Total for f64 {
    fn emptied(&self) -> Self {
        0.0
    }

    fn add(&mut self, value: &Self) {
        *self += value;
    }
}

impl Total for Distribution {
    fn emptied(&self) -> Self {
        Self {
            count: 0.0,
            sum: self.sum.map(|_| 0.0),
            counts: vec![0.0; self.counts.len()],
            bounds: Arc::clone(&self.bounds),
        }
    }

    /// With other bounds, buckets begin anew.
    fn add(&mut self, value: &Self) {
        self.count += value.count;
        self.sum = value.sum.map_or(self.sum, |more| Some(self.sum.unwrap_or_default() + more));
        if self.bounds != value.bounds || self.counts.len() != value.counts.len() {
            (self.bounds, self.counts) = (Arc::clone(&value.bounds), value.counts.clone());
            return;
        }
        for (total, count) in self.counts.iter_mut().zip(&value.counts) {
            *total += count;
        }
    }
}

impl Total for Histogram {
    fn emptied(&self) -> Self {
        Self::emptied(self)
    }

    fn add(&mut self, value: &Self) {
        // Both are exponential: there is no reason why it could not be added.
        if Self::add(self, value).is_err() {
            *self = value.clone();
        }
        // A total of much has buckets from the smallest to the largest value ever seen, at every point.
        while self.positive.counts.len() + self.negative.counts.len() > BUCKETS && self.schema > COARSEST {
            self.reduce(self.schema - 1);
        }
    }
}

/// How the values of a stream follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Each stands for itself.
    None,
    /// Each is the total since its start.
    Total,
    /// Each is what came since its start.
    Delta,
}

/// Points in order, each time once; deltas as their running total.
///
/// Where a total begins, it is noted to be zero at its start: then the first value is known to have come since, and a
/// counter that began anew is known to have done so, however large it is. Likewise the running total is noted at the
/// start of a delta that begins later than the one before it ended. Starts before `from` (milliseconds) are not noted.
pub fn totals<T: Total>(mut points: Vec<Timed<T>>, growth: Growth, from: i64) -> Vec<Timed<T>> {
    settle(&mut points);
    if growth == Growth::None {
        return points;
    }
    let (mut summed, mut total, mut end) = (Vec::with_capacity(points.len() + 1), None::<T>, 0);
    for point in points {
        let Some(value) = &point.value else {
            summed.push(point);
            continue;
        };
        // Series have one sample a millisecond.
        let start = point.start.min(point.time.saturating_sub(MILLISECOND));
        let is_noted = milliseconds(start) >= from && (end == 0 || milliseconds(start) > milliseconds(end));
        if is_noted && begins_late(&point, end, growth) {
            let before = total.clone().filter(|_| growth == Growth::Delta).unwrap_or_else(|| value.emptied());
            summed.push(Timed { start, time: start, value: Some(before) });
        }
        end = point.time;
        if growth == Growth::Total {
            summed.push(point);
            continue;
        }
        let sum = match total.take() {
            Some(mut total) => {
                total.add(value);
                total
            }
            None => value.clone(),
        };
        total = Some(sum.clone());
        summed.push(Timed { value: Some(sum), ..point });
    }
    summed
}

/// Whether a point starts after the one before it ended; for deltas, later than clocks that differ make it.
fn begins_late<T>(point: &Timed<T>, end: u64, growth: Growth) -> bool {
    let covers = point.time.saturating_sub(point.start);
    let gap = point.start.saturating_sub(end);
    point.start > 0 && covers > 0 && if growth == Growth::Delta { gap > covers / 2 } else { gap > 0 }
}

#[cfg(test)]
mod tests {
    use super::{Distribution, Growth, Timed, totals};

    fn delta(start: u64, time: u64, value: f64) -> Timed<f64> {
        Timed { start: start * 1_000_000, time: time * 1_000_000, value: Some(value) }
    }

    fn shown(points: &[Timed<f64>]) -> Vec<(u64, Option<f64>)> {
        points.iter().map(|point| (point.time / 1_000_000, point.value)).collect()
    }

    #[test]
    fn deltas_are_added_up() {
        let points = vec![
            delta(10, 20, 1.0),
            delta(20, 30, 2.0),
            delta(20, 30, 2.0),
            Timed { start: 0, time: 35_000_000, value: None },
            delta(60, 70, 4.0),
        ];
        let expect =
            [(10, Some(0.0)), (20, Some(1.0)), (30, Some(3.0)), (35, None), (60, Some(3.0)), (70, Some(7.0))];
        assert_eq!(shown(&totals(points.clone(), Growth::Delta, 5)), expect);
        assert_eq!(shown(&totals(points.clone(), Growth::Delta, 15))[0], (20, Some(1.0)));
        assert_eq!(shown(&totals(points, Growth::None, 0))[1], (30, Some(2.0)));
    }

    #[test]
    fn totals_begin_with_zero() {
        let points = vec![delta(1, 10, 3.0), delta(1, 20, 4.0), delta(25, 30, 9.0), delta(0, 40, 10.0)];
        let expect = [(1, 0.0), (10, 3.0), (20, 4.0), (25, 0.0), (30, 9.0), (40, 10.0)];
        assert_eq!(
            shown(&totals(points.clone(), Growth::Total, 0)),
            expect.map(|(time, value)| (time, Some(value)))
        );
        assert_eq!(shown(&totals(points, Growth::Total, 2))[0], (10, Some(3.0)));
        let brief = Timed { start: 5_000_001, time: 5_000_002, value: Some(1.0) };
        assert_eq!(shown(&totals(vec![brief], Growth::Total, 0)), [(4, Some(0.0)), (5, Some(1.0))]);
    }

    #[test]
    fn counts_go_on_whatever_the_bounds() {
        let point = |time, counts: &[f64], bounds: &[f64]| Timed {
            start: 0,
            time,
            value: Some(Distribution {
                count: counts.iter().sum(),
                sum: Some(1.0),
                counts: counts.to_vec(),
                bounds: bounds.into(),
            }),
        };
        let points =
            vec![point(1, &[1.0, 2.0], &[5.0]), point(2, &[1.0, 1.0], &[5.0]), point(3, &[1.0, 0.0], &[6.0])];
        let totals = totals(points, Growth::Delta, 0);
        let counts: Vec<f64> = totals.iter().map(|point| point.value.as_ref().unwrap().count).collect();
        assert_eq!(counts, [3.0, 5.0, 6.0]);
        assert_eq!(totals[1].value.as_ref().unwrap().counts, [2.0, 3.0]);
    }
}

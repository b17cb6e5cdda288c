//! Delta points added up: Prometheus' functions are for counters that go on. The total begins with the first point that
//! was read.

use super::stream::{Distribution, Timed, milliseconds, settle};
use query::promql::Histogram;
use std::sync::Arc;

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

    /// With other bounds it begins anew.
    fn add(&mut self, value: &Self) {
        if self.bounds != value.bounds || self.counts.len() != value.counts.len() {
            *self = value.clone();
            return;
        }
        self.count += value.count;
        self.sum = self.sum.zip(value.sum).map(|(sum, more)| sum + more);
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
    }
}

/// Points in order, each time once; deltas, of which those after `delta` (milliseconds) count, as their running total.
/// Where a delta begins later than the one before it ended, the total is noted at that moment too, as zero before the
/// first one: so what it adds is known to have come since then.
pub fn totals<T: Total>(mut points: Vec<Timed<T>>, delta: Option<i64>) -> Vec<Timed<T>> {
    settle(&mut points);
    let Some(from) = delta else { return points };
    let (mut summed, mut total, mut end) = (Vec::with_capacity(points.len()), None::<T>, 0);
    for point in points {
        let Some(value) = &point.value else {
            summed.push(point);
            continue;
        };
        if begins_late(&point, end) && milliseconds(point.start) >= from {
            let before = total.clone().unwrap_or_else(|| value.emptied());
            summed.push(Timed { start: point.start, time: point.start, value: Some(before) });
        }
        let sum = match total.take() {
            Some(mut total) => {
                total.add(value);
                total
            }
            None => value.clone(),
        };
        (total, end) = (Some(sum.clone()), point.time);
        summed.push(Timed { value: Some(sum), ..point });
    }
    summed
}

/// Whether there is a gap before a point: more than clocks that differ make.
fn begins_late<T>(point: &Timed<T>, end: u64) -> bool {
    let covers = point.time.saturating_sub(point.start);
    point.start > 0 && covers > 0 && point.start.saturating_sub(end) > covers / 2
}

#[cfg(test)]
mod tests {
    use super::{Distribution, Timed, totals};

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
        let expect = [
            (10, Some(0.0)),
            (20, Some(1.0)),
            (30, Some(3.0)),
            (35, None),
            (60, Some(3.0)),
            (70, Some(7.0)),
        ];
        assert_eq!(shown(&totals(points.clone(), Some(5))), expect);
        assert_eq!(shown(&totals(points.clone(), Some(15)))[0], (20, Some(1.0)));
        assert_eq!(shown(&totals(points, None))[1], (30, Some(2.0)));
    }

    #[test]
    fn other_bounds_begin_anew() {
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
        let totals = totals(points, Some(0));
        let counts: Vec<f64> = totals.iter().map(|point| point.value.as_ref().unwrap().count).collect();
        assert_eq!(counts, [3.0, 5.0, 1.0]);
        assert_eq!(totals[1].value.as_ref().unwrap().counts, [2.0, 3.0]);
    }
}

//! `count_values`.

use super::super::budget::Budget;
use super::super::column::{Column, Row, SampleRef};
use super::super::labels::with;
use super::super::numbers::general;
use super::{Input, grouped};
use foldhash::HashMap;
use query::Error;
use query::promql::{Grouping, Histogram, Labels, Rule, plain_number};

/// How often each value is there: a series for each, with the value as a label.
pub(super) fn count_values(
    input: &Input<'_>,
    grouping: &Grouping,
    label: &str,
    budget: &mut Budget<'_>,
) -> Result<Vec<Row>, Error> {
    let mut grouping = grouping.clone();
    if !grouping.without {
        grouping.labels.push(label.to_owned());
    }
    let mut counted = Counted { places: HashMap::default(), rows: Vec::new(), steps: input.steps };
    for row in input.rows {
        let mut latest: Option<(u64, usize)> = None;
        for (step, sample) in row.column.iter() {
            let bits = match sample {
                SampleRef::Float(value) => Some(value.to_bits()),
                SampleRef::Histogram(_) => None,
            };
            let place = match latest {
                Some((same, place)) if Some(same) == bits => place,
                _ => {
                    let labels = with(&row.labels, [(label, text(sample).as_str())]);
                    counted.place(grouped(&labels, &grouping), budget)?
                }
            };
            latest = bits.map(|bits| (bits, place));
            counted.count(place, step);
        }
    }
    Ok(counted.rows)
}

struct Counted {
    places: HashMap<Labels, usize>,
    rows: Vec<Row>,
    steps: usize,
}

impl Counted {
    fn place(&mut self, labels: Labels, budget: &mut Budget<'_>) -> Result<usize, Error> {
        if let Some(place) = self.places.get(&labels) {
            return Ok(*place);
        }
        budget.hold(self.steps)?;
        let place = self.rows.len();
        self.places.insert(labels.clone(), place);
        self.rows.push(Row { labels, drop_name: false, column: Column::empty(self.steps) });
        Ok(place)
    }

    fn count(&mut self, place: usize, step: usize) {
        if let Some(row) = self.rows.get_mut(place) {
            let count = match row.column.get(step) {
                Some(SampleRef::Float(count)) => count,
                _ => 0.0,
            };
            row.column.set_float(step, count + 1.0);
        }
    }
}

fn text(sample: SampleRef<'_>) -> String {
    match sample {
        SampleRef::Float(value) => plain_number(value),
        SampleRef::Histogram(histogram) => histogram_text(histogram),
    }
}

/// As Prometheus writes histograms: `{count:2, sum:3, (1,2]:2}`.
fn histogram_text(histogram: &Histogram) -> String {
    let mut parts = vec![format!("count:{}, sum:{}", general(histogram.count), general(histogram.sum))];
    for bucket in histogram.buckets().filter(|bucket| bucket.count != 0.0) {
        let (before, after) = match bucket.rule {
            Rule::LeftOpen => ('(', ']'),
            Rule::RightOpen => ('[', ')'),
            Rule::Open => ('(', ')'),
            Rule::Closed => ('[', ']'),
        };
        let (lower, upper, count) = (general(bucket.lower), general(bucket.upper), general(bucket.count));
        parts.push(format!("{before}{lower},{upper}{after}:{count}"));
    }
    format!("{{{}}}", parts.join(", "))
}

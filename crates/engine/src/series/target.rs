//! `target_info`: one for each resource that sent points, with all its attributes.

use super::labels::{LabelMap, ResourceLabels};
use super::matching::Matching;
use super::stream::milliseconds;
use arrow::array::RecordBatch;
use model::otlp;
use model::otlp::columns::Columns;
use model::schema;
use query::promql::{Labels, METRIC_NAME, Point, Series};
use std::collections::{BTreeMap, HashMap};

/// What the series is called.
pub const NAME: &str = "target_info";

/// It has a sample at the first and the last point of each minute.
const MINUTE: i64 = 60_000;

/// The columns that it is read from.
pub const COLUMNS: [&str; 2] = [schema::RESOURCE, schema::TIME];

/// First and last time within a minute, by minute.
type Times = BTreeMap<i64, (i64, i64)>;

/// The resources seen, each by its bytes.
#[derive(Default)]
pub struct Targets {
    resources: HashMap<Vec<u8>, Times>,
}

impl Targets {
    pub fn read(&mut self, batch: &RecordBatch) {
        let columns = Columns::new(batch);
        for row in 0..batch.num_rows() {
            let resource = columns.bytes(schema::RESOURCE, row).unwrap_or_default();
            let time = milliseconds(columns.uint64(schema::TIME, row).unwrap_or_default());
            if !self.resources.contains_key(resource) {
                self.resources.insert(resource.to_vec(), Times::new());
            }
            if let Some(times) = self.resources.get_mut(resource) {
                let (first, last) = times.entry(time.div_euclid(MINUTE)).or_insert((time, time));
                (*first, *last) = ((*first).min(time), (*last).max(time));
            }
        }
    }

    /// The series that are wanted.
    pub fn series(self, matching: &Matching) -> Vec<Series> {
        let mut by_labels: BTreeMap<Labels, Times> = BTreeMap::new();
        for (resource, times) in self.resources {
            let Some(mut labels) = ResourceLabels::new(&otlp::resource(&resource)).target else { continue };
            if !matching.complete(&mut labels, &|_| None) {
                continue;
            }
            let merged = by_labels.entry(named(labels)).or_default();
            for (minute, (first, last)) in times {
                let known = merged.entry(minute).or_insert((first, last));
                *known = (known.0.min(first), known.1.max(last));
            }
        }
        let wanted = by_labels.into_iter().filter(|(labels, _)| matching.wants(labels));
        wanted.map(|(labels, times)| Series { labels, points: points(&times) }).collect()
    }
}

fn named(mut labels: LabelMap) -> Labels {
    labels.insert(METRIC_NAME.into(), NAME.into());
    Labels::new(labels)
}

fn points(times: &Times) -> Vec<Point> {
    let mut points: Vec<Point> = times
        .values()
        .flat_map(|(first, last)| [Point::from((*first, 1.0)), Point::from((*last, 1.0))])
        .collect();
    points.dedup_by_key(|point| point.time);
    points
}

//! Quantiles and fractions of histograms, classic and native.

use super::classic::{self, Bucket};
use super::notes::{Repairs, of_metric};
use super::{Argument, Call, Notes, Row};
use crate::promql::column::{Column, SampleRef, Scalars};
use crate::promql::labels::{with, without_only};
use query::Error;
use query::promql::{Histogram, Labels, METRIC_NAME, NotANumber};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// The label of a classic bucket's upper bound.
const BOUND: &str = "le";

/// `histogram_quantile(quantile, vector)`.
pub(super) fn quantile(
    arguments: Vec<Argument<'_>>,
    call: &Call<'_>,
    notes: &mut Notes,
) -> Result<Vec<Row>, Error> {
    let Ok([Argument::Scalar(quantiles), Argument::Vector(rows)]) = <[Argument<'_>; 2]>::try_from(arguments)
    else {
        return Err(wrong("histogram_quantile takes a number and a vector"));
    };
    remark_quantiles(&quantiles, call, (notes, 0));
    let groups = Groups::new(rows, (call, 1), notes);
    let mut scratch = Scratch::default();
    let rows = groups.each(&mut scratch, notes, |content, seen, notes| {
        content.quantile(quantiles.at(seen.step), &seen, notes)
    });
    Ok(rows)
}

/// `histogram_quantiles(vector, label, quantile, …)`: the label says which quantile it is.
pub(super) fn quantiles(
    arguments: Vec<Argument<'_>>,
    call: &Call<'_>,
    notes: &mut Notes,
) -> Result<Vec<Row>, Error> {
    let (mut vector, mut label, mut wanted) = (Vec::new(), "", Vec::new());
    for (place, argument) in arguments.into_iter().enumerate() {
        match argument {
            Argument::Vector(rows) => vector = rows,
            Argument::Text(text) => label = text,
            Argument::Scalar(quantiles) => {
                remark_quantiles(&quantiles, call, (notes, place));
                wanted.push(quantiles);
            }
        }
    }
    let groups = Groups::new(vector, (call, 0), notes);
    let (mut scratch, mut result) = (Scratch::default(), Vec::new());
    for quantiles in wanted {
        let rows = groups.each(&mut scratch, notes, |content, seen, notes| {
            content.quantile(quantiles.at(seen.step), &seen, notes)
        });
        for row in rows {
            result.extend(labelled(&row, label, &quantiles));
        }
    }
    Ok(result)
}

/// The quantile of each step as a label: as many series as there are different ones.
fn labelled(row: &Row, label: &str, quantiles: &Scalars) -> Vec<Row> {
    let mut columns: BTreeMap<String, Column> = BTreeMap::new();
    for (step, sample) in row.column.iter() {
        let column = columns.entry(text(quantiles.at(step)));
        column.or_insert_with(|| Column::empty(row.column.steps())).set(step, sample.to_sample());
    }
    let rows = columns.into_iter().map(|(value, column)| Row {
        labels: with(&row.labels, [(label, value.as_str())]),
        drop_name: true,
        column,
    });
    rows.collect()
}

/// As `OpenMetrics` writes it: with a point or an exponent.
fn text(value: f64) -> String {
    let text = super::super::numbers::general(value);
    if value.is_finite() && !text.contains(['.', 'e']) { format!("{text}.0") } else { text }
}

/// `histogram_fraction(lower, upper, vector)`.
pub(super) fn fraction(
    arguments: Vec<Argument<'_>>,
    call: &Call<'_>,
    notes: &mut Notes,
) -> Result<Vec<Row>, Error> {
    let Ok([Argument::Scalar(lower), Argument::Scalar(upper), Argument::Vector(rows)]) =
        <[Argument<'_>; 3]>::try_from(arguments)
    else {
        return Err(wrong("histogram_fraction takes two numbers and a vector"));
    };
    let groups = Groups::new(rows, (call, 2), notes);
    let mut scratch = Scratch::default();
    let rows = groups.each(&mut scratch, notes, |content, seen, notes| {
        content.fraction((lower.at(seen.step), upper.at(seen.step)), &seen, notes)
    });
    Ok(rows)
}

fn wrong(message: &str) -> Error {
    Error::Invalid { message: message.to_owned() }
}

fn remark_quantiles(quantiles: &Scalars, call: &Call<'_>, (notes, argument): (&mut Notes, usize)) {
    let place = call.place_of(argument);
    match quantiles {
        Scalars::Same(quantile) => notes.no_quantile(*quantile, place),
        Scalars::Each(quantiles) => quantiles.iter().for_each(|quantile| notes.no_quantile(*quantile, place)),
    }
}

/// The series of one histogram.
struct Group {
    /// Without the label of the buckets' bounds.
    labels: Labels,
    /// Classic buckets: their bounds, and which series.
    classic: Vec<(f64, usize)>,
    /// The series of native histograms.
    native: Option<usize>,
}

/// The histograms of a vector.
struct Groups<'c> {
    rows: Vec<Row>,
    groups: Vec<Group>,
    call: &'c Call<'c>,
    place: &'c Range<usize>,
}

/// What is known of a histogram at a step.
enum Content<'a> {
    Classic(&'a mut Vec<Bucket>),
    Native(&'a Histogram),
}

/// Which histogram, and when.
struct Seen<'a> {
    labels: &'a Labels,
    place: &'a Range<usize>,
    step: usize,
    time: i64,
}

/// Is used over and over.
#[derive(Default)]
struct Scratch {
    buckets: Vec<Bucket>,
}

impl<'c> Groups<'c> {
    fn new(rows: Vec<Row>, (call, argument): (&'c Call<'c>, usize), notes: &mut Notes) -> Self {
        let place = call.place_of(argument);
        let mut groups: Vec<Group> = Vec::new();
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut group_of = |groups: &mut Vec<Group>, labels: Labels| {
            *places.entry(labels).or_insert_with_key(|labels| {
                groups.push(Group { labels: labels.clone(), classic: Vec::new(), native: None });
                groups.len() - 1
            })
        };
        for (index, row) in rows.iter().enumerate() {
            if row.column.has_histograms() {
                let group = group_of(&mut groups, row.labels.clone());
                if let Some(group) = groups.get_mut(group) {
                    group.native = Some(index);
                }
            }
            if row.column.iter().any(|(_, sample)| matches!(sample, SampleRef::Float(_))) {
                let Ok(bound) = row.labels.get(BOUND).parse() else {
                    notes.warn(no_bound(&row.labels), place);
                    continue;
                };
                let group = group_of(&mut groups, without_only(&row.labels, &[BOUND.to_owned()]));
                if let Some(group) = groups.get_mut(group) {
                    group.classic.push((bound, index));
                }
            }
        }
        for group in &mut groups {
            group.classic.sort_by(|one, other| one.0.total_cmp(&other.0));
        }
        Self { rows, groups, call, place }
    }

    /// Computes a number from each histogram at each step.
    fn each(
        &self,
        scratch: &mut Scratch,
        notes: &mut Notes,
        compute: impl Fn(Content<'_>, Seen<'_>, &mut Notes) -> f64,
    ) -> Vec<Row> {
        let steps = self.call.frame.steps;
        let mut results = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let labels = &group.labels;
            let mut column = Column::empty(steps);
            for step in 0..steps {
                let seen = Seen { labels, place: self.place, step, time: self.call.frame.time(step) };
                if let Some(content) = self.content(group, step, scratch, notes) {
                    column.set_float(step, compute(content, seen, notes));
                }
            }
            results.push(Row { labels: labels.clone(), drop_name: true, column });
        }
        results
    }

    /// Of classic buckets and a native histogram at the same time nothing is known.
    fn content<'a>(
        &'a self,
        group: &Group,
        step: usize,
        scratch: &'a mut Scratch,
        notes: &mut Notes,
    ) -> Option<Content<'a>> {
        let buckets = &mut scratch.buckets;
        buckets.clear();
        buckets.extend(group.classic.iter().filter_map(|(bound, index)| {
            match self.rows.get(*index)?.column.get(step)? {
                SampleRef::Float(count) => Some((*bound, count)),
                SampleRef::Histogram(_) => None,
            }
        }));
        let native = group.native.and_then(|index| self.rows.get(index)?.column.get(step));
        match native {
            Some(SampleRef::Histogram(histogram)) if buckets.is_empty() => Some(Content::Native(histogram)),
            Some(SampleRef::Histogram(_)) => {
                notes.warn(mixed(&group.labels), self.place);
                None
            }
            _ => (!buckets.is_empty()).then_some(Content::Classic(buckets)),
        }
    }
}

fn no_bound(labels: &Labels) -> String {
    let (bound, metric) = (labels.get(BOUND), labels.get(METRIC_NAME));
    format!("bucket label \"{BOUND}\" is missing or has a malformed value of {bound:?}{}", of_metric(metric))
}

fn mixed(labels: &Labels) -> String {
    format!("vector contains a mix of classic and native histograms{}", of_metric(labels.get(METRIC_NAME)))
}

impl Content<'_> {
    fn quantile(self, quantile: f64, seen: &Seen<'_>, notes: &mut Notes) -> f64 {
        match self {
            Self::Native(histogram) => {
                let (value, told) = histogram.quantile(quantile);
                seen.remark(told, notes);
                value
            }
            Self::Classic(buckets) => {
                let (value, fallen) = classic::quantile(quantile, buckets);
                if let Some(classic::Fallen { lowest, highest, difference }) = fallen {
                    let (from, to) = (seen.time, seen.time);
                    let repairs = Repairs { lowest, highest, difference, from, to, times: 1 };
                    notes.repaired(seen.labels.get(METRIC_NAME), repairs, seen.place);
                }
                value
            }
        }
    }

    fn fraction(self, bounds: (f64, f64), seen: &Seen<'_>, notes: &mut Notes) -> f64 {
        match self {
            Self::Native(histogram) => {
                let (value, told) = histogram.fraction(bounds.0, bounds.1);
                seen.remark(told, notes);
                value
            }
            Self::Classic(buckets) => classic::fraction(bounds, buckets),
        }
    }
}

impl Seen<'_> {
    fn remark(&self, told: Option<NotANumber>, notes: &mut Notes) {
        let Some(told) = told else { return };
        let message = match told {
            NotANumber::IsResult => "input to histogram_quantile has NaN observations, result is NaN",
            NotANumber::SkewsResult => {
                "input to histogram_quantile has NaN observations, result is skewed higher"
            }
            NotANumber::LeftOut => {
                "input to histogram_fraction has NaN observations, which are excluded from all fractions"
            }
        };
        notes.inform(format!("{message}{}", of_metric(self.labels.get(METRIC_NAME))), self.place);
    }
}

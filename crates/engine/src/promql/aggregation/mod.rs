//! Aggregations: many series become fewer.

mod floats;
mod hash;
mod histograms;
mod quantile;
mod ranked;
mod simple;
mod values;

use super::column::{Row, Scalars};
use super::evaluator::{Evaluated, Evaluator};
use super::labels::{only, without};
use super::rows::{Vector, execution};
use floats::{Average, Count, Group, Maximum, Minimum, StandardDeviation, Sum, Variance};
use foldhash::HashMap;
use query::Error;
use query::promql::{Aggregation, Aggregator, Grouping, Labels};
use std::ops::Range;

/// What is aggregated.
struct Input<'i> {
    aggregator: Aggregator,
    /// Where the aggregation stands.
    place: &'i Range<usize>,
    /// Where its vector does.
    vector_place: &'i Range<usize>,
    /// Where its parameter does.
    parameter_place: &'i Range<usize>,
    rows: &'i [Row],
    steps: usize,
}

/// Which rows belong together.
struct Groups {
    /// The labels of each group.
    labels: Vec<Labels>,
    /// The numbers of its rows.
    members: Vec<Vec<usize>>,
}

impl Groups {
    fn of(rows: &[Row], grouping: &Grouping) -> Self {
        let mut places: HashMap<Labels, usize> = HashMap::default();
        let mut groups = Self { labels: Vec::new(), members: Vec::new() };
        for (index, row) in rows.iter().enumerate() {
            let labels = grouped(&row.labels, grouping);
            let place = *places.entry(labels.clone()).or_insert_with(|| {
                groups.labels.push(labels);
                groups.members.push(Vec::new());
                groups.labels.len() - 1
            });
            if let Some(members) = groups.members.get_mut(place) {
                members.push(index);
            }
        }
        groups
    }

    /// Each group's labels and rows.
    fn iter<'r>(&self, rows: &'r [Row]) -> impl Iterator<Item = (&Labels, Vec<&'r Row>)> {
        let rows_of = |members: &Vec<usize>| members.iter().filter_map(|index| rows.get(*index)).collect();
        self.labels.iter().zip(self.members.iter().map(rows_of))
    }
}

/// The labels that a group has.
fn grouped(labels: &Labels, grouping: &Grouping) -> Labels {
    if grouping.without { without(labels, &grouping.labels) } else { only(labels, &grouping.labels) }
}

impl Evaluator<'_> {
    pub(super) fn aggregate(
        &mut self,
        aggregation: &Aggregation,
        (place, vector_place): (&Range<usize>, &Range<usize>),
        (rows, steps): (Vec<Row>, usize),
        parameter: Option<Evaluated<'_>>,
    ) -> Result<Vector, Error> {
        let parameter_place = aggregation.parameter.as_ref().map_or(place, |parameter| &parameter.place);
        let aggregator = aggregation.aggregator;
        if aggregator == Aggregator::LimitRatio {
            return self.limit_ratio((parameter_place, steps), rows, &number(parameter)?);
        }
        let input = Input { aggregator, place, vector_place, parameter_place, rows: &rows, steps };
        let groups = Groups::of(&rows, &aggregation.grouping);
        match aggregator {
            Aggregator::Sum => self.fold::<Sum>(&input, &groups),
            Aggregator::Average => self.fold::<Average>(&input, &groups),
            Aggregator::Minimum => self.fold::<Minimum>(&input, &groups),
            Aggregator::Maximum => self.fold::<Maximum>(&input, &groups),
            Aggregator::Group => self.fold::<Group>(&input, &groups),
            Aggregator::Count => self.fold::<Count>(&input, &groups),
            Aggregator::StandardDeviation => self.fold::<StandardDeviation>(&input, &groups),
            Aggregator::StandardVariance => self.fold::<Variance>(&input, &groups),
            Aggregator::Quantile => self.quantile(&input, &groups, &number(parameter)?),
            Aggregator::CountValues => {
                let label = label(parameter.as_ref())?;
                return values::count_values(&input, &aggregation.grouping, label, &mut self.budget)
                    .map(Vector::of);
            }
            Aggregator::TopK | Aggregator::BottomK | Aggregator::LimitK | Aggregator::LimitRatio => {
                return self.ranked(&input, &groups, &number(parameter)?);
            }
        }
        .map(Vector::of)
    }
}

fn number(parameter: Option<Evaluated<'_>>) -> Result<Scalars, Error> {
    match parameter {
        Some(Evaluated::Scalar(values)) => Ok(values),
        _ => Err(execution("the aggregation needs a number as its parameter")),
    }
}

fn label<'p>(parameter: Option<&Evaluated<'p>>) -> Result<&'p str, Error> {
    match parameter {
        Some(Evaluated::Text("")) => Err(execution("invalid label name \"\"")),
        Some(Evaluated::Text(text)) => Ok(text),
        _ => Err(execution("the aggregation needs a text as its parameter")),
    }
}

/// As it is written.
const fn name(aggregator: Aggregator) -> &'static str {
    match aggregator {
        Aggregator::Sum => "sum",
        Aggregator::Average => "avg",
        Aggregator::Minimum => "min",
        Aggregator::Maximum => "max",
        Aggregator::Group => "group",
        Aggregator::Count => "count",
        Aggregator::CountValues => "count_values",
        Aggregator::StandardDeviation => "stddev",
        Aggregator::StandardVariance => "stdvar",
        Aggregator::Quantile => "quantile",
        Aggregator::TopK => "topk",
        Aggregator::BottomK => "bottomk",
        Aggregator::LimitK => "limitk",
        Aggregator::LimitRatio => "limit_ratio",
    }
}

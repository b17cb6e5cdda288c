//! `info`: series get the labels of what is known of their origin.

use super::{Argument, Call, Notes, Row};
use crate::promql::column::{Column, SampleRef};
use crate::promql::labels::{text, with};
use query::Error;
use query::promql::{CompiledMatcher, Expression, Labels, METRIC_NAME, Matcher, MatcherOperator, Node};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The labels that say what an info series is about.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

/// `info(vector, {matchers})`.
pub(super) fn info(arguments: Vec<Argument<'_>>, call: &Call<'_>, _: &mut Notes) -> Result<Vec<Row>, Error> {
    let mut vectors = arguments.into_iter().filter_map(|argument| match argument {
        Argument::Vector(rows) => Some(rows),
        _ => None,
    });
    let (base, known) = (vectors.next().unwrap_or_default(), vectors.next().unwrap_or_default());
    let wanted = Wanted::new(call.arguments.get(1).copied())?;
    let known = relevant(known, &base, &wanted);
    let infos = Infos::new(&known);
    let mut enriched = Vec::new();
    for row in base {
        if wanted.is_info(&row.labels) {
            enriched.push(row);
        } else {
            infos.enrich(&row, &wanted, &mut enriched)?;
        }
    }
    Ok(enriched)
}

/// What the second argument asks for.
struct Wanted {
    names: Vec<CompiledMatcher>,
    /// The labels to take over; all when there is none.
    labels: BTreeSet<String>,
    /// Whether a series without info satisfies the matchers of labels.
    optional: bool,
}

impl Wanted {
    fn new(selector: Option<&Expression>) -> Result<Self, Error> {
        let matchers = match selector.map(|expression| &expression.node) {
            Some(Node::Selector(selector)) => selector.matchers.as_slice(),
            _ => &[],
        };
        let (names, labels): (Vec<&Matcher>, Vec<&Matcher>) =
            matchers.iter().partition(|matcher| matcher.name == METRIC_NAME);
        let is_positive = |matcher: &&Matcher| {
            matches!(matcher.operator, MatcherOperator::Equal | MatcherOperator::Matches)
        };
        let mut all: Vec<Matcher> = names.iter().map(|matcher| (*matcher).clone()).collect();
        if names.is_empty() {
            all.push(name(MatcherOperator::Equal, "target_info"));
        } else if !names.iter().any(is_positive) {
            all.push(name(MatcherOperator::Matches, ".+_info"));
        }
        let optional = labels.iter().map(|matcher| Ok(compile(matcher)?.matches("")));
        let optional = optional.collect::<Result<Vec<bool>, Error>>()?.into_iter().all(|matches| matches);
        Ok(Self {
            names: all.iter().map(compile).collect::<Result<_, Error>>()?,
            labels: labels.iter().map(|matcher| matcher.name.clone()).collect(),
            optional,
        })
    }

    /// Info series themselves get no labels.
    fn is_info(&self, labels: &Labels) -> bool {
        self.names.iter().all(|matcher| matcher.matches(labels.get(METRIC_NAME)))
    }

    fn takes(&self, label: &str) -> bool {
        label != METRIC_NAME && (self.labels.is_empty() || self.labels.contains(label))
    }
}

fn name(operator: MatcherOperator, value: &str) -> Matcher {
    Matcher { name: METRIC_NAME.to_owned(), operator, value: value.to_owned() }
}

fn compile(matcher: &Matcher) -> Result<CompiledMatcher, Error> {
    matcher.compile().map_err(|message| Error::Invalid { message })
}

/// The info series about something that the vector is about.
fn relevant(known: Vec<Row>, base: &[Row], wanted: &Wanted) -> Vec<Row> {
    let asked: Vec<&Row> = base.iter().filter(|row| !wanted.is_info(&row.labels)).collect();
    let about = IDENTIFYING.map(|label| {
        let values = asked.iter().map(|row| row.labels.get(label)).filter(|value| !value.is_empty());
        (label, values.collect::<BTreeSet<&str>>())
    });
    if about.iter().all(|(_, values)| values.is_empty()) {
        return Vec::new();
    }
    let is_about = |row: &Row| {
        about.iter().all(|(label, values)| values.is_empty() || values.contains(row.labels.get(label)))
    };
    known.into_iter().filter(is_about).collect()
}

/// What a series and its info have in common.
type Identity<'a> = [&'a str; 2];

fn identity(labels: &Labels) -> Identity<'_> {
    IDENTIFYING.map(|label| labels.get(label))
}

/// The infos at some steps, and the series with their labels, if it is in the result.
type Enriched<'a> = (Vec<&'a Labels>, Option<(Labels, Column)>);

/// Info series by what they are about, those of each metric together.
struct Infos<'a> {
    by_identity: HashMap<Identity<'a>, BTreeMap<&'a str, Vec<&'a Row>>>,
}

impl<'a> Infos<'a> {
    fn new(known: &'a [Row]) -> Self {
        let mut by_identity: HashMap<_, BTreeMap<_, Vec<_>>> = HashMap::new();
        for row in known {
            let metrics = by_identity.entry(identity(&row.labels)).or_default();
            metrics.entry(row.labels.get(METRIC_NAME)).or_default().push(row);
        }
        Self { by_identity }
    }

    /// The labels may change from step to step: as many series as there are different ones.
    fn enrich(&self, row: &Row, wanted: &Wanted, enriched: &mut Vec<Row>) -> Result<(), Error> {
        let metrics = self.by_identity.get(&identity(&row.labels));
        let mut columns: Vec<Enriched<'_>> = Vec::new();
        for (step, sample) in row.column.iter() {
            let mut found = Vec::new();
            for rows in metrics.into_iter().flat_map(BTreeMap::values) {
                found.extend(newest(rows, step)?);
            }
            let place = match columns.iter().position(|(infos, _)| *infos == found) {
                Some(place) => place,
                None => {
                    let labels = combined(&row.labels, &found, wanted)?;
                    let column = labels.map(|labels| (labels, Column::empty(row.column.steps())));
                    columns.push((found, column));
                    columns.len() - 1
                }
            };
            if let Some((_, Some((_, column)))) = columns.get_mut(place) {
                column.set(step, sample.to_sample());
            }
        }
        let rows = columns.into_iter().filter_map(|(_, column)| column);
        enriched.extend(rows.map(|(labels, column)| Row { labels, drop_name: row.drop_name, column }));
        Ok(())
    }
}

/// Of several info series the one with the newest sample.
fn newest<'a>(rows: &[&'a Row], step: usize) -> Result<Option<&'a Labels>, Error> {
    let mut newest: Option<(&Labels, f64)> = None;
    for row in rows {
        let time = match row.column.get(step) {
            None => continue,
            Some(SampleRef::Float(time)) => time,
            Some(SampleRef::Histogram(_)) => return Err(execution("info sample should be float".to_owned())),
        };
        match newest {
            Some((_, best)) if best > time => {}
            Some((labels, best)) if best == time => {
                let (one, other) = (text(labels), text(&row.labels));
                return Err(execution(format!(
                    "found duplicate series for info metric: existing {one} @ {best}, new {other} @ {time}"
                )));
            }
            _ => newest = Some((&row.labels, time)),
        }
    }
    Ok(newest.map(|(labels, _)| labels))
}

/// The labels with those of the infos; nothing when there had to be some.
fn combined(base: &Labels, infos: &[&Labels], wanted: &Wanted) -> Result<Option<Labels>, Error> {
    if infos.is_empty() {
        return Ok(wanted.optional.then(|| base.clone()));
    }
    let mut taken: BTreeMap<&str, &str> = BTreeMap::new();
    let all = infos.iter().flat_map(|labels| labels.iter());
    for (label, value) in all.filter(|(label, _)| wanted.takes(label)) {
        if taken.get(label.as_ref()).is_some_and(|other| *other != value.as_ref()) {
            return Err(execution(format!("conflicting label: {label}")));
        }
        if base.get(label).is_empty() {
            taken.insert(label, value);
        }
    }
    Ok(Some(with(base, taken)))
}

fn execution(message: String) -> Error {
    Error::Execution { message }
}

//! Which elements of two vectors belong together, and what becomes of them.

use super::super::column::{Column, Row};
use super::super::evaluator::Evaluator;
use super::super::labels::{nameless, only, text, with, without, without_only};
use super::super::rows::{execution, united};
use super::changes_what_it_is;
use super::elements::Elements;
use foldhash::HashMap;
use query::Error;
use query::promql::{Binary, Cardinality, Labels, METRIC_NAME, Matching};
use std::borrow::Cow;

/// The labels by which elements are matched.
pub(super) fn signature(labels: &Labels, matching: &Matching) -> Labels {
    if matching.on { only(labels, &matching.labels) } else { without(labels, &matching.labels) }
}

/// What has the same signature: of the side that may have many, and of that which may have one.
struct Group<'r> {
    signature: Labels,
    many: Vec<&'r Row>,
    one: Vec<&'r Row>,
}

fn groups<'r>(many: &'r [Row], one: &'r [Row], matching: &Matching) -> Vec<Group<'r>> {
    let mut places: HashMap<Labels, usize> = HashMap::default();
    let mut groups: Vec<Group<'r>> = Vec::new();
    let sides = many.iter().map(|row| (row, true)).chain(one.iter().map(|row| (row, false)));
    for (row, is_many) in sides {
        let signature = signature(&row.labels, matching);
        let place = *places.entry(signature.clone()).or_insert_with(|| {
            groups.push(Group { signature, many: Vec::new(), one: Vec::new() });
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            if is_many { group.many.push(row) } else { group.one.push(row) }
        }
    }
    groups
}

impl Evaluator<'_> {
    /// An operator between the elements of two vectors that match.
    pub(super) fn matched(
        &mut self,
        binary: &Binary,
        elements: Elements<'_>,
        left: Vec<Row>,
        right: Vec<Row>,
    ) -> Result<Vec<Row>, Error> {
        let swapped = binary.matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        let Some(steps) = many.first().or(one.first()).map(|row| row.column.steps()) else {
            return Ok(Vec::new());
        };
        let matched = Matched { binary, elements, steps, swapped, many: &many, one: &one };
        let mut rows = Vec::new();
        for group in groups(&many, &one, &binary.matching) {
            self.budget.go_on()?;
            let before = rows.len();
            matched.group(&group, &mut rows, &mut self.notes)?;
            self.budget.hold(rows.len().saturating_sub(before).saturating_mul(steps))?;
        }
        united(rows)
    }
}

struct Matched<'m> {
    binary: &'m Binary,
    elements: Elements<'m>,
    steps: usize,
    /// Whether the side with many is the right one.
    swapped: bool,
    many: &'m [Row],
    one: &'m [Row],
}

impl Matched<'_> {
    fn group(
        &self,
        group: &Group<'_>,
        rows: &mut Vec<Row>,
        notes: &mut super::super::functions::Notes,
    ) -> Result<(), Error> {
        self.check_one_side(group)?;
        let matching = &self.binary.matching;
        let lacks_one = |step| has(&group.many, step) && !has(&group.one, step);
        let lacks_many = |step| has(&group.one, step) && !self.any_pair(group, step);
        let instead_of_one = self.filled(matching.fill.right, &group.signature, lacks_one);
        let instead_of_many = self.filled(matching.fill.left, &group.signature, lacks_many);
        let many: Vec<&Row> = group.many.iter().copied().chain(instead_of_many.as_ref()).collect();
        let mut one: Vec<&Row> = group.one.iter().copied().chain(instead_of_one.as_ref()).collect();
        let joined = if matching.include.is_empty() { joined(&one) } else { None };
        if let Some(joined) = &joined {
            one = vec![joined];
        }
        let mut pairs: Vec<(Labels, &Row, &Row)> = Vec::new();
        for many in many {
            pairs.extend(one.iter().map(|one| (self.labels(&many.labels, &one.labels), many, *one)));
        }
        self.check_pairs(&pairs)?;
        for (labels, many, one) in pairs {
            let (left, right) = if self.swapped { (one, many) } else { (many, one) };
            let column = self.elements.columns(&left.column, &right.column, notes);
            if !column.is_empty() {
                rows.push(Row { labels, drop_name: self.drops_name(many), column });
            }
        }
        Ok(())
    }

    /// What stands for elements that are not there.
    fn filled(&self, fill: Option<f64>, signature: &Labels, lacks: impl Fn(usize) -> bool) -> Option<Row> {
        let fill = fill?;
        let mut column = Column::empty(self.steps);
        for step in (0..self.steps).filter(|step| lacks(*step)) {
            column.set_float(step, fill);
        }
        (!column.is_empty()).then(|| Row { labels: signature.clone(), drop_name: false, column })
    }

    /// Whether two of the pairs are there at the same step.
    fn overlap(&self, pairs: &[(&Row, &Row)]) -> bool {
        let mut taken = vec![false; self.steps];
        let mut is_new =
            |step: usize| taken.get_mut(step).is_none_or(|taken| !std::mem::replace(taken, true));
        pairs
            .iter()
            .any(|(many, one)| (0..self.steps).any(|step| self.is_pair(many, one, step) && !is_new(step)))
    }

    fn any_pair(&self, group: &Group<'_>, step: usize) -> bool {
        group.many.iter().any(|many| group.one.iter().any(|one| self.is_pair(many, one, step)))
    }

    /// Whether both are there, and the operator is defined for them.
    fn is_pair(&self, many: &Row, one: &Row, step: usize) -> bool {
        let (left, right) = if self.swapped { (one, many) } else { (many, one) };
        match (left.column.get(step), right.column.get(step)) {
            (Some(left), Some(right)) => self.elements.takes(left, right),
            _ => false,
        }
    }

    fn drops_name(&self, many: &Row) -> bool {
        let keeps = changes_what_it_is(self.elements.operator)
            || self.binary.matching.include.iter().any(|name| name == METRIC_NAME);
        self.elements.return_bool || (many.drop_name && !keeps)
    }

    fn labels(&self, many: &Labels, one: &Labels) -> Labels {
        let matching = &self.binary.matching;
        let mut labels =
            if changes_what_it_is(self.elements.operator) { nameless(many) } else { many.clone() };
        if matching.cardinality == Cardinality::OneToOne {
            labels = if matching.on {
                only(&labels, &matching.labels)
            } else {
                without_only(&labels, &matching.labels)
            };
        }
        if matching.include.is_empty() {
            return labels;
        }
        with(&labels, matching.include.iter().map(|name| (name.as_str(), one.get(name))))
    }

    /// Of the side that may have one there must be one.
    fn check_one_side(&self, group: &Group<'_>) -> Result<(), Error> {
        if group.one.len() < 2 {
            return Ok(());
        }
        let fills = self.binary.matching.fill.left.is_some() || self.binary.matching.fill.right.is_some();
        for step in 0..self.steps {
            let mut present = group.one.iter().filter(|row| row.column.has(step));
            if let (Some(first), Some(second)) = (present.next(), present.next())
                && (fills || (any_has(self.many, step) && any_has(self.one, step)))
            {
                return Err(self.ambiguous(&group.signature, first, second));
            }
        }
        Ok(())
    }

    fn ambiguous(&self, signature: &Labels, first: &Row, second: &Row) -> Error {
        let side = if self.swapped { "left" } else { "right" };
        let (mut first, mut second) = (text(&first.labels), text(&second.labels));
        if first > second {
            std::mem::swap(&mut first, &mut second);
        }
        execution(format!(
            "found duplicate series for the match group {} on the {side} hand-side of the operation: \
             [{first}, {second}];many-to-many matching not allowed: matching labels must be unique on one side",
            text(signature)
        ))
    }

    /// No two pairs may give the same result at the same step.
    fn check_pairs(&self, pairs: &[(Labels, &Row, &Row)]) -> Result<(), Error> {
        let one_to_one = self.binary.matching.cardinality == Cardinality::OneToOne;
        let mut results: HashMap<Option<&Labels>, Vec<(&Row, &Row)>> = HashMap::default();
        for (labels, many, one) in pairs {
            results.entry((!one_to_one).then_some(labels)).or_default().push((many, one));
        }
        for same in results.into_values().filter(|same| same.len() > 1) {
            if self.overlap(&same) {
                return Err(too_many_matches(one_to_one));
            }
        }
        Ok(())
    }
}

fn too_many_matches(one_to_one: bool) -> Error {
    execution(if one_to_one {
        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
    } else {
        "multiple matches for labels: grouping labels must ensure unique matches"
    })
}

fn has(rows: &[&Row], step: usize) -> bool {
    rows.iter().any(|row| row.column.has(step))
}

fn any_has(rows: &[Row], step: usize) -> bool {
    rows.iter().any(|row| row.column.has(step))
}

/// Rows that are never there at the same step, as one; nothing if it is one already.
fn joined(rows: &[&Row]) -> Option<Row> {
    let (first, others) = rows.split_first()?;
    if others.is_empty() {
        return None;
    }
    let mut joined = Cow::Borrowed(*first);
    for row in others {
        for (step, sample) in row.column.iter() {
            joined.to_mut().column.set(step, sample.to_sample());
        }
    }
    Some(joined.into_owned())
}

//! `and`, `or` and `unless`.

use super::super::column::Row;
use super::super::rows::united;
use super::matching::signature;
use foldhash::HashMap;
use query::Error;
use query::promql::{Labels, Matching};

/// At which steps something with a signature is there.
struct Presence(HashMap<Labels, Vec<bool>>);

impl Presence {
    fn of(rows: &[Row], matching: &Matching) -> Self {
        let mut steps_of: HashMap<Labels, Vec<bool>> = HashMap::default();
        for row in rows {
            let steps = steps_of.entry(signature(&row.labels, matching)).or_default();
            steps.resize(row.column.steps(), false);
            for (step, _) in row.column.iter() {
                if let Some(present) = steps.get_mut(step) {
                    *present = true;
                }
            }
        }
        Self(steps_of)
    }

    /// Leaves of the rows what is there (or not there) in these steps too.
    fn filter(&self, rows: &mut Vec<Row>, matching: &Matching, wanted: bool) {
        for row in rows.iter_mut() {
            let present = self.0.get(&signature(&row.labels, matching));
            for step in 0..row.column.steps() {
                let is_there = present.and_then(|steps| steps.get(step)).copied().unwrap_or_default();
                if is_there != wanted {
                    row.column.clear(step);
                }
            }
        }
        rows.retain(|row| !row.column.is_empty());
    }
}

/// What is left of the left side where the right side has it too.
pub(super) fn both(matching: &Matching, mut left: Vec<Row>, right: &[Row]) -> Vec<Row> {
    Presence::of(right, matching).filter(&mut left, matching, true);
    left
}

/// What is left of the left side where the right side has it not.
pub(super) fn unless(matching: &Matching, mut left: Vec<Row>, right: &[Row]) -> Vec<Row> {
    Presence::of(right, matching).filter(&mut left, matching, false);
    left
}

/// The left side, and of the right side what the left side has not.
pub(super) fn either(
    matching: &Matching,
    mut left: Vec<Row>,
    mut right: Vec<Row>,
) -> Result<Vec<Row>, Error> {
    Presence::of(&left, matching).filter(&mut right, matching, false);
    left.append(&mut right);
    united(left)
}

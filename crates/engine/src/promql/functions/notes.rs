//! Warnings and infos of a query, each with the place that it is about.

use std::collections::BTreeMap;
use std::ops::Range;

/// What is remarked while a query is computed. The same text is kept once, with the place where it was said last.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    warnings: BTreeMap<String, usize>,
    infos: BTreeMap<String, usize>,
}

impl Notes {
    /// Says what is likely wrong with the query or the data. `message` starts in lower case and has no place.
    pub(crate) fn warn(&mut self, message: impl Into<String>, place: &Range<usize>) {
        self.warnings.insert(format!("PromQL warning: {}", message.into()), place.start);
    }

    /// Says what may be worth knowing. `message` starts in lower case and has no place.
    pub(crate) fn inform(&mut self, message: impl Into<String>, place: &Range<usize>) {
        self.infos.insert(format!("PromQL info: {}", message.into()), place.start);
    }

    /// Warnings and infos, each ending with its place in the query, `(line:column)`.
    pub(crate) fn finish(self, query: &str) -> (Vec<String>, Vec<String>) {
        let told = |notes: BTreeMap<String, usize>| {
            notes
                .into_iter()
                .map(|(message, at)| format!("{message} ({})", line_and_column(query, at)))
                .collect()
        };
        (told(self.warnings), told(self.infos))
    }
}

/// Both counted from one, the column in bytes.
fn line_and_column(query: &str, at: usize) -> String {
    let before = query.as_bytes().get(..at).unwrap_or(query.as_bytes());
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    format!("{line}:{column}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_kept_once_and_ends_with_its_place() {
        let mut notes = Notes::default();
        notes.warn("quantile value should be between 0 and 1, got 2", &(3..4));
        notes.warn("quantile value should be between 0 and 1, got 2", &(3..4));
        notes.inform("ignored histogram in min aggregation", &(9..12));
        let (warnings, infos) = notes.finish("a or\nb or c");
        assert_eq!(warnings, ["PromQL warning: quantile value should be between 0 and 1, got 2 (1:4)"]);
        assert_eq!(infos, ["PromQL info: ignored histogram in min aggregation (2:5)"]);
    }
}

//! Warnings and infos of a query, each with the place that it is about.

use super::super::numbers::general;
use query::Error;
use query::promql::line_and_column;
use std::collections::BTreeMap;
use std::ops::Range;

/// What is remarked while a query is computed. The same text is kept once, with the place where it was said last.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    warnings: BTreeMap<String, usize>,
    infos: BTreeMap<String, usize>,
    repairs: BTreeMap<String, (Repairs, usize)>,
    failure: Option<Error>,
}

/// What was mended in buckets whose counts fell where they must not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Repairs {
    /// The lowest bound of such a bucket.
    pub(crate) lowest: f64,
    /// The highest one.
    pub(crate) highest: f64,
    /// By how much a count fell at most.
    pub(crate) difference: f64,
    /// When this was first, in milliseconds since the Unix epoch.
    pub(crate) from: i64,
    /// And when last.
    pub(crate) to: i64,
    /// How often.
    pub(crate) times: usize,
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

    /// Says so when this is no quantile.
    pub(crate) fn no_quantile(&mut self, quantile: f64, place: &Range<usize>) {
        if !(0.0..=1.0).contains(&quantile) {
            self.warn(format!("quantile value should be between 0 and 1, got {}", general(quantile)), place);
        }
    }

    /// Says that buckets had to be mended. All times that the same is said of the same metric become one info.
    pub(crate) fn repaired(&mut self, metric: &str, repairs: Repairs, place: &Range<usize>) {
        let message = format!(
            "PromQL info: input to histogram_quantile needed to be fixed for monotonicity \
             (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile){}",
            of_metric(metric)
        );
        let (all, at) = self.repairs.entry(message).or_insert((Repairs { times: 0, ..repairs }, place.start));
        *all = all.and(repairs);
        *at = place.start;
    }

    /// Ends the query: what it asks for cannot be computed.
    pub(crate) fn fail(&mut self, message: impl Into<String>) {
        self.failure.get_or_insert_with(|| Error::Execution { message: message.into() });
    }

    /// What ended the query.
    ///
    /// # Errors
    /// The failure, if there was one.
    pub(crate) fn failed(&mut self) -> Result<(), Error> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Warnings and infos, each ending with its place in the query, `(line:column)`.
    pub(crate) fn finish(mut self, query: &str) -> (Vec<String>, Vec<String>) {
        for (message, (repairs, at)) in std::mem::take(&mut self.repairs) {
            self.infos.insert(format!("{message}, {}", repairs.told()), at);
        }
        let told = |notes: BTreeMap<String, usize>| {
            let told = notes.into_iter();
            told.map(|(message, at)| {
                let (line, column) = line_and_column(query, at);
                format!("{message} ({line}:{column})")
            })
            .collect()
        };
        (told(self.warnings), told(self.infos))
    }
}

impl Repairs {
    fn and(self, other: Self) -> Self {
        Self {
            lowest: self.lowest.min(other.lowest),
            highest: self.highest.max(other.highest),
            difference: self.difference.max(other.difference),
            from: self.from.min(other.from),
            to: self.to.max(other.to),
            times: self.times.saturating_add(other.times),
        }
    }

    fn told(&self) -> String {
        let time = |milliseconds: i64| {
            let time = jiff::Timestamp::from_second(milliseconds.div_euclid(1000)).unwrap_or_default();
            time.to_string()
        };
        format!(
            "from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            general(self.lowest),
            general(self.highest),
            two_digits(self.difference),
            self.times,
            time(self.from),
            time(self.to),
        )
    }
}

/// With two digits that count.
fn two_digits(value: f64) -> String {
    let rounded = format!("{value:.1e}").parse().unwrap_or(value);
    if (10.0..100.0).contains(&rounded) || rounded.abs() < 10.0 {
        return general(rounded);
    }
    let text = format!("{rounded:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{digits}e+{exponent:0>2}")
}

/// The end of a message about a metric, if its name is known.
pub(super) fn of_metric(metric: &str) -> String {
    if metric.is_empty() { String::new() } else { format!(" for metric name {metric:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_kept_once_and_ends_with_its_place() {
        let mut notes = Notes::default();
        notes.no_quantile(2.0, &(3..4));
        notes.no_quantile(2.0, &(3..4));
        notes.no_quantile(1.0, &(3..4));
        notes.inform("ignored histogram in min aggregation", &(9..12));
        let (warnings, infos) = notes.finish("a or\nb or c");
        assert_eq!(warnings, ["PromQL warning: quantile value should be between 0 and 1, got 2 (1:4)"]);
        assert_eq!(infos, ["PromQL info: ignored histogram in min aggregation (2:5)"]);
    }

    #[test]
    fn repairs_become_one_info() {
        let mut notes = Notes::default();
        let repairs =
            Repairs { lowest: 2.0, highest: 5.0, difference: 1.25, from: 60_000, to: 60_000, times: 1 };
        notes.repaired("x", repairs, &(0..1));
        notes.repaired("x", Repairs { highest: 1e6, difference: 0.5, from: 0, ..repairs }, &(0..1));
        let (_, infos) = notes.finish("x");
        let [info] = infos.as_slice() else { panic!("one info, not {infos:?}") };
        let expected = "for metric name \"x\", from buckets 2 to 1e+06, with a max diff of 1.2, \
                        over 2 samples from 1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z (1:1)";
        assert!(info.ends_with(expected), "{info}");
    }

    #[test]
    fn differences_have_two_digits() {
        for (value, expected) in
            [(1.25, "1.2"), (12.5, "12"), (125.0, "1.2e+02"), (0.001_25, "0.0013"), (3.0, "3")]
        {
            assert_eq!(two_digits(value), expected);
        }
    }
}

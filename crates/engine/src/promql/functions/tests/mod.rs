//! Functions, called through queries over a few series with a sample each minute.

mod counters;
mod histograms;
mod labels;
mod numbers;
mod over_time;

use crate::promql::labels::text;
use crate::promql::{evaluate, selections};
use query::Deadline;
use query::promql::{
    Answer, Histogram, Labels, Node, Point, PromqlRequest, Sample, Selection, Series, Steps, Value, parse,
};
use std::sync::Arc;

const MINUTE: i64 = 60_000;

/// A series: its selector, and a sample for each minute from zero on, `_` for none.
fn floats(selector: &str, samples: &str) -> Series {
    let samples = samples.split_whitespace().map(|sample| match sample {
        "_" => None,
        "stale" => Some(Sample::Float(f64::from_bits(Sample::STALE))),
        value => Some(Sample::Float(value.parse().unwrap())),
    });
    series(selector, samples)
}

fn histograms(selector: &str, samples: impl IntoIterator<Item = Histogram>) -> Series {
    series(selector, samples.into_iter().map(|sample| Some(Sample::Histogram(Arc::new(sample)))))
}

fn series(selector: &str, samples: impl IntoIterator<Item = Option<Sample>>) -> Series {
    let Node::Selector(selector) = parse(selector).unwrap().node else { panic!("not a selector") };
    let labels = Labels::new(selector.matchers.into_iter().map(|matcher| (matcher.name, matcher.value)));
    let times = (0..).map(|minute| minute * MINUTE);
    let points = times.zip(samples).filter_map(|(time, sample)| Some(Point { time, sample: sample? }));
    Series { labels, points: points.collect() }
}

fn load(stored: &[Series], selection: &Selection) -> Vec<Series> {
    let matchers = selection.matchers.iter().map(|matcher| (&matcher.name, matcher.compile().unwrap()));
    let matchers: Vec<_> = matchers.collect();
    let matches =
        |series: &&Series| matchers.iter().all(|(name, matcher)| matcher.matches(series.labels.get(name)));
    let mut loaded: Vec<Series> = stored.iter().filter(matches).cloned().collect();
    loaded.sort_by(|one, other| one.labels.cmp(&other.labels));
    loaded
}

fn ask(stored: &[Series], query: &str, steps: Steps) -> Result<Answer, query::Error> {
    let expression = parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let request = PromqlRequest {
        text: query.to_owned(),
        expression,
        steps,
        lookback: 5 * MINUTE,
        deadline: Deadline::default(),
    };
    let selections = selections(&request)?;
    let loaded: Vec<_> = selections.iter().map(|selection| Arc::new(load(stored, selection))).collect();
    evaluate(&request, &loaded, &|| false)
}

/// What a query answers at a minute, as text.
fn answer_at(stored: &[Series], minute: i64, query: &str) -> String {
    match ask(stored, query, Steps::Instant(minute * MINUTE)) {
        Ok(answer) => told(answer),
        Err(error) => format!("error: {error}"),
    }
}

/// What it answers at the fourth minute.
#[track_caller]
fn check(stored: &[Series], cases: &[(&str, &str)]) {
    for (query, expected) in cases {
        assert_eq!(answer_at(stored, 4, query), *expected, "{query}");
    }
}

fn told(answer: Answer) -> String {
    let mut told: Vec<String> = match answer.value {
        Value::Scalar(_, value) => vec![number(value)],
        Value::String(_, text) => vec![text],
        Value::Vector(_, elements) => elements
            .into_iter()
            .map(|(labels, sample)| format!("{}{}", of_labels(&labels), of_sample(&sample)))
            .collect(),
        Value::Matrix(series) => series
            .into_iter()
            .map(|series| {
                let samples: Vec<String> =
                    series.points.iter().map(|point| of_sample(&point.sample)).collect();
                format!("{}{}", of_labels(&series.labels), samples.join(" "))
            })
            .collect(),
    };
    told.extend(answer.warnings);
    told.extend(answer.infos);
    told.join("; ")
}

fn of_labels(labels: &Labels) -> String {
    if labels.is_empty() { String::new() } else { format!("{} ", text(labels)) }
}

fn of_sample(sample: &Sample) -> String {
    match sample {
        Sample::Float(value) => number(*value),
        Sample::Histogram(histogram) => {
            let buckets = histogram.buckets().map(|bucket| {
                format!(" {}..{}:{}", number(bucket.lower), number(bucket.upper), number(bucket.count))
            });
            let buckets: String = buckets.collect();
            format!("<{}/{}{buckets}>", number(histogram.sum), number(histogram.count))
        }
    }
}

/// Rounded to nine digits.
fn number(value: f64) -> String {
    let rounded: f64 = if value.is_finite() { format!("{value:.8e}").parse().unwrap() } else { value };
    rounded.to_string()
}

#[test]
fn there_are_all_functions_of_prometheus() {
    let names = "abs absent absent_over_time acos acosh asin asinh atan atanh avg_over_time ceil changes clamp \
        clamp_max clamp_min cos cosh count_over_time day_of_month day_of_week day_of_year days_in_month deg delta \
        deriv double_exponential_smoothing end exp first_over_time floor histogram_avg histogram_count \
        histogram_fraction histogram_quantile histogram_quantiles histogram_stddev histogram_stdvar histogram_sum \
        hour idelta increase info irate label_join label_replace last_over_time ln log10 log2 mad_over_time max_of \
        max_over_time min_of min_over_time minute month pi predict_linear present_over_time quantile_over_time rad \
        range rate resets round scalar sgn sin sinh sort sort_by_label sort_by_label_desc sort_desc sqrt start \
        start_timestamp stddev_over_time stdvar_over_time step sum_over_time tan tanh time timestamp \
        ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time vector year";
    let names: Vec<&str> = names.split_whitespace().collect();
    let missing: Vec<&&str> = names.iter().filter(|name| super::find(name).is_none()).collect();
    assert_eq!((names.len(), missing), (90, Vec::<&&str>::new()));
    assert!(super::find("holt_winters").is_none());
}

//! Results as Prometheus writes them: samples as text, times in seconds.

use query::promql::{
    Bucket, Histogram, Labels, Point, Rule, Sample, Series, SeriesExemplars, Value, short_number,
};
use serde_json::{Value as Json, json};
use std::fmt::Write;

/// A result with its type, of at most `limit` series.
pub fn result(value: &Value, limit: usize) -> String {
    let (kind, result) = match value {
        Value::Scalar(at, number) => ("scalar", format!("[{},\"{}\"]", time(*at), number_text(*number))),
        Value::String(at, text) => ("string", format!("[{},{}]", time(*at), json!(text))),
        Value::Vector(at, samples) => {
            let one = |(labels, sample): &(Labels, Sample)| {
                format!("{{\"metric\":{},{}}}", metric(labels), single(*at, sample))
            };
            ("vector", list(samples.iter().take(limit).map(one)))
        }
        Value::Matrix(series) => ("matrix", list(series.iter().take(limit).map(one_series))),
    };
    format!("{{\"resultType\":\"{kind}\",\"result\":{result}}}")
}

fn one_series(series: &Series) -> String {
    let (mut floats, mut histograms) = (Vec::new(), Vec::new());
    for point in &series.points {
        match &point.sample {
            Sample::Float(_) => floats.push(pair(point)),
            Sample::Histogram(_) => histograms.push(pair(point)),
        }
    }
    let mut written = format!("{{\"metric\":{}", metric(&series.labels));
    for (name, pairs) in [("values", floats), ("histograms", histograms)] {
        if !pairs.is_empty() {
            // Writing to text cannot fail.
            let _ = write!(written, ",\"{name}\":{}", list(pairs.into_iter()));
        }
    }
    written + "}"
}

fn pair(point: &Point) -> String {
    format!("[{},{}]", time(point.time), sample(&point.sample))
}

fn single(at: i64, value: &Sample) -> String {
    let name = if matches!(value, Sample::Float(_)) { "value" } else { "histogram" };
    format!("\"{name}\":[{},{}]", time(at), sample(value))
}

fn sample(sample: &Sample) -> String {
    match sample {
        Sample::Float(number) => format!("\"{}\"", number_text(*number)),
        Sample::Histogram(histogram) => self::histogram(histogram),
    }
}

fn histogram(histogram: &Histogram) -> String {
    let (count, sum) = (number_text(histogram.count), number_text(histogram.sum));
    let bucket = |bucket: Bucket| {
        let rule = match bucket.rule {
            Rule::LeftOpen => 0,
            Rule::RightOpen => 1,
            Rule::Open => 2,
            Rule::Closed => 3,
        };
        let [lower, upper, count] = [bucket.lower, bucket.upper, bucket.count].map(number_text);
        format!("[{rule},\"{lower}\",\"{upper}\",\"{count}\"]")
    };
    let buckets: Vec<String> = histogram.buckets().map(bucket).collect();
    let buckets = if buckets.is_empty() {
        String::new()
    } else {
        format!(",\"buckets\":{}", list(buckets.into_iter()))
    };
    format!("{{\"count\":\"{count}\",\"sum\":\"{sum}\"{buckets}}}")
}

/// The labels of a series.
pub fn metric(labels: &Labels) -> String {
    let pairs = labels.iter().map(|(name, value)| format!("{}:{}", json!(**name), json!(**value)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

/// Texts that are JSON, as a list of them.
pub fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// Series with their exemplars.
pub fn exemplars(series: &[SeriesExemplars]) -> String {
    let one = |series: &SeriesExemplars| {
        let exemplars = series.exemplars.iter().map(|exemplar| {
            let mut labels: serde_json::Map<String, Json> =
                exemplar.labels.iter().map(|(name, value)| (name.to_string(), json!(**value))).collect();
            labels.extend(exemplar.trace_id.map(|id| ("trace_id".to_owned(), json!(id.to_string()))));
            labels.extend(exemplar.span_id.map(|id| ("span_id".to_owned(), json!(id.to_string()))));
            let value = number_text(exemplar.value);
            format!(
                "{{\"labels\":{},\"value\":\"{value}\",\"timestamp\":{}}}",
                Json::Object(labels),
                time(exemplar.time)
            )
        });
        format!("{{\"seriesLabels\":{},\"exemplars\":{}}}", metric(&series.labels), list(exemplars))
    };
    list(series.iter().map(one))
}

/// Seconds, with milliseconds where there are any.
fn time(milliseconds: i64) -> String {
    let (sign, size) = (if milliseconds < 0 { "-" } else { "" }, milliseconds.unsigned_abs());
    match size % 1000 {
        0 => format!("{sign}{}", size / 1000),
        rest => format!("{sign}{}.{rest:03}", size / 1000),
    }
}

/// A number with as many digits as tell it from all others; with an exponent when it is very large or very small.
fn number_text(number: f64) -> String {
    short_number(number, 1e-6..1e21)
}

#[cfg(test)]
mod tests {
    use super::{number_text, result, time};
    use query::promql::{Histogram, Labels, Sample, Value};
    use std::sync::Arc;

    #[test]
    fn numbers_are_written_as_prometheus_writes_them() {
        for (number, expect) in [
            (1.0, "1"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (1e20, "100000000000000000000"),
            (1.5e21, "1.5e+21"),
            (1e-7, "1e-07"),
            (5e-324, "5e-324"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(number_text(number), expect);
        }
        for (milliseconds, expect) in [(1_000, "1"), (1_005, "1.005"), (-1_500, "-1.500"), (0, "0")] {
            assert_eq!(time(milliseconds), expect);
        }
    }

    #[test]
    fn histograms_are_written_with_their_buckets() {
        let mut histogram = Histogram::with_custom_buckets([1.0, 2.0].into(), vec![1.0, 0.0, 3.0]).unwrap();
        (histogram.count, histogram.sum) = (4.0, 9.5);
        let vector = vec![(Labels::new([("a", "\"")]), Sample::Histogram(Arc::new(histogram)))];
        assert_eq!(
            result(&Value::Vector(1_500, vector), 10),
            concat!(
                r#"{"resultType":"vector","result":[{"metric":{"a":"\""},"histogram":[1.500,"#,
                r#"{"count":"4","sum":"9.5","buckets":[[3,"-Inf","1","1"],[0,"2","+Inf","3"]]}]}]}"#
            )
        );
    }
}

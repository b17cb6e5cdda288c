//! Names of metrics and labels by the rules of Prometheus' OTLP receiver, strategy `UnderscoreEscapingWithSuffixes`
//! (OpenTelemetry: compatibility with Prometheus and `OpenMetrics`, "Metric Metadata").

use model::metric::MetricKind;
use std::borrow::Cow;

/// Units as Prometheus writes them out.
const UNITS: [(&str, &str); 26] = [
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("1", ""),
    ("%", "percent"),
];

/// Units after a slash.
const PER_UNITS: [(&str, &str); 7] = [
    ("s", "second"),
    ("m", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

/// What a metric's name in Prometheus is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric<'m> {
    /// As OTLP has it.
    pub name: &'m str,
    pub unit: &'m str,
    pub kind: MetricKind,
    pub monotonic: bool,
}

impl Metric<'_> {
    /// The name in Prometheus, without the suffix of a series. Empty when nothing of the name can be kept.
    pub fn family(&self) -> String {
        let mut parts: Vec<Cow<'_, str>> = tokens(self.name).map(Cow::Borrowed).collect();
        let (unit, per) = unit_suffixes(self.unit);
        let (unit, per) = (clean(&unit), clean(&per));
        let has = |part: &str| parts.iter().any(|known| known == part);
        let per = per.trim_end_matches('_');
        let per = if per == "per" || has(per) { "" } else { per };
        let unit = if has(&unit) { "" } else { unit.as_str() };
        let unit = if per.is_empty() { unit } else { unit.trim_end_matches('_') };
        let added = [unit, per].into_iter().filter(|part| !part.is_empty());
        parts.extend(added.map(|part| Cow::Owned(part.to_owned())));
        if self.kind == MetricKind::Sum && self.monotonic {
            move_to_end(&mut parts, "total");
        }
        if self.kind == MetricKind::Gauge && self.unit == "1" {
            move_to_end(&mut parts, "ratio");
        }
        let name = parts.join("_");
        if name.starts_with(|first: char| first.is_ascii_digit()) { format!("_{name}") } else { name }
    }

    /// What is added to the name for each of the series that a point becomes.
    pub const fn suffixes(&self) -> &'static [&'static str] {
        match self.kind {
            MetricKind::Gauge | MetricKind::Sum | MetricKind::ExponentialHistogram => &[""],
            MetricKind::Histogram => &["_bucket", "_sum", "_count"],
            MetricKind::Summary => &["", "_sum", "_count"],
        }
    }
}

/// The unit as Prometheus' metadata has it.
pub fn unit(unit: &str) -> String {
    let (unit, per) = unit_suffixes(unit);
    let parts = [clean(&unit), clean(&per)];
    let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    parts.join("_").trim_matches('_').to_owned()
}

/// Whether the metric that OTLP calls `stored` can have series of this name. Its unit and kind are not known here, so
/// this says yes too often, but never wrongly no.
pub fn may_be_called(stored: &str, asked: &str) -> bool {
    let raw =
        ["", "_bucket", "_sum", "_count"].iter().any(|suffix| asked.strip_suffix(suffix) == Some(stored));
    raw || {
        let mut asked = tokens(asked);
        let mut kept = tokens(stored).filter(|token| !["total", "ratio"].contains(token));
        kept.all(|token| asked.any(|part| part == token))
    }
}

/// An attribute's key as the name of a label. Nothing when it has no letter or digit.
pub fn label(key: &str) -> Option<String> {
    let name: String = key
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() { character } else { '_' })
        .collect();
    if name.chars().all(|character| character == '_') {
        return None;
    }
    Some(if name.starts_with(|first: char| first.is_ascii_digit()) {
        format!("key_{name}")
    } else if name.starts_with('_') && !name.starts_with("__") {
        format!("key{name}")
    } else {
        name
    })
}

/// The parts of a name that Prometheus' names can have.
fn tokens(name: &str) -> impl Iterator<Item = &str> {
    name.split(|character| !is_kept(character)).filter(|token| !token.is_empty())
}

const fn is_kept(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == ':'
}

fn move_to_end(parts: &mut Vec<Cow<'_, str>>, word: &'static str) {
    parts.retain(|part| part != word);
    parts.push(Cow::Borrowed(word));
}

/// What is before the slash of a unit and what is after it, written out. Annotations in braces are no units.
fn unit_suffixes(unit: &str) -> (String, String) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let named = |text: &str, known: &[(&str, &str)]| {
        let text = text.trim();
        if text.contains(['{', '}']) {
            return String::new();
        }
        let found = known.iter().find(|(short, _)| *short == text);
        found.map_or(text, |(_, long)| long).to_owned()
    };
    let per = named(per, &PER_UNITS);
    (named(main, &UNITS), if per.is_empty() { per } else { format!("per_{per}") })
}

/// A unit with an underscore for each run of other characters.
fn clean(unit: &str) -> String {
    let mut cleaned = String::with_capacity(unit.len());
    for character in unit.chars() {
        match is_kept(character) {
            true => cleaned.push(character),
            false if cleaned.is_empty() || cleaned.ends_with('_') => {}
            false => cleaned.push('_'),
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::{Metric, label, may_be_called, unit};
    use model::metric::MetricKind::{self, Gauge, Histogram, Sum};

    #[test]
    fn metrics_are_named_as_prometheus_names_them() {
        let check = |kind: MetricKind, name, unit, expect: &str| {
            let metric = Metric { name, unit, kind, monotonic: kind == Sum };
            assert_eq!(metric.family(), expect, "{name} {unit}");
            for suffix in metric.suffixes() {
                assert!(may_be_called(name, &format!("{expect}{suffix}")), "{name} {expect}");
            }
            assert!(may_be_called(name, name));
        };
        check(Sum, "myapp.requests.total", "", "myapp_requests_total");
        check(Sum, "chat_requests_total", "", "chat_requests_total");
        check(Sum, "total.bytes.sent", "By", "bytes_sent_total");
        check(Sum, "requests", "{request}", "requests_total");
        check(Sum, "io", "By", "io_bytes_total");
        check(Histogram, "chat_request_duration", "", "chat_request_duration");
        check(Histogram, "myapp.request.duration", "s", "myapp_request_duration_seconds");
        check(Histogram, "gen_ai.client.token.usage", "{token}", "gen_ai_client_token_usage");
        check(Histogram, "duration_seconds", "s", "duration_seconds");
        check(Gauge, "myapp.requests.active", "{request}", "myapp_requests_active");
        check(Gauge, "load", "1", "load_ratio");
        check(Gauge, "ratio.of.load", "1", "of_load_ratio");
        check(Gauge, "speed", "m/s", "speed_meters_per_second");
        check(Gauge, "speed", "{turn}/min", "speed_per_min");
        check(Gauge, "speed", "m/{turn}", "speed_meters");
        check(Gauge, "speed", "%", "speed_percent");
        check(Gauge, "weird", "a%%b/c d", "weird_a_b_per_c_d");
        check(Gauge, "a..b--c", "", "a_b_c");
        check(Gauge, "2nd", "", "_2nd");
        check(Gauge, "job:rate5m", "", "job:rate5m");
        check(Gauge, "größe", "", "gr_e");
    }

    #[test]
    fn others_are_ruled_out() {
        assert!(!may_be_called("myapp.requests", "myapp_responses_total"));
        assert!(!may_be_called("requests.myapp", "myapp_requests_total"));
        assert!(!may_be_called("myapp.requests.active", "myapp_requests_total"));
        assert!(may_be_called("myapp.requests", "myapp_requests_seconds_total"));
    }

    #[test]
    fn labels_are_escaped() {
        let check = |key, expect: Option<&str>| assert_eq!(label(key).as_deref(), expect, "{key}");
        check("http.route", Some("http_route"));
        check("status", Some("status"));
        check("a--b", Some("a__b"));
        check("1st", Some("key_1st"));
        check("_hidden", Some("key_hidden"));
        check("__reserved__", Some("__reserved__"));
        check("größe", Some("gr__e"));
        check("___", None);
        check("", None);
    }

    #[test]
    fn units_are_written_out() {
        for (short, long) in [
            ("s", "seconds"),
            ("By/s", "bytes_per_second"),
            ("{token}", ""),
            ("1", ""),
            ("1/s", "per_second"),
        ] {
            assert_eq!(unit(short), long, "{short}");
        }
    }
}

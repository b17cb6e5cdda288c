//! What a path means: OTLP's own, those of other tools, and the usual mistakes.

use model::Signal;

/// A path, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Signal(Signal),
    /// It works, but the sender should know.
    Mended(Signal, String),
    /// The signal must be told from the body.
    Root,
    Unknown {
        hint: String,
    },
}

impl Target {
    pub const fn signal(&self) -> Option<Signal> {
        match self {
            Self::Signal(signal) | Self::Mended(signal, _) => Some(*signal),
            Self::Root | Self::Unknown { .. } => None,
        }
    }

    /// What the sender should change, though it works.
    pub fn mended(&self) -> Option<&str> {
        match self {
            Self::Mended(_, hint) => Some(hint),
            Self::Root => Some("the path is missing: send to /v1/traces, /v1/logs or /v1/metrics"),
            Self::Signal(_) | Self::Unknown { .. } => None,
        }
    }
}

/// Reads a path.
pub fn target(path: &str) -> Target {
    let trimmed = path.trim_end_matches('/');
    if let Some(signal) = own(trimmed) {
        return Target::Signal(signal);
    }
    if trimmed.is_empty() {
        return Target::Root;
    }
    // OTEL_EXPORTER_OTLP_ENDPOINT gets the path appended, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT does not.
    let doubled =
        Signal::ALL.into_iter().find(|signal| trimmed.ends_with(&format!("/v1/{signal}/v1/{signal}")));
    if let Some(signal) = doubled {
        let hint = format!("the path is doubled: leave /v1/{signal} out of OTEL_EXPORTER_OTLP_ENDPOINT");
        return Target::Mended(signal, hint);
    }
    let known = ["/api/public/otel", "/api/v1/private/otel", "/otel"];
    let prefix = Signal::ALL
        .into_iter()
        .find_map(|signal| Some((signal, trimmed.strip_suffix(&format!("/v1/{signal}"))?)));
    if let Some((signal, prefix)) = prefix {
        let organisation =
            prefix.strip_prefix("/api/").is_some_and(|rest| !rest.is_empty() && !rest.contains('/'));
        if known.contains(&prefix) || organisation {
            return Target::Mended(signal, format!("{path} is another tool's path; /v1/{signal} is ours"));
        }
    }
    let near = nearest(trimmed);
    if trimmed.starts_with("/opentelemetry.proto.collector.") {
        let hint = format!(
            "that is a gRPC method: send it as application/grpc over HTTP/2, or send OTLP/HTTP to {near}"
        );
        return Target::Unknown { hint };
    }
    Target::Unknown { hint: format!("did you mean {near}?") }
}

fn own(path: &str) -> Option<Signal> {
    Signal::from_name(path.strip_prefix("/v1/")?)
}

/// The path of ours that this one is most like.
fn nearest(path: &str) -> String {
    let word = |signal: Signal| path.contains(signal.as_str().trim_end_matches('s'));
    let signal = Signal::ALL.into_iter().find(|signal| word(*signal)).unwrap_or(Signal::Traces);
    format!("/v1/{signal}")
}

#[cfg(test)]
mod tests {
    use super::{Target, target};
    use model::Signal;

    #[test]
    fn paths_are_understood() {
        let check = |path: &str, expect: Result<Signal, &str>| {
            let found = match target(path) {
                Target::Signal(signal) | Target::Mended(signal, _) => Ok(signal),
                Target::Root => Err("root".to_owned()),
                Target::Unknown { hint } => Err(hint),
            };
            assert_eq!(found, expect.map_err(str::to_owned), "{path}");
        };
        check("/v1/traces", Ok(Signal::Traces));
        check("/v1/logs/", Ok(Signal::Logs));
        check("/v1/traces/v1/traces", Ok(Signal::Traces));
        check("/api/public/otel/v1/metrics", Ok(Signal::Metrics));
        check("/api/default/v1/traces", Ok(Signal::Traces));
        check("/otel/v1/logs", Ok(Signal::Logs));
        check("/", Err("root"));
        check("/v1/trace", Err("did you mean /v1/traces?"));
        check("/v1/metric", Err("did you mean /v1/metrics?"));
        check("/nonsense", Err("did you mean /v1/traces?"));
    }
}

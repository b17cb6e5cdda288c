//! Where each signal goes, and how: out of code and environment.

use super::SetupError;
use super::environment::Environment;
use opentelemetry_sdk::metrics::Temporality;
use std::path::PathBuf;
use std::time::Duration;

/// How telemetry is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// OTLP over HTTP, in protobuf; port 4318.
    #[default]
    HttpProtobuf,
    /// OTLP over HTTP, in JSON; port 4318.
    HttpJson,
    /// OTLP over gRPC; port 4317.
    Grpc,
}

/// What becomes of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exporter {
    /// It is sent to a receiver of OTLP.
    #[default]
    Otlp,
    /// It is written to the standard output, a line for each item.
    Console,
    /// Nothing.
    None,
}

/// What the three signals differ in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signal {
    pub(crate) name: &'static str,
    upper: &'static str,
    path: &'static str,
}

pub(crate) const TRACES: Signal = Signal { name: "traces", upper: "TRACES", path: "/v1/traces" };
pub(crate) const METRICS: Signal = Signal { name: "metrics", upper: "METRICS", path: "/v1/metrics" };
pub(crate) const LOGS: Signal = Signal { name: "logs", upper: "LOGS", path: "/v1/logs" };

/// Where one signal goes, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) signal: &'static str,
    pub(crate) exporter: Exporter,
    pub(crate) protocol: Protocol,
    /// The whole address, with the signal's path over HTTP.
    pub(crate) endpoint: String,
    /// The first are those of the environment; code's replace them.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) timeout: Duration,
    pub(crate) gzip: bool,
    pub(crate) certificate: Option<PathBuf>,
    /// A certificate and key to show to the receiver.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

/// What code says of where telemetry goes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Code {
    pub(crate) endpoint: Option<String>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) gzip: Option<bool>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) exporter: Option<Exporter>,
}

const PROTOCOLS: [(&str, Protocol); 3] =
    [("http/protobuf", Protocol::HttpProtobuf), ("http/json", Protocol::HttpJson), ("grpc", Protocol::Grpc)];
const EXPORTERS: [(&str, Exporter); 3] =
    [("otlp", Exporter::Otlp), ("console", Exporter::Console), ("none", Exporter::None)];

impl Destination {
    pub(super) fn of(signal: Signal, code: &Code, environment: &mut Environment) -> Result<Self, SetupError> {
        let variables = |what: &str| {
            let special = format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.upper);
            [special, format!("OTEL_EXPORTER_OTLP_{what}")]
        };
        let first = |environment: &Environment, what: &str| {
            environment.first(&variables(what).each_ref().map(String::as_str)).map(|(_, value)| value)
        };
        let (protocol, endpoint) = place(signal, code, environment, &variables)?;
        let names = variables("TIMEOUT");
        let timeout =
            environment.milliseconds(&names.each_ref().map(String::as_str), Duration::from_secs(10));
        let names = variables("COMPRESSION");
        let choices = [("gzip", true), ("none", false)];
        let gzip = environment.choice(&names.each_ref().map(String::as_str), &choices, ("none", false));
        let certificate = code.certificate.clone().or(first(environment, "CERTIFICATE").map(PathBuf::from));
        let identity = first(environment, "CLIENT_CERTIFICATE").zip(first(environment, "CLIENT_KEY"));
        let name = format!("OTEL_{}_EXPORTER", signal.upper);
        let exporter = environment.choice(&[&name], &EXPORTERS, ("otlp", Exporter::Otlp));
        Ok(Self {
            signal: signal.name,
            exporter: code.exporter.unwrap_or(exporter),
            protocol,
            endpoint,
            headers: headers(&variables("HEADERS"), code, environment),
            timeout: code.timeout.unwrap_or(timeout),
            gzip: code.gzip.unwrap_or(gzip),
            certificate,
            identity: identity.map(|(certificate, key)| (certificate.into(), key.into())),
        })
    }
}

/// The protocol and the address: each says something of the other.
fn place(
    signal: Signal,
    code: &Code,
    environment: &mut Environment,
    variables: &impl Fn(&str) -> [String; 2],
) -> Result<(Protocol, String), SetupError> {
    let jaeger = environment.text("JAEGER_ENDPOINT").filter(|_| {
        code.endpoint.is_none()
            && environment.first(&variables("ENDPOINT").each_ref().map(String::as_str)).is_none()
    });
    // A Jaeger's port speaks gRPC unless it is the one for HTTP.
    let default = match &jaeger {
        Some(place) if !place.ends_with(":4318") => ("grpc", Protocol::Grpc),
        _ => ("http/protobuf", Protocol::HttpProtobuf),
    };
    let names = variables("PROTOCOL");
    let said = environment.choice(&names.each_ref().map(String::as_str), &PROTOCOLS, default);
    let protocol = code.protocol.unwrap_or(said);
    let with_path = |base: &str| match protocol {
        Protocol::Grpc => base.trim_end_matches('/').to_owned(),
        _ => format!("{}{}", base.trim_end_matches('/'), signal.path),
    };
    if let Some(endpoint) = &code.endpoint {
        let address = address(endpoint).ok_or_else(|| SetupError::Endpoint(endpoint.clone()))?;
        return Ok((protocol, with_path(&address)));
    }
    let port = if protocol == Protocol::Grpc { 4317 } else { 4318 };
    let base = format!("http://localhost:{port}");
    let default = with_path(&base);
    let [special, general] = variables("ENDPOINT");
    for (name, whole) in [(special.as_str(), true), (general.as_str(), false), ("JAEGER_ENDPOINT", false)] {
        let Some(value) = environment.text(name) else { continue };
        match address(&value) {
            Some(address) if whole => return Ok((protocol, address)),
            Some(address) => return Ok((protocol, with_path(&address))),
            None => environment.warn(name, &value, "http://host:port, https://host:port", &base),
        }
    }
    Ok((protocol, default))
}

/// An address with its scheme; what has none is meant to be plain HTTP, as in `localhost:4317`.
fn address(text: &str) -> Option<String> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let authority = whole.strip_prefix("http://").or_else(|| whole.strip_prefix("https://"))?;
    let host = authority.split(['/', ':']).next()?;
    let usable = (!host.is_empty() || authority.starts_with('['))
        && !authority.contains(char::is_whitespace)
        && ureq::http::Uri::try_from(&whole).is_ok();
    usable.then_some(whole)
}

fn headers(variables: &[String; 2], code: &Code, environment: &mut Environment) -> Vec<(String, String)> {
    let special = environment.pairs(&variables[0]);
    let mut headers = if special.is_empty() { environment.pairs(&variables[1]) } else { special };
    headers.retain(|(name, _)| !code.headers.iter().any(|(had, _)| had.eq_ignore_ascii_case(name)));
    headers.extend(code.headers.iter().cloned());
    headers
}

/// How metrics add up, as the receiver wants it.
pub(super) fn temporality(environment: &mut Environment) -> Temporality {
    let choices = [
        ("cumulative", Temporality::Cumulative),
        ("delta", Temporality::Delta),
        ("lowmemory", Temporality::LowMemory),
    ];
    let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    environment.choice(&[name], &choices, ("cumulative", Temporality::Cumulative))
}

//! The table of settings. A new setting is a field of [`Config`] and a row here; flag, variable, help,
//! `clew config print` and the errors follow from it.

use super::{ByteSize, Config, LogFormat, Period, Share};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use tracing::level_filters::LevelFilter;

/// One setting.
pub struct Key {
    /// Its path in the file, with dots: `otlp.grpc-address`.
    pub name: &'static str,
    /// Its flag when that is not the name with dashes.
    flag: Option<&'static str>,
    pub value_name: &'static str,
    pub help: &'static str,
    /// Puts a value in its place, or says what is expected instead.
    pub set: fn(&mut Config, &str) -> Result<(), String>,
    /// The value in force, as it would be written in the file.
    pub show: fn(&Config) -> String,
    /// Makes one value of several; a flag that has this may be given several times.
    pub join: Option<fn(&[String]) -> String>,
}

impl Key {
    /// `otlp-grpc-address`, without the two dashes.
    pub fn flag(&self) -> String {
        self.flag.map_or_else(|| self.name.replace('.', "-"), str::to_owned)
    }

    /// `CLEW_OTLP_GRPC_ADDRESS`.
    pub fn variable(&self) -> String {
        format!("CLEW_{}", self.name.replace(['.', '-'], "_").to_ascii_uppercase())
    }

    const fn new(name: &'static str, value_name: &'static str, help: &'static str, access: Access) -> Self {
        Self { name, flag: None, value_name, help, set: access.0, show: access.1, join: None }
    }

    const fn with_flag(mut self, flag: &'static str) -> Self {
        self.flag = Some(flag);
        self
    }

    const fn repeated(mut self, join: fn(&[String]) -> String) -> Self {
        self.join = Some(join);
        self
    }
}

type Access = (fn(&mut Config, &str) -> Result<(), String>, fn(&Config) -> String);

/// The limit of a signal, numbered as in `Signal::ALL`.
const fn max_age_of<const SIGNAL: usize>() -> Access {
    (
        |config, text| own(text, period).map(|it| config.storage.signal_max_age[SIGNAL] = it),
        |config| shown(config.storage.signal_max_age[SIGNAL]),
    )
}

/// Likewise.
const fn max_bytes_of<const SIGNAL: usize>() -> Access {
    (
        |config, text| own(text, size).map(|it| config.storage.signal_max_bytes[SIGNAL] = it),
        |config| shown(config.storage.signal_max_bytes[SIGNAL]),
    )
}

/// All settings, in the order of the file.
pub static TABLE: [Key; 25] = [
    Key::new(
        "otlp.grpc-address",
        "HOST:PORT",
        "Where OTLP/gRPC is received",
        (
            |config, text| address(text).map(|it| config.otlp.grpc_address = it),
            |config| config.otlp.grpc_address.to_string(),
        ),
    ),
    Key::new(
        "otlp.http-address",
        "HOST:PORT",
        "Where OTLP/HTTP is received",
        (
            |config, text| address(text).map(|it| config.otlp.http_address = it),
            |config| config.otlp.http_address.to_string(),
        ),
    ),
    Key::new(
        "query.address",
        "HOST:PORT",
        "Where the page and the API are served",
        (
            |config, text| address(text).map(|it| config.query.address = it),
            |config| config.query.address.to_string(),
        ),
    ),
    Key::new(
        "query.allowed-hosts",
        "NAME,…",
        "Host names, besides addresses and localhost, under which the page may be asked for",
        (
            |config, text| host_names(text).map(|it| config.query.allowed_hosts = it),
            |config| config.query.allowed_hosts.join(","),
        ),
    ),
    Key::new(
        "prometheus.address",
        "HOST:PORT",
        "Where Prometheus' HTTP API is served, beside /prometheus on the page's port; none for nowhere else",
        (
            |config, text| optional_address(text).map(|it| config.prometheus.address = it),
            |config| config.prometheus.address.map_or_else(|| NONE.to_owned(), |address| address.to_string()),
        ),
    ),
    Key::new(
        "storage.directory",
        "DIRECTORY",
        "Where telemetry is stored",
        (
            |config, text| directory(text).map(|it| config.storage.directory = it),
            |config| config.storage.directory.display().to_string(),
        ),
    )
    .with_flag("data-directory"),
    Key::new(
        "storage.blocks-url",
        "URL",
        "Where blocks go instead of the data directory: s3://BUCKET/PREFIX; see the AWS_ variables in docs/storage.md",
        (
            |config, text| blocks_url(text).map(|it| config.storage.blocks_url = it),
            |config| config.storage.blocks_url.clone().unwrap_or_default(),
        ),
    ),
    Key::new(
        "storage.max-age",
        "TIME",
        "How long telemetry is kept",
        (
            |config, text| period(text).map(|it| config.storage.max_age = it),
            |config| config.storage.max_age.to_string(),
        ),
    ),
    Key::new(
        "storage.max-bytes",
        "SIZE",
        "How much disk telemetry may take; the oldest goes first",
        (
            |config, text| size(text).map(|it| config.storage.max_bytes = it),
            |config| config.storage.max_bytes.to_string(),
        ),
    ),
    Key::new(
        "storage.traces-max-age",
        "TIME",
        "How long traces are kept, when not as long as all else",
        max_age_of::<0>(),
    ),
    Key::new(
        "storage.traces-max-bytes",
        "SIZE",
        "How much of the disk traces may take, when less than all",
        max_bytes_of::<0>(),
    ),
    Key::new(
        "storage.logs-max-age",
        "TIME",
        "How long log records are kept, when not as long as all else",
        max_age_of::<1>(),
    ),
    Key::new(
        "storage.logs-max-bytes",
        "SIZE",
        "How much of the disk log records may take, when less than all",
        max_bytes_of::<1>(),
    ),
    Key::new(
        "storage.metrics-max-age",
        "TIME",
        "How long metric points are kept, when not as long as all else",
        max_age_of::<2>(),
    ),
    Key::new(
        "storage.metrics-max-bytes",
        "SIZE",
        "How much of the disk metric points may take, when less than all",
        max_bytes_of::<2>(),
    ),
    Key::new(
        "storage.seal-bytes",
        "SIZE",
        "How much is held in memory before it is sealed into a block",
        (
            |config, text| size(text).map(|it| config.storage.seal_bytes = it),
            |config| config.storage.seal_bytes.to_string(),
        ),
    ),
    Key::new(
        "storage.seal-age",
        "TIME",
        "How long telemetry is held in memory, besides the log, before it is sealed into a block",
        (
            |config, text| period(text).map(|it| config.storage.seal_age = it),
            |config| config.storage.seal_age.to_string(),
        ),
    ),
    Key::new(
        "storage.hot-limit",
        "SIZE",
        "How much may be held in memory before senders are told to wait",
        (
            |config, text| size(text).map(|it| config.storage.hot_limit = it),
            |config| config.storage.hot_limit.to_string(),
        ),
    ),
    Key::new(
        "sampling.keep",
        "FILTER",
        "Traces to keep always: those of which a span satisfies this, as in the query bar; may be given several times",
        (
            |config, text| filter(text).map(|it| config.sampling.keep = it),
            |config| config.sampling.keep.clone(),
        ),
    )
    .with_flag("sample-keep")
    .repeated(any_of),
    Key::new(
        "sampling.rest",
        "SHARE",
        "Which share of the other traces to keep, from 0 to 1; without it every trace is kept",
        (
            |config, text| own(text, share).map(|it| config.sampling.rest = it),
            |config| shown(config.sampling.rest),
        ),
    )
    .with_flag("sample-rest"),
    Key::new(
        "sampling.wait",
        "TIME",
        "How long a trace has for its spans before it may be dropped",
        (
            |config, text| period(text).map(|it| config.sampling.wait = it),
            |config| config.sampling.wait.to_string(),
        ),
    )
    .with_flag("sample-wait"),
    Key::new(
        "limits.request-bytes",
        "SIZE",
        "The largest request that is taken in, after decompression",
        (
            |config, text| size(text).map(|it| config.limits.request_bytes = it),
            |config| config.limits.request_bytes.to_string(),
        ),
    ),
    Key::new(
        "prices.file",
        "FILE",
        "Prices of models besides those that are built in, in YAML; `clew prices --help` has an example",
        (
            |config, text| path(text).map(|it| config.prices.file = it),
            |config| config.prices.file.as_ref().map_or_else(String::new, |path| path.display().to_string()),
        ),
    ),
    Key::new(
        "log.level",
        "LEVEL",
        "How much is logged to standard error: error, warn, info, debug or trace",
        (|config, text| level(text).map(|it| config.log.level = it), |config| config.log.level.to_string()),
    ),
    Key::new(
        "log.format",
        "FORMAT",
        "How log lines are written: human or json",
        (
            |config, text| log_format(text).map(|it| config.log.format = it),
            |config| show_log_format(config.log.format),
        ),
    ),
];

/// The key most like `name`, by edits; a key of which `name` is the last part comes first.
pub fn nearest(name: &str) -> &'static str {
    let distance = |key: &&Key| {
        let last = key.name.rsplit('.').next().unwrap_or(key.name);
        let whole = strsim::damerau_levenshtein(name, key.name);
        whole.min(strsim::damerau_levenshtein(name, last))
    };
    TABLE.iter().min_by_key(distance).map_or("", |key| key.name)
}

impl Config {
    /// The defaults, given where data of the user belongs.
    pub fn defaults(data_home: &Path) -> Self {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let minutes = |count: u64| Period(std::time::Duration::from_secs(60 * count));
        Self {
            otlp: super::Otlp { grpc_address: local(4317), http_address: local(4318) },
            query: super::Query { address: local(16686), allowed_hosts: Vec::new() },
            prometheus: super::Prometheus { address: Some(local(9090)) },
            storage: super::Storage {
                directory: data_home.join("clew"),
                blocks_url: None,
                max_age: minutes(7 * 24 * 60),
                max_bytes: ByteSize(20_000_000_000),
                signal_max_age: [None; 3],
                signal_max_bytes: [None; 3],
                seal_bytes: ByteSize(64 << 20),
                seal_age: minutes(10),
                hot_limit: ByteSize(256 << 20),
            },
            sampling: super::Sampling {
                rest: None,
                keep: String::new(),
                wait: Period(std::time::Duration::from_secs(30)),
            },
            limits: super::Limits { request_bytes: ByteSize(64 << 20) },
            prices: super::Prices { file: None },
            log: super::Log { level: LevelFilter::INFO, format: LogFormat::Human },
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let literal =
        text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    literal.parse().map_err(|_| "an IP address and a port, such as 127.0.0.1:4317 or 0.0.0.0:4317".to_owned())
}

/// Says that there is to be no such port.
const NONE: &str = "none";

fn optional_address(text: &str) -> Result<Option<SocketAddr>, String> {
    match text {
        "" | NONE | "off" => Ok(None),
        text => address(text).map(Some).map_err(|expected| format!("{expected}; or none")),
    }
}

fn host_names(text: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> =
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_ascii_lowercase).collect();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'*');
    if names.iter().all(|name| name.bytes().all(allowed)) {
        return Ok(names);
    }
    Err("host names without scheme and port, separated by commas, such as clew.example.com".to_owned())
}

fn directory(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("a directory".to_owned()) } else { Ok(PathBuf::from(text)) }
}

#[expect(clippy::unnecessary_wraps, reason = "as other keys are set")]
fn path(text: &str) -> Result<Option<PathBuf>, String> {
    Ok(Some(PathBuf::from(text)).filter(|_| !text.is_empty()))
}

/// Empty for none.
fn blocks_url(text: &str) -> Result<Option<String>, String> {
    let named = text.strip_prefix("s3://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    match (text.is_empty(), named) {
        (true, _) => Ok(None),
        (_, true) => Ok(Some(text.to_owned())),
        _ => Err("s3://BUCKET/PREFIX, or nothing for the data directory".to_owned()),
    }
}

/// A limit of one signal; empty where there is none.
fn own<T>(text: &str, read: fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if text.is_empty() { Ok(None) } else { read(text).map(Some) }
}

fn shown(limit: Option<impl std::fmt::Display>) -> String {
    limit.map_or_else(String::new, |limit| limit.to_string())
}

/// As it was written; empty for none.
fn filter(text: &str) -> Result<String, String> {
    let parsed = query::filter::parse(text);
    parsed.map(|_| text.trim().to_owned()).map_err(|error| format!("a filter as in the query bar; {error}"))
}

/// A filter that is satisfied when any of these is.
fn any_of(filters: &[String]) -> String {
    match filters {
        [only] => only.clone(),
        filters => filters.iter().map(|filter| format!("({filter})")).collect::<Vec<_>>().join(" OR "),
    }
}

fn share(text: &str) -> Result<Share, String> {
    Share::parse(text).ok_or_else(|| Share::EXPECTED.to_owned())
}

fn period(text: &str) -> Result<Period, String> {
    Period::parse(text).ok_or_else(|| Period::EXPECTED.to_owned())
}

fn size(text: &str) -> Result<ByteSize, String> {
    ByteSize::parse(text).ok_or_else(|| ByteSize::EXPECTED.to_owned())
}

fn level(text: &str) -> Result<LevelFilter, String> {
    text.parse().map_err(|_| "error, warn, info, debug, trace or off".to_owned())
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "human" => Ok(LogFormat::Human),
        "json" => Ok(LogFormat::Json),
        _ => Err("human or json".to_owned()),
    }
}

fn show_log_format(format: LogFormat) -> String {
    match format {
        LogFormat::Human => "human".to_owned(),
        LogFormat::Json => "json".to_owned(),
    }
}

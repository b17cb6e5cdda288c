//! What code and environment come to, as tables of variables.

use super::environment::Environment;
use super::settings::{Propagation, Settings};
use super::{Builder, Exporter, Protocol, SetupError, builder};
use crate::options::Content;
use opentelemetry_sdk::metrics::Temporality;
use std::time::Duration;

type Table<'a> = &'a [(&'static str, &'static str)];

fn settled(builder: &Builder, table: Table<'_>) -> (Settings, Vec<String>) {
    let mut environment = Environment::of(table);
    let settings = Settings::of(builder, &mut environment).unwrap();
    (settings, environment.warnings.iter().map(|warning| warning.variable.clone()).collect())
}

fn settings(table: Table<'_>) -> Settings {
    let (settings, warnings) = settled(&builder(), table);
    assert_eq!(warnings, Vec::<String>::new(), "{table:?}");
    settings
}

fn attribute(settings: &Settings, key: &str) -> Option<String> {
    let found = settings.resource.iter().find(|attribute| attribute.key.as_str() == key);
    found.map(|attribute| attribute.value.to_string())
}

#[test]
fn the_seeds_variables_mean_what_they_say() {
    let settings = settings(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_HEADERS", ""),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=agentic-core,service.version=1.0.0,deployment.environment=development",
        ),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.0"),
        ("OTEL_SERVICE_NAME", "aob-api"),
        ("OTEL_SERVICE_VERSION", "1.0.0"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "2048"),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "128"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "128"),
    ]);
    assert_eq!(settings.traces.endpoint, "http://localhost:4318/v1/traces");
    assert_eq!((settings.traces.protocol, settings.traces.headers.len()), (Protocol::HttpProtobuf, 0));
    assert_eq!(settings.sampling.ratio, Some(1.0));
    for (key, value) in [
        ("service.name", "aob-api"),
        ("service.version", "1.0.0"),
        ("deployment.environment", "development"),
        ("deployment.environment.name", "development"),
    ] {
        assert_eq!(attribute(&settings, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!((settings.limits.value_length, settings.limits.attributes), (2_048, 128));
    assert_eq!((settings.batch.queue, settings.batch.size), (2_048, 512));
    assert_eq!(settings.batch.delay, Duration::from_secs(5));
    assert_eq!(settings.batch.timeout, Duration::from_secs(30));
}

#[test]
fn code_goes_before_the_environment_and_that_before_defaults() {
    let table: Table<'_> = &[
        ("OTEL_SERVICE_NAME", "environment"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=attributes,team=a%20b,deployment.environment.name=test"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://environment:1/"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=environment,Other=1"),
        ("OTEL_TRACES_SAMPLER", "always_off"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_TRACES_EXPORTER", "none"),
    ];
    let from = settings(table);
    assert_eq!(attribute(&from, "service.name").as_deref(), Some("environment"));
    assert_eq!(attribute(&from, "team").as_deref(), Some("a b"));
    assert_eq!(attribute(&from, "deployment.environment").as_deref(), Some("test"));
    assert_eq!(from.traces.endpoint, "http://environment:1/v1/traces");
    assert_eq!((from.traces.exporter, from.metrics.exporter), (Exporter::None, Exporter::Otlp));
    assert!(from.traces.gzip);

    let code = builder().service("code").endpoint("code:2").header("API-KEY", "code").gzip(false);
    let (code, _) = settled(&code.exporter(Exporter::Console).sampler(crate::sampling::always()), table);
    assert_eq!(attribute(&code, "service.name").as_deref(), Some("code"));
    assert_eq!(code.logs.endpoint, "http://code:2/v1/logs");
    let headers: Vec<_> =
        code.traces.headers.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(headers, [("Other", "1"), ("API-KEY", "code")]);
    assert_eq!((code.sampling.ratio, code.traces.exporter), (Some(1.0), Exporter::Console));
    assert!(!code.traces.gzip);

    let nothing = settings(&[]);
    assert!(attribute(&nothing, "service.name").unwrap().starts_with("unknown_service:"));
    assert_eq!(nothing.metrics.endpoint, "http://localhost:4318/v1/metrics");
    assert_eq!(nothing.propagation, [Propagation::TraceContext, Propagation::Baggage]);
    assert_eq!((nothing.content, nothing.disabled), (Content::Off, false));
}

#[test]
fn a_service_version_of_its_own_is_below_the_attributes() {
    let own = ("OTEL_SERVICE_VERSION", "2");
    assert_eq!(attribute(&settings(&[own]), "service.version").as_deref(), Some("2"));
    let both = settings(&[own, ("OTEL_RESOURCE_ATTRIBUTES", "service.version=3")]);
    assert_eq!(attribute(&both, "service.version").as_deref(), Some("3"));
}

#[test]
fn each_signal_goes_where_it_is_told() {
    let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://all:1/base/");
    for (table, traces, protocol) in [
        (&[all][..], "https://all:1/base/v1/traces", Protocol::HttpProtobuf),
        (
            &[all, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://one:2/as/it/is")],
            "http://one:2/as/it/is",
            Protocol::HttpProtobuf,
        ),
        (&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], "http://localhost:4317", Protocol::Grpc),
        (
            &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json")],
            "http://localhost:4318/v1/traces",
            Protocol::HttpJson,
        ),
        (&[("JAEGER_ENDPOINT", "127.0.0.1:4317")], "http://127.0.0.1:4317", Protocol::Grpc),
        (
            &[("JAEGER_ENDPOINT", "http://jaeger:4318")],
            "http://jaeger:4318/v1/traces",
            Protocol::HttpProtobuf,
        ),
        (&[all, ("JAEGER_ENDPOINT", "jaeger:4317")], "https://all:1/base/v1/traces", Protocol::HttpProtobuf),
        (
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "[::1]:4318")],
            "http://[::1]:4318/v1/traces",
            Protocol::HttpProtobuf,
        ),
    ] {
        let settings = settings(table);
        assert_eq!(
            (settings.traces.endpoint.as_str(), settings.traces.protocol),
            (traces, protocol),
            "{table:?}"
        );
    }
    let one = settings(&[
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=1"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "b=2"),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "1500"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/certificates/all.pem"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "2000"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta"),
    ]);
    assert_eq!(one.traces.headers, [("a".to_owned(), "1".to_owned())]);
    assert_eq!(one.logs.headers, [("b".to_owned(), "2".to_owned())]);
    assert_eq!(one.logs.timeout, Duration::from_millis(1_500));
    assert_eq!(one.traces.timeout, Duration::from_secs(10));
    assert!(one.metrics.certificate.is_some());
    assert_eq!((one.metric_interval, one.temporality), (Duration::from_secs(2), Temporality::Delta));
}

#[test]
fn limits_of_spans_go_before_those_of_all() {
    let settings = settings(&[
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "10"),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "20"),
        ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "30"),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "1"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "2"),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "3"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "4"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "5"),
    ]);
    let limits = settings.limits;
    assert_eq!((limits.value_length, settings.log_limits.value_length), (20, 30));
    assert_eq!((limits.attributes, limits.attributes_per_event, limits.attributes_per_link), (2, 3, 1));
    assert_eq!((limits.events, limits.links, settings.log_limits.attributes), (4, 5, 1));
}

#[test]
fn samplers_propagators_and_switches() {
    for (name, argument, ratio) in [
        ("always_on", "", Some(1.0)),
        ("always_off", "", Some(0.0)),
        ("traceidratio", "0.25", Some(0.25)),
        ("parentbased_traceidratio", "0.1", Some(0.1)),
        ("parentbased_always_off", "", Some(0.0)),
        ("consistent_probability", "0.5", Some(0.5)),
        ("parentbased_rate_limited", "50", None),
        ("traceidratio", "", Some(1.0)),
    ] {
        let table = [("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", argument)];
        assert_eq!(settings(&table).sampling.ratio, ratio, "{name} {argument}");
    }
    for (text, forms) in [
        ("none", &[][..]),
        ("b3", &[Propagation::B3]),
        (
            "tracecontext, b3multi,jaeger",
            &[Propagation::TraceContext, Propagation::B3Multiple, Propagation::Jaeger],
        ),
        ("baggage,baggage", &[Propagation::Baggage]),
    ] {
        assert_eq!(settings(&[("OTEL_PROPAGATORS", text)]).propagation, forms, "{text}");
    }
    assert!(settings(&[("OTEL_SDK_DISABLED", "TRUE")]).disabled);
    let content = ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true");
    assert_eq!(settings(&[content]).content, Content::On);
}

#[test]
fn what_is_wrong_is_told_once_and_the_default_taken() {
    for (name, value) in [
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_PROPAGATORS", "pigeon"),
        ("OTEL_METRICS_EXEMPLAR_FILTER", "sometimes"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://nowhere"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "no pair"),
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "-1"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
        ("OTEL_SDK_DISABLED", "maybe"),
        ("OTEL_RESOURCE_ATTRIBUTES", "just a name"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"),
    ] {
        let (settings, warnings) = settled(&builder(), &[(name, value)]);
        assert_eq!(warnings, [name], "{value}");
        assert_eq!(settings.traces.endpoint, "http://localhost:4318/v1/traces", "{name}");
        assert!(!settings.disabled && settings.traces.timeout == Duration::from_secs(10));
        assert_eq!((settings.batch.size <= settings.batch.queue, settings.sampling.ratio), (true, Some(1.0)));
    }
    let table = [("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "half")];
    let mut environment = Environment::of(&table);
    assert_eq!(Settings::of(&builder(), &mut environment).unwrap().sampling.ratio, Some(1.0));
    let told: Vec<_> = environment.warnings.iter().map(ToString::to_string).collect();
    let line =
        "OTEL_TRACES_SAMPLER_ARG=\"half\" is not used; allowed: a number from 0 to 1; taken instead: 1.0";
    assert_eq!(told, [line]);
}

#[test]
fn what_is_wrong_in_code_is_an_error() {
    let build = |builder: Builder| builder.build_in(Environment::of(&[])).err();
    assert!(matches!(build(builder().endpoint("ftp://a")), Some(SetupError::Endpoint(_))));
    assert!(matches!(build(builder().header("a b", "c")), Some(SetupError::Header(_))));
    assert!(matches!(build(builder().redact("(")), Some(SetupError::Rule(_))));
    let missing = build(builder().certificate("/no/such/file.pem"));
    assert!(matches!(missing, Some(SetupError::Certificate { .. })), "{missing:?}");
}

#[test]
fn secrets_in_headers_are_not_told() {
    let (_, _) = settled(&builder(), &[("OTEL_EXPORTER_OTLP_HEADERS", "sk-secret")]);
    let mut environment = Environment::of(&[("OTEL_EXPORTER_OTLP_HEADERS", "sk-secret")]);
    assert!(Settings::of(&builder(), &mut environment).is_ok());
    assert!(environment.warnings.iter().all(|warning| !warning.to_string().contains("sk-secret")));
    assert_eq!(environment.warnings.len(), 1);
}

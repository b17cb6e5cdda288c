//! Who sends: the resource, out of code and environment.

use super::environment::Environment;
use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::Resource;

const OLD: &str = "deployment.environment";
const CURRENT: &str = "deployment.environment.name";

/// The attributes of the resource. What code says goes before the environment, and there `OTEL_SERVICE_NAME` before
/// `OTEL_RESOURCE_ATTRIBUTES`.
pub(super) fn attributes(code: &[KeyValue], environment: &mut Environment) -> Vec<KeyValue> {
    let mut attributes: Vec<KeyValue> = Vec::new();
    let mut set = |key: Key, value: Value| match attributes.iter_mut().find(|had| had.key == key) {
        Some(had) => had.value = value,
        None => attributes.push(KeyValue::new(key, value)),
    };
    set("service.name".into(), default_name().into());
    // The seeds' own variable: below what the specification has.
    if let Some(version) = environment.text("OTEL_SERVICE_VERSION") {
        set("service.version".into(), version.into());
    }
    for (key, value) in environment.pairs("OTEL_RESOURCE_ATTRIBUTES") {
        set(key.into(), value.into());
    }
    if let Some(name) = environment.text("OTEL_SERVICE_NAME") {
        set("service.name".into(), name.into());
    }
    for attribute in code {
        set(attribute.key.clone(), attribute.value.clone());
    }
    both_environments(&mut attributes);
    attributes
}

/// A program that names neither code nor environment is still told apart from others.
fn default_name() -> String {
    let path = std::env::current_exe().ok();
    let name = path.as_deref().and_then(std::path::Path::file_stem).and_then(std::ffi::OsStr::to_str);
    name.map_or_else(|| "unknown_service".to_owned(), |name| format!("unknown_service:{name}"))
}

/// The deployment's name was renamed; whoever asks for either finds it.
fn both_environments(attributes: &mut Vec<KeyValue>) {
    let value =
        |key: &str| attributes.iter().find(|had| had.key.as_str() == key).map(|had| had.value.clone());
    match (value(OLD), value(CURRENT)) {
        (Some(name), None) => attributes.push(KeyValue::new(CURRENT, name)),
        (None, Some(name)) => attributes.push(KeyValue::new(OLD, name)),
        _ => {}
    }
}

/// The resource of these attributes, with what is said of this library itself.
pub(super) fn resource(attributes: Vec<KeyValue>) -> Resource {
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("telemetry.sdk.name", "opentelemetry"),
            KeyValue::new("telemetry.sdk.language", "rust"),
            KeyValue::new("telemetry.sdk.version", "0.33.1"),
            KeyValue::new("telemetry.distro.name", env!("CARGO_PKG_NAME")),
            KeyValue::new("telemetry.distro.version", env!("CARGO_PKG_VERSION")),
        ])
        .with_attributes(attributes)
        .build()
}

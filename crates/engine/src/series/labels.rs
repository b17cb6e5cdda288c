//! Labels of series: attributes of data points, and of what they come from.

use super::names;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::value::{Resource, Scope};
use model::{Attribute, Value};
use query::promql::plain_number;
use serde_json::{Map, Number, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Labels by name, before they are shared.
pub type LabelMap = BTreeMap<Arc<str>, Arc<str>>;

/// Resource attributes that all series of the resource have as labels, unless a point has one of that name: those that
/// Prometheus' guide to OpenTelemetry recommends, and the host.
const PROMOTED: [&str; 20] = [
    "service.name",
    "service.namespace",
    "service.version",
    "service.instance.id",
    "deployment.environment",
    "deployment.environment.name",
    "cloud.availability_zone",
    "cloud.region",
    "container.name",
    "host.name",
    "k8s.cluster.name",
    "k8s.container.name",
    "k8s.cronjob.name",
    "k8s.daemonset.name",
    "k8s.deployment.name",
    "k8s.job.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.replicaset.name",
    "k8s.statefulset.name",
];

/// What `job` and `instance` stand for; `target_info` does not repeat it.
const IDENTITY: [&str; 3] = ["service.namespace", "service.name", "service.instance.id"];

/// What a resource gives to its series.
#[derive(Debug, Default)]
pub struct ResourceLabels {
    /// `job` and `instance`: no attribute of a point replaces them.
    identity: LabelMap,
    /// What every series has.
    promoted: LabelMap,
    /// What a series has when it is asked for, or when that is needed to tell it from another one.
    pub others: LabelMap,
    /// The labels of `target_info`; nothing when it would say nothing.
    pub target: Option<LabelMap>,
}

impl ResourceLabels {
    pub fn new(resource: &Resource) -> Self {
        let text = |key: &str| {
            let found = resource.attributes.iter().find(|attribute| attribute.key == key);
            found.map(|attribute| text(&attribute.value)).filter(|text| !text.is_empty())
        };
        let job = text("service.name").map(|name| match text("service.namespace") {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name,
        });
        let identity = [("job", job), ("instance", text("service.instance.id"))];
        let identity: LabelMap =
            identity.into_iter().filter_map(|(name, value)| Some((name.into(), value?.into()))).collect();
        let of = |wanted: &dyn Fn(&str) -> bool| {
            of_attributes(resource.attributes.iter().filter(|attribute| wanted(&attribute.key)))
        };
        let mut target = of(&|key| !IDENTITY.contains(&key));
        let tells = !target.is_empty() && !identity.is_empty();
        target.extend(identity.clone());
        Self {
            promoted: of(&|key| PROMOTED.contains(&key)),
            others: of(&|key| !PROMOTED.contains(&key)),
            target: tells.then_some(target),
            identity,
        }
    }

    /// The labels of a series of this resource, without its name.
    pub fn with(&self, attributes: &[Attribute]) -> LabelMap {
        let mut labels = of_attributes(attributes);
        for (name, value) in &self.promoted {
            labels.entry(Arc::clone(name)).or_insert_with(|| Arc::clone(value));
        }
        labels.extend(self.identity.clone());
        labels
    }
}

/// The labels that tell one scope from another.
pub fn scope_labels(scope: &Scope) -> LabelMap {
    let mut labels: LabelMap = of_attributes(&scope.attributes)
        .into_iter()
        .map(|(name, value)| (format!("otel_scope_{name}").into(), value))
        .collect();
    for (name, value) in [("otel_scope_name", &scope.name), ("otel_scope_version", &scope.version)] {
        if !value.is_empty() {
            labels.insert(name.into(), value.as_str().into());
        }
    }
    labels
}

/// Attributes as labels, without empty ones. Keys that become the same name share it, their values joined in the order
/// of the keys.
pub fn of_attributes<'a>(attributes: impl IntoIterator<Item = &'a Attribute>) -> LabelMap {
    let mut sorted: Vec<&Attribute> = attributes.into_iter().collect();
    sorted.sort_by(|one, other| one.key.cmp(&other.key));
    sorted.dedup_by(|later, earlier| later.key == earlier.key);
    let mut labels: BTreeMap<Arc<str>, String> = BTreeMap::new();
    for attribute in sorted {
        let value = text(&attribute.value);
        let Some(name) = names::label(&attribute.key).filter(|name| name != query::promql::METRIC_NAME)
        else {
            continue;
        };
        if value.is_empty() {
            continue;
        }
        let joined = labels.entry(name.into()).or_default();
        if !joined.is_empty() {
            joined.push(';');
        }
        joined.push_str(&value);
    }
    labels.into_iter().map(|(name, value)| (name, value.into())).collect()
}

/// A value as the text of a label; lists and maps as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::Empty => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(yes) => yes.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => short_number(*number),
        Value::Bytes(bytes) => STANDARD.encode(bytes),
        Value::Array(_) | Value::Map(_) => json(value).to_string(),
    }
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Empty => serde_json::Value::Null,
        Value::String(text) => json!(text),
        Value::Bool(yes) => json!(yes),
        Value::Int(number) => json!(number),
        Value::Double(number) => {
            Number::from_f64(*number).map_or_else(|| json!(plain_number(*number)), serde_json::Value::Number)
        }
        Value::Bytes(bytes) => json!(STANDARD.encode(bytes)),
        Value::Array(values) => values.iter().map(json).collect(),
        Value::Map(attributes) => {
            let entries = attributes.iter().map(|attribute| (attribute.key.clone(), json(&attribute.value)));
            serde_json::Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// A number as `OTLP`'s libraries write it as text: very large and very small ones with an exponent.
fn short_number(number: f64) -> String {
    let size = number.abs();
    if !number.is_finite() || size == 0.0 || (1e-6..1e21).contains(&size) {
        return plain_number(number);
    }
    let text = format!("{number:e}");
    if size >= 1.0 { text.replace('e', "e+") } else { text }
}

#[cfg(test)]
mod tests {
    use super::{LabelMap, ResourceLabels};
    use model::value::Resource;
    use model::{Attribute, Value};

    fn attributes(pairs: &[(&str, &str)]) -> Vec<Attribute> {
        pairs.iter().map(|(key, value)| Attribute::new(*key, Value::String((*value).to_owned()))).collect()
    }

    fn shown(labels: &LabelMap) -> String {
        let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join(" ")
    }

    fn resource(pairs: &[(&str, &str)]) -> ResourceLabels {
        ResourceLabels::new(&Resource { attributes: attributes(pairs), ..Resource::default() })
    }

    #[test]
    fn a_resource_gives_its_labels() {
        let resource = resource(&[
            ("service.name", "api"),
            ("service.namespace", "shop"),
            ("service.instance.id", "i1"),
            ("process.pid", "7"),
            ("host.name", "h"),
        ]);
        let of = |pairs: &[(&str, &str)]| shown(&resource.with(&attributes(pairs)));
        assert_eq!(
            of(&[("a.b", "2"), ("a-b", "1"), ("host.name", "own"), ("job", "mine"), ("empty", "")]),
            "a_b=1;2 host_name=own instance=i1 job=shop/api service_instance_id=i1 service_name=api service_namespace=shop"
        );
        assert_eq!(shown(&resource.others), "process_pid=7");
        let target = resource.target.as_ref().unwrap();
        assert_eq!(shown(target), "host_name=h instance=i1 job=shop/api process_pid=7");
    }

    #[test]
    fn a_resource_that_says_nothing_has_no_target() {
        assert!(resource(&[("service.name", "api")]).target.is_none());
        assert!(resource(&[("host.name", "h")]).target.is_none());
    }

    #[test]
    fn values_are_text() {
        let text = |value| super::text(&value);
        assert_eq!(text(Value::Double(0.5)), "0.5");
        assert_eq!(text(Value::Double(1e21)), "1e+21");
        assert_eq!(text(Value::Double(1e-7)), "1e-7");
        assert_eq!(text(Value::Bool(true)), "true");
        assert_eq!(text(Value::Array(vec![Value::Int(1), Value::String("x".to_owned())])), r#"[1,"x"]"#);
        assert_eq!(text(Value::Map(attributes(&[("k", "v")]))), r#"{"k":"v"}"#);
        assert_eq!(text(Value::Bytes(vec![1, 2])), "AQI=");
    }
}

//! Looks for a part of the JSON that an attribute holds as text.

use serde_json::Value;

/// A part of the JSON in a text: names and numbers in brackets, with dots between.
#[must_use]
pub fn inside(text: &str, path: &str) -> Option<Value> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    // A text that holds JSON once more: some SDKs encode twice.
    if let Value::String(inner) = &value {
        value = serde_json::from_str(inner).ok()?;
    }
    let pointer = path.replace('[', ".").replace(']', "");
    let mut steps = pointer.split('.').filter(|step| !step.is_empty());
    let found = steps.try_fold(&value, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    });
    found.cloned()
}

#[cfg(test)]
mod tests {
    use super::inside;
    use serde_json::json;

    #[test]
    fn parts() {
        let check = |text: &str, path: &str, found| assert_eq!(inside(text, path), found, "{text} {path}");
        check(r#"{"input": 3, "a": {"b": [{"name": "x"}]}}"#, "input", Some(json!(3)));
        check(r#"{"a": {"b": [{"name": "x"}]}}"#, "a.b[0].name", Some(json!("x")));
        check(r#"[{"name": "x"}]"#, "[0].name", Some(json!("x")));
        check(r#""{\"input\": 3}""#, "input", Some(json!(3)));
        check("no JSON", "input", None);
        check(r#"{"input": 3}"#, "output", None);
    }
}

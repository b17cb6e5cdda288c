//! Log events of a real program: as lines of JSON, and as records, both with the ids of their spans.

use crate::receiver::{Receiver, logs, spans, text};
use clew_sdk::serde_json::Value;

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn lines_and_records_carry_the_span_they_were_written_in() {
    let receiver = Receiver::start();
    let output = crate::example("json_logs")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| clew_sdk::serde_json::from_str(line).unwrap())
        .collect();
    let got = receiver.got();
    let span = spans(&got).into_iter().find(|span| span.name == "ProcessUserQuery").unwrap();
    let (trace, span) = (hexadecimal(&span.trace_id), hexadecimal(&span.span_id));

    let said: Vec<_> = lines.iter().map(|line| line["msg"].as_str().unwrap()).collect();
    let within = ["Processing query", "Query processing failed", "Query processed successfully"];
    assert_eq!(said, ["starting", within[0], within[1], within[2]]);
    for line in &lines {
        let inside = within.contains(&line["msg"].as_str().unwrap());
        assert_eq!(line.get("trace_id").and_then(Value::as_str), inside.then_some(trace.as_str()), "{line}");
        assert_eq!(line.get("span_id").and_then(Value::as_str), inside.then_some(span.as_str()), "{line}");
        assert_eq!(line["service"], "json-logs");
        let time = line["time"].as_str().unwrap();
        assert!(time.len() == 24 && time.starts_with("20") && time.ends_with('Z'), "{time}");
    }
    assert_eq!((&lines[1]["query_length"], &lines[2]["level"]), (&Value::from(5), &Value::from("ERROR")));
    assert_eq!(lines[2]["error"], "no answer for [redacted]");

    let requests = logs(&got);
    let records = requests.iter().flat_map(|request| &request.resource_logs);
    let records: Vec<_> =
        records.flat_map(|resource| &resource.scope_logs).flat_map(|scope| &scope.log_records).collect();
    assert_eq!(records.len(), 4);
    for record in &records[1..] {
        assert_eq!(
            (hexadecimal(&record.trace_id), hexadecimal(&record.span_id)),
            (trace.clone(), span.clone())
        );
    }
    assert_eq!(records[0].trace_id.len(), 0);
    assert_eq!((records[2].severity_text.as_str(), records[2].severity_number), ("ERROR", 17));
    assert_eq!(text(&records[2].attributes, "error"), Some("no answer for [redacted]"));
}

#[test]
fn attributes_that_are_left_out_are_counted() {
    for protocol in ["http/protobuf", "grpc"] {
        let receiver = if protocol == "grpc" { Receiver::grpc(None) } else { Receiver::start() };
        let status = crate::example("json_logs")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            .env("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "0")
            .env_remove("RUST_LOG")
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        let requests = logs(&receiver.got());
        let resources = requests.iter().flat_map(|request| &request.resource_logs);
        let resource = resources.clone().next().unwrap().resource.as_ref().unwrap();
        assert_eq!(text(&resource.attributes, "service.name"), Some("json-logs"));
        let records =
            resources.flat_map(|resource| &resource.scope_logs).flat_map(|scope| &scope.log_records);
        let counted: Vec<_> =
            records.map(|record| (record.attributes.len(), record.dropped_attributes_count)).collect();
        assert_eq!(counted, [(0, 0), (0, 1), (0, 1), (0, 1)], "{protocol}");
    }
}

//! However a program ends, what it recorded arrives.

use crate::receiver::{Receiver, Refusing, logs, metrics, spans, text};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

fn program(how: &str, endpoint: &str) -> Child {
    let mut command = crate::example("exits_at_once");
    command.arg(how).env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).env_remove("RUST_LOG");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signalled(how: &str, endpoint: &str, signal: &str) -> ExitStatus {
    let mut child = program(how, endpoint);
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "waiting\n");
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    child.wait().unwrap()
}

#[test]
fn nothing_is_lost_however_a_program_ends() {
    for how in ["returns", "panics", "-TERM", "-INT"] {
        let receiver = Receiver::start();
        let status = match how {
            "-TERM" | "-INT" => signalled("waits", &receiver.endpoint(), how),
            _ => program(how, &receiver.endpoint()).wait().unwrap(),
        };
        assert_eq!(status.success(), how == "returns", "{how}: {status}");
        // The program is gone: what did not arrive by now never will.
        let got = receiver.got();
        let spans = spans(&got);
        assert_eq!(spans.len(), 701, "{how}");
        let root = spans.iter().find(|span| span.name == "run-agent-workflow").unwrap();
        let below = spans.iter().filter(|span| span.parent_span_id == root.span_id);
        assert_eq!(below.count(), 700, "{how}");
        let records = logs(&got);
        assert_eq!(records.len(), 1, "{how}");
        assert!(!metrics(&got).is_empty(), "{how}");
        let resource = records[0].resource_logs[0].resource.as_ref().unwrap();
        assert_eq!(text(&resource.attributes, "service.name"), Some("exits-at-once"));
    }
}

#[test]
fn a_signal_is_seen_as_the_cause_of_the_end() {
    use std::os::unix::process::ExitStatusExt;
    let receiver = Receiver::start();
    assert_eq!(signalled("waits", &receiver.endpoint(), "-TERM").signal(), Some(15));
}

#[test]
fn a_program_with_a_way_to_end_of_its_own_takes_it() {
    let receiver = Receiver::start();
    let status = signalled("ends by itself", &receiver.endpoint(), "-TERM");
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(spans(&receiver.got()).iter().any(|span| span.name == "goodbye"));
}

#[test]
fn without_a_receiver_a_program_ends_in_time_and_tells_once_for_each_signal() {
    let refusing = Refusing::new();
    let endpoint = format!("http://{}", refusing.address);
    let child = program("returns", &endpoint);
    let started = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    let told = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = told.lines().filter(|line| line.contains("signal=\"traces\"")).collect();
    assert_eq!(lines.len(), 1, "{told}");
    assert!(lines[0].contains(&endpoint) && lines[0].contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{told}");
    assert!(lines[0].to_lowercase().contains("refused"), "{told}");
}

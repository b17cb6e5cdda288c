//! A program whose receiver is gone for a while, as a process of its own.

use crate::receiver::{Receiver, spans};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// What may wait: the queue, and the batch that is being sent.
const WAITING: u64 = 2_048 + 512;

fn next(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Value {
    serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap()
}

fn numbers<const MANY: usize>(line: &Value, keys: [&str; MANY]) -> [u64; MANY] {
    keys.map(|key| line[key].as_u64().unwrap())
}

#[test]
fn nothing_waits_for_a_receiver_that_is_gone_and_all_is_counted() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = crate::example("outage");
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")).env_remove("RUST_LOG");
    command.envs([("OTEL_METRICS_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")]);
    command.envs([
        ("OTEL_BSP_MAX_QUEUE_SIZE", "2048"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512"),
        ("OTEL_BSP_SCHEDULE_DELAY", "5000"),
    ]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let started = Instant::now();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();

    let line = next(&mut lines);
    assert_eq!(numbers(&line, ["created", "ended", "exported"]), [100_000, 100_000, 0]);
    let [dropped, grown] = numbers(&line, ["dropped", "grown_kib"]);
    assert!(100_000 - dropped <= WAITING && grown <= 10 * 1_024, "{line}");
    let line = next(&mut lines);
    assert_eq!(numbers(&line, ["exported", "dropped"]), [0, 100_000]);

    let receiver = Receiver::at(address);
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let line = next(&mut lines);
    assert_eq!(numbers(&line, ["exported", "dropped"]), [1, 100_000]);
    let got = receiver.wait(Duration::from_secs(20), |got| !spans(got).is_empty());
    assert!(spans(&got).iter().all(|span| span.name == "found"));

    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    let told = String::from_utf8(output.stderr).unwrap();
    let bursts: Vec<_> = told.lines().filter(|line| line.contains("cannot be sent")).collect();
    assert_eq!(bursts.len(), 1, "{told}");
    assert!(bursts[0].contains(&format!("http://{address}/v1/traces")), "{told}");
}

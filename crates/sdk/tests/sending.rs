//! Metrics and log records when the receiver is busy, or does not take all of them.

use crate::receiver::{Receiver, logs, metrics};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use prost::Message;

/// What the program told.
fn run(receiver: &Receiver) -> String {
    let mut program = crate::example("model_calls");
    let output = program.env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn what_is_refused_for_now_is_sent_again() {
    let receiver = Receiver::start();
    receiver.be_busy("/v1/metrics", 2);
    receiver.be_busy("/v1/logs", 1);
    let told = run(&receiver);
    let got = receiver.got();
    assert_eq!((metrics(&got).len(), logs(&got).len()), (2, 1), "{told}");
    assert!(!told.contains("cannot be sent"), "{told}");
}

#[test]
fn what_a_receiver_does_not_take_is_told_once() {
    let receiver = Receiver::start();
    let error_message = "older than a year".to_owned();
    let partial_success = Some(ExportMetricsPartialSuccess { rejected_data_points: 3, error_message });
    receiver.answer("/v1/metrics", ExportMetricsServiceResponse { partial_success }.encode_to_vec());
    let told = run(&receiver);
    assert_eq!(metrics(&receiver.got()).len(), 2);
    let lines: Vec<_> = told.lines().filter(|line| line.contains("does not take all")).collect();
    let [line] = lines[..] else { panic!("{told}") };
    assert!(line.contains("refused=3") && line.contains("older than a year"), "{line}");
}

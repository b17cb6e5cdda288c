//! OTLP metrics in protobuf: any bytes are refused or decoded, and what was decoded is the same once encoded.
#![no_main]

use clew_fuzz::decode;
use model::Signal;
use model::batch::Encoding;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decode(Signal::Metrics, Encoding::Protobuf, bytes));

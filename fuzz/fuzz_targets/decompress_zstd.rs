//! Decompression of zstd: never more than the limit, whatever the bytes promise.
#![no_main]

use clew_fuzz::decompress;
use pipeline::intake::Compression;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decompress(Compression::Zstd, bytes));

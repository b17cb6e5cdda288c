//! Decoding and encoding, as tables and properties.

mod generate;
mod json;
mod json_careful;
mod json_lenient;
mod json_metrics;
mod limits;
mod properties;
mod rejections;

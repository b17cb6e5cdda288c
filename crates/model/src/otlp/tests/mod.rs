//! Decoding and encoding, as tables and properties.

mod generate;
mod json;
mod properties;
mod rejections;

//! Who may ask, over what: our API, Jaeger's JSON, live events, the page.

pub mod ports;

pub use ports::{ApplicationStatus, Ports};

//! What may be asked of stored telemetry, and what comes back: the contract between those who ask (`server`, `alert`)
//! and the one that answers (`engine`). Pure: no files, no network, no clock.

#![warn(missing_docs)]

pub mod engine;
pub mod error;
pub mod filter;
pub mod findings;
pub mod promql;
pub mod request;
pub mod result;
pub mod run;

pub use engine::{Engine, Export};
pub use error::Error;
pub use filter::{Expression, ParseError};
pub use findings::FindingsRequest;
pub use request::{
    Deadline, EntitiesRequest, EntityKind, ExportRequest, FieldValuesRequest, LogRequest, MetricRequest,
    OperationsRequest, SearchRequest,
};

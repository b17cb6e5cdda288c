//! PromQL: computes expressions over series.

mod column;
mod functions;

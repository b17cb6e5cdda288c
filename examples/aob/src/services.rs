//! The services: each is a process of its own, and speaks HTTP.

pub mod api;
pub mod model_gateway;
pub mod opa;
pub mod provider;
pub mod tool_gateway;

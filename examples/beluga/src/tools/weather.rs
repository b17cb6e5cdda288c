//! Asks an HTTP API for the weather.

use crate::failure::Failure;
use crate::http::Http;
use crate::openai::{ToolCall, ToolDefinition};
use crate::tools::{Tool, arguments, definition};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// The tool `get_weather`.
#[derive(Debug)]
pub struct Weather {
    pub http: Http,
}

#[derive(Debug, Deserialize)]
struct Arguments {
    city: String,
}

/// What the API says of a city.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    pub city: String,
    pub celsius: i64,
    pub sky: String,
}

#[async_trait]
impl Tool for Weather {
    fn definition(&self) -> ToolDefinition {
        definition("get_weather", "The weather in a city, as it is now", "city")
    }

    async fn call(&self, call: &ToolCall) -> Result<String, Failure> {
        let Arguments { city } = arguments(call)?;
        let report: Report = self.http.get("/weather", &[("city", &city)]).await?;
        Ok(format!("In {} it is {} degrees and {}.", report.city, report.celsius, report.sky))
    }
}

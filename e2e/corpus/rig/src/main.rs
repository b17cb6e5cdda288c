//! An agent built with rig, asked once for an answer as a whole and once for a stream of it. OPENAI_BASE_URL says where
//! the provider is, the OTEL_ variables where telemetry goes.

use std::convert::Infallible;

use futures::StreamExt;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::SdkTracerProvider;
use rig_agent::{prelude::*, tool::ToolContext};
use rig_core::providers::openai::OpenAI;
use serde::Deserialize;
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt, util::SubscriberInitExt};

const QUESTION: &str = "How is the weather in Paris?";

struct GetWeather;

#[derive(Deserialize)]
struct Place {
    #[serde(rename = "city")]
    _city: String,
}

impl Tool for GetWeather {
    const NAME: &'static str = "get_weather";
    type Args = Place;
    type Output = &'static str;
    type Error = Infallible;

    fn description(&self) -> String {
        "The weather of a city".into()
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
    }

    async fn call(&self, _: &mut ToolContext, _: Place) -> Result<&'static str, Infallible> {
        Ok("sunny")
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let provider =
        SdkTracerProvider::builder().with_batch_exporter(SpanExporter::builder().with_http().build()?).build();
    // Without the places in the source, which are paths of the machine that built it.
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("rig")).with_location(false);
    tracing_subscriber::registry().with(LevelFilter::INFO).with(layer).init();

    let agent = AgentBuilder::new(OpenAI::from_env()?.chat("gpt-4o"))
        .name("weather")
        .preamble("Be short.")
        .temperature(0.7)
        .max_tokens(256)
        .tool(GetWeather)
        .record_content_telemetry(true)
        .build();
    agent.prompt(QUESTION).max_turns(3).await?;
    let mut stream = agent.prompt(QUESTION).max_turns(3).stream();
    while let Some(item) = stream.next().await {
        item?;
    }
    tokio::task::spawn_blocking(move || provider.shutdown()).await??;
    Ok(())
}

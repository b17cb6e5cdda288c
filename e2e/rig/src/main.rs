//! An agent built with rig, and not told of Clew: what its spans tell comes of the layer of the SDK alone. OPENAI_BASE_URL
//! says where the provider is, the arguments which model is asked, and how: `whole`, `stream` or `below`. The trace's id
//! is told where the program knows it.

use clew_sdk::Content;
use futures::StreamExt;
use rig_agent::prelude::*;
use rig_agent::tool::ToolContext;
use rig_core::providers::openai::OpenAI;
use serde::Deserialize;
use std::error::Error;

const QUESTION: &str = "How is the weather in Paris?";

struct GetWeather;

#[derive(Deserialize)]
struct Place {
    city: String,
}

#[derive(Debug, thiserror::Error)]
#[error("no station in {0}")]
struct NoStation(String);

impl Tool for GetWeather {
    const NAME: &'static str = "get_weather";
    type Args = Place;
    type Output = String;
    type Error = NoStation;

    fn description(&self) -> String {
        "The weather of a city".to_owned()
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
    }

    async fn call(&self, _: &mut ToolContext, place: Place) -> Result<String, NoStation> {
        clew_sdk::span("look out of the window").start().end();
        if place.city == "Atlantis" { Err(NoStation(place.city)) } else { Ok("sunny".to_owned()) }
    }
}

async fn ask(model: &str, stream: bool) -> Result<(), Box<dyn Error>> {
    let agent = AgentBuilder::new(OpenAI::from_env()?.chat(model))
        .name("weather")
        .preamble("Be short.")
        .temperature(0.7)
        .max_tokens(256)
        .tool(GetWeather)
        .record_content_telemetry(true)
        .build();
    if stream {
        let mut items = agent.prompt(QUESTION).max_turns(3).stream();
        while let Some(item) = items.next().await {
            item?;
        }
    } else {
        agent.prompt(QUESTION).max_turns(3).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [model, how] = arguments.as_slice() else { return Err("which model, and how?".into()) };
    let _telemetry = clew_sdk::builder().service("forecast").capture_content(Content::On).build()?;
    let asked = ask(model, how == "stream");
    let answer = if how == "below" {
        let request = clew_sdk::span("request").start();
        println!("{}", request.trace_id().unwrap_or_default());
        request.run(asked).await
    } else {
        asked.await
    };
    if let Err(error) = answer {
        println!("failed: {error}");
    }
    Ok(())
}

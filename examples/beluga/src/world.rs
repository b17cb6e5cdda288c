//! Puts the parts together: a model and tools that speak to the servers which the command line names, or to local ones.

use crate::agent::{Agent, Beluga};
use crate::command_line::Surroundings;
use crate::failure::Failure;
use crate::http::Http;
use crate::library::{Retriever, Shelf};
use crate::local::{self, Serving};
use crate::memory::{Memory, Notebook};
use crate::model::{Embedder, Model, OpenAi, OpenAiEmbedder, Settings};
use crate::names::Names;
use crate::observed::Observed;
use crate::planner::{ModelPlanner, Planner};
use crate::tools::{Calculator, Tool, Weather};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// What Beluga knows from the start.
const KNOWN: [&str; 3] = [
    "The user lives in Paris and asks for the weather in the morning.",
    "The user likes hello as a greeting.",
    "The user is learning about whales.",
];

/// Everything outside the program that it needs.
pub struct World {
    provider: String,
    weather: String,
    settings: Settings,
    limit: Duration,
    /// The servers that run within this program.
    _servings: Vec<Serving>,
}

impl World {
    /// What the command line names, and local servers for what it does not.
    pub async fn of(surroundings: &Surroundings) -> Result<Self, Failure> {
        let mut servings = Vec::new();
        let provider = match &surroundings.provider {
            Some(url) => url.clone(),
            None => start(&mut servings, local::provider(surroundings.latency())).await?,
        };
        let weather = match &surroundings.weather {
            Some(url) => url.clone(),
            None => start(&mut servings, local::weather(surroundings.manner())).await?,
        };
        let (settings, limit) = (surroundings.settings(), surroundings.limit());
        Ok(Self { provider, weather, settings, limit, _servings: servings })
    }

    /// Where the provider of models is.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The model, observed.
    pub fn model(&self, names: &'static Names) -> Arc<dyn Model> {
        let http = Http::new(&self.provider, self.limit, names.request);
        Arc::new(Observed::new(OpenAi { http, settings: self.settings.clone() }, names))
    }

    /// The embedder, observed.
    pub fn embedder(&self, names: &'static Names) -> Arc<dyn Embedder> {
        let http = Http::new(&self.provider, self.limit, names.request);
        let model = "text-embedding-3-small".to_owned();
        Arc::new(Observed::new(OpenAiEmbedder { http, model }, names))
    }

    /// An agent of all parts, each observed.
    pub fn agent(&self, names: &'static Names, memory: Arc<dyn Memory>) -> impl Agent + use<> {
        let tools = self.tools(names);
        let planner: Arc<dyn Planner> = Arc::new(Observed::new(self.planner(names, &tools), names));
        let shelf = Shelf { embedder: self.embedder(names) };
        let library: Option<Arc<dyn Retriever>> = Some(Arc::new(Observed::new(shelf, names)));
        Observed::new(Beluga { planner, tools, memory, library }, names)
    }

    /// An agent without a library, whose planning is not shown.
    pub fn plain_agent(&self, names: &'static Names, memory: Arc<dyn Memory>) -> impl Agent + use<> {
        let tools = self.tools(names);
        let planner = Arc::new(self.planner(names, &tools));
        Observed::new(Beluga { planner, tools, memory, library: None }, names)
    }

    fn planner(&self, names: &'static Names, tools: &[Arc<dyn Tool>]) -> ModelPlanner {
        let tools = tools.iter().map(|tool| tool.definition()).collect();
        ModelPlanner { model: self.model(names), tools }
    }

    fn tools(&self, names: &'static Names) -> Vec<Arc<dyn Tool>> {
        let http = Http::new(&self.weather, self.limit, crate::names::CONVENTIONS.request);
        let weather = Observed::new(Weather { http }, names);
        vec![Arc::new(weather), Arc::new(Observed::new(Calculator, names))]
    }
}

/// A memory that knows a little, observed.
pub fn memory(names: &'static Names) -> Arc<dyn Memory> {
    Arc::new(Observed::new(Notebook::of(&KNOWN), names))
}

async fn start(servings: &mut Vec<Serving>, router: axum::Router) -> Result<String, Failure> {
    let serving = local::serve(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), router).await?;
    let url = serving.url.clone();
    servings.push(serving);
    Ok(url)
}

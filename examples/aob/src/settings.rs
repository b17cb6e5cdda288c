//! Flags and variables, and the example's own files.

use crate::bus::Servers;
use crate::error::Error;
use clap::Args;
use reqwest::Url;
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

/// Where everything is. The same for all services, so that each finds the others.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// The folder with policies, workflows, models, tools and keys
    #[arg(long, env = "AOB_FOLDER", default_value = "examples/aob")]
    pub folder: PathBuf,
    /// Where events and messages are kept
    #[arg(long, env = "AOB_DATA", default_value = "aob-data")]
    pub data: PathBuf,
    /// Where the workflow API listens
    #[arg(long, env = "AOB_API_ADDRESS", default_value = "127.0.0.1:8000")]
    pub api: SocketAddr,
    /// Where policies are answered for
    #[arg(long, env = "AOB_OPA_ADDRESS", default_value = "127.0.0.1:8181")]
    pub opa: SocketAddr,
    /// Where the model gateway listens
    #[arg(long, env = "AOB_MODEL_GATEWAY_ADDRESS", default_value = "127.0.0.1:8087")]
    pub model_gateway: SocketAddr,
    /// Where the tool gateway listens
    #[arg(long, env = "AOB_TOOL_GATEWAY_ADDRESS", default_value = "127.0.0.1:8088")]
    pub tool_gateway: SocketAddr,
    /// Where the pretended provider of models and tools listens
    #[arg(long, env = "AOB_PROVIDER_ADDRESS", default_value = "127.0.0.1:8092")]
    pub provider: SocketAddr,
    /// A PostgreSQL database for events, instead of a file: `postgres://user@host/database`
    #[arg(long, env = "AOB_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Url>,
    /// A broker of Kafka's for messages, instead of a file: `kafka://host:port`
    #[arg(long, env = "AOB_BUS")]
    pub bus: Option<Servers>,
    /// Another server that speaks OPA's API, instead of the one at its address
    #[arg(long, env = "AOB_OPA_URL")]
    pub opa_url: Option<Url>,
    /// Where traces can be asked for, in Jaeger's API
    #[arg(long, env = "AOB_TRACES_URL", default_value = "http://127.0.0.1:16686")]
    pub traces_url: Url,
}

impl Settings {
    /// The same on free ports, with a folder of data that nobody else has.
    pub fn apart(mut self) -> Result<Self, Error> {
        let services = [
            &mut self.api,
            &mut self.opa,
            &mut self.model_gateway,
            &mut self.tool_gateway,
            &mut self.provider,
        ];
        // Held until all are found, so that they differ.
        let mut held = Vec::new();
        for service in services {
            let listener = TcpListener::bind(("127.0.0.1", 0))?;
            *service = listener.local_addr()?;
            held.push(listener);
        }
        self.data = std::env::temp_dir().join(format!("aob-{}", std::process::id()));
        Ok(self)
    }

    /// The flags that say this to another process; what these do not say comes from the environment.
    pub fn flags(&self) -> Vec<OsString> {
        let path = |flag: &str, path: &Path| [OsString::from(flag), path.into()];
        let address = |flag: &str, address: SocketAddr| [OsString::from(flag), address.to_string().into()];
        let given = |flag: &str, value: Option<String>| value.map(|value| [flag.into(), value.into()]);
        let mut flags = vec![
            path("--folder", &self.folder),
            path("--data", &self.data),
            address("--api", self.api),
            address("--opa", self.opa),
            address("--model-gateway", self.model_gateway),
            address("--tool-gateway", self.tool_gateway),
            address("--provider", self.provider),
            [OsString::from("--traces-url"), self.traces_url.to_string().into()],
        ];
        flags.extend(given("--database-url", self.database_url.as_ref().map(Url::to_string)));
        flags.extend(given("--bus", self.bus.as_ref().map(Servers::to_string)));
        flags.extend(given("--opa-url", self.opa_url.as_ref().map(Url::to_string)));
        flags.concat()
    }

    /// The URL of a policy: `aob`, `aob/tool_allow`.
    pub fn policy(&self, path: &str) -> Result<Url, Error> {
        let base = match &self.opa_url {
            Some(url) => url.to_string(),
            None => format!("http://{}", self.opa),
        };
        parse(&format!("{}/v1/data/{path}", base.trim_end_matches('/')))
    }
}

/// The URL of a path of a service.
pub fn url_of(service: SocketAddr, path: &str) -> Result<Url, Error> {
    parse(&format!("http://{service}{path}"))
}

fn parse(text: &str) -> Result<Url, Error> {
    Url::parse(text).map_err(|error| Error::Invalid(format!("`{text}` is no URL: {error}")))
}

/// Reads a file of JSON.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::file(path, source))?;
    serde_json::from_str(&text).map_err(|source| Error::Json { path: path.to_owned(), source })
}

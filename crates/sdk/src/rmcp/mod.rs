//! Clients and servers of `rmcp` whose requests are spans: `tools/call NAME` on both sides, in one trace.
//!
//! A server's handler is wrapped:
//!
//! ```no_run
//! # use rmcp::{ServerHandler, ServiceExt};
//! # struct Weather;
//! # impl ServerHandler for Weather {}
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let server = clew_sdk::rmcp::traced(Weather).serve((tokio::io::stdin(), tokio::io::stdout())).await?;
//! server.waiting().await?;
//! # Ok(())
//! # }
//! ```
//!
//! And a client is connected by [`connect`]:
//!
//! ```no_run
//! # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
//! use rmcp::model::CallToolRequestParams;
//! use rmcp::transport::TokioChildProcess;
//!
//! let server = TokioChildProcess::new(tokio::process::Command::new("weather-server"))?;
//! let client = clew_sdk::rmcp::connect((), server).await?;
//! let result = client.call_tool(CallToolRequestParams::new("get_weather")).await?;
//! # Ok(())
//! # }
//! ```
//!
//! `rmcp` sends requests from a task of its own, which knows nothing of who asked: what a request is below has to be in its
//! `_meta` before. The methods of [`Client`] put it there; for other requests [`below`] does.

mod handler;
mod transport;

pub use handler::{Traced, traced};
pub use transport::{Recorded, recorded};

use crate::carrier::inject;
use ::rmcp::model::{
    CallToolRequestParams, CallToolResult, CompleteRequestParams, CompleteResult, GetPromptRequestParams,
    GetPromptResult, ListPromptsResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResult, RequestParamsMeta, Tool,
};
use ::rmcp::service::{ClientInitializeError, RoleClient, RunningService};
use ::rmcp::transport::IntoTransport;
use ::rmcp::{Service, ServiceError, ServiceExt};
use opentelemetry::Context;
use std::ops::Deref;

/// Puts the context that is active into the parameters of a request, so that its span is below the one that is active.
#[must_use]
pub fn below<P: RequestParamsMeta>(mut parameters: P) -> P {
    inject(&Context::current(), &mut parameters.meta_or_default().0.0);
    parameters
}

/// Connects to a server with a handler of `rmcp`, `()` usually, and records what is asked.
///
/// # Errors
/// What `rmcp` says.
pub async fn connect<S, T, E, A>(handler: S, transport: T) -> Result<Client<S>, ClientInitializeError>
where
    S: Service<RoleClient>,
    T: IntoTransport<RoleClient, E, A>,
    E: std::error::Error + Send + Sync + 'static,
{
    // It holds the whole handshake, and is large.
    Ok(Client(Box::pin(handler.serve(recorded(transport))).await?))
}

/// A client that is connected, whose requests are below the span that is active. All that `rmcp` offers is there, too.
#[derive(Debug)]
pub struct Client<S: Service<RoleClient>>(RunningService<RoleClient, S>);

impl<S: Service<RoleClient>> Deref for Client<S> {
    type Target = RunningService<RoleClient, S>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<S: Service<RoleClient>> Client<S> {
    /// The client of `rmcp`, to close it say; its requests are recorded all the same.
    #[must_use]
    pub fn into_inner(self) -> RunningService<RoleClient, S> {
        self.0
    }

    /// Calls a tool.
    ///
    /// # Errors
    /// What `rmcp` says.
    pub async fn call_tool(&self, parameters: CallToolRequestParams) -> Result<CallToolResult, ServiceError> {
        self.0.call_tool(below(parameters)).await
    }

    /// Fetches a prompt.
    ///
    /// # Errors
    /// What `rmcp` says.
    pub async fn get_prompt(
        &self,
        parameters: GetPromptRequestParams,
    ) -> Result<GetPromptResult, ServiceError> {
        self.0.get_prompt(below(parameters)).await
    }

    /// Reads a resource.
    ///
    /// # Errors
    /// What `rmcp` says.
    pub async fn read_resource(
        &self,
        parameters: ReadResourceRequestParams,
    ) -> Result<ReadResourceResult, ServiceError> {
        self.0.read_resource(below(parameters)).await
    }

    /// Asks how an argument may go on.
    ///
    /// # Errors
    /// What `rmcp` says.
    pub async fn complete(&self, parameters: CompleteRequestParams) -> Result<CompleteResult, ServiceError> {
        self.0.complete(below(parameters)).await
    }

    /// Lists tools, a page of them.
    ///
    /// # Errors
    /// What `rmcp` says.
    pub async fn list_tools(
        &self,
        parameters: Option<PaginatedRequestParams>,
    ) -> Result<ListToolsResult, ServiceError> {
        self.0.list_tools(Some(below(parameters.unwrap_or_default()))).await
    }

    /// Lists all tools, page by page.
    ///
    /// # Errors
    /// What `rmcp` says.
    pub async fn list_all_tools(&self) -> Result<Vec<Tool>, ServiceError> {
        let mut page = self.list_tools(None).await?;
        let mut tools = page.tools;
        while page.next_cursor.is_some() {
            let next = PaginatedRequestParams::default().with_cursor(page.next_cursor);
            page = self.list_tools(Some(next)).await?;
            tools.append(&mut page.tools);
        }
        Ok(tools)
    }

    /// Lists prompts, a page of them.
    ///
    /// # Errors
    /// What `rmcp` says.
    pub async fn list_prompts(
        &self,
        parameters: Option<PaginatedRequestParams>,
    ) -> Result<ListPromptsResult, ServiceError> {
        self.0.list_prompts(Some(below(parameters.unwrap_or_default()))).await
    }

    /// Lists resources, a page of them.
    ///
    /// # Errors
    /// What `rmcp` says.
    pub async fn list_resources(
        &self,
        parameters: Option<PaginatedRequestParams>,
    ) -> Result<ListResourcesResult, ServiceError> {
        self.0.list_resources(Some(below(parameters.unwrap_or_default()))).await
    }
}

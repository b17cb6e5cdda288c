//! A handler that answers each request within a span.

use crate::carrier::extract;
use crate::mcp::{answered, refused, server};
use crate::span::Span;
use ::rmcp::ServerHandler;
use ::rmcp::model::{
    CallToolRequestParams, CallToolResponse, CancelTaskParams, CancelledNotificationParam,
    CompleteRequestParams, CompleteResult, CustomNotification, CustomRequest, CustomResult, DiscoverResult,
    ErrorData, GetPromptRequestParams, GetPromptResponse, GetSkillRequestParams, GetSkillResult,
    GetTaskParams, GetTaskResult, InitializeRequestParams, InitializeResult, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListSkillsResult, ListToolsResult,
    PaginatedRequestParams, ProgressNotificationParam, ProtocolVersion, ReadResourceDirectoryRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ServerConfig, SubscribeRequestParams,
    SubscriptionFilter, Tool, UnsubscribeRequestParams, UpdateTaskParams,
};
use ::rmcp::service::{
    MaybeSendFuture, NotificationContext, RequestContext, RoleServer, SubscriptionContext,
};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::OnceLock;

/// A handler of `rmcp`, that answers each request within a span, below the one that `_meta` names. There is one for each
/// session.
pub fn traced<S>(handler: S) -> Traced<S> {
    Traced { handler, version: OnceLock::new() }
}

/// See [`traced`].
#[derive(Debug)]
#[must_use = "a handler has to be served"]
pub struct Traced<S> {
    handler: S,
    /// `mcp.protocol.version`, once it is agreed upon.
    version: OnceLock<String>,
}

/// Methods that answer requests, each with the name of the request, and what is told of the answer where anything is.
macro_rules! answers {
    ($($method:ident($($request:ident: $type:ty)?) -> $answer:ty = $name:literal $(, $shown:expr)?;)*) => {
        $(fn $method(
            &self,
            $($request: $type,)?
            context: RequestContext<RoleServer>,
        ) -> impl Future<Output = Result<$answer, ErrorData>> + MaybeSendFuture + '_ {
            let parameters = [Value::Null, $(json(&$request))?];
            let span = self.started($name, parameters.last().unwrap_or(&Value::Null), &context);
            async move {
                let answer = span.within(self.handler.$method($($request,)? context)).await;
                let shown: [fn(&$answer) -> Value; _] = [|_| Value::Null, $($shown)?];
                let show = shown.last();
                self.ended(&span, $name, answer.as_ref().map(|answer| show.map_or(Value::Null, |show| show(answer))));
                answer
            }
        })*
    };
}

/// Methods that hear of something.
macro_rules! hears {
    ($($method:ident($($notification:ident: $type:ty)?);)*) => {
        $(fn $method(
            &self,
            $($notification: $type,)?
            context: NotificationContext<RoleServer>,
        ) -> impl Future<Output = ()> + MaybeSendFuture + '_ {
            self.handler.$method($($notification,)? context)
        })*
    };
}

#[expect(deprecated, reason = "what rmcp has is passed on, for as long as it has it")]
impl<S: ServerHandler> ServerHandler for Traced<S> {
    answers! {
        ping() -> () = "ping";
        initialize(request: InitializeRequestParams) -> InitializeResult = "initialize", json;
        discover() -> DiscoverResult = "server/discover";
        complete(request: CompleteRequestParams) -> CompleteResult = "completion/complete";
        set_level(request: ::rmcp::model::SetLevelRequestParams) -> () = "logging/setLevel";
        get_prompt(request: GetPromptRequestParams) -> GetPromptResponse = "prompts/get";
        list_prompts(request: Option<PaginatedRequestParams>) -> ListPromptsResult = "prompts/list";
        list_resources(request: Option<PaginatedRequestParams>) -> ListResourcesResult = "resources/list";
        list_resource_templates(request: Option<PaginatedRequestParams>) -> ListResourceTemplatesResult = "resources/templates/list";
        read_resource(request: ReadResourceRequestParams) -> ReadResourceResponse = "resources/read";
        read_resource_directory(request: ReadResourceDirectoryRequestParams) -> ListResourcesResult = "resources/directory/read";
        subscribe(request: SubscribeRequestParams) -> () = "resources/subscribe";
        unsubscribe(request: UnsubscribeRequestParams) -> () = "resources/unsubscribe";
        call_tool(request: CallToolRequestParams) -> CallToolResponse = "tools/call", called;
        list_tools(request: Option<PaginatedRequestParams>) -> ListToolsResult = "tools/list";
        get_task(request: GetTaskParams) -> GetTaskResult = "tasks/get";
        update_task(request: UpdateTaskParams) -> () = "tasks/update";
        cancel_task(request: CancelTaskParams) -> () = "tasks/cancel";
        list_skills(request: Option<PaginatedRequestParams>) -> ListSkillsResult = "skills/list";
        get_skill(request: GetSkillRequestParams) -> GetSkillResult = "skills/get";
    }

    hears! {
        on_cancelled(notification: CancelledNotificationParam);
        on_progress(notification: ProgressNotificationParam);
        on_initialized();
        on_roots_list_changed();
        on_custom_notification(notification: CustomNotification);
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method = request.method.clone();
        let span = self.started(&method, request.params.as_ref().unwrap_or(&Value::Null), &context);
        let answer = span.within(self.handler.on_custom_request(request, context)).await;
        self.ended(&span, &method, answer.as_ref().map(|_| Value::Null));
        answer
    }

    fn listen(
        &self,
        context: SubscriptionContext,
    ) -> impl Future<Output = Result<(), ErrorData>> + MaybeSendFuture + '_ {
        self.handler.listen(context)
    }

    fn negotiate_initialize(&self, request: &InitializeRequestParams) -> Result<InitializeResult, ErrorData> {
        self.handler.negotiate_initialize(request)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.handler.supported_protocol_versions()
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        self.handler.accepted_subscription_filter(requested)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.handler.get_tool(name)
    }

    fn get_info(&self) -> ServerConfig {
        self.handler.get_info()
    }
}

impl<S> Traced<S> {
    fn started(&self, method: &str, parameters: &Value, context: &RequestContext<RoleServer>) -> Span {
        let start = server(method, parameters).parent(&extract(&context.meta.0.0));
        let mut start = start.set("jsonrpc.request.id", context.id.to_string());
        let version = || Some(context.protocol_version()?.to_string());
        if let Some(version) = self.version.get().cloned().or_else(version) {
            start = start.set("mcp.protocol.version", version);
        }
        // A server over HTTP lets handlers see the request.
        if let Some(parts) = context.extensions.get::<http::request::Parts>() {
            start = start.set("network.transport", "tcp").set("network.protocol.name", "http");
            if let Some(session) = parts.headers.get("mcp-session-id").and_then(|id| id.to_str().ok()) {
                start = start.set("mcp.session.id", session.to_owned());
            }
        }
        start.start()
    }

    fn ended(&self, span: &Span, method: &str, answer: Result<Value, &ErrorData>) {
        match answer {
            Ok(answer) => {
                if let Some(version) = told(span, method, &answer) {
                    // Who begins a session again has it from then on; the first is as good.
                    let _ = self.version.set(version);
                }
            }
            Err(error) => refused(span, i64::from(error.code.0), error.message.clone()),
        }
        span.end();
    }
}

/// What a tool answered, that it needs something else first, or which task it became.
fn called(answer: &CallToolResponse) -> Value {
    match answer {
        CallToolResponse::Complete(result) => json(result),
        CallToolResponse::InputRequired(result) => json(result),
        CallToolResponse::Task(result) => json(result),
        _ => Value::Null,
    }
}

/// Records an answer; the version that it agrees to, if it does.
pub(super) fn told(span: &Span, method: &str, answer: &Value) -> Option<String> {
    if !answer.is_null() {
        answered(span, method, answer);
    }
    let version = answer["protocolVersion"].as_str()?.to_owned();
    span.set("mcp.protocol.version", version.clone());
    Some(version)
}

/// As it is sent; null if it cannot be, which `rmcp` will tell.
pub(super) fn json(told: &impl Serialize) -> Value {
    serde_json::to_value(told).unwrap_or_default()
}

"""An agent that asks a model and calls a tool, instrumented with OpenTelemetry's SDK."""

import json
import os
import urllib.request

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

provider = TracerProvider()  # OTEL_SERVICE_NAME names the service.
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("weather-agent")

MODEL = "gpt-4o"
TOOLS = [{
    "type": "function",
    "function": {
        "name": "get_weather", "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}]


def get_weather(city):
    return f"sunny in {city}"


def chat(messages):
    with tracer.start_as_current_span(f"chat {MODEL}", kind=SpanKind.CLIENT) as span:
        span.set_attributes({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": MODEL,
            "gen_ai.input.messages": json.dumps([parts(message) for message in messages]),
        })
        request = urllib.request.Request(
            f"{os.environ['OPENAI_BASE_URL']}/chat/completions", headers={"content-type": "application/json"},
            data=json.dumps({"model": MODEL, "messages": messages, "tools": TOOLS}).encode(),
        )
        answer = json.load(urllib.request.urlopen(request, timeout=30))
        choice, usage = answer["choices"][0], answer["usage"]
        span.set_attributes({
            "gen_ai.response.id": answer["id"], "gen_ai.response.model": answer["model"],
            "gen_ai.response.finish_reasons": [choice["finish_reason"]],
            "gen_ai.usage.input_tokens": usage["prompt_tokens"], "gen_ai.usage.output_tokens": usage["completion_tokens"],
            "gen_ai.usage.cache_read.input_tokens": usage["prompt_tokens_details"]["cached_tokens"],
            "gen_ai.output.messages": json.dumps([parts(choice["message"])]),
        })
        return choice["message"]


def parts(message):
    """A message of OpenAI's in OpenTelemetry's form."""
    if message["role"] == "tool":
        found = [{"type": "tool_call_response", "id": message["tool_call_id"], "response": message["content"]}]
    else:
        found = [{"type": "text", "content": message["content"]}] if message.get("content") else []
    for call in message.get("tool_calls", []):
        function = call["function"]
        arguments = json.loads(function["arguments"])
        found.append({"type": "tool_call", "id": call["id"], "name": function["name"], "arguments": arguments})
    return {"role": message["role"], "parts": found}


def execute(call):
    name, arguments = call["function"]["name"], call["function"]["arguments"]
    with tracer.start_as_current_span(f"execute_tool {name}") as span:
        span.set_attributes({
            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name, "gen_ai.tool.call.id": call["id"],
            "gen_ai.tool.call.arguments": arguments,
        })
        if name != "get_weather":
            span.set_status(Status(StatusCode.ERROR, f"no tool is called {name}"))
            return f"no tool is called {name}"
        result = get_weather(**json.loads(arguments))
        span.set_attribute("gen_ai.tool.call.result", result)
        return result


def run(question):
    with tracer.start_as_current_span("invoke_agent weather") as span:
        span.set_attributes({
            "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "weather", "gen_ai.conversation.id": "talk-1",
        })
        messages = [{"role": "user", "content": question}]
        while True:
            answer = chat(messages)
            messages.append(answer)
            if not answer.get("tool_calls"):
                return answer["content"]
            for call in answer["tool_calls"]:
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": execute(call)})


print(run("How is the weather in Paris?"))
provider.shutdown()

"""Small agents, each instrumented by another library. `python senders.py NAME` runs one; OPENAI_BASE_URL and
ANTHROPIC_BASE_URL say where the provider is, the OTEL_ variables where telemetry goes."""

import os
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

PROVIDER = TracerProvider()
PROVIDER.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(PROVIDER)

QUESTION = "How is the weather in Paris?"
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather", "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def ask_openai():
    from openai import OpenAI

    client = OpenAI()
    asked = [{"role": "system", "content": "Be short."}, {"role": "user", "content": QUESTION}]
    first = client.chat.completions.create(model="gpt-4o", messages=asked, tools=[TOOL], temperature=0.7, max_tokens=256)
    call = first.choices[0].message.tool_calls[0]
    asked += [first.choices[0].message.model_dump(exclude_none=True),
              {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    client.chat.completions.create(model="gpt-4o", messages=asked, tools=[TOOL])
    client.embeddings.create(model="text-embedding-3-small", input="Paris")


def ask_anthropic():
    from anthropic import Anthropic

    Anthropic().messages.create(
        model="claude-sonnet-4-5", max_tokens=100, messages=[{"role": "user", "content": QUESTION}],
        system=[{"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral"}}],
    )


def otel_openai():
    """Messages go out as log records."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
    from opentelemetry.sdk._events import EventLoggerProvider
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

    logs = LoggerProvider()
    logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter()))
    OpenAIInstrumentor().instrument(event_logger_provider=EventLoggerProvider(logs))
    ask_openai()
    logs.shutdown()


def openinference_openai():
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    ask_openai()


def openinference_anthropic():
    from openinference.instrumentation.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument()
    ask_anthropic()


def openllmetry_openai():
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    ask_openai()


def openllmetry_anthropic():
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument()
    ask_anthropic()


def openinference_langgraph():
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI
    from langgraph.prebuilt import create_react_agent
    from openinference.instrumentation.langchain import LangChainInstrumentor

    LangChainInstrumentor().instrument()

    @tool
    def get_weather(city: str) -> str:
        """The weather of a city."""
        return "sunny"

    agent = create_react_agent(ChatOpenAI(model="gpt-4o"), [get_weather], name="weather")
    agent.invoke({"messages": [("user", QUESTION)]}, {"configurable": {"thread_id": "talk-1"}, "metadata": {"session_id": "talk-1"}})


def pydantic_ai():
    from pydantic_ai import Agent
    from pydantic_ai.models.instrumented import InstrumentationSettings

    Agent.instrument_all(InstrumentationSettings())
    agent = Agent("openai-chat:gpt-4o", name="weather", instructions="Be short.")

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """The weather of a city."""
        return "sunny"

    agent.run_sync(QUESTION)


def openinference_llama_index():
    from llama_index.core import Document, VectorStoreIndex
    from llama_index.embeddings.openai import OpenAIEmbedding
    from llama_index.llms.openai import OpenAI
    from openinference.instrumentation.llama_index import LlamaIndexInstrumentor

    LlamaIndexInstrumentor().instrument()
    base = os.environ["OPENAI_BASE_URL"]  # LlamaIndex reads another variable.
    documents = [Document(text="It is sunny in Paris.", id_="paris"), Document(text="It rains in London.", id_="london")]
    index = VectorStoreIndex.from_documents(documents, embed_model=OpenAIEmbedding(model="text-embedding-3-small", api_base=base))
    index.as_query_engine(llm=OpenAI(model="gpt-4o", api_base=base), similarity_top_k=2).query(QUESTION)


def openinference_openai_agents():
    from agents import Agent, GuardrailFunctionOutput, Runner, function_tool, input_guardrail
    from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor

    OpenAIAgentsInstrumentor().instrument()

    @function_tool
    def get_weather(city: str) -> str:
        """The weather of a city."""
        return "sunny"

    @input_guardrail
    def about_weather(context, agent, question):
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered=False)

    weather = Agent("weather", instructions="Be short.", model="gpt-4o", tools=[get_weather])
    triage = Agent("triage", instructions="Hand over.", model="gpt-4o", handoffs=[weather], input_guardrails=[about_weather])
    Runner.run_sync(triage, QUESTION)


SENDERS = {
    each.__name__: each
    for each in (otel_openai, openinference_openai, openinference_anthropic, openllmetry_openai, openllmetry_anthropic,
                 openinference_langgraph, pydantic_ai, openinference_llama_index, openinference_openai_agents)
}

if __name__ == "__main__":
    SENDERS[sys.argv[1]]()
    PROVIDER.shutdown()

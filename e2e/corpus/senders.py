"""Small agents, each instrumented by another library. `python senders.py NAME` runs one; OPENAI_BASE_URL and
ANTHROPIC_BASE_URL say where the provider is, the OTEL_ variables where telemetry goes."""

import asyncio
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


def send_logs():
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

    logs = LoggerProvider()
    logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter()))
    return logs


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
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
    from opentelemetry.sdk._events import EventLoggerProvider

    logs = send_logs()
    OpenAIInstrumentor().instrument(event_logger_provider=EventLoggerProvider(logs))
    ask_openai()
    logs.shutdown()


def otel_openai_2_0():
    otel_openai()


def otel_openai_2_3():
    """Messages still go out as log records, now without a logger of events."""
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    logs = send_logs()
    OpenAIInstrumentor().instrument(logger_provider=logs)
    ask_openai()
    logs.shutdown()


def otel_openai_2_4():
    """The last before the name changed: messages are on the spans for those that opt in."""
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    ask_openai()


def otel_genai_openai():
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    ask_openai()


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


def serve_fastmcp():
    from fastmcp import FastMCP

    server = FastMCP("weather")

    @server.tool
    def get_weather(city: str) -> str:
        """The weather of a city."""
        if city == "Atlantis":
            raise ValueError("no such city")
        return "sunny"

    @server.resource("weather://cities")
    def cities() -> list[str]:
        return ["Paris"]

    @server.prompt
    def ask(city: str) -> str:
        return f"How is the weather in {city}?"

    server.run(show_banner=False)


def fastmcp():
    """A client and, in a process of its own, a server; a request's trace has spans of both."""
    from fastmcp import Client
    from fastmcp.client.transports import StdioTransport

    async def ask():
        transport = StdioTransport(sys.executable, [__file__, "serve_fastmcp"], env=dict(os.environ), keep_alive=False)
        async with Client(transport) as client:
            await client.list_tools()
            await client.call_tool("get_weather", {"city": "Paris"})
            await client.call_tool("get_weather", {"city": "Atlantis"}, raise_on_error=False)
            await client.read_resource("weather://cities")
            await client.get_prompt("ask", {"city": "Paris"})

    asyncio.run(ask())


def serve_mcp_sdk():
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("weather")

    @server.tool()
    def get_weather(city: str) -> str:
        """The weather of a city."""
        if city == "Atlantis":
            raise ValueError("no such city")
        return "sunny"

    @server.prompt()
    def ask(city: str) -> str:
        return f"How is the weather in {city}?"

    server.run()


def mcp_sdk():
    """The MCP SDK's own spans."""
    from mcp import Client, StdioServerParameters

    async def ask():
        server = StdioServerParameters(command=sys.executable, args=[__file__, "serve_mcp_sdk"], env=dict(os.environ))
        async with Client(server) as client:
            await client.call_tool("get_weather", {"city": "Paris"})
            await client.call_tool("get_weather", {"city": "Atlantis"})
            await client.get_prompt("ask", {"city": "Paris"})

    asyncio.run(ask())


def serve_mcp():
    from opentelemetry.instrumentation.mcp import McpInstrumentor

    McpInstrumentor().instrument()
    from mcp.server.fastmcp import FastMCP

    server = FastMCP("weather")

    @server.tool()
    def get_weather(city: str) -> str:
        """The weather of a city."""
        if city == "Atlantis":
            raise ValueError("no such city")
        return "sunny"

    @server.resource("weather://cities")
    def cities() -> list[str]:
        return ["Paris"]

    server.run()


def openllmetry_mcp():
    from opentelemetry.instrumentation.mcp import McpInstrumentor

    McpInstrumentor().instrument()
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    async def ask():
        server = StdioServerParameters(command=sys.executable, args=[__file__, "serve_mcp"], env=dict(os.environ))
        async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            await session.list_tools()
            await session.call_tool("get_weather", {"city": "Paris"})
            await session.call_tool("get_weather", {"city": "Atlantis"})
            await session.read_resource("weather://cities")

    asyncio.run(ask())


def openinference_crewai():
    """Two agents, one with a tool."""
    from crewai import LLM, Agent, Crew, Task
    from crewai.tools import tool
    from openinference.instrumentation.crewai import CrewAIInstrumentor
    from openinference.instrumentation.openai import OpenAIInstrumentor

    CrewAIInstrumentor().instrument()
    OpenAIInstrumentor().instrument()

    @tool("get_weather")
    def get_weather(city: str) -> str:
        """The weather of a city."""
        return "sunny"

    model = LLM(model="openai/gpt-4o")
    forecaster = Agent(role="Forecaster", goal="Know the weather", backstory="Reads instruments.", tools=[get_weather], llm=model)
    writer = Agent(role="Writer", goal="Write it down", backstory="Writes for a paper.", llm=model)
    tasks = [
        Task(name="look", description=QUESTION, expected_output="The weather", agent=forecaster),
        Task(name="write", description="Write a line about it.", expected_output="A line", agent=writer),
    ]
    Crew(name="weather", agents=[forecaster, writer], tasks=tasks).kickoff(inputs={"city": "Paris"})


def autogen():
    """AutoGen's own spans: a team of two agents, one with a tool."""
    from autogen_agentchat.agents import AssistantAgent
    from autogen_agentchat.conditions import MaxMessageTermination
    from autogen_agentchat.teams import RoundRobinGroupChat
    from autogen_core import SingleThreadedAgentRuntime
    from autogen_ext.models.openai import OpenAIChatCompletionClient

    async def get_weather(city: str) -> str:
        """The weather of a city."""
        return "sunny"

    async def ask():
        model = OpenAIChatCompletionClient(model="gpt-4o")
        forecaster = AssistantAgent("forecaster", model, tools=[get_weather], description="Knows the weather")
        writer = AssistantAgent("writer", model, description="Writes it down")
        runtime = SingleThreadedAgentRuntime(tracer_provider=PROVIDER)
        runtime.start()
        team = RoundRobinGroupChat([forecaster, writer], termination_condition=MaxMessageTermination(3), runtime=runtime)
        await team.run(task=QUESTION)
        await runtime.stop()
        await model.close()

    asyncio.run(ask())


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
    for each in (otel_openai, otel_openai_2_0, otel_openai_2_3, otel_openai_2_4, otel_genai_openai, openinference_openai,
                 openinference_anthropic, openllmetry_openai, openllmetry_anthropic, openinference_langgraph, pydantic_ai,
                 openinference_crewai, openinference_llama_index, openinference_openai_agents, openllmetry_mcp, fastmcp, mcp_sdk,
                 autogen)
}

if __name__ == "__main__":
    sys.tracebacklimit = 0  # stack traces have paths of the machine
    globals()[sys.argv[1]]()
    PROVIDER.shutdown()

"""What the fake provider streams to command-line agents: first a call of their shell, then an answer."""

import json

ANSWER = "It is sunny in Paris."
COMMAND = "echo sunny"
QUESTION = "How is the weather in Paris?"
# A question of this kind goes to an agent, who is asked QUESTION.
DELEGATED = "Ask an agent"


def offered(tools, names):
    """The first of these names that a request offers as a tool."""
    flat = [each for tool in tools or [] for each in tool.get("functionDeclarations") or [tool]]
    return next((name for name in names if any(tool.get("name") == name for tool in flat)), None)


def messages(request):
    """Anthropic's events."""
    parts = [part for message in request["messages"] if isinstance(message["content"], list) for part in message["content"]]
    asks = any(DELEGATED in part.get("text", "") for part in parts)
    tool = offered(request.get("tools"), ["Agent"] if asks else ["Bash"])
    calls = tool and not any(part["type"] == "tool_result" for part in parts)
    usage = {
        "input_tokens": 12, "cache_read_input_tokens": 1024, "cache_creation_input_tokens": 100,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 0}, "output_tokens": 1,
    }
    message = {
        "id": f"msg_{len(request['messages'])}", "type": "message", "role": "assistant", "model": request["model"],
        "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage,
    }
    if calls:
        block = {"type": "tool_use", "id": "toolu_agent" if asks else "toolu_1", "name": tool, "input": {}}
        arguments = {"command": COMMAND, "description": "Look at the weather"}
        if asks:
            arguments = {
                "prompt": QUESTION, "description": "Ask for the weather", "subagent_type": "general-purpose", "run_in_background": False,
            }
        delta = {"type": "input_json_delta", "partial_json": json.dumps(arguments)}
    else:
        block = {"type": "text", "text": ""}
        delta = {"type": "text_delta", "text": ANSWER}
    stop = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
    yield {"type": "message_start", "message": message}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "delta": stop, "usage": {**usage, "output_tokens": 40}}
    yield {"type": "message_stop"}


def responses(request):
    """OpenAI's events of the responses API."""
    tool = offered(request.get("tools"), ["exec_command", "shell_command", "shell"])
    calls = tool and not any(item.get("type") == "function_call_output" for item in request["input"])
    if calls:
        key, command = {"exec_command": ("cmd", COMMAND), "shell": ("command", COMMAND.split())}.get(tool, ("command", COMMAND))
        item = {
            "type": "function_call", "id": "fc_1", "call_id": "call_1", "name": tool, "status": "completed",
            "arguments": json.dumps({key: command}),
        }
    else:
        content = [{"type": "output_text", "text": ANSWER, "annotations": []}]
        item = {"type": "message", "id": "item_1", "role": "assistant", "status": "completed", "content": content}
    response = {"id": f"resp_{len(request['input'])}", "object": "response", "model": request["model"], "output": []}
    usage = {
        "input_tokens": 1200, "input_tokens_details": {"cached_tokens": 1024},
        "output_tokens": 40, "output_tokens_details": {"reasoning_tokens": 16}, "total_tokens": 1240,
    }
    yield {"type": "response.created", "response": {**response, "status": "in_progress"}}
    yield {"type": "response.output_item.added", "output_index": 0, "item": item}
    if not calls:
        yield {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "item_id": "item_1", "delta": ANSWER}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": {**response, "status": "completed", "output": [item], "usage": usage}}


def contents(request):
    """Gemini's chunks; one alone is its answer that is not streamed."""
    parts = [part for content in request["contents"] for part in content["parts"]]
    tool = offered(request.get("tools"), ["run_shell_command"])
    if tool and not any("functionResponse" in part for part in parts):
        part = {"functionCall": {"name": tool, "args": {"command": COMMAND, "description": "Look at the weather"}}}
    else:
        part = {"text": ANSWER}
    yield {
        "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 1200, "cachedContentTokenCount": 1024, "candidatesTokenCount": 40,
            "thoughtsTokenCount": 16, "totalTokenCount": 1256,
        },
        "modelVersion": "gemini-2.5-pro", "responseId": f"response-{len(request['contents'])}",
    }


STREAMS = {"/v1/messages": messages, "/v1/responses": responses}

"""A fake of OpenAI's, Anthropic's and Gemini's APIs: the same question gets the same answer, with usage that has cached tokens."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from streaming import STREAMS, contents

TOOL_CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}


def chat(request):
    """A tool call when tools are offered and none was answered yet, else an answer."""
    answered = any(message.get("role") == "tool" for message in request["messages"])
    calls = bool(request.get("tools")) and not answered
    message = {"role": "assistant", "content": None if calls else "It is sunny in Paris."}
    if calls:
        message["tool_calls"] = [TOOL_CALL]
    return {
        "id": f"chatcmpl-{len(request['messages'])}", "object": "chat.completion", "created": 1790000000,
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop", "logprobs": None}],
        "usage": {
            "prompt_tokens": 1200, "completion_tokens": 40, "total_tokens": 1240,
            "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
    }


def chunks(answer):
    """The same answer as a stream, the last chunk of which has the usage."""
    choice, usage = answer["choices"][0], answer.pop("usage")
    message, finish = choice["message"], choice["finish_reason"]
    calls = [{"index": index, **call} for index, call in enumerate(message.get("tool_calls", []))]
    deltas = [{"tool_calls": calls}] if calls else [{"content": word} for word in message["content"].partition(" in ")]
    starts = [({"role": "assistant", "content": None}, None), *((delta, None) for delta in deltas)]
    for delta, reason in [*starts, ({}, finish)]:
        yield answer | {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
    yield answer | {"object": "chat.completion.chunk", "choices": [], "usage": usage}


def responses(request):
    """A call of the first tool offered that was not called yet, else an answer."""
    items = request["input"] if isinstance(request["input"], list) else []
    called = [item["name"] for item in items if item.get("type") == "function_call"]
    tools = [tool["name"] for tool in request.get("tools", []) if tool["name"] not in called]
    number = len(called) + 1
    if tools:
        arguments = TOOL_CALL["function"]["arguments"] if tools[0] == "get_weather" else "{}"
        output = {"id": f"fc_{number}", "type": "function_call", "call_id": f"call_{number}", "name": tools[0]}
        output["arguments"] = arguments
    else:
        content = [{"type": "output_text", "text": "It is sunny in Paris.", "annotations": []}]
        output = {"id": "msg_1", "type": "message", "role": "assistant", "content": content}
    return {
        "id": f"resp_{number}", "object": "response", "created_at": 1790000000, "status": "completed",
        "model": "gpt-4o-2024-08-06", "output": [output | {"status": "completed"}], "tools": request.get("tools", []),
        "instructions": request.get("instructions"), "tool_choice": "auto", "parallel_tool_calls": True,
        "usage": {
            "input_tokens": 1200, "output_tokens": 40, "total_tokens": 1240,
            "input_tokens_details": {"cached_tokens": 1024}, "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


def messages(request):
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
        "content": [{"type": "text", "text": "It is sunny in Paris."}], "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {
            "input_tokens": 12, "output_tokens": 40, "cache_read_input_tokens": 1024, "cache_creation_input_tokens": 100,
            "service_tier": "standard",
        },
    }


def embeddings(request):
    count = len(request["input"]) if isinstance(request["input"], list) else 1
    return {
        "object": "list", "model": "text-embedding-3-small", "usage": {"prompt_tokens": 7 * count, "total_tokens": 7 * count},
        "data": [{"object": "embedding", "index": index, "embedding": [0.1, 0.2, 0.3]} for index in range(count)],
    }


ANSWERS = {
    "/v1/chat/completions": chat, "/v1/responses": responses, "/v1/messages": messages, "/v1/embeddings": embeddings,
}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        path = self.path.split("?")[0]
        if path.endswith(":streamGenerateContent"):
            return self.stream(contents(request))
        if request.get("stream") and path in STREAMS:
            return self.stream(STREAMS[path](request))
        answer = (lambda request: next(contents(request))) if path.endswith(":generateContent") else ANSWERS.get(path)
        body = json.dumps(answer(request) if answer else {"error": {"message": f"no {self.path} here"}}).encode()
        streamed = answer is chat and request.get("stream")
        if streamed:
            body = "".join(f"data: {each}\n\n" for each in [*map(json.dumps, chunks(json.loads(body))), "[DONE]"]).encode()
        self.send_response(200 if answer else 404)
        self.send_header("content-type", "text/event-stream" if streamed else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, events):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for event in events:
            name = f"event: {event['type']}\n" if "type" in event else ""
            self.wfile.write(f"{name}data: {json.dumps(event)}\n\n".encode())

    def log_message(self, *arguments):
        pass


def serve():
    """Serves on a free port until the process ends; answers where."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"

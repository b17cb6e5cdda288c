"""The same agent in Python, TypeScript and Go, with the stock SDKs: Clew understands all as one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from clew import wait_until
from test_corpus import understood

sys.path.insert(0, str(Path(__file__).parent / "corpus"))

import provider  # noqa: E402

EXAMPLES = Path(__file__).parent.parent / "examples" / "languages"
COMMANDS = {
    "python": [sys.executable, "agent.py"],
    "typescript": [str(EXAMPLES / "typescript" / "node_modules" / ".bin" / "tsx"), "agent.ts"],
    "go": ["go", "run", "."],
}


@pytest.mark.parametrize("language", COMMANDS)
def test_the_same_agent(own_clew, language):
    program = COMMANDS[language][0]
    if not shutil.which(program):
        pytest.skip(f"{program} is not here")
    server = own_clew().start()
    environment = {
        **os.environ, "OPENAI_BASE_URL": f"{provider.serve()}/v1", "OTEL_EXPORTER_OTLP_ENDPOINT": server.otlp_http,
        "OTEL_SERVICE_NAME": language,
    }
    done = subprocess.run(
        COMMANDS[language], cwd=EXAMPLES / language, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "It is sunny in Paris."
    runs = wait_until(lambda: list(understood(server)))
    assert runs == [{
        "root": "invoke_agent weather", "kinds": {"agent": 1, "llm": 2, "tool": 1}, "agents": ["weather"],
        "models": ["gpt-4o-2024-08-06"], "input": "How is the weather in Paris?", "conversation": "talk-1",
        "state": "succeeded", "calls": 2,
        "usage": {"inputTokens": 2400, "outputTokens": 80, "cachedTokens": 2048, "cacheWriteTokens": 0, "reasoningTokens": 0},
        "cost": 0.00424, "unpriced": [],
        "said": [[0, [["user", "text"]], [["assistant", "tool_call"]]],
                 [2, [["tool", "tool_call_response"]], [["assistant", "text"]]]],
        "notCounted": [],
    }]
    summaries = requests.get(f"{server.api}/api/v1/traces", timeout=30).json()["traces"]
    assert [summary["rootService"] for summary in summaries] == [language]
    talk = requests.get(f"{server.api}/api/v1/conversations/talk-1", timeout=30).json()
    assert (talk["traces"], talk["usage"]["calls"]) == (1, 2)

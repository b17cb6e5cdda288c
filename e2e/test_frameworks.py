"""Each guide of `docs/frameworks` is followed to the letter, with the real library, and Clew shows what the guide says.

Guides that say when they were checked cost much to install: FRAMEWORKS=all runs them, too."""

import os
import re
import shutil
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from clew import BINARY, wait_until
from guides import ENDPOINT, FOLDER, guides, prepare, run

sys.path.insert(0, str(Path(__file__).parent / "corpus"))

import provider  # noqa: E402

GUIDES = [guide for guide in guides() if os.environ.get("FRAMEWORKS") == "all" or not guide.by_hand]
# What a setting of the machine may say belongs to no guide.
FOREIGN = ("OTEL_", "OPENAI_", "ANTHROPIC_", "TRACELOOP_", "LANGSMITH_", "OPENINFERENCE_", "PYTHONPATH", "NODE_OPTIONS")


@pytest.fixture(scope="module")
def model():
    return provider.serve()


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_guide(guide, model, own_clew, tmp_path):
    for tool in ("npm", "go", "cargo"):
        if any(line.startswith(f"{tool} ") for line in guide.installs + guide.commands) and not shutil.which(tool):
            pytest.skip(f"{tool} is not here")
    folder = tmp_path / "weather"
    folder.mkdir()
    search = prepare(guide, folder)
    server = own_clew().start()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)} | {
        "PATH": search, "OPENAI_API_KEY": "none", "OPENAI_BASE_URL": f"{model}/v1", "OPENAI_API_BASE": f"{model}/v1",
        "ANTHROPIC_API_KEY": "none", "ANTHROPIC_BASE_URL": model,
    }
    script = "\n".join(guide.commands).replace(ENDPOINT, server.otlp_http)
    run(["bash", "-euc", script], folder, environment, seconds=900)
    wanted = "\n".join(tidy(line) for line in guide.shown.splitlines())
    with suppress(AssertionError):
        wait_until(lambda: shown(server, model) == wanted)
    assert shown(server, model) == wanted


def test_every_guide_is_in_the_index():
    index = (FOLDER / "README.md").read_text()
    assert [path.name for path in FOLDER.glob("*.md") if path.name != "README.md" and f"]({path.name})" not in index] == []


def shown(server, model):
    """All traces as `clew trace` draws them, without bars, times and the service, and what their runs add up to."""
    traces = server.get("/api/v1/traces")["traces"]
    drawn = [drawing(server, trace) for trace in sorted(traces, key=lambda trace: int(trace["start"]))]
    return "\n".join(line for each in drawn for line in each).replace(model, "https://api.openai.com")


def drawing(server, trace):
    text = run([BINARY, "trace", trace["traceId"], "--server", server.api], ".")
    for line in text.splitlines()[1:-2]:
        yield tidy(re.sub(r"  *[█·]+  *[\d.,]+ (?:ns|µs|ms|s|m)  weather\b", "", line))
    yield tidy(total(server, trace))


def total(server, trace):
    """What the page says at the head of the run."""
    run = server.get(f"/api/v1/traces/{trace['traceId']}/run")
    sums = run["total"]
    parts = [run["state"], f"calls: {sums['calls']}"]
    if sums["calls"]:
        parts.append(f"tokens: {sums['inputTokens']} + {sums['outputTokens']} ({sums['cachedTokens']} cached)")
        parts.append(f"${sums['cost']:.5f}" if sums["cost"] else "cost unknown")
    parts += [f"conversation {trace['conversation']}"] if trace["conversation"] else []
    parts += [f"asked: {trace['input']}"] if trace["input"] else []
    return "= " + "; ".join(parts)


def tidy(line):
    return " ".join(line.split())

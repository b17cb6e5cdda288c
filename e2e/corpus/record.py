"""Records what libraries send: runs each sender against the fake provider, and keeps its telemetry as OTLP's JSON.

    python3 -m venv /tmp/corpus && /tmp/corpus/bin/pip install -r requirements.txt
    npm install
    CLEW_BIN=../../target/release/clew /tmp/corpus/bin/python record.py

A sender with requirements of its own, such as requirements-otel-openai.txt, is recorded by name from an environment of its own:

    python3 -m venv /tmp/own && /tmp/own/bin/pip install -r requirements-otel-openai.txt
    CLEW_BIN=../../target/release/clew /tmp/own/bin/python record.py otel_openai

Command-line agents know more of the machine; this hides its name, and keeps what they send on it:

    (cd cli && npm install)
    unshare --map-root-user --net --uts sh -c 'hostname agent; ip link set lo up; exec "$@"' - \\
        /tmp/corpus/bin/python record.py claude_code claude_code_traces claude_code_agents codex gemini_cli
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import requests

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import provider  # noqa: E402
from cli import AGENTS  # noqa: E402
from clew import Clew  # noqa: E402
from senders import SENDERS  # noqa: E402

SPANS = {
    "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "span_only",
}
SILENT = {"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_TRACING_ENABLED": "false"}
EXTRA = {"otel_openai_2_4": SPANS, "otel_genai_openai": SPANS, "openinference_crewai": SILENT}
PROGRAMS = {
    "vercel": ["node", HERE / "vercel.mjs"],
    "rig": ["cargo", "run", "--quiet", "--locked", "--manifest-path", HERE / "rig" / "Cargo.toml"],
}


def shared(name):
    return not (HERE / f"requirements-{name.replace('_', '-')}.txt").exists()


def main():
    url = provider.serve()
    with tempfile.TemporaryDirectory() as directory:
        for name in sys.argv[1:] or [*filter(shared, SENDERS), *PROGRAMS, *AGENTS]:
            server = Clew(Path(directory) / name).start()
            environment = {
                **os.environ, "OPENAI_API_KEY": "none", "ANTHROPIC_API_KEY": "none", "OPENAI_BASE_URL": f"{url}/v1",
                "ANTHROPIC_BASE_URL": url, "GOOGLE_GEMINI_BASE_URL": url, "OTEL_EXPORTER_OTLP_ENDPOINT": server.otlp_http,
                "OTEL_SERVICE_NAME": name, "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
                "TRACELOOP_METRICS_ENABLED": "false", **EXTRA.get(name, {}),
            }
            script = "cli.py" if name in AGENTS else "senders.py"
            command = PROGRAMS.get(name, [sys.executable, HERE / script, name])
            subprocess.run(command, env=environment, check=True, timeout=600)
            sent = 0
            for signal, suffix in (("traces", ".jsonl"), ("logs", ".logs.jsonl"), ("metrics", ".metrics.jsonl")):
                lines = requests.get(f"{server.api}/api/v1/export/{signal}", timeout=30)
                lines.raise_for_status()
                if lines.text:
                    (HERE / "payloads" / (name + suffix)).write_text(lines.text)
                    print(name, signal, len(lines.text), "bytes")
                    sent += 1
            assert sent, f"{name} sent nothing"
            server.stop()


if __name__ == "__main__":
    main()

"""Command-line agents, which send telemetry by themselves. `python cli.py NAME` runs one in a home of its own; `npm install` in
`cli` first. OPENAI_BASE_URL, ANTHROPIC_BASE_URL and GOOGLE_GEMINI_BASE_URL say where the provider is, and
OTEL_EXPORTER_OTLP_ENDPOINT where telemetry goes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from streaming import DELEGATED, QUESTION

PACKAGES = Path(__file__).resolve().parent / "cli" / "node_modules"
# Paths are sent, so they are the same on every machine.
HOME = Path("/tmp/weather-agent")
KERNEL = "6.12.0"


def run(script, *arguments, **environment):
    names = ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "OTEL_EXPORTER_OTLP_ENDPOINT")
    environment |= {name: os.environ[name] for name in names}
    environment |= {name: "none" for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY")}
    environment |= {"PATH": "/usr/bin:/bin", "HOME": HOME}
    command = [shutil.which("node"), PACKAGES / script, *arguments]
    subprocess.run(command, env=environment, cwd=HOME, stdin=subprocess.DEVNULL, check=True, timeout=100)


def claude_code(question=QUESTION, **environment):
    run(
        "@anthropic-ai/claude-code/cli-wrapper.cjs", "-p", question, "--model", "claude-sonnet-4-5",
        "--allowedTools", "Bash", "Agent",
        CLAUDE_CODE_ENABLE_TELEMETRY="1", OTEL_METRICS_EXPORTER="otlp", OTEL_LOGS_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf", OTEL_LOG_USER_PROMPTS="1", OTEL_LOG_TOOL_DETAILS="1",
        OTEL_RESOURCE_ATTRIBUTES=f"os.version={KERNEL}", CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1", DISABLE_AUTOUPDATER="1",
        **environment,
    )


def claude_code_traces(question=QUESTION):
    claude_code(question, CLAUDE_CODE_ENHANCED_TELEMETRY_BETA="1", OTEL_TRACES_EXPORTER="otlp", OTEL_LOG_TOOL_CONTENT="1")


def claude_code_agents():
    claude_code_traces(f"{DELEGATED}: {QUESTION}")


def codex(signals=("logs", "metrics")):
    def exporter(signal):
        if signal not in signals:
            return '"none"'
        return f'{{ otlp-http = {{ endpoint = "{os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]}/v1/{signal}", protocol = "binary" }} }}'

    (HOME / ".codex").mkdir()
    (HOME / ".codex" / "config.toml").write_text(f"""
model = "gpt-5"
model_provider = "fake"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
analytics.enabled = false
skills.bundled.enabled = false
[features]
apps = false
goals = false
plugins = false
shell_snapshot = false
skill_search = false
[model_providers.fake]
name = "fake"
base_url = "{os.environ["OPENAI_BASE_URL"]}"
env_key = "OPENAI_API_KEY"
wire_api = "responses"
[otel]
log_user_prompt = true
exporter = {exporter("logs")}
trace_exporter = {exporter("traces")}
metrics_exporter = {exporter("metrics")}
""")
    run("@openai/codex/bin/codex.js", "exec", "--ephemeral", "--skip-git-repo-check", QUESTION)


def gemini_cli():
    (HOME / ".gemini").mkdir()
    (HOME / "system.md").write_text("Be short.")
    (HOME / ".gemini" / "settings.json").write_text(json.dumps({
        "general": {"enableAutoUpdate": False},
        "privacy": {"usageStatisticsEnabled": False},
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "tools": {"core": ["run_shell_command"]},
        "telemetry": {
            "enabled": True, "traces": True, "target": "local", "logPrompts": True, "otlpProtocol": "http",
            "otlpEndpoint": os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"],
        },
    }))
    kernel = f"import os from 'os'; import module from 'module'; os.release = () => '{KERNEL}'; module.syncBuiltinESMExports()"
    run(
        "@google/gemini-cli/bundle/gemini.js", "--model", "gemini-2.5-pro", "--approval-mode", "yolo", "--skip-trust",
        "-p", QUESTION, GEMINI_SYSTEM_MD=str(HOME / "system.md"), OTEL_NODE_RESOURCE_DETECTORS="none",
        NODE_OPTIONS="--import=data:text/javascript," + kernel.replace(" ", "%20"),
    )


AGENTS = {each.__name__: each for each in (claude_code, claude_code_traces, claude_code_agents, codex, gemini_cli)}

if __name__ == "__main__":
    HOME.mkdir()
    try:
        AGENTS[sys.argv[1]]()
    finally:
        shutil.rmtree(HOME)

"""Every command in the README and the guides is run, as written, against a server on free ports."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
import requests

from clew import BINARY, free_ports, wait_until

ROOT = Path(__file__).resolve().parent.parent
# The tests are running already; running them from themselves would not end.
NOT_RUN = {"cargo xtask test"}


def commands():
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for block in re.findall(r"```sh\n(.*?)```", document.read_text(), re.DOTALL):
            for line in block.strip().splitlines():
                if line and not line.startswith("#") and line not in NOT_RUN:
                    yield pytest.param(line, id=f"{document.name}: {line}")


@pytest.mark.parametrize("command", commands())
def test_command(command, clew, tmp_path):
    ports = free_ports(4)
    variables = {
        **os.environ, "CLEW_SERVER": clew.api, "OTEL_EXPORTER_OTLP_ENDPOINT": clew.otlp_http,
        "CLEW_STORAGE_DIRECTORY": str(tmp_path / "data"), "CLEW_OTLP_GRPC_ADDRESS": f"127.0.0.1:{ports[0]}",
        "CLEW_OTLP_HTTP_ADDRESS": f"127.0.0.1:{ports[1]}", "CLEW_QUERY_ADDRESS": f"127.0.0.1:{ports[2]}",
        "CLEW_PROMETHEUS_ADDRESS": f"127.0.0.1:{ports[3]}",
    }
    command = command.replace("target/release/clew", os.path.abspath(BINARY))
    command = command.replace("127.0.0.1:9090", f"127.0.0.1:{clew.prometheus}")
    if command != "cargo xtask run":
        done = subprocess.run(command, shell=True, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return
    process = subprocess.Popen(command, shell=True, cwd=ROOT, env=variables, start_new_session=True)

    def ready():
        assert process.poll() is None
        try:
            return requests.get(f"http://127.0.0.1:{ports[2]}/api/v1/status", timeout=2).ok
        except requests.RequestException:
            return False

    try:
        wait_until(ready, 900, "cargo xtask run answers")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)

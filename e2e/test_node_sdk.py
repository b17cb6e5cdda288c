"""The OpenTelemetry Node SDK, unchanged, over every protocol that it speaks."""

import json
import os
import subprocess

import pytest

HERE = os.path.dirname(__file__)


@pytest.mark.parametrize("protocol", ["http", "proto", "grpc"])
def test_all_three_signals(clew, protocol):
    endpoint = f"http://127.0.0.1:{clew.grpc if protocol == 'grpc' else clew.http}"
    done = subprocess.run(
        ["node", "send.mjs", protocol, endpoint], cwd=f"{HERE}/node", capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    sent = json.loads(done.stdout.strip().splitlines()[-1])
    found = clew.get("/api/v1/traces", q=f"service:{sent['service']} has:error")["traces"]
    assert [each["traceId"] for each in found] == [sent["traceId"]]
    assert found[0]["spans"] == 2
    records = clew.get("/api/logs", trace_id=sent["traceId"])["logs"]
    assert [each["body"]["value"] for each in records] == ["hello from node"]
    series = clew.get(f"/api/v1/metrics/{sent['metric']}")["series"]
    # Shutting down collects once more.
    assert {point["value"] for each in series for point in each["points"]} == {7}

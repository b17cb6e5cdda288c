"""What the server asks of the system, and what it bears from the outside: limits, modes of files, connections, sites."""

import json
import os
import resource
import socket
import stat
from pathlib import Path

import requests

from clew import wait_until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def spans(count=1, text="x", name="work"):
    made = [
        {
            "traceId": TRACE, "spanId": f"{number + 1:016x}", "name": name, "startTimeUnixNano": "1764578302000000000",
            "endTimeUnixNano": "1764578303000000000", "attributes": [{"key": "text", "value": {"stringValue": text}}],
        }
        for number in range(count)
    ]
    return {"resourceSpans": [{"scopeSpans": [{"spans": made}]}]}


def idle(port, count):
    """Connections that never ask for anything; those that find no place wait to be accepted."""
    made = []
    for _ in range(count):
        connection = socket.socket()
        connection.setblocking(False)
        try:
            connection.connect(("127.0.0.1", port))
        except BlockingIOError:
            pass
        made.append(connection)
    return made


def descriptors(clew):
    return len(os.listdir(f"/proc/{clew.process.pid}/fd"))


def test_a_flood_of_connections_leaves_the_others_their_places(own_clew):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4_096), hard))
    clew = own_clew(limits="ulimit -n 256").start()
    flood = []
    try:
        with requests.Session() as before:
            assert before.get(f"{clew.api}/api/v1/status", timeout=20).status_code == 200
            flood = idle(clew.query, 1_000)
            wait_until(lambda: descriptors(clew) > 90, message="the flood has come in")
            for number in range(20):
                clew.post("/v1/traces", spans(number + 1))
            assert clew.promql("1") is not None
            # Who was there goes on, and what it asks for is read from files.
            answer = before.get(f"{clew.api}/api/v1/traces/{TRACE}", timeout=60)
            assert answer.json()["spans"] == 20, answer.text
            assert descriptors(clew) < 200
    finally:
        for connection in flood:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert clew.get(f"/api/v1/traces/{TRACE}")["spans"] == 20
    assert "Too many open files" not in clew.log_text()
    assert clew.stop() == 0


def test_the_limit_of_open_files_is_raised(own_clew):
    clew = own_clew(limits="ulimit -Sn 128").start()
    limits = Path(f"/proc/{clew.process.pid}/limits").read_text()
    line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
    soft, hard = line.split()[3:5]
    assert soft == hard, line
    assert clew.stop() == 0


def test_a_limit_of_file_sizes_refuses_and_does_not_kill(own_clew):
    # In units of 512 or 1,024 bytes.
    clew = own_clew(limits="ulimit -f 8192").start()
    refused = None
    for _ in range(40):
        answer = requests.post(f"{clew.otlp_http}/v1/traces", json=spans(text=os.urandom(300_000).hex()), timeout=60)
        if answer.status_code != 200:
            refused = answer
            break
    assert clew.process.poll() is None, f"it ended with {clew.process.returncode}"
    assert refused is not None and refused.status_code == 503, refused and refused.text
    assert "large" in refused.text or "27" in refused.text, refused.text
    assert clew.get("/api/v1/status")["version"]
    clew.kill()


def test_what_is_stored_is_its_owners_only(own_clew):
    clew = own_clew(limits="umask 022").start()
    clew.post("/v1/traces", spans())
    clew.post("/v1/logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]})
    assert clew.stop() == 0
    found = [clew.directory, *Path(clew.directory).rglob("*")]
    assert any(path.suffix == ".parquet" for path in found), found
    for path in found:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path}: {mode:o}"


def test_questions_have_threads_of_their_own_and_stand_back(own_clew):
    clew = own_clew().start()
    clew.post("/v1/traces", spans())
    clew.get("/api/v1/traces", q="name:work")
    clew.promql("1")
    niceness = {}
    for task in Path(f"/proc/{clew.process.pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        nice = int((task / "stat").read_text().rsplit(")", 1)[1].split()[16])
        niceness.setdefault(name, set()).add(nice)
    assert niceness["clew-questions"] == {5} and niceness["clew-intake"] == {0}, niceness
    # What is sent to the page's port is taken in as well.
    answer = requests.post(f"{clew.api}/v1/traces", json=spans(2, text="y" * 200_000), timeout=20)
    assert answer.status_code == 200, answer.text
    assert clew.get(f"/api/v1/traces/{TRACE}")["spans"] == 2
    assert clew.stop() == 0


def test_other_sites_pages_may_not_ask(clew):
    cross = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    prometheus = f"http://127.0.0.1:{clew.prometheus}"
    for url, headers, status in [
        (f"{clew.api}/api/v1/status", {}, 200),
        (f"{clew.api}/api/v1/status", {"Sec-Fetch-Site": "same-origin"}, 200),
        (f"{clew.api}/api/v1/status", cross, 403),
        (f"{clew.api}/api/v1/live", cross, 403),
        (f"{clew.api}/api/v1/status", link, 403),
        (f"{clew.api}/", link, 200),
        (f"{clew.api}/", cross, 403),
        (f"{clew.api}/metrics", cross, 403),
        (f"{prometheus}/api/v1/labels", {}, 200),
        (f"{prometheus}/api/v1/labels", cross, 403),
        (f"{clew.api}/api/v1/status", {"Host": "127.0.0.1:80@evil"}, 400),
    ]:
        answer = requests.get(url, headers=headers, timeout=20)
        assert answer.status_code == status, f"{url} {headers}: {answer.status_code} {answer.text[:200]}"
    # Pages of this machine may send telemetry, also to the page's port.
    headers = {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}
    assert requests.post(f"{clew.api}/v1/traces", json=spans(), headers=headers, timeout=20).status_code == 200


def test_one_odd_value_costs_its_span(clew):
    deep = {"intValue": "1"}
    for _ in range(100):
        deep = {"arrayValue": {"values": [deep]}}
    body = spans(2, name="nested")
    body["resourceSpans"][0]["scopeSpans"][0]["spans"][1]["attributes"].append({"key": "deep", "value": deep})
    answer = clew.post("/v1/traces", json.loads(json.dumps(body)))
    assert answer["partialSuccess"]["rejectedSpans"] == "1", answer
    assert "64 levels" in answer["partialSuccess"]["errorMessage"], answer

"""What a store promises: it deletes nothing by itself, tells what is wrong, and can be backed up and put back."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

import pytest
import requests

from clew import BINARY, wait_until


def trace_of(number, spans=3, service="store"):
    now = time.time_ns()
    rows = [
        {
            "traceId": f"{number + 1:032x}", "spanId": f"{row + 1:016x}", "name": f"step {row} of {number}", "kind": 1,
            "startTimeUnixNano": str(now + row), "endTimeUnixNano": str(now + row + 1000),
        }
        for row in range(spans)
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": rows}]}]}


def logs_of(number, records=5):
    rows = [
        {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": f"line {row} of {number}"}} for row in range(records)
    ]
    return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"logRecords": rows}]}]}


def metrics_of(number):
    points = [{"timeUnixNano": str(time.time_ns()), "asInt": str(number)}]
    return {"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"metrics": [{"name": "m", "gauge": {"dataPoints": points}}]}]}]}


def send(clew, numbers):
    for number in numbers:
        clew.post("/v1/traces", trace_of(number))
        clew.post("/v1/logs", logs_of(number))
        clew.post("/v1/metrics", metrics_of(number))


def stored(clew):
    counts = clew.get("/api/v1/status")["stored"]
    return int(counts["spans"]), int(counts["logs"]), int(counts["metrics"])


def kinds(clew):
    return {problem["kind"] for problem in clew.get("/api/v1/status")["problems"]}


def run(*arguments, code=0):
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, f"{done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 300 MB, where one may be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", disk], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_disk_that_is_too_full_refuses_and_keeps_what_it_has(own_clew, small_disk):
    clew = own_clew(f"{small_disk}/data").start()
    send(clew, range(10))
    before = stored(clew)
    assert before == (30, 50, 10)
    assert clew.stop() == 0
    # 80 MB: less than is kept free for sealing is left.
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (80 << 20))
    clew.start()
    assert stored(clew) == before
    refused = requests.post(f"{clew.otlp_http}/v1/traces", json=trace_of(99), timeout=20)
    assert refused.status_code == 503 and "Retry-After" in refused.headers and "free" in refused.text
    status = clew.get("/api/v1/status")
    assert status["health"] == "rejecting" and status["problems"][0]["kind"] == "diskFull"
    health = requests.get(f"{clew.api}/health", timeout=20)
    assert health.status_code == 503 and "diskFull" in health.text
    assert 'clew_problems{kind="diskFull",severity="failing"} 1' in requests.get(f"{clew.api}/metrics", timeout=20).text
    assert "too full" in run("doctor", "--server", clew.api, "--data-directory", clew.directory, code=1)
    clew.kill()
    clew.start()
    assert stored(clew) == before
    filler.unlink()
    wait_until(lambda: requests.post(f"{clew.otlp_http}/v1/traces", json=trace_of(99), timeout=20).status_code == 200)
    assert requests.get(f"{clew.api}/health", timeout=20).status_code == 200
    assert stored(clew)[0] == before[0] + 3


def test_files_are_the_owners_alone(own_clew):
    clew = own_clew().start()
    send(clew, range(2))
    assert clew.stop() == 0
    for folder, _, files in os.walk(clew.directory):
        assert os.stat(folder).st_mode & 0o077 == 0, folder
        for name in files:
            assert os.stat(os.path.join(folder, name)).st_mode & 0o077 == 0, name


FAKETIME = next(
    (path for path in ["/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1"]
     if os.path.exists(path)), None,
)


@pytest.mark.skipif(FAKETIME is None, reason="Debian's libfaketime is not installed")
def test_a_clock_that_jumps_deletes_nothing(own_clew):
    clew = own_clew(extra=["--storage-max-age", "1h"]).start()
    send(clew, range(5))
    before = stored(clew)
    assert clew.stop() == 0
    for number, offset in enumerate(["+400d", "-400d", "+0"]):
        clew.environment = {"LD_PRELOAD": FAKETIME, "FAKETIME": offset}
        clew.start()
        assert "clockJumped" in kinds(clew), offset
        send(clew, [100 + number])
        before = (before[0] + 3, before[1] + 5, before[2] + 1)
        assert clew.stop() == 0
        clew.start()
        assert stored(clew) == before, offset
        assert clew.stop() == 0


def test_a_client_that_hangs_up_while_deleting_doubles_nothing(own_clew):
    clew = own_clew().start()
    send(clew, range(60))
    before = stored(clew)
    for number in range(20):
        # Sent, and not waited for.
        connection = requests.Session()
        try:
            connection.delete(f"{clew.api}/api/v1/traces/{number + 1:032x}", timeout=0.002)
        except requests.RequestException:
            pass
        connection.close()
    assert clew.stop() == 0
    clew.start()
    spans, logs, metrics = stored(clew)
    assert (logs, metrics) == before[1:], "log records and points are not doubled"
    assert spans <= before[0] and spans % 3 == 0
    wait_until(lambda: "pendingDeletions" not in kinds(clew), message="deletions end")


def test_a_lost_catalog_is_told_and_rebuilt(own_clew):
    clew = own_clew().start()
    for part in range(3):
        send(clew, range(part * 10, part * 10 + 10))
        assert clew.stop() == 0
        clew.start()
    before = stored(clew)
    clew.kill()
    os.unlink(f"{clew.directory}/catalog.sqlite")
    told = run("serve", "--data-directory", clew.directory, "--otlp-grpc-address", "127.0.0.1:0",
               "--otlp-http-address", "127.0.0.1:0", "--query-address", "127.0.0.1:0", code=1)
    assert "clew repair" in told and "nothing was changed" in told
    assert "new catalog" in run("repair", "--data-directory", clew.directory)
    clew.start()
    assert stored(clew) == before
    assert clew.trace(f"{5:032x}") and len(clew.trace(f"{5:032x}")["spans"]) == 3


def test_an_older_catalog_is_noticed(own_clew):
    clew = own_clew().start()
    send(clew, range(5))
    assert clew.stop() == 0
    shutil.copy(f"{clew.directory}/catalog.sqlite", f"{clew.directory}.older")
    clew.start()
    send(clew, range(5, 10))
    assert clew.stop() == 0
    clew.start()
    before = stored(clew)
    assert clew.stop() == 0
    shutil.copy(f"{clew.directory}.older", f"{clew.directory}/catalog.sqlite")
    clew.start()
    assert stored(clew) == before
    assert "catalogRecovered" in kinds(clew)


def test_a_backup_under_load_is_whole_and_incremental(own_clew, tmp_path):
    clew = own_clew(extra=["--storage-seal-bytes", "64KB", "--storage-seal-age", "1s"]).start()
    acknowledged, stopping = [], threading.Event()

    def load():
        number = 0
        while not stopping.is_set():
            clew.post("/v1/traces", trace_of(number))
            clew.post("/v1/logs", logs_of(number))
            acknowledged.append(number)
            number += 1

    sender = threading.Thread(target=load, daemon=True)
    sender.start()
    backup = tmp_path / "backup"
    reports = []
    for _ in range(4):
        wait_until(lambda: len(acknowledged) > len(reports) * 150 + 150)
        known = len(acknowledged)
        reports.append(json.loads(run("backup", backup, "--data-directory", clew.directory, "--json")))
    stopping.set()
    sender.join(20)
    assert any(report["copiedBlocks"] < report["blocks"] for report in reports), reports
    run("verify", "--data-directory", clew.directory)

    restored = own_clew("restored")
    run("restore", backup, "--data-directory", restored.directory)
    run("verify", "--data-directory", restored.directory)
    restored.start()
    for number in range(0, known, 7):
        assert len(restored.trace(f"{number + 1:032x}")["spans"]) == 3, number
    logs = restored.get("/api/v1/logs", limit=10_000)["logs"]
    bodies = [record["body"] for record in logs]
    assert len(bodies) == len(set(map(str, bodies))), "a log record is doubled"
    told = run("restore", backup, "--data-directory", restored.directory, code=1)
    assert "nothing is overwritten" in told


def test_deleted_is_gone_from_the_backup_too(own_clew, tmp_path):
    clew = own_clew().start()
    send(clew, range(3))
    backup = tmp_path / "backup"
    assert requests.delete(f"{clew.api}/api/v1/traces/{3:032x}", timeout=30).status_code == 200
    clew.post("/v1/traces", trace_of(3, service="forget me"))
    assert clew.stop() == 0
    clew.start()
    run("backup", backup, "--data-directory", clew.directory)
    assert requests.delete(f"{clew.api}/api/v1/traces/{4:032x}", timeout=30).status_code == 200
    run("backup", backup, "--data-directory", clew.directory)
    found = subprocess.run(["grep", "-r", "-l", "forget me", backup, clew.directory], capture_output=True, text=True)
    assert found.stdout == ""


def test_damage_is_told_everywhere(own_clew):
    clew = own_clew().start()
    send(clew, range(3))
    assert clew.stop() == 0
    clew.start()
    send(clew, range(3, 6))
    assert clew.stop() == 0
    blocks = f"{clew.directory}/blocks/default/traces"
    paths = sorted(os.path.join(folder, name) for folder, _, files in os.walk(blocks) for name in files)
    assert len(paths) == 2
    os.unlink(paths[0])
    clew.start()
    status = clew.get("/api/v1/status")
    assert status["health"] == "degraded" and status["damagedBlocks"] == 1
    assert paths[0] in status["problems"][0]["message"]
    assert "degraded damagedBlocks" in requests.get(f"{clew.api}/health", timeout=20).text
    assert "missing" in run("doctor", "--server", clew.api, "--data-directory", clew.directory, code=1)
    assert paths[0] in run("verify", "--data-directory", clew.directory, code=1)
    answer = clew.get("/api/v1/traces", limit=100)
    assert len(answer["traces"]) == 3 and not answer["complete"] and answer["incompleteReason"]
    gone = requests.get(f"{clew.api}/api/v1/traces/{1:032x}/skeleton", timeout=20)
    assert gone.status_code == 503, "it may be in the block that is missing"
    refused = requests.delete(f"{clew.api}/api/v1/traces/{5:032x}", timeout=30)
    assert refused.status_code == 503 and "queued" in refused.text
    assert "pendingDeletions" in kinds(clew)
    assert clew.stop() == 0
    assert "given up" in run("repair", "--data-directory", clew.directory, "--give-up-damaged")
    clew.start()
    wait_until(lambda: clew.get("/api/v1/status")["problems"] == [], message="nothing is wrong any more")
    assert clew.trace(f"{5:032x}") is None and len(clew.trace(f"{6:032x}")["spans"]) == 3


def test_a_stop_with_many_tenants_is_bounded(own_clew):
    clew = own_clew().start()
    session = requests.Session()
    for number in range(1500):
        answer = session.post(f"{clew.otlp_http}/v1/logs", json=logs_of(number, 1), headers={"X-Scope-OrgID": f"t{number}"}, timeout=20)
        assert answer.status_code == 200
    started = time.monotonic()
    clew.process.send_signal(signal.SIGTERM)
    clew.process.wait(120)
    assert clew.process.returncode == 0
    print(f"stopped in {time.monotonic() - started:.1f} s")
    clew.start()
    answer = requests.get(f"{clew.api}/api/v1/logs", headers={"X-Scope-OrgID": "t1499"}, timeout=20)
    assert len(answer.json()["logs"]) == 1


def test_the_catalog_is_one_file(own_clew):
    clew = own_clew().start()
    send(clew, range(3))
    assert clew.stop() == 0
    beside = [name for name in os.listdir(clew.directory) if name.startswith("catalog.sqlite-") and os.path.getsize(f"{clew.directory}/{name}")]
    assert beside == []
    with sqlite3.connect(f"file:{clew.directory}/catalog.sqlite?mode=ro", uri=True) as catalog:
        assert catalog.execute("SELECT count(*) FROM blocks").fetchone()[0] == 3

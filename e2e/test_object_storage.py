"""Blocks in an object store, through a server that speaks S3."""

import subprocess

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

from clew import BINARY, free_ports, wait_until

KEYS = {"AWS_ACCESS_KEY_ID": "anyone", "AWS_SECRET_ACCESS_KEY": "anything", "AWS_REGION": "us-east-1"}


class Bucket:
    def __init__(self):
        self.port = free_ports(1)[0]
        self.start()
        self.client = boto3.client(
            "s3", endpoint_url=self.url, aws_access_key_id="anyone", aws_secret_access_key="anything",
            region_name="us-east-1",
        )
        self.client.create_bucket(Bucket="telemetry")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=self.port, verbose=False)
        self.server.start()

    def keys(self):
        return [each["Key"] for each in self.client.list_objects_v2(Bucket="telemetry").get("Contents", [])]


@pytest.fixture
def bucket():
    bucket = Bucket()
    yield bucket
    bucket.server.stop()


def traces(server):
    return requests.get(f"{server.api}/api/v1/traces?limit=1000", timeout=30)


def local_blocks(server):
    return list(server.directory.rglob("*.parquet"))


def test_blocks_in_an_object_store(own_clew, bucket):
    environment = {**KEYS, "AWS_ENDPOINT_URL": bucket.url}
    where = ["--storage-blocks-url", "s3://telemetry/clew"]
    # Enough for a block that is sent in parts.
    large = ["--storage-seal-bytes", "400MiB", "--storage-hot-limit", "800MiB"]
    server = own_clew(extra=[*where, *large], environment=environment).start()
    subprocess.run(
        [BINARY, "bench", "ingest", "--endpoint", server.otlp_http, "--server", server.api, "--spans", "150000"],
        check=True, capture_output=True,
    )
    assert server.stop() == 0
    assert local_blocks(server) == []
    keys = bucket.keys()
    assert keys and all(key.startswith("clew/") and key.endswith(".parquet") for key in keys)
    assert max(bucket.client.head_object(Bucket="telemetry", Key=key)["ContentLength"] for key in keys) > 8 << 20

    server.start()
    found = traces(server).json()["traces"]
    trace = found[0]["traceId"]
    assert requests.get(f"{server.api}/api/v1/traces/{trace}", timeout=30).ok
    deleted = requests.delete(f"{server.api}/api/v1/traces/{trace}", timeout=60).json()
    assert int(deleted["spans"]) == found[0]["spans"]
    assert requests.get(f"{server.api}/api/v1/traces/{trace}", timeout=30).status_code == 404

    requests.delete(f"{server.api}/api/v1/everything", timeout=60)
    assert bucket.keys() == []


def test_an_object_store_that_is_away(own_clew, bucket):
    environment = {**KEYS, "AWS_ENDPOINT_URL": bucket.url}
    where = ["--storage-blocks-url", "s3://telemetry/clew", "--storage-seal-age", "1s"]
    server = own_clew(extra=where, environment=environment).start()
    bucket.server.stop()
    subprocess.run([BINARY, "demo", "--endpoint", server.otlp_http, "--server", server.api], check=True, capture_output=True)
    wait_until(lambda: "sealing failed" in server.log_text(), 30, "a failure that is told")
    assert "see storage.blocks-url" in server.log_text()
    # What was taken in is in the log, and answered from memory.
    assert traces(server).json()["traces"]
    server.kill()
    server.start()
    before = {trace["traceId"] for trace in traces(server).json()["traces"]}
    assert before
    bucket.start()
    wait_until(lambda: bucket.keys(), 60, "sealing once the store is back")
    assert {trace["traceId"] for trace in traces(server).json()["traces"]} == before

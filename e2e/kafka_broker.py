"""Starts Apache Kafka: one process that is broker and controller."""

import base64
import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
from pathlib import Path

from clew import free_ports, wait_until

# The request of Kafka's protocol that needs no other before it.
API_VERSIONS = 18
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
num.partitions=3
# Topics are there when somebody says so.
auto.create.topics.enable=false
# There are no others.
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""


class Kafka:
    """One broker on ports of its own, with its data in a folder."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True)
        self.port, controller = free_ports(2)
        self.url = f"kafka://127.0.0.1:{self.port}"
        self.properties = folder / "server.properties"
        self.properties.write_text(PROPERTIES.format(port=self.port, controller=controller, folder=folder))
        self.process = None
        # Not by chance: an id that begins with a minus is taken for an option.
        cluster = base64.urlsafe_b64encode(b"the only cluster").decode().rstrip("=")
        command = [*self.java("kafka.tools.StorageTool"), "format", "--cluster-id", cluster, "--config", str(self.properties)]
        subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)

    @staticmethod
    def reason_to_skip():
        """Why there is no broker here, if there is none."""
        if not shutil.which("java"):
            return "Java 17 is not here"
        if "KAFKA_JARS" not in os.environ:
            return "KAFKA_JARS names no folder with Kafka: `cargo xtask test` fetches it where Maven is"
        return None

    @staticmethod
    def java(program):
        jars = Path(os.environ["KAFKA_JARS"]) / "*"
        return ["java", "-Xmx512m", "-XX:+UseSerialGC", "-cp", str(jars), program]

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([*self.java("kafka.Kafka"), str(self.properties)], stdout=log, stderr=log)
        wait_until(self.answers, 120, "Kafka answers")
        return self

    def answers(self):
        """Whether it says which requests it knows."""
        assert self.process.poll() is None, (self.folder / "log").read_text()[-3000:]
        request = struct.pack(">hhih", API_VERSIONS, 0, 1, -1)
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            return len(connection.recv(8)) == 8
        return False

    def kill(self):
        """Without a word to anybody."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

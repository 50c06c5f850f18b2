"""A `natter dev` of one's own: started, killed and started again by tests."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

from natter_client import Broken

START_PATIENCE = 60.0
STOP_PATIENCE = 20.0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Natter:
    """One data folder and two ports; the process may come and go."""

    def __init__(self, binary, folder):
        self.binary, self.folder = str(binary), pathlib.Path(folder)
        self.port, self.admin_port = free_port(), free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.log = self.folder / "natter.log"
        self.process = None

    def start(self):
        command = [self.binary, "dev", "--port", str(self.port), "--admin-port", str(self.admin_port)]
        command += ["--data-dir", str(self.folder / "data")]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "RATE_LIMITS": "off"}
            )
        self._until(self._ready, START_PATIENCE, "natter dev is not ready")
        return self

    def _ready(self):
        if self.process.poll() is not None:
            raise Broken(f"natter dev ended with {self.process.returncode}:\n{self.tail()}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with contextlib.suppress(OSError):
            return opener.open(f"{self.base}/health/ready", timeout=2).status == 200
        return False

    def _until(self, holds, patience, what):
        end = time.monotonic() + patience
        while not holds():
            if time.monotonic() > end:
                raise Broken(f"{what} after {patience:.0f} s:\n{self.tail()}")
            time.sleep(0.02)

    def nats_server(self):
        """The pid of its nats-server."""
        for pid in children_of(self.process.pid):
            with contextlib.suppress(OSError):
                if b"nats-server" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]:
                    return pid
        raise Broken("natter dev has no nats-server child")

    def kill(self, nats_server_too):
        """kill -9, as a power cut would, or with its nats-server left to die by itself."""
        nats = self.nats_server()
        self.process.kill()
        if nats_server_too:
            with contextlib.suppress(ProcessLookupError):
                os.kill(nats, signal.SIGKILL)
        self.process.wait()
        self._until(lambda: not alive(nats), STOP_PATIENCE, "the nats-server child outlives natter")

    def kill_nats_server(self):
        os.kill(self.nats_server(), signal.SIGKILL)

    def stop(self):
        """Ctrl-C: everything ends, with status 0."""
        nats = self.nats_server()
        self.process.send_signal(signal.SIGINT)
        try:
            status = self.process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            raise Broken(f"natter dev still runs {STOP_PATIENCE:.0f} s after Ctrl-C:\n{self.tail()}") from None
        if status != 0:
            raise Broken(f"natter dev ended with {status} after Ctrl-C:\n{self.tail()}")
        self._until(lambda: not alive(nats), STOP_PATIENCE, "the nats-server child outlives natter")

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-25:])


@contextlib.contextmanager
def running(binary):
    """A fresh server in a folder of its own; whatever happens, nothing is left running."""
    with tempfile.TemporaryDirectory(prefix="natter-") as folder:
        natter = Natter(binary, folder)
        try:
            yield natter.start()
        finally:
            if natter.process and natter.process.poll() is None:
                natter.process.kill()
                natter.process.wait()


def alive(pid):
    """Whether it runs; a zombie does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def children_of(parent):
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent:
                    yield int(entry.name)

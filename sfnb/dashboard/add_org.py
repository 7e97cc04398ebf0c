"""Registering an org, or starting the demo org, without a terminal."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sfnb.dashboard.places import address
from sfnb.dashboard.processes import Command
from sfnb.dashboard.wording import in_page
from sfnb.errors import CallerError
from sfnb.installation import Installation
from sfnb.org.secrets import has_keyring
from sfnb.ui.kernel import Timer
from sfnb.ui.screen import Screen

LOOK_S = 0.3

KEPT = "SFNB_SECRET_"
"""How the variables begin that hold secrets; the org's name and the secret's follow."""


@dataclass(frozen=True, slots=True)
class Field:
    """
    One entry of the form.

    Args:
        option: of `sfnb org add`; of a secret, the one that names its variable.
    """

    name: str
    label: str
    option: str
    hint: str = ""
    is_secret: bool = False
    is_required: bool = True


ADDRESS = Field("address", "Address of the org", "--instance-url", "https://acme.my.salesforce.com")
ANY_ADDRESS = Field(
    "address",
    "Address of the org; empty: login.salesforce.com",
    "--instance-url",
    "https://acme.my.salesforce.com",
    is_required=False,
)

WAYS: Mapping[str, tuple[str, tuple[Field, ...]]] = {
    "user": (
        "User name and password",
        (
            ANY_ADDRESS,
            Field("username", "User name", "--username", "backup@acme.example"),
            Field("password", "Password", "--password-env", is_secret=True),
            Field(
                "security_token",
                "Security token, if your network needs one",
                "--token-env",
                is_secret=True,
                is_required=False,
            ),
        ),
    ),
    "app": (
        "Connected app (client credentials)",
        (
            ADDRESS,
            Field("client_id", "Consumer key", "--client-id"),
            Field("client_secret", "Consumer secret", "--client-secret-env", is_secret=True),
        ),
    ),
    "token": (
        "Access token or session id",
        (ADDRESS, Field("token", "Access token", "--access-token-env", is_secret=True)),
    ),
}
"""Ways to log in that a form can ask for: their title and their fields."""


class AddOrg(Screen):
    """
    The form that registers an org. A secret goes to the command in a variable, and from there to
    the operating system's keyring. On a machine without a keyring this process keeps it, in a
    variable that its jobs inherit, for as long as it runs: no file ever has it.
    """

    script = "add_org"
    deeds = (("add", "org"), ("demo", "org"))

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._command: Command | None = None
        self._name = ""
        self._is_demo = False
        self._secrets: Mapping[str, str] = {}
        self._has_keyring = has_keyring()
        self._says = ""
        self._timer = Timer(self._look, LOOK_S)

    def __repr__(self) -> str:
        return "<add an org>"

    def view(self) -> dict[str, Any]:
        return {
            "is_busy": self._command is not None,
            "is_demo": self._is_demo,
            "has_keyring": self._has_keyring,
            "says": in_page(self._says),
            "refused": self.refused(self._installation.state.team),
            "ways": [
                {
                    "key": key,
                    "label": label,
                    "fields": [
                        {
                            "name": field.name,
                            "label": field.label,
                            "hint": field.hint,
                            "is_secret": field.is_secret,
                            "is_required": field.is_required,
                        }
                        for field in fields
                    ],
                }
                for key, (label, fields) in WAYS.items()
            ],
        }

    def html(self) -> str:
        return "<p>Orgs are added in the dashboard.</p>"

    def hear(self, message: dict[str, Any]) -> dict[str, Any] | None:
        match message.get("kind"):
            case "add":
                name, arguments, secrets = _arguments(message, has_keyring=self._has_keyring)
                if not self._has_keyring and self._has_lost(name):
                    arguments.insert(2, "--replace")
                self._start(name, arguments, secrets)
            case "demo":
                self._start("demo", ["demo", "start"], {})
            case _:
                return None
        self.show()
        return {"ok": True}

    def _has_lost(self, name: str) -> bool:
        """Whether this form has registered the org, and the process that kept its secret is gone."""
        config = self._installation.settings.orgs.get(name)
        kept = config.secrets.values() if config else ()
        names = [place.removeprefix("env:") for place in kept if place.startswith(f"env:{KEPT}")]
        return any(not os.environ.get(one) for one in names)

    def _start(self, name: str, arguments: list[str], secrets: Mapping[str, str]) -> None:
        if self._command is None:
            folder = self._installation.settings.home / "dashboard" / "jobs"
            self._name, self._says = name, ""
            self._is_demo = arguments[0] == "demo"
            self._secrets = {} if self._has_keyring else secrets
            self._command = Command(arguments, folder, secrets)
            self._timer.start()

    def _look(self) -> None:
        """One beat until the command has ended: then go to the org, or say why there is none."""
        command = self._command
        if command is None or command.exit_code is None:
            return
        self._command = None
        self._timer.stop()
        if command.exit_code == 0:
            os.environ.update(self._secrets)
            self.send({"go": address(self._name, "usage")})
        else:
            self._says = command.last_words
            self.show()


def _arguments(
    message: Mapping[str, Any], *, has_keyring: bool = True
) -> tuple[str, list[str], dict[str, str]]:
    """
    The org's name, the arguments of `sfnb org add`, and the secrets by the name of their variable.

    Raises:
        CallerError: a field that is required is empty.
    """
    name = str(message.get("name", "")).strip()
    given = message.get("fields") or {}
    _, fields = WAYS[str(message["way"])]
    if not name:
        raise CallerError("Give the org a name, such as acme.")
    arguments, secrets = ["org", "add", *(["--store-secret"] if has_keyring else [])], {}
    of_org = re.sub(r"\W", "_", name).upper()
    for field in fields:
        value = str(given.get(field.name, "")).strip()
        if not value:
            if field.is_required:
                raise CallerError(f"“{field.label}” is empty.")
            continue
        if field.is_secret:
            variable = f"{KEPT}{of_org}_{field.name.upper()}"
            secrets[variable] = value
            value = variable
        elif field.name == "address" and "://" not in value:
            value = f"https://{value}"
        arguments.append(f"{field.option}={value}")
    return name, [*arguments, "--", name], secrets

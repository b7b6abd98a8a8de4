"""What a person configured: environment variables first, then the configuration file, read once.

Nothing secret is a setting. A card, a security code, a token or a PIN is in the keyring or printed by a command that
the person named; an environment variable is read by every child process and ends up in crash reports.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import urlsplit

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, IPvAnyAddress, ValidationError, field_validator, model_validator

from .errors import SettingsError
from .settings_files import is_there, unknown_variables, whole_path, whole_program, written_text

Environment = Literal["simulator", "sandbox", "production", "custom"]


class HostPair(NamedTuple):
    """Firmly's two origins: `payment` for the payment group, `api` for everything else."""

    api: str
    payment: str


# The card goes only where it was meant to: these pairs are fixed. `simulator` is on loopback, `custom` has settings.
ENVIRONMENTS: Mapping[str, HostPair] = {
    "sandbox": HostPair(api="https://api.firmly.work", payment="https://cc.firmly.work"),
    "production": HostPair(api="https://api.firmly.online", payment="https://cc.firmly.online"),
}
LOOPBACK_NAMES = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose cards, carts, rules and orders these are, and where: the key of every row, entry and lock."""

    environment: str
    shopper: str


# The variable of each setting. Commands have none: they are argument lists, which only the file can hold.
VARIABLES: Mapping[str, str] = {
    "environment": "FIRMLY_MCP_ENVIRONMENT",
    "app_id": "FIRMLY_APP_ID",
    "shopper": "FIRMLY_MCP_SHOPPER",
    "data_dir": "FIRMLY_MCP_DATA_DIR",
    "api_url": "FIRMLY_MCP_API_URL",
    "payment_url": "FIRMLY_MCP_PAYMENT_URL",
    "rules_file": "FIRMLY_MCP_RULES",
    "pages_port": "FIRMLY_MCP_PAGES_PORT",
    "pages_bind": "FIRMLY_MCP_PAGES_BIND",
    "pages_url": "FIRMLY_MCP_PAGES_URL",
    "open_pages": "FIRMLY_MCP_OPEN_PAGES",
}
CONFIG_VARIABLE = "FIRMLY_MCP_CONFIG"
_KNOWN_VARIABLES: Mapping[str, str] = {**VARIABLES, "config": CONFIG_VARIABLE}
_PATHS = ("data_dir", "rules_file")
_COMMANDS = ("cvv_command", "card_command")
ORDERS_BLOCKED = "Orders are blocked until the rules can be read."
# No more pages than this are opened for the person in an hour: a person must not be worn down by them.
PAGES_AN_HOUR = 6

# Where a person types a card and a PIN. By default the pages are on this machine alone; anything else counts once a
# person has accepted it, in every environment.
PAGES_AT = ("pages_url", "pages_bind", "pages_port")
# What decides where money goes and what is ordered without a person. It counts once a person has accepted it.
MOVES_MONEY = ("environment", "app_id", "api_url", "payment_url", "cvv_command", "card_command", *PAGES_AT)


def _default_data_dir() -> Path:
    return Path(platformdirs.user_data_dir("firmly-mcp", appauthor=False))


def _config_dir() -> Path:
    return Path(platformdirs.user_config_dir("firmly-mcp", appauthor=False))


class Settings(BaseModel):
    """Every setting, checked. The field descriptions are the reference's table."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    environment: Annotated[
        Environment,
        Field(description="Where orders go. `simulator` needs no account; the others need an App ID."),
    ] = "simulator"
    app_id: Annotated[str | None, Field(description="The App ID that Firmly issued to you.", max_length=256)] = None
    shopper: Annotated[
        str,
        Field(
            description="Whose cards, carts and orders these are, where several people share an account.",
            pattern=r"^[A-Za-z0-9_-]{1,64}$",
        ),
    ] = "local"
    data_dir: Annotated[
        Path, Field(description="Where the journal and the simulator's books live. Default: the user's data directory.")
    ] = Field(default_factory=_default_data_dir)
    api_url: Annotated[str | None, Field(description="Another address of the API; makes the environment `custom`.")] = (
        None
    )
    payment_url: Annotated[
        str | None, Field(description="Another address of the payment host; goes with `api_url`.")
    ] = None
    rules_file: Annotated[
        Path,
        Field(
            description="The spending rules. Default: `rules.toml` beside `config.toml`; without it, all is asked. A "
            "file that is named has to be there."
        ),
    ] = Field(default_factory=lambda: _config_dir() / "rules.toml")
    cvv_command: Annotated[
        tuple[str, ...],
        Field(description="A program and its arguments that print the card's security code when an order needs it."),
    ] = ()
    card_command: Annotated[
        tuple[str, ...],
        Field(description="A program and its arguments that print a card as one JSON object, when an order needs it."),
    ] = ()

    pages_port: Annotated[
        int, Field(description="The port of the pages that ask a person. Default: any that is free.", ge=0, le=65535)
    ] = 0
    pages_bind: Annotated[
        IPvAnyAddress,
        Field(description="Where the pages listen, in a container. Another address than loopback needs `pages_url`."),
    ] = IPv4Address("127.0.0.1")
    pages_url: Annotated[
        str | None, Field(description="The address under which a browser finds the pages, such as https://pay.example.")
    ] = None

    open_pages: Annotated[
        bool, Field(description="Whether pages open by themselves in the person's browser; `false`: never.")
    ] = True

    @property
    def owner(self) -> Owner:
        """Whose settings these are."""
        return Owner(self.environment, self.shopper)

    @property
    def hosts(self) -> HostPair | None:
        """Firmly's hosts; None for the simulator, which chooses its own."""
        if self.environment == "simulator":
            return None
        return ENVIRONMENTS.get(self.environment) or HostPair(str(self.api_url), str(self.payment_url))

    @property
    def names_rules(self) -> bool:
        """Whether a person named the rules file, so that it has to be there."""
        return "rules_file" in self.model_fields_set

    @property
    def pages_are_here(self) -> bool:
        """Whether a link to a page leads to this machine."""
        return self.pages_url is None or urlsplit(self.pages_url).hostname in LOOPBACK_NAMES

    @field_validator("api_url", "payment_url", "pages_url")
    @classmethod
    def _is_an_origin(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        loopback = parts.hostname in LOOPBACK_NAMES
        if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
            raise ValueError("must be an https address (http only on this machine)")
        if not parts.hostname or parts.username or parts.query or parts.fragment or parts.path not in {"", "/"}:
            raise ValueError("must be a host alone, such as https://api.example.com")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _pages_can_be_found(self) -> Self:
        if self.pages_url is None and not self.pages_bind.is_loopback:
            raise ValueError("pages_bind needs pages_url: without it no page would know its own address")
        if self.pages_url is not None and not self.pages_port:
            raise ValueError("pages_url needs pages_port: another program passes requests on to it")
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.api_url is None) != (self.payment_url is None):
            raise ValueError("api_url and payment_url go together")
        if self.api_url is not None and self.environment != "custom":
            raise ValueError("another address needs environment = custom")
        if self.api_url is None and self.environment == "custom":
            raise ValueError("environment custom needs api_url and payment_url")
        if self.environment != "simulator" and not self.app_id:
            raise ValueError(f"environment {self.environment} needs an App ID: set FIRMLY_APP_ID")
        return self


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of this process; a variable wins over the file.

    Raises:
        SettingsError: names the setting and what is wrong with it, never its value.
    """
    environ = os.environ if environ is None else environ
    if unknown := unknown_variables(environ, _KNOWN_VARIABLES, Settings.model_fields):
        raise SettingsError("; ".join(unknown))
    values = _anchored(_read_file(environ), config_path(environ).parent)
    given = {field: environ[variable] for field, variable in VARIABLES.items() if environ.get(variable)}
    if "rules_file" not in values | given and (beside := _rules_beside(environ)):
        values["rules_file"] = beside
    values |= given | {name: whole_path(given[name], setting=VARIABLES[name]) for name in _PATHS if name in given}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None


def config_path(environ: Mapping[str, str]) -> Path:
    """Where the configuration file is looked for.

    Raises:
        SettingsError: a variable names it by what is no path.
    """
    named = environ.get(CONFIG_VARIABLE)
    if named:
        return whole_path(named, setting=CONFIG_VARIABLE)
    return _config_dir() / "config.toml"


def _anchored(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The file's values with whole paths; what is no path at all is left to the settings' own check."""
    for name in _PATHS:
        if isinstance(values.get(name), str):
            values[name] = whole_path(values[name], setting=name, folder=folder)
    for name in _COMMANDS:
        match values.get(name):
            case [str() as program, *arguments] if program:
                values[name] = [whole_program(program, setting=name, folder=folder), *arguments]
    return values


def _rules_beside(environ: Mapping[str, str]) -> Path | None:
    """The rules beside a configuration file that a variable names; None where only the usual ones exist.

    Raises:
        SettingsError: the usual ones are there too, so that either would silently be left out.
    """
    beside, usual = config_path(environ).parent / "rules.toml", _config_dir() / "rules.toml"
    if not is_there(beside) or beside.resolve() == usual.resolve():
        return None
    if is_there(usual):
        raise SettingsError(f"There are two rules files, {beside} and {usual}. Name one of them with rules_file.")
    return beside


def _read_file(environ: Mapping[str, str]) -> dict[str, Any]:
    path = config_path(environ)
    named_by = CONFIG_VARIABLE if environ.get(CONFIG_VARIABLE) else None
    text = written_text(path, named_by=named_by, consequence="Nothing runs until it can be read.")
    if text is None:
        return {}
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from None
    except (ValueError, RecursionError):
        raise SettingsError(f"{path} is not valid TOML: a number is too long, or lists lie too deep") from None


def _explain(error: ValidationError) -> str:
    return "; ".join(_one_problem(dict(problem)) for problem in error.errors(include_input=False, include_url=False))


def _one_problem(problem: dict[str, Any]) -> str:
    field = str(problem["loc"][0]) if problem["loc"] else ""
    text = str(problem["msg"]).removeprefix("Value error, ")
    name = VARIABLES.get(field, field)
    return f"{name}: {text}" if name else text


def declared(settings: Settings) -> dict[str, str]:
    """The settings that move money, each as `config.toml` would have it, and the rules' text; empty where not set.

    A setting of the pages is empty at its default.

    Raises:
        SettingsError: the rules file cannot be read.
    """
    values = {name: getattr(settings, name) for name in MOVES_MONEY if name not in PAGES_AT}
    written = {name: json.dumps(value, ensure_ascii=False) if value else "" for name, value in values.items()}
    return written | pages_declared(settings) | {"rules": rules_text(settings)}


def pages_declared(settings: Settings) -> dict[str, str]:
    """Where a person types cards and PINs, each setting as `config.toml` would have it; empty at its default."""
    at_default = settings.pages_bind == Settings.model_fields["pages_bind"].default
    return {
        "pages_url": json.dumps(settings.pages_url) if settings.pages_url else "",
        "pages_bind": "" if at_default else json.dumps(str(settings.pages_bind)),
        "pages_port": str(settings.pages_port or ""),
    }


def rules_text(settings: Settings) -> str:
    """The rules as the file now has them; where none is named and none exists, everything is asked.

    Raises:
        SettingsError: the file cannot be read, or it is named and missing.
    """
    named_by = "rules_file (FIRMLY_MCP_RULES)" if settings.names_rules else None
    return written_text(settings.rules_file, named_by=named_by, consequence=ORDERS_BLOCKED) or ""


def sources(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Where each setting comes from: its variable, the configuration file, or `default`."""
    environ = os.environ if environ is None else environ
    written = dict.fromkeys(_read_file(environ), str(config_path(environ)))
    named = {field: variable for field, variable in VARIABLES.items() if environ.get(variable)}
    return dict.fromkeys(Settings.model_fields, "default") | written | named


def approve_command(settings: Settings, approval_id: str) -> str:
    """The command with which a person answers an approval."""
    return command_line(settings, "approve", approval_id)


def command_line(settings: Settings, *words: str) -> str:
    """A command of ours, in full, as it runs with these settings in any shell and directory of this user."""
    named = os.environ.get(CONFIG_VARIABLE)
    config = {CONFIG_VARIABLE: str(config_path(os.environ))} if named else {}
    plain = _read_or_none(config)
    shown = {
        VARIABLES[name]: _as_text(value)
        for name in VARIABLES
        if (value := getattr(settings, name)) is not None and _has_to_be_shown(name, settings, plain)
    }
    variables = [f"{name}={shlex.quote(value)}" for name, value in (config | shown).items()]
    script = Path(sys.executable).parent / "firmly-mcp"
    program = [str(script)] if script.exists() else [sys.executable, "-m", "firmly_mcp"]
    return " ".join([*variables, *map(shlex.quote, [*program, *words])])


def _has_to_be_shown(name: str, settings: Settings, plain: Settings | None) -> bool:
    """Whether a command has to name a setting, because the file alone does not have its value."""
    if name == "rules_file" and not settings.names_rules:
        return False  # one that is named has to be there, and the usual one need not
    is_the_same = plain is not None and getattr(settings, name) == getattr(plain, name)
    return not is_the_same or (name == "rules_file" and plain is not None and not plain.names_rules)


def _read_or_none(environ: Mapping[str, str]) -> Settings | None:
    """The settings of a file alone; None where they are not complete without variables."""
    try:
        return read_settings(environ)
    except SettingsError:
        return None


def _as_text(value: Any) -> str:
    return str(value.absolute() if isinstance(value, Path) else value)

"""What a command did: a sentence on stderr for a person, or one JSON object on stdout for a program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click


def tell(words: str, facts: Mapping[str, Any], *, as_json: bool) -> None:
    """Say it in words; or give the facts, where JSON was asked for."""
    if as_json:
        give(facts)
    else:
        click.echo(words, err=True)


def give(facts: Mapping[str, Any]) -> None:
    """Give a program the facts of what was done."""
    click.echo(json.dumps(facts, ensure_ascii=False))

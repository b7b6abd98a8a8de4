"""Where the service is known or suspected to differ from its pages: read from differences.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Difference(BaseModel):
    """What differs, by which row of the contract; `seen` by someone who called the service, or only suspected."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    row: str = Field(pattern=r"^[CU]-\d+$")
    differs: str = Field(min_length=20)
    seen: bool


DIFFERENCES: Final = TypeAdapter(dict[str, Difference]).validate_python(
    tomllib.loads((Path(__file__).parent / "differences.toml").read_text("utf-8"))
)


def expected_to_fail(item: pytest.Item) -> pytest.MarkDecorator | None:
    """The mark for a test in the list. One whose difference was seen must fail, so that the list stays true."""
    name = getattr(item, "originalname", None) or item.name
    difference = DIFFERENCES.get(f"{item.path.stem}.{name}")
    if difference is None:
        return None
    return pytest.mark.xfail(reason=f"{difference.row}: {difference.differs}", strict=difference.seen)

"""Arguments that several tools take, in one wording."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

# A plain word needs no description: a store is its domain, which the server's instructions say once.
Store = Annotated[str, Field(min_length=1, max_length=253)]
Ref = Annotated[str, Field(description="The variant's ref, unchanged", min_length=1, max_length=2000)]
CardLabel = Annotated[str | None, Field(description="Its label; default: the only or default one", max_length=80)]
AddressLabel = Annotated[str | None, Field(description="Its label; default: the only or default one", max_length=80)]
Page = Annotated[int, Field(description="To go on", ge=1, le=10_000)]

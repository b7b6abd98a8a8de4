"""Arguments that several tools take, in one wording."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Store = Annotated[str, Field(description="Store domain, such as staging.luma.gift", min_length=1, max_length=253)]
Ref = Annotated[str, Field(description="The variant's `ref`, unchanged", min_length=1, max_length=2000)]
CardLabel = Annotated[str | None, Field(description="Card label; default: the only or the default card", max_length=80)]
AddressLabel = Annotated[
    str | None, Field(description="Address label; default: the only or the default one", max_length=80)
]

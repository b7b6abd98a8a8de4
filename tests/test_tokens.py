"""What the tools cost a model has a limit, counted in o200k_base. `python -m tests.tokens` prints the figures."""

import pytest

from tests.tokens import counted, figures


@pytest.mark.anyio
async def test_nothing_costs_more_tokens_than_it_may() -> None:
    found = await figures()
    assert len(found) == 8
    for figure in found:
        assert 0 < figure.tokens <= figure.limit, figure


def test_tokens_are_counted_as_the_encodings_authors_count_them() -> None:
    # Known counts of o200k_base.
    assert counted("hello world") == 2
    assert counted("tiktoken is great!") == 6
    assert counted({"amount": "53.40", "currency": "USD"}) == counted('{"amount":"53.40","currency":"USD"}')

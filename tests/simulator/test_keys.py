"""A rotated payment key is another key, also for a simulator that goes on from what was kept."""

from pathlib import Path

import pytest

from firmly_mcp.simulator.security import PaymentKeys
from firmly_mcp.simulator.state import State


@pytest.mark.parametrize("lasts", [True, False])
def test_every_rotation_gives_another_key_under_another_kid(lasts: bool, tmp_path: Path) -> None:
    folder = tmp_path if lasts else None
    seen = []
    for _ in range(2):
        state = State(folder)
        keys = PaymentKeys(state)
        for _ in range(4):
            before = keys.jwk()
            keys.rotate()
            after = keys.jwk()
            assert (before["n"] == after["n"], before["kid"] == after["kid"]) == (False, False)
            seen.append(after["kid"])
        state.close()
    assert len(set(seen)) == 8


@pytest.mark.parametrize("lasts", [True, False])
def test_a_key_that_is_renewed_under_its_old_kid_is_another_key(lasts: bool, tmp_path: Path) -> None:
    folder = tmp_path if lasts else None
    state = State(folder)
    keys = PaymentKeys(state)
    before = keys.jwk()
    assert keys.rotate(same_kid=True) == before["kid"]
    after = keys.jwk()
    assert (before["n"] == after["n"], before["kid"] == after["kid"]) == (False, True)
    state.close()
    if lasts:
        state = State(folder)
        assert PaymentKeys(state).jwk() == after
        state.close()

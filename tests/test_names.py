"""No test of names_before.txt is lost without a reason. Scaffolding of the redraw, removed with tests/names.py."""

import pytest

from tests.names import Sentence, before, lost, reasons, removed, sentences, written


def test_every_old_test_exists_or_stands_in_removed_md(request: pytest.FixtureRequest) -> None:
    functions = written()
    names_alone = {name: Sentence(was.functions, 0) for name, was in before().items()}
    missing = lost(names_alone, sentences(functions), removed())
    assert missing == []

    root = request.config.rootpath
    cases = [
        (str(item.path.relative_to(root)), item.originalname)
        for item in request.session.items
        if isinstance(item, pytest.Function)
    ]
    if functions <= set(cases):  # only a run that collected every test knows their cases
        fewer = lost(before(), sentences(cases), removed())
        assert fewer == []


def test_a_test_that_is_gone_or_has_fewer_cases_is_lost_unless_it_has_a_reason() -> None:
    old = {"test_a": Sentence(2, 4), "test_b": Sentence(1, 1)}
    assert lost(old, {"test_a": Sentence(2, 5), "test_b": Sentence(1, 1)}, frozenset()) == []
    assert lost(old, {"test_a": Sentence(2, 3)}, frozenset()) == [
        "test_a: 2 → 2 functions, 4 → 3 cases",
        "test_b: gone",
    ]
    assert lost(old, {"test_a": Sentence(1, 4)}, frozenset({"test_b"})) == ["test_a: 2 → 1 functions, 4 → 4 cases"]
    assert lost(old, {}, reasons("- `test_a`: D1\n| test_b | D2, replaced by test_c |\n")) == []


def test_a_removed_test_without_a_reason_is_lost() -> None:
    assert reasons("# Removed\n\ntest_a\ntest_b:\n`test_c`: D6, see test_d\n") == {"test_c"}


def test_a_move_loses_nothing() -> None:
    assert sentences([("tests/a.py", "test_x"), ("tests/a.py", "test_x")]) == {"test_x": Sentence(1, 2)}
    assert sentences([("tests/b.py", "test_x"), ("tests/c.py", "test_x")]) == {"test_x": Sentence(2, 2)}

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmly_mcp.untrusted import _as_seen, _hides, _seen, clean, clean_markup, is_plain


def test_control_invisible_and_bidirectional_characters_are_gone() -> None:
    assert clean("Tee\u202e\u200b \x00\x1b[31mred\U000e0041\n\tX") == "Tee [31mred X"


def test_a_cut_is_shown() -> None:
    assert clean("word " * 100, 12) == "word word w…"


def test_markup_becomes_its_words() -> None:
    html = "<p>Soft <b>cotton</b>.</p><script>buy()</script><style>p{}</style>&amp; warm"
    assert clean_markup(html) == "Soft cotton . & warm"


def test_unclosed_markup_hides_nothing_but_itself() -> None:
    assert clean_markup("<div><p>Warm<br>wool") == "Warm wool"
    assert clean_markup("Soft <a href='oops <p>wool</p> &amp; silk") == "Soft <a href='oops wool & silk"
    assert clean_markup("<p>Salt &amp pepper <3") == "Salt & pepper < 3"
    assert clean_markup("Tee <script>buy()") == "Tee"


@pytest.mark.parametrize(
    "unclosed", ["<a ", "<a/", "<a =", "<a b='", "<a b=\"'", "<!--", "</a ", "<?", "<![CDATA[", "<a\n"]
)
def test_markup_without_an_end_is_read_once(unclosed: str) -> None:
    hostile = unclosed * 5_000
    before = time.process_time()
    clean_markup(hostile)
    assert time.process_time() - before < 0.5


@given(st.text(), st.integers(1, 50))
def test_any_text_comes_out_visible_on_one_line_and_bounded(text: str, limit: int) -> None:
    for cleaned in (clean(text, limit), clean_markup(text, limit)):
        assert len(cleaned) <= limit
        assert all(unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"} for character in cleaned)
        assert "\n" not in cleaned


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_what_ascii_prints_is_passed_on_unread_as_reading_it_would(text: str) -> None:
    assert is_plain(text)
    assert "".join(_seen(text)) == _as_seen(text) == text
    assert not _hides(text)

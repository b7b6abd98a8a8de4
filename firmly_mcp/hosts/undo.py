"""What was written into a host's file, kept until it is taken out: the file is then what it was, byte for byte.

Only our own text is kept, and the blanks that it took the place of: nothing of what else a host's file holds.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from firmly_mcp.system.files import make_data_dir, write_whole


@dataclass(frozen=True, slots=True)
class Written:
    """One writing. `inserted` took the place of `replaced`; an empty one is not known any more.

    The file, the list of servers and the directories are those that were not there before.
    """

    inserted: str = ""
    replaced: str = ""
    made_file: bool = False
    made_list: bool = False
    made_directories: tuple[str, ...] = ()

    @classmethod
    def between(cls, before: str, after: str) -> Written:
        """What makes the second text of the first."""
        start = _alike(before, after)
        end = _alike(before[start:][::-1], after[start:][::-1])
        inserted, replaced = after[start : len(after) - end], before[start : len(before) - end]
        return cls() if replaced.strip() else cls(inserted, replaced)

    def taken_out(self, text: str) -> str | None:
        """The text as it was before; None if what was written does not stand there as it was."""
        if not self.inserted or text.count(self.inserted) != 1:
            return None
        return text.replace(self.inserted, self.replaced)

    def after(self, before: str, now: str) -> Written:
        """This, once our own entry has been changed from the one text to the other."""
        if not self.inserted or before.count(self.inserted) != 1:
            return replace(self, inserted="", replaced="")
        head, tail = before.split(self.inserted)
        if len(now) < len(head) + len(tail) or not (now.startswith(head) and now.endswith(tail)):
            return replace(self, inserted="", replaced="")
        return replace(self, inserted=now[len(head) : len(now) - len(tail)])


def _alike(one: str, other: str) -> int:
    """How many characters the two begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


class Memory:
    """The writings, one small file for each, in a directory of ours."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def recall(self, file: Path, name: str) -> Written:
        """What was written there; nothing known where nothing is."""
        try:
            told = json.loads(self._place(file, name).read_text("utf-8"))
            return Written(**{**told, "made_directories": tuple(told["made_directories"])})
        except (OSError, ValueError, TypeError, KeyError):
            return Written()

    def keep(self, file: Path, name: str, written: Written) -> None:
        """Keep this until it is taken out."""
        make_data_dir(self._directory)
        write_whole(self._place(file, name), json.dumps(asdict(written), ensure_ascii=False))

    def forget(self, file: Path, name: str) -> None:
        """Forget it; it was taken out."""
        with suppress(OSError):
            self._place(file, name).unlink()

    def _place(self, file: Path, name: str) -> Path:
        digest = hashlib.sha256(f"{name}\n{file}".encode(errors="surrogateescape")).hexdigest()
        return self._directory / f"{digest[:32]}.json"

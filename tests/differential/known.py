"""Differences that there are for a reason: known.toml."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path


@dataclass
class Known:
    """Cases, the member that differs, and what each side says, as regular expressions."""

    case: str
    member: str
    reason: str
    rekor: str = ""
    cairn: str = ""
    chance: bool = False
    used: int = 0

    def explains(self, case: str, member: str, rekor: str, cairn: str) -> bool:
        """Whether this is that difference."""
        return (
            fnmatchcase(case, self.case)
            and fnmatchcase(member, self.member)
            and bool(re.search(self.rekor, rekor))
            and bool(re.search(self.cairn, cairn))
        )


def load(path: Path) -> list[Known]:
    """All of them."""
    with open(path, "rb") as file:
        return [Known(**entry) for entry in tomllib.load(file)["known"]]

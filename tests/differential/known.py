"""The differences that are meant to be: known.toml, and which of them were seen."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Known:
    """One entry of the list. All of its conditions hold for a difference that it explains."""

    cases: list[str]
    members: list[str]
    reason: str
    # Regular expressions that are found in what each says.
    rekor: str = ""
    cairn: str = ""
    # It depends on chance whether there is one.
    sometimes: bool = False
    seen: int = field(default=0)

    def explains(self, case: str, member: str, rekor: str, cairn: str) -> bool:
        """Is that difference this one?"""
        return (
            any(fnmatch.fnmatchcase(case, pattern) for pattern in self.cases)
            and any(fnmatch.fnmatchcase(member, pattern) for pattern in self.members)
            and re.search(self.rekor, rekor) is not None
            and re.search(self.cairn, cairn) is not None
        )


class KnownList:
    """All of them, in the order of the file: the first that explains a difference counts."""

    def __init__(self, path: Path) -> None:
        with open(path, "rb") as file:
            self.entries = [Known(**entry) for entry in tomllib.load(file)["known"]]

    def reason(self, case: str, member: str, rekor: str, cairn: str) -> str | None:
        """Why that difference is meant to be, or None."""
        for entry in self.entries:
            if entry.explains(case, member, rekor, cairn):
                entry.seen += 1
                return entry.reason
        return None

    def unused(self) -> list[Known]:
        """Entries that explained nothing in this run."""
        return [entry for entry in self.entries if entry.seen == 0 and not entry.sometimes]

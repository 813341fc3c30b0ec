"""Windows of publication dates: half open, so that no contest falls between two of them or into both.

The official filter of LiveCodeBench keeps ``start <= date <= end`` with both at midnight, which drops a contest of the
last day; here ``end`` is not part of the window.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from gasp_env.errors import ConfigError

__all__ = ("LCB_V5_EVAL", "LCB_V5_TRAIN", "Window")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Dates from ``start`` on and before ``end``; None is open."""

    start: str | None = None
    end: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is no window.

        Raises:
            ConfigError: a bound is no ISO date, or the window is empty.
        """
        start, end = (None if bound is None else _moment(bound) for bound in (self.start, self.end))
        if start is not None and end is not None and start >= end:
            raise ConfigError(f"window: {self.start} to {self.end} holds no date; the end must be later")

    @classmethod
    def parse(cls, text: str) -> "Window":
        """Read ``START..END``, either side may be empty.

        Raises:
            ConfigError: another form.
        """
        start, dots, end = text.partition("..")
        if not dots:
            raise ConfigError(f"window: got {text!r}; expected START..END, e.g. 2023-05-01..2024-08-01")
        return cls(start=start.strip() or None, end=end.strip() or None)

    def holds(self, date: str | None) -> bool:
        """True if the date lies inside; a problem without a date is in the open window only."""
        if date is None:
            return self.start is None and self.end is None
        moment = _moment(date)
        return (self.start is None or _moment(self.start) <= moment) and (
            self.end is None or moment < _moment(self.end)
        )

    def __str__(self) -> str:
        return f"{self.start or ''}..{self.end or ''}"


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"window: {text!r} is no ISO date; expected e.g. 2024-08-01") from None
    return (found.astimezone(UTC) if found.tzinfo else found).replace(tzinfo=None)


LCB_V5_TRAIN = Window(end="2024-08-01")
"""LiveCodeBench v5 before the split: the 601 candidates of the paper."""
LCB_V5_EVAL = Window(start="2024-08-01")
"""The 279 evaluation problems: filtered by date, not by file (they lie in test4.jsonl and test5.jsonl)."""

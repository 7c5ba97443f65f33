"""What preflight finds wrong, and what comes of it.

Owns the difference between a refusal, which is a proof that a search can only waste time, and a remark.
"""

from __future__ import annotations

from collections.abc import Sequence

from tuning.errors import TuningError, raise_all

CHECKS = ("refuse", "warn")
"""What may be done about what is found wrong."""


class Verdict:
    """Raises what is found wrong, or keeps it as a remark.

    Args:
        checks: "refuse", or "warn" to turn every refusal into a remark.

    Attributes:
        remarks: what was not refused.
    """

    def __init__(self, checks: str = CHECKS[0]) -> None:
        self.remarks: list[str] = []
        self._refuses = checks == CHECKS[0]

    def refuse(self, mistakes: Sequence[str], kind: type[TuningError], cause: BaseException | None = None) -> None:
        """Refuse the search; return when there are no mistakes, or none count.

        Raises:
            TuningError: of that kind, naming all mistakes.
        """
        if not self._refuses:
            self.remark(*mistakes)
            return
        try:
            raise_all(list(mistakes), kind)
        except TuningError as error:
            raise error from cause

    def remark(self, *texts: str) -> None:
        """Keep what the person should know of."""
        self.remarks += [text for text in texts if text not in self.remarks]

"""Seeds of trainings, which follow from the study's."""

from __future__ import annotations

import hashlib


def seed_of_trial(seed: int, number: int, repeat: int = 0) -> int:
    """Return the seed of one trial's training: the same for every run and fold of it, in any process."""
    text = f"{seed}/{number}/{repeat}" if repeat else f"{seed}/{number}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % 2**31

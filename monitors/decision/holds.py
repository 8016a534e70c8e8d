"""What keeps a justified retraining waiting, and until when. Pure; "" where nothing does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from monitors.decision.quiet_hours import QuietHours

# Thirty days up to now: a cap by the calendar month would allow twice as much around its end.
_MONTH = timedelta(days=30)


def cooling(
    retrained_at: Sequence[datetime],
    *,
    checks_since: int,
    cooldown: timedelta,
    cooldown_checks: int,
    now: datetime,
) -> str:
    """Say how long the cooldown holds: by checks, which no clock can falsify, and by the clock."""
    if not retrained_at:
        return ""
    last = max(retrained_at)
    # A clock that stands before the last retraining was put back: only checks tell that time went.
    behind = now < last
    missing = (max(1, cooldown_checks) if behind else cooldown_checks) - checks_since
    if missing > 0:
        why = "the clock stands before the last retraining" if behind else "the cooldown"
        return f"before {missing} more check{'' if missing == 1 else 's'} ({why})"
    ready = last + cooldown
    return "" if behind or now >= ready else f"before {_utc(ready)}, when the cooldown ends"


def spent(retrained_at: Sequence[datetime], *, most: int, now: datetime) -> str:
    """Say when fewer than `most` retrainings will lie within thirty days."""
    within = sorted(at for at in retrained_at if at > now - _MONTH)
    if len(within) < most:
        return ""
    counted = f"{len(within)} retraining{'' if len(within) == 1 else 's'} in 30 days"
    return f"before {_utc(within[-most] + _MONTH)}, after {counted}"


def quiet(hours: QuietHours | None, *, now: datetime) -> str:
    """Say when the quiet hours end.

    >>> quiet(QuietHours.parse("22:00-06:00"), now=datetime(2026, 3, 1, 23, tzinfo=UTC))
    'before 2026-03-02 06:00 UTC, when the quiet hours (22:00-06:00 UTC) end'
    """
    end = hours.until(now) if hours else None
    return f"before {_utc(end)}, when the quiet hours ({hours}) end" if end else ""


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

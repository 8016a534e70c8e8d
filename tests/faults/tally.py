"""How often which fault was provoked in this session, and what the whole suite has promised.

Imports nothing: every test that kills, wherever it is, counts here what it did.
"""

from collections import Counter
from collections.abc import Mapping

AT_FAILPOINTS = "kills at failpoints"
AROUND_TRANSACTIONS = "kills around transactions"
BY_CHANCE = "kills by chance"
IN_A_REFRESH = "kills inside a refresh"
IN_A_REFRESH_BY_CHANCE = "kills by chance inside a refresh"
IN_A_TRAINING = "kills inside a training"
IN_A_RETRAINING = "kills inside a retraining"
IN_A_COMMAND = "kills of a command line"
FULL_DISKS = "full disks"
READ_ONLY_DISKS = "read-only disks"
RUNS_AT_ONCE = "runs at once"
ANSWERS = "answers beside refreshes"
CLOCKS = "clocks that jumped"
SERVERS = "servers that went away"
SLEEPERS = "sleepers that woke"
FIRST_STARTS = "first starts at once on SQLite"
FIRST_STARTS_ON_A_SERVER = "first starts at once on PostgreSQL"

TALLY: Counter[str] = Counter()
"""How often each kind of fault was provoked in this session."""

PROMISED: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "deterministic kills": (
        120,
        (
            *(AT_FAILPOINTS, AROUND_TRANSACTIONS, IN_A_REFRESH),
            *(IN_A_TRAINING, IN_A_RETRAINING, IN_A_COMMAND),
        ),
    ),
    "kills by chance": (100, (BY_CHANCE, IN_A_REFRESH_BY_CHANCE)),
    "sizes of a disk": (30, (FULL_DISKS,)),
    "runs at once": (4, (RUNS_AT_ONCE,)),
    "answers beside refreshes": (20, (ANSWERS,)),
    "zombies": (1, (SLEEPERS,)),
    "first starts at once on SQLite": (4, (FIRST_STARTS,)),
    "first starts at once on PostgreSQL": (4, (FIRST_STARTS_ON_A_SERVER,)),
}
"""What `make test` provokes at least, and the kinds of faults that count towards it."""

# A machine may allow no mount and have no PostgreSQL: then these tests are skipped, and say so.
_MAY_BE_LACKING = frozenset({"sizes of a disk", "first starts at once on PostgreSQL"})


def counted(tally: Mapping[str, int]) -> dict[str, int]:
    """Return how often each thing that was promised was done.

    >>> counted({AT_FAILPOINTS: 3, IN_A_TRAINING: 2})["deterministic kills"]
    5
    """
    return {
        what: sum(tally.get(kind, 0) for kind in kinds) for what, (_, kinds) in PROMISED.items()
    }


def short_of(tally: Mapping[str, int]) -> list[str]:
    """Return in words what a whole run of the suite did less often than promised."""
    done = counted(tally)
    return [
        f"{done[what]} {what}, at least {least} were promised"
        for what, (least, _) in PROMISED.items()
        if done[what] < least and not (done[what] == 0 and what in _MAY_BE_LACKING)
    ]

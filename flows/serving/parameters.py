"""The fields of Prefect's forms: what each parameter of a flow is called, means, and looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import Field
from pydantic.fields import FieldInfo

KbName = Annotated[
    str,
    Field(
        title="Knowledge base",
        description="Its name in driftline.toml.",
        min_length=1,
        examples=["docs"],
    ),
]
AnyKb = Annotated[
    str,
    Field(
        title="Knowledge base",
        description="Its name in driftline.toml; left empty, every knowledge base, one by one.",
        examples=["docs"],
    ),
]
Accept = Annotated[
    str,
    Field(
        title="Accepted plan",
        description="The digest of a plan that a guard stopped and a person has looked at.",
        pattern=r"^([0-9a-fA-F]{6,64})?$",
        examples=["9f3c2a"],
    ),
]
SnapshotName = Annotated[
    str,
    Field(
        title="Snapshot",
        description="What to train on; left empty, the one that answers now.",
        examples=["docs@42"],
    ),
]
Why = Annotated[str, Field(title="Reason", description="Why, for the history.")]
By = Annotated[
    str,
    Field(
        title="Decided by",
        description="Who decides, for the history.",
        min_length=1,
        examples=["Ada Lovelace"],
    ),
]
RequestedBy = Annotated[
    str, Field(title="MLflow run", description="The MLflow run of the check that asked for it.")
]
Force = Annotated[
    bool, Field(title="Train again", description="Train again what was judged before.")
]
EvidenceDigest = Annotated[
    str,
    Field(
        title="Evidence",
        description="The digest that `driftline promote KB` shows; its first 12 digits do.",
        pattern=r"^\s*[0-9a-fA-F]{12,64}\s*$",
        examples=["4f1d2c9ab03e"],
    ),
]
Version = Annotated[
    int,
    Field(
        title="Model version",
        description="The version to promote; left at 0, the one that was judged last.",
        ge=0,
    ),
]
ReleaseId = Annotated[
    str,
    Field(
        title="Release",
        description="The id of the release to go back to, or its first digits.",
        min_length=4,
        examples=["3f2a1b"],
    ),
]
ModelOnly = Annotated[
    bool,
    Field(
        title="Model only",
        description="Keep the snapshot that answers now, and do not freeze the knowledge base.",
    ),
]
Uris = Annotated[
    list[str],
    Field(
        title="Documents",
        description="The documents to erase, by the uris that a search shows.",
        min_length=1,
        examples=[["guide/billing.md"]],
    ),
]
DepthName = Annotated[
    Literal["quick", "subset", "full"],
    Field(
        title="Depth",
        description=(
            "How much is read: manifests and counts, a sample of the rows as well, or every row "
            "and every file."
        ),
    ),
]


def explained(
    properties: Mapping[str, dict[str, Any]], work: Callable[..., Any]
) -> dict[str, dict[str, Any]]:
    """Return the properties of a form with the titles and descriptions of the parameters.

    Prefect takes the rest of a field from its annotation, but these two from elsewhere.
    """
    hints = get_type_hints(work, include_extras=True)
    return {name: {**told, **_words(hints[name])} for name, told in properties.items()}


def _words(annotation: Any) -> dict[str, str]:
    fields = [each for each in annotation.__metadata__ if isinstance(each, FieldInfo)]
    said = {"title": fields[0].title, "description": fields[0].description}
    return {name: text for name, text in said.items() if text}

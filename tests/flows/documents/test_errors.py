"""Every error code is documented, and every exit status is decided on purpose."""

import re
from pathlib import Path

import pytest

import flows.errors
import retrieval.errors
import training.errors
from flows.errors import EXIT_OF_CODE, FlowError
from retrieval.errors import RetrievalError
from retrieval.records import RefusalCode
from training.errors import TrainingError

DOCUMENT = (Path(__file__).parents[3] / "docs" / "errors.md").read_text(encoding="utf-8")
MODULES = (flows.errors, retrieval.errors, training.errors)


def errors() -> list[type[FlowError | RetrievalError | TrainingError]]:
    kinds = (FlowError, RetrievalError, TrainingError)
    return [
        value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, kinds)
    ]


@pytest.mark.parametrize("error", errors(), ids=lambda error: error.code)
def test_every_error_is_documented_under_its_exit_status(error):
    sections = re.split(r"^## ", DOCUMENT, flags=re.MULTILINE)[1:]
    section = next(text for text in sections if f"`{error.code}`" in text)

    status = EXIT_OF_CODE.get(error.code, 1)

    expected = "exit 6" if error.code == "DOC_REFUSED" else f"exit {status:d}"
    assert f"({expected})" in section.splitlines()[0]


@pytest.mark.parametrize("code", RefusalCode)
def test_every_refusal_of_a_document_is_documented(code):
    assert f"| `{code}` |" in DOCUMENT


def test_no_exit_status_belongs_to_a_code_that_nobody_raises():
    assert EXIT_OF_CODE.keys() <= {error.code for error in errors()}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_tree_of_errors_in_the_docstring_is_whole(module):
    defined = {
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }

    assert all(name in (module.__doc__ or "") for name in defined)

"""A source whose server goes away, before a run or in the middle of one, loses no document."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.acting import Act, Looked, looked
from tests.faults.harness import Workshop, perform, said
from tests.faults.place import bare, copied
from tests.faults.tally import SERVERS, TALLY
from tests.retrieval.web_server import Page, Site, serve_site

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

PAGES = 12
BLOCKED, OK, PARTIAL = 4, 0, 6


@pytest.fixture
def site() -> Iterator[Site]:
    with serve_site() as served:
        links = "".join(f'<a href="/{at}.html">{at}</a>' for at in range(PAGES))
        served.html("/", f"<h1>Lamps</h1><p>All the lamps there are.</p>{links}")
        for at in range(PAGES):
            served.html(f"/{at}.html", f"<h1>Lamp {at}</h1><p>The lamp number {at} is lit.</p>")
        yield served


@pytest.fixture
def folder(site: Site, workshop: Workshop, tmp_path: Path) -> Path:
    """A place that has read the whole site once."""
    place = copied(workshop.built((bare,)), tmp_path / "place")
    settings = place / "driftline.toml"
    web = f'kind = "web"\nstarts = ["{site.root}/"]\nallow_private = true\ndelay_seconds = 0\n'
    text = settings.read_text().replace('path = "docs"\n', web + "timeout_seconds = 2\n")
    settings.write_text(text)
    assert perform(Act(place, ("refresh", "docs"), looks=True)) == OK, said(place)
    return place


def refresh(folder: Path) -> tuple[int, Looked]:
    status = perform(Act(folder, ("refresh", "docs"), looks=True))
    return status, looked(folder)


def test_a_server_that_is_away_blocks_the_refresh_and_nothing_is_removed(site: Site, folder: Path):
    before, pages = looked(folder), dict(site.pages)
    site.pages.clear()
    site.pages["/"] = Page(status=503)

    status, away = refresh(folder)
    told = said(folder)
    site.pages.update(pages)
    again, back = refresh(folder)

    TALLY[SERVERS] += 1
    assert (status, again) == (BLOCKED, OK), told
    assert away.broken == back.broken == ()
    assert away.outcome == back.outcome == before.outcome


@pytest.mark.parametrize("served", [1, PAGES // 2, PAGES])
def test_a_server_that_goes_away_half_way_removes_nothing(site: Site, folder: Path, served: int):
    before, pages = looked(folder), dict(site.pages)
    for at in range(served - 1, PAGES):
        site.pages[f"/{at}.html"] = Page(status=503)

    status, away = refresh(folder)
    told = said(folder)
    site.pages.update(pages)
    again, back = refresh(folder)

    TALLY[SERVERS] += 1
    assert status in {BLOCKED, PARTIAL}, told
    assert again == OK
    assert away.broken == back.broken == ()
    assert away.outcome == back.outcome == before.outcome

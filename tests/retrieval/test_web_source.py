"""A web site as a source: what is followed, what is asked again, and what is never removed."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from retrieval.errors import DocumentRefusedError, SourceUnreachableError
from retrieval.records import Completeness, Listing, RefusalCode
from retrieval.sources.web import WebSource
from tests.retrieval.web_server import Page, Site, serve_site


@dataclass
class Web:
    """A site, and what a source keeps between two listings."""

    site: Site
    memory: dict[str, str] = field(default_factory=dict)
    pauses: list[float] = field(default_factory=list)

    def source(self, *starts: str, **settings: Any) -> WebSource:
        wanted = {"allow_private": True, "delay_seconds": 0.0, "timeout_seconds": 5.0} | settings
        addresses = tuple(f"{self.site.root}{start}" for start in starts or ("/",))
        return WebSource(addresses, memory=self.memory, sleep=self.pauses.append, **wanted)

    def listing(self, *starts: str, **settings: Any) -> Listing:
        source = self.source(*starts, **settings)
        try:
            return source.list_documents()
        finally:
            source.close()

    def paths(self, *starts: str, **settings: Any) -> list[str]:
        return self.paths_of(self.listing(*starts, **settings))

    def paths_of(self, listing: Listing) -> list[str]:
        return [entry.uri.removeprefix(self.site.root) for entry in listing.entries]

    def links(self, path: str, *links: str, **headers: str) -> None:
        self.site.html(
            path, "".join(f"<a href='{link}'>to {link}</a>" for link in links), **headers
        )

    def sitemap(self, path: str, *addresses: str, more: str = "") -> None:
        urls = "".join(f"<url><loc>{address}</loc>{more}</url>" for address in addresses)
        self.site.pages[path] = Page(f"<urlset>{urls}</urlset>".encode())


@pytest.fixture
def web() -> Iterator[Web]:
    with serve_site() as site:
        yield Web(site)


def refused(listing: Listing) -> list[tuple[str, RefusalCode]]:
    return [(refusal.uri.rpartition("/")[2], refusal.code) for refusal in listing.refused]


def test_links_are_followed_and_each_page_is_asked_for_once(web: Web):
    web.links("/", "a", "/b/", "a#part", "./x/../a")
    web.links("/a", "/", "b/c")
    web.links("/b/", "c", "../a")
    web.links("/b/c")

    assert web.paths() == ["/", "/a", "/b/", "/b/c"]
    assert sorted(web.site.paths) == ["/", "/a", "/b/", "/b/c"]


def test_nothing_of_another_site_is_asked_for(web: Web):
    with serve_site() as other:
        other.html("/", "other")
        web.links(
            "/", f"{other.root}/", f"http://localhost:{web.site.port}/a", "file:///etc/passwd"
        )

        listing = web.listing()

    assert web.paths_of(listing) == ["/"]
    assert listing.completeness is Completeness.COMPLETE
    assert other.asked == []


def test_patterns_choose_the_pages_and_the_start_is_only_followed(web: Web):
    web.links("/", "docs/a.html", "docs/", "docs/drafts/b.html", "blog/c.html")
    for path in ("/docs/a.html", "/docs/", "/docs/drafts/b.html", "/blog/c.html"):
        web.links(path)

    assert web.paths(include=("docs/**",), exclude=("drafts/",)) == ["/docs/", "/docs/a.html"]
    assert sorted(web.site.paths) == ["/", "/docs/", "/docs/a.html"]


def test_a_page_says_itself_what_is_not_to_be_listed_or_followed(web: Web):
    web.site.html(
        "/",
        "<base href='/sub/'><a href=a>a</a><a rel='x NoFollow' href=b>b</a>"
        "<!-- <a href=c>c</a> --><script>'<a href=d>'</script>",
    )
    web.site.html("/sub/a", "<meta name=robots content=noindex><a href='/e'>e</a>")
    web.site.html("/e", "<a href=f>f</a>", **{"X-Robots-Tag": "nofollow"})
    web.site.html("/f", "f")

    assert web.paths() == ["/", "/e"]
    assert sorted(web.site.paths) == ["/", "/e", "/sub/a"]


def test_a_copy_is_listed_under_its_canonical_address_only(web: Web):
    web.links("/", "a?print=1", "b", "c", "gone-copy")
    web.site.html("/a?print=1", "<link rel=canonical href='/a'>a")
    web.site.html("/a", "<link rel=canonical href='/a'>a")
    web.site.html("/b", "<link rel=canonical href='/c'>b names c")
    web.site.html("/c", "<link rel=canonical href='/b'>c names b")
    web.site.html("/gone-copy", "<link rel=canonical href='/nowhere'>the only one")

    assert web.paths() == ["/", "/a", "/b", "/c", "/gone-copy"]


def test_an_image_behind_a_link_is_no_fault(web: Web):
    web.links("/", "a.png")
    web.site.pages["/a.png"] = Page(b"\x89PNG", headers={"Content-Type": "image/png"})

    listing = web.listing()

    assert (web.paths_of(listing), listing.refused) == (["/"], ())


def test_a_read_page_is_the_one_that_was_listed(web: Web):
    web.links("/", "a")
    web.site.html("/a", "<p>eins", **{"Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT"})
    source = web.source()
    entry = source.list_documents().entries[1]
    web.site.html("/a", "<p>zwei")

    body = source.read(entry)

    assert body is not None
    assert (body.data, body.stamp, body.media_type) == (b"<p>eins", entry.stamp, "text/html")
    assert str(body.modified_at) == "2026-01-02 03:04:05+00:00"
    assert source.read(entry, unless=entry.stamp) is None
    source.close()


def test_an_unchanged_site_is_asked_but_not_sent_again(web: Web):
    web.links("/", "a", ETag='"1"')
    web.links("/a", "b", ETag='"2"')
    web.links("/b", ETag='"3"')
    first = web.listing()

    source = web.source()
    second = source.list_documents()

    assert [(entry.uri, entry.stamp) for entry in second.entries] == [
        (entry.uri, entry.stamp) for entry in first.entries
    ]
    assert all(source.read(entry, unless=entry.stamp) is None for entry in second.entries)
    assert len(web.site.paths) == 6
    assert all("if-none-match" in headers for path, headers in web.site.asked[-3:])
    source.close()


def test_an_unchanged_page_that_the_index_lost_is_fetched_when_it_is_read(web: Web):
    web.links("/", ETag='"1"')
    web.listing()
    source = web.source()
    [entry] = source.list_documents().entries

    body = source.read(entry, unless="something older")

    assert body is not None
    assert body.stamp == entry.stamp
    source.close()


def test_an_edited_page_has_another_stamp(web: Web):
    web.site.html("/", "eins", ETag='"1"')
    [before] = web.listing().entries
    web.site.html("/", "zwei", ETag='"2"')
    [after] = web.listing().entries

    assert before.stamp != after.stamp


@pytest.mark.parametrize("lost", ["", "{", "[]", '{"stamp": 1}'])
def test_a_memory_that_cannot_be_read_costs_a_fetch_and_nothing_else(web: Web, lost: str):
    web.links("/", "a", ETag='"1"')
    web.links("/a", ETag='"2"')
    before = web.listing()
    for address in web.memory:
        web.memory[address] = lost

    assert web.listing() == before


def test_a_page_that_is_gone_is_not_listed(web: Web):
    web.links("/", "a", "b")
    web.links("/a")
    web.links("/b")
    web.listing()
    web.site.pages["/a"] = Page(status=404)
    web.site.pages["/b"] = Page(status=410)

    listing = web.listing()

    assert (web.paths_of(listing), listing.refused) == (["/"], ())
    assert listing.completeness is Completeness.COMPLETE
    assert list(web.memory) == [f"{web.site.root}/"]


@pytest.mark.parametrize(
    ("status", "code"), [(500, RefusalCode.UNREADABLE), (403, RefusalCode.FORBIDDEN)], ids=str
)
def test_a_known_page_that_fails_is_refused_and_its_links_still_count(
    web: Web, status: int, code: RefusalCode
):
    web.links("/", "a")
    web.links("/a", "b")
    web.links("/b")
    web.listing()
    web.site.pages["/a"] = Page(status=status)

    listing = web.listing()

    assert (web.paths_of(listing), refused(listing)) == (["/", "/b"], [("a", code)])
    assert listing.completeness is Completeness.COMPLETE


def test_a_page_that_fails_and_whose_links_are_not_known_makes_the_listing_partial(web: Web):
    web.links("/", "a")
    web.site.pages["/a"] = Page(status=500)

    listing = web.listing()

    assert listing.completeness is Completeness.PARTIAL
    assert "/a" in listing.reason


def test_a_document_that_became_an_image_is_refused(web: Web):
    web.links("/", "a")
    web.links("/a")
    web.listing()
    web.site.pages["/a"] = Page(b"\x89PNG", headers={"Content-Type": "image/png"})

    assert refused(web.listing()) == [("a", RefusalCode.BINARY)]


def test_a_page_over_the_limit_is_refused(web: Web):
    web.links("/", "a")
    web.site.html("/a", "x" * 2_000)

    assert refused(web.listing(max_bytes=1_000)) == [("a", RefusalCode.TOO_BIG)]


@pytest.mark.parametrize("status", [401, 404, 410, 500, 503])
def test_a_start_that_cannot_be_had_removes_nothing(web: Web, status: int):
    web.site.pages["/"] = Page(status=status)

    with pytest.raises(SourceUnreachableError, match="start page"):
        web.listing()


def test_a_site_that_is_not_there_is_unreachable(web: Web):
    with pytest.raises(SourceUnreachableError, match="cannot be reached"):
        WebSource(
            ("http://127.0.0.1:1/",), memory={}, allow_private=True, sleep=web.pauses.append
        ).list_documents()


def test_a_private_address_is_unreachable_unless_allowed(web: Web):
    web.links("/")

    with pytest.raises(SourceUnreachableError, match="allow_private"):
        web.listing(allow_private=False)
    assert web.site.asked == []


def test_a_start_that_is_no_address_says_so():
    with pytest.raises(SourceUnreachableError, match="'file:///etc/passwd'"):
        WebSource(("file:///etc/passwd",), memory={}).list_documents()


def test_the_page_limit_makes_the_listing_partial(web: Web):
    web.links("/", "a", "b")
    web.links("/a")
    web.links("/b")

    whole, cut = web.listing(max_pages=3), web.listing(max_pages=2)

    assert whole.completeness is Completeness.COMPLETE
    assert (web.paths_of(cut), cut.completeness) == (["/", "/a"], Completeness.PARTIAL)


def test_a_calendar_without_end_ends_at_the_page_limit(web: Web):
    class Calendar(dict[str, Page | list[Page]]):
        def get(self, path: str, default: Any = None) -> Any:
            if path == "/robots.txt":
                return default
            return Page(f"<a href='{path}x'>".encode(), headers={"Content-Type": "text/html"})

    web.site.pages = Calendar()

    assert len(web.listing(max_pages=20).entries) == 20


def test_many_failures_in_a_row_mean_that_the_host_is_lost(web: Web):
    web.links("/", *(f"p{number}" for number in range(9)))
    web.listing()
    for number in range(9):
        web.site.pages[f"/p{number}"] = Page(status=500)

    listing = web.listing()

    assert listing.completeness is Completeness.PARTIAL
    assert len(listing.refused) == 5


def test_redirects_within_the_site_are_followed_to_one_document(web: Web):
    web.links("/", "old", "new")
    web.site.pages["/old"] = Page(status=301, headers={"Location": "older"})
    web.site.pages["/older"] = Page(status=308, headers={"Location": "/new"})
    web.links("/new")

    listing = web.listing()

    assert (web.paths_of(listing), listing.refused) == (["/", "/new"], ())


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://169.254.169.254/latest/meta-data/", RefusalCode.LINK_OUTSIDE),
        ("http://127.0.0.1:1/", RefusalCode.LINK_OUTSIDE),
        ("https://example.org/", RefusalCode.LINK_OUTSIDE),
        ("file:///etc/passwd", RefusalCode.UNSAFE),
        ("http://user@127.0.0.1/", RefusalCode.UNSAFE),
        ("http://0x7f.1/", RefusalCode.UNSAFE),
        ("", RefusalCode.NOT_A_FILE),
        ("/a", RefusalCode.NOT_A_FILE),
    ],
)
def test_a_redirect_that_leads_out_or_round_is_refused(web: Web, location: str, code: RefusalCode):
    web.links("/", "a")
    web.site.pages["/a"] = Page(status=302, headers={"Location": location, "Set-Cookie": "n=1"})

    assert refused(web.listing()) == [("a", code)]


def test_a_circle_of_redirects_is_walked_once(web: Web):
    web.links("/", "a")
    web.site.pages["/a"] = Page(status=302, headers={"Location": "/b", "Set-Cookie": "n=1"})
    web.site.pages["/b"] = Page(status=302, headers={"Location": "/a", "Set-Cookie": "n=2"})

    assert "circle" in web.listing().refused[0].reason
    assert web.site.paths == ["/", "/a", "/b"]


@pytest.mark.parametrize(("hops", "listed"), [(5, True), (6, False)])
def test_five_redirects_are_followed_and_no_more(web: Web, hops: int, *, listed: bool):
    web.links("/", "hop0")
    for hop in range(hops):
        web.site.pages[f"/hop{hop}"] = Page(status=302, headers={"Location": f"/hop{hop + 1}"})
    web.links(f"/hop{hops}")

    assert (f"/hop{hops}" in web.paths()) is listed


def test_robots_txt_is_obeyed(web: Web):
    web.site.pages["/robots.txt"] = Page(
        b"User-agent: *\nDisallow: /all\nUser-agent: driftline\nDisallow: /no\nCrawl-delay: 3\n"
    )
    web.links("/", "no", "all")
    web.links("/all")

    listing = web.listing()

    assert (web.paths_of(listing), listing.refused) == (["/", "/all"], ())
    assert web.site.paths == ["/", "/all"]
    assert web.pauses == [3.0, 3.0]  # after robots.txt and after /


def test_a_page_that_robots_txt_newly_forbids_keeps_its_old_text(web: Web):
    web.links("/", "a")
    web.links("/a")
    web.listing()
    web.site.pages["/robots.txt"] = Page(b"User-agent: *\nDisallow: /a\n")

    assert refused(web.listing()) == [("a", RefusalCode.FORBIDDEN)]


@pytest.mark.parametrize("status", [500, 429, 503])
def test_a_robots_txt_that_cannot_be_had_closes_the_site(web: Web, status: int):
    web.site.pages["/robots.txt"] = Page(status=status)
    web.links("/")

    with pytest.raises(SourceUnreachableError, match=r"robots\.txt"):
        web.listing()
    assert web.site.paths == []


def test_there_is_a_pause_between_two_requests(web: Web):
    web.links("/", "a")
    web.links("/a")

    web.listing(delay_seconds=0.5)

    assert web.pauses == [0.5, 0.5]


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({}, 1.0),
        ({"Retry-After": "Fri, 02 Jan 2099 00:00:00 GMT"}, None),
        ({"Retry-After": "61"}, None),
    ],
    ids=["seconds", "not-said", "in-a-lifetime", "one-too-many"],
)
def test_a_busy_server_gets_the_pause_it_asks_for(
    web: Web, headers: dict[str, str], pause: float | None
):
    web.links("/", "a")
    web.site.pages["/a"] = [
        Page(status=429, headers=headers),
        Page(b"x", headers={"Content-Type": "text/plain"}),
    ]

    listing = web.listing()

    assert [each for each in web.pauses if each] == ([] if pause is None else [pause])
    assert web.paths_of(listing) == (["/"] if pause is None else ["/", "/a"])
    assert (listing.completeness is Completeness.PARTIAL) is (pause is None)


def test_a_sitemap_lists_its_pages_and_their_links_are_not_followed(web: Web):
    more = "<lastmod>2026-01-02</lastmod>"
    web.sitemap("/sitemap.xml", f"{web.site.root}/a", f"{web.site.root}/b", more=more)
    web.links("/a", "c")
    web.site.pages["/b"] = Page(status=404)

    listing = web.listing("/sitemap.xml")

    assert (web.paths_of(listing), listing.completeness) == (["/a"], Completeness.COMPLETE)
    assert str(listing.entries[0].modified_at) == "2026-01-02 00:00:00+00:00"


def test_an_index_of_sitemaps_is_read_packed_or_not(web: Web):
    root = web.site.root
    web.site.pages["/index.xml"] = Page(
        f"<sitemapindex><sitemap><loc>{root}/one.xml</loc></sitemap><sitemap><loc>{root}/two.xml.gz"
        f"</loc></sitemap><sitemap><loc>{root}/index.xml</loc></sitemap></sitemapindex>".encode()
    )
    web.sitemap("/one.xml", f"{root}/a")
    packed = gzip.compress(f"<urlset><url><loc>{root}/b</loc></url></urlset>".encode())
    web.site.pages["/two.xml.gz"] = Page(packed)
    web.links("/a")
    web.links("/b")

    listing = web.listing("/index.xml")

    assert (web.paths_of(listing), listing.completeness) == (["/a", "/b"], Completeness.COMPLETE)


def test_a_sitemap_does_not_lead_to_another_site(web: Web):
    web.sitemap("/sitemap.xml", f"{web.site.root}/a", "http://169.254.169.254/b")
    web.links("/a")

    assert refused(web.listing("/sitemap.xml")) == [("b", RefusalCode.LINK_OUTSIDE)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<urlset><url><loc>http://x.org/a</loc>",
        b"<html></html>",
        b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><urlset>&e;</urlset>",
        b"<!DOCTYPE x [<!ENTITY a 'aa'><!ENTITY b '&a;&a;'>]><urlset>&b;</urlset>",
        b"<!DOCTYPE urlset SYSTEM 'http://127.0.0.1:1/x.dtd'><urlset/>",
        b"<?xml version='1.0' encoding='nonsense'?><urlset/>",
        gzip.compress(b"<urlset></urlset>")[:-3],
        gzip.compress(b" " * 60_000_000),
    ],
    ids=[
        "empty",
        "cut-off",
        "html",
        "external",
        "entities",
        "dtd",
        "encoding",
        "cut-off-gz",
        "bomb",
    ],
)
def test_a_sitemap_that_cannot_be_read_removes_nothing(web: Web, body: bytes):
    web.site.pages["/sitemap.xml"] = Page(body)

    listing = web.listing("/sitemap.xml")

    assert (listing.entries, listing.completeness) == ((), Completeness.FAILED)
    assert "sitemap.xml" in listing.reason


def test_a_part_of_the_sitemaps_that_is_missing_makes_the_listing_partial(web: Web):
    root = web.site.root
    web.site.pages["/index.xml"] = Page(
        f"<sitemapindex><sitemap><loc>{root}/one.xml</loc></sitemap><sitemap><loc>{root}/two.xml"
        "</loc></sitemap></sitemapindex>".encode()
    )
    web.sitemap("/one.xml", f"{root}/a")
    web.links("/a")

    listing = web.listing("/index.xml")

    assert (web.paths_of(listing), listing.completeness) == (["/a"], Completeness.PARTIAL)


def test_the_identity_is_the_sites(web: Web):
    web.links("/")

    assert web.listing().identity == web.site.root
    assert web.source().fingerprint() is None


def test_a_body_that_the_spool_has_no_room_for_is_fetched_again(web: Web):
    web.site.html("/", "text")
    source = web.source()
    [entry] = source.list_documents().entries
    source.close()

    body = source.read(entry)

    assert body is not None
    assert (body.data, body.stamp) == (b"text", entry.stamp)
    assert web.site.paths == ["/", "/"]
    source.close()


def test_a_page_that_went_between_listing_and_reading_is_told(web: Web):
    web.links("/", ETag='"1"')
    web.listing()
    source = web.source()
    [entry] = source.list_documents().entries
    web.site.pages["/"] = Page(status=404)

    with pytest.raises(DocumentRefusedError, match="gone") as caught:
        source.read(entry)

    assert caught.value.reason_code is RefusalCode.VANISHED
    source.close()


@pytest.mark.parametrize(
    "piece", ["<div>", "<a ", "<a href='", "<!--", "<script>", "<a x=", "</", "<a href='x' "]
)
def test_a_page_made_to_be_slow_is_read_in_time(web: Web, piece: str):
    web.site.html("/", piece * 100_000)

    assert web.paths(max_pages=3) == ["/"]

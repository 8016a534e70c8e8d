"""How a polite visitor asks: robots.txt, pauses, redirects step by step. Only file with protego."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from protego import Protego

from retrieval.records import RefusalCode
from retrieval.sources.web_address import UnsafeAddressError, normal_address, site_of
from retrieval.sources.web_fetch import Answer, Fetcher, FetchError

MAX_REDIRECTS = 5
MAX_ROBOTS = 512_000  # bytes; RFC 9309 asks for at least 500 KiB
MAX_PAUSE = 60.0  # seconds that robots.txt or Retry-After may ask for; longer is another day
TRIES = 3

_FIRST_PAUSE = 1.0  # seconds, doubled after each try
_OK = 200
_REDIRECTS = {301, 302, 303, 307, 308}
_BUSY = {429, 503}
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Visit:
    """An answer, and the address that gave it once all redirects were followed."""

    address: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class _Manners:
    """What a site's robots.txt asks for."""

    rules: Protego | None
    delay_seconds: float


class Visits:
    """Asks one page after another, no faster than the site and the settings allow."""

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        user_agent: str,
        delay_seconds: float,
        sleep: Callable[[float], None],
    ) -> None:
        self._fetcher = fetcher
        self._name = user_agent.partition("/")[0]
        self._delay_seconds = delay_seconds
        self._sleep = sleep
        self._manners: dict[str, _Manners] = {}
        self._asked_before = False

    def forget_manners(self) -> None:
        """Read robots.txt anew before the next page."""
        self._manners.clear()

    def allowed(self, address: str) -> bool:
        """True if the site's robots.txt lets us in. Raises FetchError if it cannot be read."""
        rules = self._manners_of(site_of(address)).rules
        return rules is None or bool(rules.can_fetch(address, self._name))

    def visit(
        self,
        address: str,
        *,
        max_bytes: int,
        headers_for: Callable[[str], Mapping[str, str]] = lambda _: {},
        wanted: Callable[[Answer], bool] = lambda _: True,
    ) -> Visit:
        """Return the answer for an address after at most five redirects within its site.

        Raises FetchError.
        """
        trail = [address]
        while True:
            here = trail[-1]
            if not self.allowed(here):
                raise FetchError(RefusalCode.FORBIDDEN, "robots.txt asks to leave it alone")
            answer = self._patient_get(here, max_bytes, headers_for(here), wanted)
            if answer.status not in _REDIRECTS:
                return Visit(here, answer)
            trail.append(_target(trail, answer))

    def _manners_of(self, site: str) -> _Manners:
        if site not in self._manners:
            text = self._robots_text(site)
            self._manners[site] = _manners(text, self._name, self._delay_seconds)
        return self._manners[site]

    def _robots_text(self, site: str) -> str:
        """Return a site's robots.txt; empty where it has none, which allows everything."""
        trail = [normal_address(f"{site}/robots.txt")]
        while True:
            try:
                answer = self._patient_get(trail[-1], MAX_ROBOTS, {}, lambda _: True)
                if answer.status not in _REDIRECTS:
                    break
                trail.append(_target(trail, answer))
            except FetchError as error:
                reason = f"robots.txt of {site} cannot be read: {error}"
                raise FetchError(error.code, reason, lost=True) from error
        if answer.status >= _SERVER_ERROR:
            reason = f"robots.txt of {site} cannot be read: status {answer.status}"
            raise FetchError(RefusalCode.UNREADABLE, reason, lost=True)
        return answer.body.decode("utf-8", "replace") if answer.status == _OK else ""

    def _patient_get(
        self,
        address: str,
        max_bytes: int,
        headers: Mapping[str, str],
        wanted: Callable[[Answer], bool],
    ) -> Answer:
        """Ask up to three times: a server that is busy or hung up gets the pause it asks for."""
        for trial in range(TRIES):
            self._take_turns(site_of(address))
            try:
                answer = self._fetcher.get(
                    address, max_bytes=max_bytes, headers=headers, wanted=wanted
                )
            except FetchError as error:
                if error.code not in _WORTH_ANOTHER_TRY or trial == TRIES - 1:
                    raise
                pause = _FIRST_PAUSE * 2**trial
            else:
                if answer.status not in _BUSY:
                    return answer
                pause = _retry_after(answer) or _FIRST_PAUSE * 2**trial
                if pause > MAX_PAUSE:
                    break
            self._sleep(pause)
        reason = "its server is busy and asks to be left alone for now"
        raise FetchError(RefusalCode.UNREADABLE, reason, lost=True)

    def _take_turns(self, site: str) -> None:
        manners = self._manners.get(site)
        if self._asked_before:
            self._sleep(manners.delay_seconds if manners else self._delay_seconds)
        self._asked_before = True


_WORTH_ANOTHER_TRY = {RefusalCode.UNREADABLE, RefusalCode.DAMAGED}


def _manners(text: str, name: str, delay_seconds: float) -> _Manners:
    rules = Protego.parse(text)
    rate = rules.request_rate(name)
    asked = max(float(rules.crawl_delay(name) or 0), rate.seconds / rate.requests if rate else 0.0)
    return _Manners(rules, max(delay_seconds, min(asked, MAX_PAUSE)))


def _target(trail: list[str], answer: Answer) -> str:
    """Return where a redirect leads, if it may be followed."""
    location = answer.headers.get("location", "")
    if not location or len(trail) > MAX_REDIRECTS:
        reason = "it redirects to nowhere" if not location else "it redirects more than five times"
        raise FetchError(RefusalCode.NOT_A_FILE, reason)
    try:
        target = normal_address(location, trail[-1])
    except UnsafeAddressError as error:
        raise FetchError(
            RefusalCode.UNSAFE, f"it redirects where no one may go: {error}"
        ) from error
    if site_of(target) != site_of(trail[0]):
        reason = f"it redirects to {site_of(target)}, which is another site"
        raise FetchError(RefusalCode.LINK_OUTSIDE, reason)
    if target in trail:
        raise FetchError(RefusalCode.NOT_A_FILE, "it redirects in a circle")
    return target


def _retry_after(answer: Answer) -> float:
    """Return the seconds that a busy server asks for, by its own clock; 0 if it does not say."""
    text = answer.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        now = parsedate_to_datetime(answer.headers.get("date", ""))
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError):
        return 0.0

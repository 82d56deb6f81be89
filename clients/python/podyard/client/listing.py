"""Lists that fetch their pages by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Page = TypeVar("Page")

_OF_ALL_PAGES = ("notes", "counts")
"""Fields of an answer that are about the whole list, so that each page repeats them."""


class Listing(Generic[Item, Page]):
    """Items of a list call; each iteration reads it anew, page after page.

    `pages()` gives the answers themselves, with what they say beside the items: total size,
    freshness, notes.
    """

    def __init__(self, fetch: Callable[[str], Page], field: str) -> None:
        """`fetch` gets the page of a token, "" for the first; `field` holds the items."""
        self._fetch = fetch
        self._field = field

    def __iter__(self) -> Iterator[Item]:
        for page in self.pages():
            yield from getattr(page, self._field)

    def pages(self) -> Iterator[Page]:
        """The answers, one for each page."""
        token = ""
        while True:
            page = self._fetch(token)
            yield page
            token = getattr(page, "next_page_token", "")
            if not token:
                return

    def answer(self, limit: int = 0) -> Page:
        """All pages as one answer. With a limit, at most so many items; next_page_token is then
        that of the last page read, so it is set if more follow it."""
        pages = self.pages()
        merged: Any = next(pages)
        items = getattr(merged, self._field)
        while merged.next_page_token and (not limit or len(items) < limit):
            page: Any = next(pages)
            for name in _OF_ALL_PAGES:
                if name in page.DESCRIPTOR.fields_by_name:
                    page.ClearField(name)
            merged.MergeFrom(page)
            merged.next_page_token = page.next_page_token
        if limit:
            del items[limit:]
        result: Page = merged
        return result

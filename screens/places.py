"""Every page that needs the open vault. Importing this brings in the records, so it happens behind the unlock screen."""

from __future__ import annotations

from screens.apart import ApartPage
from screens.base import Page
from screens.find import FindDialog
from screens.note import NotePage
from screens.people import PeoplePage
from screens.person import PersonPage
from screens.person_form import AddPersonForm
from screens.readers import ReadersPage
from screens.sync import SyncPage
from screens.today import TodayPage
from screens.visit_form import VisitForm

_PLACES: dict[str, type[Page]] = {"today": TodayPage, "people": PeoplePage, "sync": SyncPage}
NAMES = tuple(_PLACES)

__all__ = ["NAMES", "AddPersonForm", "ApartPage", "FindDialog", "NotePage", "PersonPage", "ReadersPage", "VisitForm", "kind", "page"]


def kind(place: str) -> type[Page]:
    """Return the page that a place shows."""
    return _PLACES[place]


def page(place: str) -> Page:
    """Make the page of a place."""
    return _PLACES[place]()

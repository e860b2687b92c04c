"""Changing who is in the organisation: taking laptops out, and what a person is from now on (C.3, C.4). Online only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from leadworker.crypto.identity import seal_name, team_code
from leadworker.directory import Directory
from leadworker.errors import Refused
from leadworker.postbox import Postbox
from leadworker.statements import Appoint, DirectoryStatement, Revoke, Role
from leadworker.text import one_line
from sync.client import HubClient
from sync.joining import admitted, pull_directory, say_in_directory

TRIES: Final = 4
OTHERS_FIRST: Final = "Others change the organisation at the same moment. Nothing was changed; try again."

Said = Callable[[Directory], Sequence[DirectoryStatement]]


async def revoke(box: Postbox, client: HubClient, devices: Sequence[bytes]) -> Directory:
    """Take laptops out of the organisation, all of them or none; those that are out already are let be.

    The central store answers them no more from then on, and casebooks that they read are given a new key (C.5).
    """
    joined = await admitted(box)

    def said(directory: Directory) -> Sequence[DirectoryStatement]:
        gone = [device for device in devices if directory.active(device) is not None]
        others = [device for device in gone if directory.devices[device].statement.person != joined.person]
        if others and not joined.admin:
            raise Refused("Only an administrator can take a colleague's laptop out of the organisation. Nothing was changed.")
        return [Revoke(device) for device in gone]

    return await _say(box, client, said)


async def appoint(
    box: Postbox, client: HubClient, person: bytes, *,
    role: Role | None = None, team: str | None = None, admin: bool | None = None, name: str | None = None,
) -> Directory:  # fmt: skip
    """Say what a colleague is from now on, on each of their laptops; what is None stays. For administrators."""
    joined = await admitted(box)
    if not joined.admin:
        raise Refused("Only an administrator says what a colleague is in the organisation. Nothing was changed.")
    called = one_line(name) if name is not None else None
    if called == "":
        raise Refused("A colleague needs a name. Nothing was changed.")

    def said(directory: Directory) -> Sequence[DirectoryStatement]:
        now = directory.people().get(person)
        if now is None:
            raise Refused("The organisation does not know this colleague. Nothing was changed.")
        wanted = Appoint(
            person,
            int(now.role if role is None else role),
            now.admin if admin is None else admin,
            now.team if team is None else team_code(joined.organisation_key, team),
            now.name if called is None else seal_name(joined.organisation_key, person, called),
        )
        same = (wanted.role, wanted.admin, wanted.team, wanted.name) == (now.role, now.admin, now.team, now.name)
        return [] if same else [wanted]

    return await _say(box, client, said)


async def _say(box: Postbox, client: HubClient, said: Said) -> Directory:
    """Say something in the directory as it is; where somebody else was first, look again and say it anew."""
    for _ in range(TRIES):
        directory = await pull_directory(box, client)
        statements = said(directory)
        if not statements:
            return directory
        if await say_in_directory(box, client, directory, statements):
            return await pull_directory(box, client)
    raise Refused(OTHERS_FIRST)

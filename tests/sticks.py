"""A stick that goes between laptops of a test: visits to it, what is on it, and files that somebody made up."""

from __future__ import annotations

from pathlib import Path

import msgspec

from leadworker import errand as errands
from leadworker.desk import Carried
from sync import parcel
from sync.parcel import ANSWER
from sync.stick import Visit
from tests.laptops import KEIRA, Laptop, Team


async def visit(laptop: Laptop, stick: Path) -> Carried:
    """Plug the stick in."""
    return await Visit(laptop.box, laptop.client, laptop.clock, stick, laptop.desk.ring, lambda progress: None).run()


async def round_trip(away: Laptop, carrier: Laptop, stick: Path) -> tuple[Carried, Carried, Carried]:
    """Carry what is written on a laptop without a network to the store, and the answer back."""
    away.line.dead = True
    wrote = await visit(away, stick)
    carried = await visit(carrier, stick)
    return wrote, carried, await visit(away, stick)


def kinds(folder: Path) -> list[str]:
    """Return of which kinds the files in a folder are."""
    return sorted(path.suffix for path in folder.iterdir())


def holds(folder: Path, *needles: str) -> list[str]:
    """Return which words stand anywhere in the files of a folder."""
    raw = b"".join(path.read_bytes() for path in folder.iterdir())
    return [needle for needle in needles if needle.encode() in raw or needle.encode("utf-16-le") in raw]


async def written_away(team: Team, stick: Path) -> tuple[Laptop, Laptop, str]:
    """Return Alex, Ruth and Keira's id: Alex's entry is in a file on the stick, and Ruth's at the store."""
    alex, ruth = team.alex, team.ruth
    keira = alex.add(KEIRA)
    await alex.sync()
    await ruth.sync()
    ruth.write(keira, "From Ruth")
    await ruth.sync()
    alex.write(keira, "From Alex")
    alex.line.dead = True
    await visit(alex, stick)
    return alex, ruth, keira


async def carried_to(team: Team, stick: Path) -> tuple[Laptop, Laptop, str, Path]:
    """Return Alex, Ruth, Keira's id, and the answer that waits for Alex on the stick with one entry of Ruth's."""
    alex, ruth, keira = await written_away(team, stick)
    await visit(ruth, stick)
    (answer,) = parcel.found_in(stick, ANSWER)
    return alex, ruth, keira, answer


def frames_of(laptop: Laptop, file: Path) -> list[parcel.Frame]:
    """Return the frames of a parcel as this laptop opens it."""
    with file.open("rb") as source:
        return list(parcel.opened(source.read, laptop.box.device, laptop.box.unseal))


async def write_parcel(stick: Path, identity: bytes, kind: str, to: Laptop, frames: list[parcel.Frame]) -> None:
    """Write a parcel that somebody made up."""
    async with parcel.Writing(stick, identity, kind, {to.box.device: to.box.unsealing_public}) as file:
        for frame in frames:
            await file.add(frame)
        await file.finish()


async def errand_of(laptop: Laptop, **other: object) -> errands.Errand:
    """Return an errand that a laptop gives, with something else in it where a test says."""
    joined = await laptop.box.joined()
    assert joined is not None
    made_ms = laptop.client.store_ms() + int(str(other.pop("off_ms", 0)))
    given = errands.give(laptop.box.device, made_ms, bytes(other.pop("hub", joined.hub_key)), laptop.box.sign)  # type: ignore[arg-type, call-overload]
    return msgspec.structs.replace(given, **other)  # type: ignore[arg-type]

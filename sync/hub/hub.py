"""The central store put together: its database, its own key, its set-up code, and the deeds that requests ask for."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TextIO, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync import wire
from sync.hub import allowance, content, errands, files, joining, late, reading, recovery, rules
from sync.hub.allowance import Allowance, Buckets
from sync.hub.first_start import KEY_SETTING, SETUP_SETTING, check_code, first_start
from sync.hub.gate import Claim, Nonces, check_claim, check_signature, device_unknown, replayed
from sync.hub.live import Live
from sync.hub.log import Log
from sync.hub.metrics import Metrics
from sync.hub.recent import RecentDevices
from sync.hub.rules import Refusal
from sync.hub.statements import DIRECTORY_SETTING, Registry
from sync.hub.store import Alarm, Device, Session, Store, StoreAway

Answer = TypeVar("Answer")


def system_now_ms() -> int:
    """Return this computer's time in milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the store puts up with: seconds for a head, and for a body, to arrive, bytes of bodies held at once, and of those
    that no device in force has signed; seconds in which an asker takes in the next 64 KiB of an answer, and bytes of answers on
    their way at once.

    `behind_proxy`: a proxy in front of it speaks TLS and says, last in ``x-forwarded-for``, who asked it.
    """

    body_seconds: float = 30.0
    most_held: int = 256 * 1024 * 1024
    most_held_unknown: int = 16 * 1024 * 1024
    answer_seconds: float = 30.0
    most_answered: int = 1024**3
    behind_proxy: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A signed request as it came. `target` is path and query; `checked` the key that it was signed with, where that was checked
    before its body was taken.
    """

    claim: Claim
    method: str
    target: str
    body: bytes = b""
    checked: bytes = b""


class Hub:
    """One process of the central store.

    `setup_code` is the one-time code for founding the organisation, known only to the process that made it, and empty
    otherwise; `was_founded` says whether there was an organisation already at the start. `now_ms` is the store's clock;
    tests give their own. Raises `HubTrouble` where the database does not answer, and lets go of it.
    """

    def __init__(
        self,
        store: Store,
        *,
        now_ms: Callable[[], int] = system_now_ms,
        log: TextIO | None = None,
        limits: Limits | None = None,
        new_setup_code: bool = False,
    ) -> None:
        self.store = store
        self.now_ms = now_ms
        self.log = Log(log, now_ms)
        self.limits = limits or Limits()
        self.metrics = Metrics()
        self.stopping = False
        self.held_bytes = self.held_unknown = 0
        self.held_of: Counter[bytes] = Counter()
        self.answered_bytes = 0
        self.answered_of: Counter[str] = Counter()
        self.nonces, self._recent = Nonces(), RecentDevices()
        self.allowed = Allowance()
        self._allowed_until = 0.0
        self._devices, self._addresses, self._noted = Buckets(), Buckets(), Buckets()
        self._directory_id = b""
        try:
            secret, self.setup_code, self.was_founded = store.write(lambda session: first_start(session, new_setup_code)).result()
            store.read(self._refresh_allowance).result()
        except StoreAway as away:
            store.close()
            raise away.in_words() from away
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public_key = self._key.public_key().public_bytes_raw()
        self.registry = Registry(self.public_key, self._key.sign)
        self.live = Live(self._read, self._directory, store.listen, self.log)

    def close(self) -> None:
        """Finish what is queued and let go of the database."""
        self.live.close()
        self.store.close()
        self.log.close()

    def alarms(self) -> list[Alarm]:
        """Return what honest laptops never do, as counted so far."""
        return self.store.read(lambda session: session.alarms()).result()

    def figures(self) -> str:
        """Return the store's figures in Prometheus' text form."""
        return self.metrics.text({"held_bytes": self.held_bytes, "answered_bytes": self.answered_bytes, **self.store.figures()._asdict()})

    async def organisation(self) -> wire.Organisation:
        """Say which organisation this is."""
        return await self._read(lambda session: reading.organisation(session, self.public_key, self.now_ms()))

    async def found(self, setup_code: str, body: bytes) -> wire.Outcome:
        """Found the organisation with the one-time code and a `wire.Control`."""
        check_code(setup_code, await self._read(lambda session: session.setting(SETUP_SETTING)))
        checked = rules.check_control(rules.read_message(wire.Control, body))
        outcome = await self._write(
            lambda session: self.registry.found(session, checked, self.now_ms()),
            [checked.book],
            len(checked.statements),
        )
        self.log.note("founded" if not outcome.code else "refused", code=outcome.code, book=checked.book)
        return outcome

    async def join(self, body: bytes) -> wire.JoinState:
        """Keep a new device's keys, a `wire.JoinRequest`, until an administrator's laptop checks them."""
        request = rules.read_message(wire.JoinRequest, body)
        state = await self._write(lambda session: joining.join(session, request, self.now_ms()))
        self.log.note("joining", invite=request.invite, state=state.state)
        return state

    async def join_state(self, invite: bytes) -> wire.JoinState:
        """Say where a join stands."""

        def answer(session: Session) -> wire.JoinState:
            recovery.refuse_numbers(session)  # the store may not know yet whom it had let in
            return joining.state(session, invite, self.now_ms())

        return await self._read(answer)

    async def expects(self, asked: Asked) -> tuple[bytes, bool]:
        """Return the key that signed a request and whether its device is in force, before its body is taken; raise `Refusal` where
        no body could mend it.

        A body of a device that is not in force has little room. All but the signature is checked again after it.
        """
        claim = asked.claim
        wrong = rules.clock_refusal(claim.time_ms, self.now_ms())
        if wrong is not None:
            raise wrong
        signing, active = self._recent.signing_of(claim.device), True
        if not signing:
            device = await self._read(lambda session: session.device(claim.device))
            if device is None:
                raise device_unknown()
            signing, active = device.signing, device.active
            if active:
                self._recent.note(claim.device, signing)
        check_signature(claim, signing, asked.method, asked.target)
        return signing, active

    async def asker(self, asked: Asked, *, recovering: bool = False, on_errand: bool = False) -> Device:
        """Return the device that signed a request; raise `Refusal` when it did not, is not enrolled, or asked before.

        In recovery mode only what is said to be for it (`recovering`) is answered. Where a request may be made on an errand
        (`on_errand`), it is the device for which it is made.
        """
        device = await self._read(lambda session: self._admit(session, asked, recovering=recovering, on_errand=on_errand))
        await self._use_once(asked.claim)
        return device

    async def invite(self, asked: Asked) -> wire.JoinState:
        """Keep a `wire.Invite` of a laptop."""
        device = await self.asker(asked)
        wanted = rules.read_message(wire.Invite, asked.body)
        state = await self._write(lambda session: joining.invite(session, wanted, device.device, self.now_ms()))
        self.log.note("invited", invite=wanted.invite, device=device.device)
        return state

    async def joins(self, asked: Asked) -> wire.Joins:
        """Return the requests that wait for the asking laptop to countersign them."""
        device = await self.asker(asked)
        return await self._read(lambda session: joining.waiting(session, device, self.now_ms()))

    async def control(self, asked: Asked) -> wire.Outcome:
        """Take a `wire.Control`: statements about members, keys or the directory."""
        device = (await self.asker(asked, on_errand=True)).device
        control = rules.read_message(wire.Control, asked.body)
        try:
            checked = rules.check_control(control)
        except Refusal as refusal:
            return self._refused_control(refusal, device)
        outcome = await self._write(
            lambda session: self.registry.take(session, device, checked, self.now_ms()),
            [checked.book],
            len(control.changes),
        )
        self.log.note("control", code=outcome.code, book=checked.book, device=device, count=len(control.changes))
        if not outcome.code:
            self.live.moved([checked.book], device)
        self._count(outcome)
        return outcome

    async def push(self, asked: Asked) -> wire.Pushed:
        """Take a `wire.Push`: runs of sealed changes."""
        sent, device = await self._read(lambda session: self._check_push(session, asked))
        await self._use_once(asked.claim)
        weight = 1 + sum(item.size for item in sent)
        outcomes = await self._write(
            lambda session: content.take(session, device, sent, self.now_ms(), self._key.sign, self.allowed),
            content.books_of(sent),
            weight,
        )
        self._log_push(device, outcomes)
        self.live.moved({outcome.book for outcome in outcomes if not outcome.code}, device)
        return wire.Pushed(tuple(outcomes), self.now_ms())

    async def news(self, asked: Asked) -> wire.News:
        """Return the heads of what a device may read."""

        def answer(session: Session) -> wire.News:
            device = self._admit(session, asked, on_errand=True)
            return reading.news(session, device.device, self._directory(session), self.now_ms())

        return await self._answer_once(asked.claim, answer)

    async def heads_of(self, device: bytes) -> list[tuple[bytes, int, bytes]]:
        """Return book, number and digest of everything that a device may read now."""
        found = await self._read(lambda session: session.news(device, self._directory(session)))
        return [(book, n, digest) for book, n, digest, _ in found]

    async def page(self, asked: Asked, book: bytes, after: int, most: int) -> bytes:
        """Return a page of a book as it travels."""

        def answer(session: Session) -> bytes:
            of_directory = book == self._directory(session)  # who was taken out sees there who said so, and nothing after it
            device = self._admit(session, asked, revoked_too=of_directory, on_errand=True)
            if of_directory and (ended := self.registry.directory(session).devices[device.device].revoked_at):
                return wire.write(reading.page_until(session, book, after, most, ended, self.now_ms(), self._key.sign))
            directory, now_ms = self._directory(session), self.now_ms()
            return wire.write(reading.page(session, device.device, book, after, most, directory, now_ms, self._key.sign))

        return await self._answer_once(asked.claim, answer)

    async def hand_in(self, asked: Asked) -> wire.LateItems:
        """Take a `wire.Late`, also from a device that was taken out of the directory: its owner's words are not lost (C.6)."""
        admitted = await self._read(lambda session: self._admit(session, asked, revoked_too=True))
        await self._use_once(asked.claim)
        submission = rules.read_message(wire.Late, asked.body)
        identity = await self._write(lambda session: late.hand_in(session, admitted.device, submission, self.now_ms()))
        self.log.note("handed_in_late", device=admitted.device, book=submission.book, count=len(submission.seals))
        return wire.LateItems((wire.LateItem(identity, submission.book, admitted.device, b"", b"", self.now_ms()),))

    async def late(self, asked: Asked) -> wire.LateItems:
        """Return the late submissions that wait for the asking device."""
        device = await self.asker(asked)
        return await self._read(lambda session: late.waiting(session, device.device))

    async def late_taken(self, asked: Asked) -> wire.LateItems:
        """Forget the late submissions that the asking device has in its vault, a `wire.Taken`; return what still waits."""
        device = await self.asker(asked)
        taken = rules.read_message(wire.Taken, asked.body)
        await self._write(lambda session: session.late_taken(device.device, taken.items[: late.MOST_AT_ONCE * 10]))
        return await self._read(lambda session: late.waiting(session, device.device))

    async def report(self, asked: Asked) -> wire.Recovery:
        """Note a `wire.Report` of what a laptop holds, in recovery mode."""
        device = (await self.asker(asked, recovering=True)).device
        told = rules.read_message(wire.Report, asked.body)
        stands = await self._write(
            lambda session: recovery.report(session, device, told, self.now_ms(), self.public_key),
            weight=len(told.holdings), recovering=True,
        )  # fmt: skip
        self.log.note("recovery_report", device=device, books=len(stands), others=len(told.others))
        return wire.Recovery(tuple(stands), self.now_ms())

    async def take_back(self, asked: Asked) -> wire.Outcome:
        """Take back a `wire.Returned`, in recovery mode."""
        device = (await self.asker(asked, recovering=True)).device
        back = rules.read_message(wire.Returned, asked.body)
        outcome = await self._write(
            lambda session: recovery.take_back(session, self.registry, device, back, self.now_ms(), self.public_key),
            [back.book], len(back.changes), recovering=True,
        )  # fmt: skip
        self.log.note("recovery_return", code=outcome.code, device=device, book=back.book, count=len(back.changes), n=outcome.last_n)
        return outcome

    async def file_state(self, asked: Asked, named: files.Named) -> wire.FileState:
        """Say how far a sealed file has come."""

        def answer(session: Session) -> wire.FileState:
            return files.state(session, self._admit(session, asked).device, named, self._key.sign)

        return await self._answer_once(asked.claim, answer)

    async def put_file(self, asked: Asked, named: files.Named) -> wire.FileState:
        """Take the next part of a sealed file, a `wire.FilePart`, and say how far it has come."""
        device = (await self.asker(asked)).device
        sent = rules.read_message(wire.FilePart, asked.body)
        files.check_part(sent)
        last = sent.part == wire.parts_of(sent.size) - 1
        found = await self._read(lambda session: files.look(session, device, named, sent)) if last else None
        state = await self._write(
            lambda session: files.put(session, device, named, sent, found, self.now_ms(), self.allowed, self._key.sign), [named.book]
        )
        if state.received_ms and last:
            self.log.note("file", device=device, book=named.book, count=state.parts)
        return state

    async def file_part(self, asked: Asked, named: files.Named, part: int) -> wire.FilePart:
        """Return a part of a sealed file."""
        return await self._answer_once(asked.claim, lambda session: files.part(session, self._admit(session, asked).device, named, part))

    async def check_up(self) -> None:
        """Ask the database for something small; raise `StoreAway` when it does not answer."""
        await self._read(lambda session: session.setting(KEY_SETTING) is not None)

    def _directory(self, session: Session) -> bytes:
        """Return the id of the directory, which an enrolled device has: it is asked once and never changes."""
        if not self._directory_id:
            self._directory_id = session.setting(DIRECTORY_SETTING) or b""
        return self._directory_id

    def _check_push(self, session: Session, asked: Asked) -> tuple[list[content.SentRun], bytes]:
        device = self._admit(session, asked, on_errand=True)
        push = rules.read_message(wire.Push, asked.body)
        return content.check_push(push, device.device, device.signing), device.device

    def _admit(
        self, session: Session, asked: Asked, *, revoked_too: bool = False, recovering: bool = False, on_errand: bool = False
    ) -> Device:
        """Return the device that signed a request; raise `Refusal` unless it may ask, in time, and for the first time here."""
        now_ms = self.now_ms()
        wrong = rules.clock_refusal(asked.claim.time_ms, now_ms)
        if wrong is not None:
            raise wrong
        found = device = session.device(asked.claim.device)
        if device is not None and revoked_too and not asked.claim.errand:  # for itself, and on nobody's errand
            device = device._replace(active=True)
        admitted = check_claim(asked.claim, device, asked.method, asked.target, asked.body, asked.checked)
        if found == admitted:
            self._recent.note(admitted.device, admitted.signing)
        self._refresh_allowance(session)
        wait_s = self._devices.take(admitted.device, self.allowed.device_per_second, self.allowed.device_at_once)
        if wait_s:
            if not self._noted.take(admitted.device, 1 / 60, 1):  # once a minute, or one laptop would fill the log
                self.log.note("asks_too_often", device=admitted.device)
            raise allowance.too_often(wait_s)
        self.nonces.use(asked.claim, now_ms)
        if admitted.recovering and not recovering:
            raise recovery.recovering()
        return self._for_whom(session, asked.claim, on_errand) if asked.claim.errand else admitted

    def _for_whom(self, session: Session, claim: Claim, allowed: bool) -> Device:
        """Return the device for which a request is made by another; what it says and does is logged with both."""
        if not allowed:
            raise errands.not_for_this()
        giver = errands.check(claim.errand, session.device(wire.read_errand(claim.errand).device), self.public_key, self.now_ms())
        self.log.note("errand", device=giver.device, by=claim.device)
        return giver

    def check_address(self, address: bytes) -> None:
        """Raise `Refusal` when an address asks too often what needs no signature."""
        wait_s = self._addresses.take(address, self.allowed.address_per_second, self.allowed.address_at_once)
        if wait_s:
            raise allowance.too_often(wait_s)

    def _refresh_allowance(self, session: Session) -> None:
        """Read the figures again when they were read some seconds ago: somebody may have changed them."""
        if time.monotonic() >= self._allowed_until:
            self._allowed_until = time.monotonic() + allowance.READ_EVERY_S
            self.allowed = allowance.read(session.setting(allowance.SETTING))

    async def _use_once(self, claim: Claim) -> None:
        """Raise `Refusal` when another hub process has seen this request before. Called with claims that were checked."""
        if not await asyncio.wrap_future(self.store.first_use(claim.device, claim.nonce, claim.time_ms)):
            raise replayed()

    async def _answer_once(self, claim: Claim, question: Callable[[Session], Answer]) -> Answer:
        """Answer a question that checks a claim; nothing of the answer goes out when the claim was used elsewhere before."""
        answer = await self._read(question)
        await self._use_once(claim)
        return answer

    async def _read(self, question: Callable[[Session], Answer]) -> Answer:
        return await asyncio.wrap_future(self.store.read(question))

    async def _write(
        self, deed: Callable[[Session], Answer], books: Collection[bytes] = (), weight: int = 1, *, recovering: bool = False
    ) -> Answer:
        """Run a deed and wait for its commit. A refusal is no fault of the transaction that it shares with others.

        In recovery mode only deeds that are for it are done (`recovering`), which each transaction asks for itself.
        """

        def calmly(session: Session) -> Answer | Refusal:
            try:
                if not recovering:
                    recovery.refuse_numbers(session)
                return deed(session)
            except Refusal as refusal:
                return refusal

        answer = await asyncio.wrap_future(self.store.write(calmly, books, weight))
        if isinstance(answer, Refusal):
            raise answer
        return answer

    def _refused_control(self, refusal: Refusal, device: bytes) -> wire.Outcome:
        self.log.note("control", code=refusal.code, device=device)
        outcome = wire.Outcome(b"", refusal.code, refusal.sentence)
        self._count(outcome)
        return outcome

    def _count(self, outcome: wire.Outcome) -> None:
        if outcome.code:
            self.metrics.refused(outcome.code)
        else:
            self.metrics.taken(len(outcome.ns))

    def _log_push(self, device: bytes, outcomes: Collection[wire.Outcome]) -> None:
        taken = sum(len(outcome.ns) for outcome in outcomes if not outcome.code)
        self.log.note("push", device=device, runs=len(outcomes), taken=taken)
        for outcome in outcomes:
            self._count(outcome)
            if outcome.code:
                self.log.note("refused", code=outcome.code, book=outcome.book, device=device)

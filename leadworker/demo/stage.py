"""The demo's stage: a folder that is thrown away, a central store on this machine, and three laptops.

Alex is the key worker, Ruth the supervisor who set the organisation up, Priya a colleague of the same team.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from leadworker.clock import Clock, SystemClock
from leadworker.crypto import keys
from leadworker.demo import PASSPHRASE
from leadworker.desk import Bell, Desk
from leadworker.statements import Role
from storage import opening
from storage.postbox import VaultPostbox
from storage.vault import Vault
from sync import inviting, joining
from sync.client import HubClient
from sync.exchange import Exchange, Result
from sync.hub.serve import EmbeddedHub

ALEX, RUTH, PRIYA = "Alex Morgan", "Ruth Adeyemi", "Priya Nair"
ORGANISATION, TEAM = "Saltmere Borough (invented)", "North team"


class Laptop:
    """One colleague's vault, open, and their side of the post."""

    def __init__(self, folder: Path, name: str, hub_url: str, clock: Clock) -> None:
        self.folder = folder
        self.name = name
        self._clock = clock
        self._hub_url = hub_url
        if opening.exists(folder):
            self.vault: Vault = opening.open_with_passphrase(folder, PASSPHRASE, clock=clock, purpose="the demo")
        else:
            self.vault, _ = opening.create(folder, name, PASSPHRASE, clock=clock, memory_kib=keys.FLOOR_KIB, purpose="the demo")
        self.desk = Desk(self.vault, name)
        self.box = VaultPostbox(self.vault)

    def client(self) -> HubClient:
        """Return a fresh connection to the central store; the caller closes it."""
        return HubClient(self._hub_url, self.box.device, self.box.sign, SystemClock())

    async def sync(self) -> Result:
        """Send and receive once."""
        client = self.client()
        try:
            return await Exchange(self.box, client, SystemClock(), _quiet, lambda progress: None).run()
        finally:
            await client.close()

    def close(self) -> None:
        """Shut the laptop."""
        self.vault.close()


class Stage:
    """Everything that the demo stands on. Use as a context manager; leaving it throws everything away."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="leadworker-demo-"))
        self.store = self.folder / "central-store.db"
        self.hub: EmbeddedHub | None = None
        self._port = 0

    def __enter__(self) -> Stage:
        self.network_back()
        return self

    def __exit__(self, *error: object) -> None:
        self.network_gone()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """Return the address of the central store."""
        return f"http://127.0.0.1:{self._port}"

    def network_back(self) -> None:
        """Start the central store, on the same address as before."""
        if self.hub is None:
            self.hub = EmbeddedHub(str(self.store), port=self._port)
            self._port = int(self.hub.url.rsplit(":", 1)[1])

    def network_gone(self) -> None:
        """Stop it: from a laptop's side, the network is gone."""
        if self.hub is not None:
            self.hub.stop()
            self.hub = None

    def laptop(self, name: str, clock: Clock | None = None) -> Laptop:
        """Open (or make) a colleague's laptop."""
        return Laptop(self.folder / name.split()[0].lower(), name, self.url, clock or SystemClock())

    def set_up(self, ruth: Laptop, *colleagues: Laptop) -> None:
        """Found the organisation with Ruth as supervisor and let the colleagues in."""
        asyncio.run(self._set_up(ruth, colleagues))

    async def _set_up(self, ruth: Laptop, colleagues: tuple[Laptop, ...]) -> None:
        if self.hub is None:
            raise RuntimeError("an organisation is set up while its central store is there")
        client = ruth.client()
        try:
            await joining.set_up(ruth.box, client, self.hub.setup_code, ORGANISATION, RUTH, role=Role.SUPERVISOR, team=TEAM)
            for colleague in colleagues:
                invite = await inviting.invite(ruth.box, client, SystemClock(), colleague.name, role=Role.KEY_WORKER, team=TEAM)
                theirs = colleague.client()
                await joining.ask_to_join(colleague.box, theirs, " ".join(invite.words))
                await theirs.close()
        finally:
            await client.close()
        for laptop in (ruth, *colleagues):
            await laptop.sync()


def _quiet(bell: Bell) -> None:
    """Nobody listens on a laptop whose screen is shut."""

"""Every kind of trouble that a person may be told about, in whole sentences.

A message says what happened, what is safe, and what to do, in that order.
It never holds a passphrase, a key or a word of anybody's record, so that it may be shown, logged and printed.
"""

from __future__ import annotations


class LeadworkerError(Exception):
    """Something went wrong that a person can understand and usually mend.

    The command line ends with `exit_code` after printing the sentence on standard error.
    `code` is the same thing for a program: stable, lower case, used on the wire and in ``--json``.
    """

    code = "trouble"
    exit_code = 1

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class NotUnderstood(LeadworkerError):
    """What was typed or given cannot be used as it is; nothing was changed."""

    code = "not_understood"


class NotFound(LeadworkerError):
    """Nobody and nothing of that name is in this vault."""

    code = "not_found"


class Ambiguous(LeadworkerError):
    """Several people or things fit; the sentence names them so that one can be chosen."""

    code = "ambiguous"


class VaultError(LeadworkerError):
    """The vault could not be opened, read or written as it should be."""

    code = "vault"


class WrongPassphrase(VaultError):
    """The passphrase or the recovery words do not open this vault."""

    code = "wrong_passphrase"


class VaultBusy(VaultError):
    """Another leadworker has this vault open; the sentence names it."""

    code = "vault_busy"


class VaultDamaged(VaultError):
    """A file of the vault is not as it was left: truncated, altered, rolled back or swapped."""

    code = "vault_damaged"


class VaultTooNew(VaultError):
    """The vault was last used by a newer leadworker."""

    code = "vault_too_new"


class VaultClosed(VaultError):
    """The vault was closed for good, because its laptop was taken out of the organisation; nothing in it is destroyed."""

    code = "vault_closed"


class VaultMissing(VaultError):
    """There is no vault in the folder that was named."""

    code = "vault_missing"


class DiskTrouble(VaultError):
    """The disk is full, read-only or failing; what was typed is still on the screen."""

    code = "disk"


class SavedUnmarked(DiskTrouble):
    """What was written is durable, but the vault's safety mark is not: the deed was done and must not be done again."""

    code = "saved_unmarked"
    outcome: object = None
    """What the deed returned, for whoever tells the person that it was done."""


class PostError(LeadworkerError):
    """The post between this laptop and the central store did not get through."""

    code = "post"
    retry_after_s: float = 0.0
    """Seconds for which the central store asks not to be asked again; 0 when it said nothing of the kind."""


class Offline(PostError):
    """No way through to the central store just now."""

    code = "offline"


class Unsettled(PostError):
    """It is not known whether the central store took something; what was made for it must be kept."""

    code = "unsettled"


class Refused(PostError):
    """The central store, or this laptop, refused something for the reason in the sentence."""

    code = "refused"


class InviteRefused(Refused):
    """An invite was used twice, has expired, or is for another organisation's store."""

    code = "invite_refused"


class HubMistrusted(PostError):
    """What the central store sent does not fit what this laptop knows to be true (C.8)."""

    code = "hub_mistrusted"

"""Describe, attach, erase: what becomes of an instrument besides being charged."""

from uuid import UUID

from contract import relay
from vault.instruments import BankAccount, from_plaintext
from vault.keyring import Keyring
from vault.operations.security_codes import SecurityCodes
from vault.store.instruments import InstrumentStore, Sealed, Stored, is_spent_for


class Keeping:
    """Looks at instruments, saves tokens, forgets numbers."""

    def __init__(
        self, instruments: InstrumentStore, keyring: Keyring, codes: SecurityCodes
    ) -> None:
        self._instruments = instruments
        self._keyring = keyring
        self._codes = codes

    async def describe(self, request: relay.Describe) -> relay.Instrument | relay.Rejected:
        """What an unused token or a saved instrument is."""
        found = await self._instruments.look(request.instrument_id, request.merchant_id)
        refusal = _refusal(found, request.livemode, request.spent_for)
        if refusal is not None or found is None:
            return refusal or relay.Rejected(code="instrument_unknown")
        return _described(found, await self._currency(found))

    async def attach(self, request: relay.Attach) -> relay.Instrument | relay.Rejected:
        """Save a token; asked again, answer what was saved.

        Saved under a `method_id` that exists with the same number, it renews the expiry.
        """
        self._codes.drop(request.token_id)
        token = await self._instruments.look(request.token_id, request.merchant_id)
        refusal = _refusal(token, request.livemode)
        if refusal is None and token is not None and token.ciphertext is not None:
            sealed = await self._resealed(token, token.ciphertext, request)
            if not await self._instruments.save(request, sealed):
                # Somebody was faster; what they left behind says who.
                token = await self._instruments.look(request.token_id, request.merchant_id)
        if refusal is not None and (token is None or token.used_by != request.method_id):
            return refusal
        return await self.describe(_description_of(request))

    async def erase(self, request: relay.Erase) -> relay.Done:
        """Forget the number; the row stays as a memory of what it was."""
        await self._instruments.erase(request.instrument_id, request.merchant_id, request.livemode)
        return relay.Done()

    async def unconfirmed(self, request: relay.ListUnconfirmed) -> relay.Unconfirmed:
        """What was saved over an hour ago without a word of the main house about its row."""
        rows = await self._instruments.unconfirmed(request.limit)
        return relay.Unconfirmed(instruments=[relay.SavedInstrument(**row) for row in rows])

    async def confirm(self, request: relay.Confirm) -> relay.Done:
        """The main house knows this instrument: it stays until it is erased."""
        await self._instruments.confirm(
            request.instrument_id, request.merchant_id, request.livemode
        )
        return relay.Done()

    async def _currency(self, found: Stored) -> str | None:
        """What a bank account pays in, which only its sealed details say."""
        if found.type != "bank_account" or found.ciphertext is None:
            return None
        keys = await self._keyring.keys_with(found.merchant_id, found.key_version)
        details = from_plaintext(keys.open(found.id, found.key_version, found.ciphertext))
        return details.currency if isinstance(details, BankAccount) else None

    async def _resealed(self, token: Stored, ciphertext: bytes, request: relay.Attach) -> Sealed:
        keys = await self._keyring.keys_with(token.merchant_id, token.key_version)
        plaintext = keys.open(token.id, token.key_version, ciphertext)
        return Sealed(keys.newest_version, keys.seal(request.method_id, plaintext))


def _description_of(request: relay.Attach) -> relay.Describe:
    return relay.Describe(
        request_id=request.request_id,
        merchant_id=request.merchant_id,
        livemode=request.livemode,
        instrument_id=request.method_id,
    )


def _refusal(
    found: Stored | None, livemode: bool, spent_for: UUID | None = None
) -> relay.Rejected | None:
    if found is None:
        return relay.Rejected(code="instrument_unknown")
    if found.livemode != livemode:
        return relay.Rejected(code="livemode_mismatch")
    if found.used_by is not None and not is_spent_for(found.spent_for, spent_for):
        return relay.Rejected(code="token_already_used")
    if found.expired:
        return relay.Rejected(code="token_expired")
    return relay.Rejected(code="instrument_unknown") if found.ciphertext is None else None


def _described(found: Stored, currency: str | None) -> relay.Instrument:
    return relay.Instrument(
        id=found.id,
        type=found.type,
        network=found.network,
        last_four=found.last_four,
        brand=found.brand,
        exp_month=found.exp_month,
        exp_year=found.exp_year,
        fingerprint=found.fingerprint,
        currency=currency,
    )

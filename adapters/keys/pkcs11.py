"""Master keys in a PKCS#11 token: they are made there, work there and never leave it."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from adapters.keys.naming import born, new_id
from adapters.keys.provider import KeyUnusable
from runtime.masked import Masked

NONCE_BYTES: Final = 12
TAG_BITS: Final = 128
KEY_BITS: Final = 256
_PURPOSE: Final = b"paymint data key v1"
_RETIRED: Final = " (retired)"


class TokenKeys:
    """AES-256-GCM inside a token, under keys with one label; the newest is current.

    `uri` is an RFC 7512 URI: `pkcs11:token=…;object=LABEL?module-path=…&pin-source=…`, with
    `file:PATH` or `env:NAME` as source of the PIN.  A token allows one log-in per process,
    so one session serves all calls in turn; it is opened again after a failure.
    """

    kind = "pkcs11"

    def __init__(self, uri: str) -> None:
        try:
            import pkcs11
        except ImportError:
            raise KeyUnusable("python-pkcs11 is missing: install requirements/cloud.txt") from None
        self._pkcs11: Any = pkcs11
        said = _read_uri(uri)
        self._token, self._label = said["token"], said["object"]
        self._module = said["module-path"]
        self._pin = _pin(said["pin-source"])
        self._turn = threading.Lock()
        self._opened: Any = None

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        with self._in_turn():
            master = self._newest()
            nonce = os.urandom(NONCE_BYTES)
            body: bytes = self._found(master).encrypt(key, **self._way(nonce))
            return master, nonce + body

    def unwrap(self, master: str, body: bytes) -> bytes:
        way = self._way(body[:NONCE_BYTES])
        with self._in_turn():
            held = self._found(master)
            try:
                key: bytes = held.decrypt(body[NONCE_BYTES:], **way)
            except (
                self._pkcs11.exceptions.GeneralError,
                self._pkcs11.exceptions.EncryptedDataInvalid,
            ):
                # SoftHSM calls a tag that does not fit a general error.
                self._let_go()
                raise KeyUnusable("the key was wrapped with another master key") from None
            return key

    def current(self) -> tuple[str, datetime]:
        with self._in_turn():
            return self._dated(self._newest())

    def make(self) -> tuple[str, datetime]:
        with self._in_turn():
            ids = self._ids()
            return self._dated(self._made(ids[-1] if ids else None))

    def retire(self, master: str) -> None:
        """Give the key another label; its owner destroys it in the token, or keeps it."""
        with self._in_turn():
            for held in self._objects(self._label):
                if held.id == master.encode():
                    held[self._pkcs11.Attribute.LABEL] = self._label + _RETIRED

    def _made(self, newest: str | None) -> str:
        master = new_id(newest)
        attribute, flags = self._pkcs11.Attribute, self._pkcs11.MechanismFlag
        self._session().generate_key(
            self._pkcs11.KeyType.AES,
            KEY_BITS,
            id=master.encode(),
            label=self._label,
            store=True,
            capabilities=flags.ENCRYPT | flags.DECRYPT,
            template={
                attribute.SENSITIVE: True,
                attribute.EXTRACTABLE: False,
                attribute.PRIVATE: True,
            },
        )
        return master

    def _newest(self) -> str:
        """The newest key, made when there is none."""
        ids = self._ids()
        return ids[-1] if ids else self._made(None)

    def _ids(self) -> list[str]:
        return sorted(held.id.decode() for held in self._objects(self._label))

    def _found(self, master: str) -> Any:
        for held in self._objects(self._label):
            if held.id == master.encode():
                return held
        for held in self._objects(self._label + _RETIRED):
            if held.id == master.encode():
                raise KeyUnusable(f"the master key {master} is retired")
        raise KeyUnusable(f"the token has no master key {master}")

    def _objects(self, label: str) -> list[Any]:
        attribute = self._pkcs11.Attribute
        wanted = {
            attribute.CLASS: self._pkcs11.ObjectClass.SECRET_KEY,
            attribute.LABEL: label,
        }
        return list(self._session().get_objects(wanted))

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        with self._turn:
            try:
                yield
            except self._pkcs11.exceptions.PKCS11Error:
                # The token may have been away: the next call opens it anew.
                self._let_go()
                raise

    def _session(self) -> Any:
        if self._opened is None:
            token = self._pkcs11.lib(self._module).get_token(token_label=self._token)
            try:
                self._opened = token.open(rw=True, user_pin=self._pin.reveal())
            except self._pkcs11.exceptions.UserAlreadyLoggedIn:
                # By another session of this process: a log-in is the process's.
                self._opened = token.open(rw=True)
        return self._opened

    def _let_go(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            try:
                opened.close()
            except self._pkcs11.exceptions.PKCS11Error:
                return

    def _way(self, nonce: bytes) -> dict[str, Any]:
        return {
            "mechanism": self._pkcs11.Mechanism.AES_GCM,
            "mechanism_param": self._pkcs11.GCMParams(nonce, _PURPOSE, TAG_BITS),
        }

    def _dated(self, master: str) -> tuple[str, datetime]:
        return master, born(master) or datetime.fromtimestamp(0, UTC)


def _read_uri(uri: str) -> dict[str, str]:
    path, _, query = uri.removeprefix("pkcs11:").partition("?")
    pairs = [*path.split(";"), *query.split("&")]
    said = {name: unquote(value) for name, _, value in (pair.partition("=") for pair in pairs)}
    for name in ("token", "object", "module-path", "pin-source"):
        if not said.get(name):
            raise KeyUnusable(f"PAYMINT_KEY_PROVIDER: the pkcs11 URI must name its {name}")
    return said


def _pin(source: str) -> Masked:
    kind, _, place = source.partition(":")
    if kind == "file":
        return Masked(Path(place).read_text().strip())
    if kind == "env" and place in os.environ:
        return Masked(os.environ[place])
    raise KeyUnusable("PAYMINT_KEY_PROVIDER: pin-source is file:PATH or env:NAME")

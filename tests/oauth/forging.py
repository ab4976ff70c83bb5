"""Access tokens taken apart and put together by hand, as an attacker would."""

import base64
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

Key = tuple[str, RSAPrivateKey]


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims, _ = token.split(".")
    return _json(header), _json(claims)


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: str = "") -> str:
    return f"{_text(header)}.{_text(claims)}.{signature}"


def signed(claims: dict[str, Any], key: Key, typ: Any = "at+jwt") -> str:
    """A token with our own signature; what PyJWT refuses to encode is signed by hand."""
    header = {"alg": "RS256", "kid": key[0]}
    if typ is not None:
        header["typ"] = typ
    head = unsigned(header, claims).rpartition(".")[0]
    algorithm = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256)
    return f"{head}.{encoded(algorithm.sign(head.encode(), key[1]))}"


def _json(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def _text(value: dict[str, Any]) -> str:
    return encoded(json.dumps(value).encode())


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

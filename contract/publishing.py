"""The documents as they are served: the present one as it is written, the older ones made."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson
import yaml

from contract.document import DOCUMENT_PATH, load_document
from contract.versions.registry import documents_by_date
from domain.api_versions import PRESENT

JSON: Final = "application/json"
YAML: Final = "application/yaml"
# The `x-cache` of the operations that answer with them.
CACHE: Final = "public-86400"
_LINE_CHARACTERS: Final = 120
# libyaml writes the document in a tenth of the time; it is not in every build of PyYAML.
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True, slots=True)
class Published:
    """One document in one form."""

    text: bytes
    headers: tuple[tuple[bytes, bytes], ...]


@lru_cache(1)
def published() -> dict[tuple[str, str], Published]:
    """Every document by its version and media type, made once."""
    found = {}
    for date, document in documents_by_date(load_document()).items():
        found[date, JSON] = _published(orjson.dumps(document), JSON)
        if date == PRESENT:
            text = DOCUMENT_PATH.read_bytes()
        else:
            text = yaml.dump(
                document,
                Dumper=_Dumper,
                sort_keys=False,
                allow_unicode=True,
                width=_LINE_CHARACTERS,
                encoding="utf-8",
            )
        found[date, YAML] = _published(text, YAML)
    return found


def _published(text: bytes, media_type: str) -> Published:
    return Published(text, ((b"content-type", media_type.encode("ascii")),))

"""Static files under hashed names, so that browsers keep them for ever."""

from __future__ import annotations

from typing import Any

import brotli
from django.conf import settings
from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage

LARGE = 200_000

_inherited = CompressedManifestStaticFilesStorage
_addresses = (*_inherited.patterns, _inherited._js_module_import_aggregation_patterns)


class QuickCompressor(Compressor):  # type: ignore[misc]
    """Brotli at its best for our own small files, and quickly for the API pages' large ones, which few people open."""

    @staticmethod
    def compress_brotli(data: bytes) -> bytes:
        return bytes(brotli.compress(data, quality=11 if len(data) < LARGE else 5))


class StaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """WhiteNoise's storage that also renames what our stylesheets and JavaScript modules name of each other.

    Other packages' files stay as they are: not everything in them that looks like an address is one. Before files were
    collected there is no manifest; addresses are then the plain ones, as tests need them.
    """

    patterns = tuple((f"{room}/{kind}", found) for room in settings.ROOMS for kind, found in _addresses)

    def stored_name(self, name: str) -> str:
        return str(super().stored_name(name)) if self.hashed_files else name

    def create_compressor(self, **kwargs: Any) -> Compressor:
        return QuickCompressor(**kwargs)

"""Static files under hashed names, so that browsers keep them for ever."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):
    """WhiteNoise's storage that also renames what our JavaScript modules import from each other.

    Before files were collected there is no manifest; addresses are then the plain ones, as tests need them.
    """

    support_js_module_import_aggregation = True

    def stored_name(self, name: str) -> str:
        return str(super().stored_name(name)) if self.hashed_files else name

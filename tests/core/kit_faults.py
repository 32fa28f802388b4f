"""Fakes for the conformance kit: a plugin, a blob store and a catalog that pass, and a fault in one for every check."""

from __future__ import annotations

PLUGIN = '''
import hashlib
import json
import time
from pathlib import Path

from attrs import frozen

from model_registry import (
    Conversion, Detection, Finding, FormatSpec, LoadedModel, TensorRecord, UnsafeModelError, hookimpl
)

MAGIC = b"FAKE1"
LAST = None


class Numbers(list):
    """A model that is a list of numbers."""


def encode(numbers):
    text = MAGIC + json.dumps({"numbers": numbers}).encode()
    return text + hashlib.sha256(text).hexdigest().encode()


def decode(data):
    text, digest = data[:-64], data[-64:]
    if not text.startswith(MAGIC) or hashlib.sha256(text).hexdigest().encode() != digest:
        raise UnsafeModelError("model.fake is broken", path="model.fake")
    content = json.loads(text[len(MAGIC):])
    if "run" in content:
        raise UnsafeModelError("model.fake asks to run something", path="model.fake")
    return Numbers(content["numbers"])


@frozen
class Options:
    largest: int = 1000


class Plugin:
    Options = Options

    def __init__(self, options):
        self.options = options

    @hookimpl
    def formats(self):
        return [
            FormatSpec("fake", "Fake numbers", save_options=frozenset({"doubled"})),
            FormatSpec("fake-text", "Fake numbers as text", suffixes=(".numbers",), storable=False),
        ]

    @hookimpl
    def conversions(self):
        return [Conversion("fake", "fake-text", lossless=True)]

    @hookimpl
    def detect(self, model):
        if isinstance(model, Numbers):
            return Detection("fake")
        if isinstance(model, Path) and model.is_file() and model.read_bytes().startswith(MAGIC):
            return Detection("fake")
        return None

    @hookimpl
    def save(self, request, stage):
        if request.format != "fake":
            return None
        model = request.model
        numbers = decode(model.read_bytes()) if isinstance(model, Path) else model
        stage.add("model.fake", encode(numbers))
        return True

    @hookimpl
    def load(self, request, files):
        if request.format != "fake":
            return None
        return LoadedModel(decode(files.read("model.fake")))

    @hookimpl
    def export(self, request, files):
        if (request.source_format, request.target_format) != ("fake", "fake-text"):
            return None
        request.destination.write_text(" ".join(map(str, decode(files.read("model.fake")))))
        return True

    @hookimpl
    def metadata(self, format, files):
        if format == "fake":
            return {"parameters_count": len(decode(files.read("model.fake"))), "framework": "fake"}

    @hookimpl
    def tensors(self, format, files):
        if format == "fake":
            length = files.size("model.fake") - 5
            return [TensorRecord("text", "uint8", (length,), "model.fake", 5, length)]

    @hookimpl
    def packages(self, format):
        return ["attrs"] if format == "fake" else None

    @hookimpl
    def validate(self, format, files):
        if format != "fake":
            return None
        try:
            decode(files.read("model.fake"))
        except UnsafeModelError as error:
            return [Finding("error", "fake-broken", "model.fake", error.message)]
'''

PLUGIN_SUITE = """
import hashlib
import json

from {module} import MAGIC, Numbers, encode
from model_registry.testing import PluginConformance, RefusedFile, Sample


def file(folder):
    (folder / "numbers.bin").write_bytes(encode(Numbers([4, 5])))
    return folder / "numbers.bin"


def hostile(folder):
    text = MAGIC + json.dumps({{"run": "open('canary', 'w').close()", "numbers": []}}).encode()
    (folder / "hostile.bin").write_bytes(text + hashlib.sha256(text).hexdigest().encode())
    return folder / "hostile.bin"


class TestSuite(PluginConformance):
    plugin_name = "{name}"
    frameworks = ("colorsys",)

    def samples(self):
        return [
            Sample("numbers", lambda folder: Numbers([1, 2, 3]), metadata={{"parameters_count": 3}}),
            Sample("one", lambda folder: Numbers([7]), format="fake"),
            Sample("file", file, equal=lambda loaded, path: loaded == [4, 5], metadata={{"parameters_count": 2}}),
        ]

    def refused_files(self):
        return [RefusedFile("hostile", hostile), RefusedFile("text", broken, "fake")]


def broken(folder):
    (folder / "text").write_bytes(b"hello")
    return folder / "text"
"""

#: For each check of a plugin: what to replace in ``PLUGIN``, and by what, so that it fails.
PLUGIN_FAULTS = {
    "test_it_has_one_name_everywhere": ("", ""),  # installed under another module's name
    "test_it_is_ready": ("self.options = options", 'raise ValueError("no")'),
    "test_its_options_are_those_of_its_class": ("    Options = Options", "    Options = dict"),
    "test_its_formats_and_conversions_are_its_own": ('Conversion("fake", "fake-text"', 'Conversion("onnx", "ort"'),
    "test_a_sample_is_of_its_formats": ("if isinstance(model, Numbers):", "if False:"),
    "test_no_framework_is_imported_before_it_is_needed": ("import time", "import time, colorsys"),
    "test_a_model_comes_back_equal": ('Numbers(content["numbers"])', 'Numbers(content["numbers"][:-1])'),
    "test_a_model_comes_back_equal_in_a_new_process": (
        'return LoadedModel(decode(files.read("model.fake")))',
        'import sys; found = decode(files.read("model.fake"));'
        " return LoadedModel(found if sys.argv[0].endswith('child.py') is False else found[1:])",
    ),
    "test_equal_models_have_one_digest": ('{"numbers": numbers}', '{"numbers": numbers, "at": time.time()}'),
    "test_equal_models_have_one_digest_in_a_new_process": (
        '{"numbers": numbers}',
        '{"numbers": numbers, "hash": hash("text")}',
    ),
    "test_every_export_that_is_offered_can_be_made": ("request.destination.write_text(", "str("),
    "test_what_it_tells_is_metadata": ('"framework": "fake"}', '"framework": "fake", "shape": (1, 2)}'),
    "test_known_fields_are_right": ('{"parameters_count": len(', '{"parameters_count": 1 + len('),
    "test_nothing_that_the_caller_says_is_lost": ('frozenset({"doubled"})', 'frozenset({"author"})'),
    "test_the_tensors_it_tells_of_are_there": ('"model.fake", 5, length', '"model.fake", 6, length'),
    "test_a_sound_model_has_no_error": (
        'decode(files.read("model.fake"))\n        except',
        'decode(b"")\n        except',
    ),
    "test_a_member_that_was_cut_short_is_found": (
        'decode(files.read("model.fake"))\n        except',
        'files.read("model.fake")\n        except',
    ),
    "test_no_changed_byte_breaks_it": (" or hashlib.sha256(text).hexdigest().encode() != digest", ""),
    "test_a_file_that_must_be_refused_is_and_nothing_runs": ("        raise UnsafeModelError(\"model.fake asks", (
        "        exec(content['run'])\n        raise UnsafeModelError(\"model.fake asks"
    )),
    "test_threads_register_and_load_at_once": (
        'stage.add("model.fake", encode(numbers))',
        'global LAST; LAST = numbers; time.sleep(0.1); stage.add("model.fake", encode(LAST))',
    ),
    "test_loading_writes_nothing_to_the_registry": (
        'return LoadedModel(decode(files.read("model.fake")))',
        'files.local("model.fake").with_name("cache").touch();'
        ' return LoadedModel(decode(files.read("model.fake")))',
    ),
    "test_other_formats_are_left_to_others": ('["attrs"] if format == "fake" else None', '["attrs"]'),
    "test_other_peoples_models_are_not_claimed": ("isinstance(model, Numbers)", "isinstance(model, list)"),
    "test_options_that_it_does_not_know_are_refused": (
        'save_options=frozenset({"doubled"})',
        "open_options=True",
    ),
}  # fmt: skip

STORE_SUITE = """
import os
import shutil
import time

from model_registry.blobs.local import LocalBlobs
from model_registry.testing import BlobStoreConformance


class Store(LocalBlobs):
    kept = None

{fault}


class TestSuite(BlobStoreConformance):
    def make_store(self, folder):
        store = Store(folder)
        store.kept = []
        return store
"""

#: For each check of a blob store: what a store must define to fail it.
STORE_FAULTS = {
    "test_a_new_store_holds_nothing": """
        def delete(self, sha256):
            super().delete(sha256)
            return 1
    """,
    "test_what_is_placed_is_there": """
        def read(self, sha256, limit):
            return super().read(sha256, limit) or None
    """,
    "test_what_is_placed_leaves_the_stage": """
        def place(self, staged, sha256):
            shutil.copy(staged, staged.with_name("left"))
            super().place(staged, sha256)
    """,
    "test_the_same_bytes_are_one_blob": """
        def place(self, staged, sha256):
            self.kept.append(sha256)
            super().place(staged, sha256)

        def digests(self):
            return iter(self.kept)
    """,
    "test_nobody_may_write_a_blob": """
        def place(self, staged, sha256):
            super().place(staged, sha256)
            self.local(sha256).chmod(0o644)
    """,
    "test_a_blob_of_another_size_is_not_the_one_that_is_asked_for": """
        def is_intact(self, sha256, size):
            return super().is_intact(sha256, self.size(sha256) or 0)
    """,
    "test_no_more_is_read_than_is_allowed": """
        def read(self, sha256, limit):
            return super().read(sha256, 1 << 40)
    """,
    "test_what_is_no_digest_is_refused": """
        def local(self, sha256):
            return self._blobs / sha256
    """,
    "test_damage_is_noticed": """
        def is_intact(self, sha256, size):
            return self.size(sha256) == size
    """,
    "test_damage_after_verifying_is_noticed": """
        def is_intact(self, sha256, size):
            if self.size(sha256) == size and (sha256, self.local(sha256).stat().st_mtime_ns) in self.kept:
                return True
            found = super().is_intact(sha256, size)
            if found:
                self.kept.append((sha256, self.local(sha256).stat().st_mtime_ns))
            return found
    """,
    "test_a_link_is_no_blob": """
        def size(self, sha256):
            path = self._path(sha256)
            return path.stat().st_size if path.exists() else None
    """,
    "test_placing_the_bytes_again_repairs": """
        def place(self, staged, sha256):
            staged.unlink() if self.local(sha256).exists() else super().place(staged, sha256)
    """,
    "test_forgetting_loses_nothing_but_the_memory": """
        def forget(self, sha256):
            self.delete(sha256)
    """,
    "test_a_deleted_blob_is_gone_and_its_bytes_are_told_once": """
        def delete(self, sha256):
            super().delete(sha256)
            return 50
    """,
    "test_a_deleted_blob_can_be_placed_again": """
        def delete(self, sha256):
            self.kept.append(sha256)
            return super().delete(sha256)

        def is_intact(self, sha256, size):
            return sha256 not in self.kept and super().is_intact(sha256, size)
    """,
    "test_each_registration_has_a_folder_of_its_own": """
        def staging(self, lease):
            return super().staging("1" * 32)
    """,
    "test_a_discarded_stage_is_gone_and_the_others_stay": """
        def discard_staging(self, lease):
            for each in self.staged_leases():
                super().discard_staging(each)
    """,
    "test_another_instance_has_the_same_blobs": """
        def place(self, staged, sha256):
            super().place(staged, sha256)
            self.kept.append(sha256)

        def digests(self):
            return (sha256 for sha256 in super().digests() if sha256 in self.kept)
    """,
    "test_threads_store_the_same_and_other_bytes_at_once": """
        def place(self, staged, sha256):
            shared = self._blobs / "shared"
            shutil.copy(staged, shared)
            time.sleep(0.02)
            os.rename(shared, self._path(sha256))
    """,
    "test_a_reader_sees_all_of_a_blob_or_nothing": """
        def place(self, staged, sha256):
            with open(self._path(sha256), "wb") as file:
                file.write(staged.read_bytes()[:1000])
                file.flush()
                time.sleep(0.01)
                file.write(staged.read_bytes()[1000:])
            staged.unlink()

        def read(self, sha256, limit):
            path = self.local(sha256)
            return path.read_bytes() if path.exists() else None
    """,
}

CATALOG_SUITE = """
import time
from contextlib import suppress

from attrs import evolve

from model_registry.catalog.aliases import SqliteAliases
from model_registry.catalog.history import SqliteHistory
from model_registry.catalog.lineage import SqliteLineage
from model_registry.catalog.sqlite import SqliteCatalog
from model_registry.catalog.tags import SqliteDescriptions, SqliteTags
from model_registry.clock import now
from model_registry.errors import ModelNotFoundError, RegistrationLostError, VersionExistsError
from model_registry.testing import CatalogConformance
from model_registry.versions import next_version


class Flawed({base}):
    kept = {{}}

{fault}


class TestSuite(CatalogConformance):
    def make_catalog(self, folder):
        part = {part!r}
        if not part:
            return Flawed(folder / "catalog.sqlite", create=True)
        catalog = SqliteCatalog(folder / "catalog.sqlite", create=True)
        setattr(catalog, part, Flawed(catalog._connections))
        return catalog
"""

#: For each check of a catalog: the part that is flawed ("" for the catalog itself), and what it must define.
CATALOG_FAULTS = {
    "test_what_is_committed_comes_back": ("", """
        def commit(self, lease, row):
            super().commit(lease, evolve(row, size=0))
    """),
    "test_what_is_not_there_is_none": ("", """
        def get(self, name, version):
            return super().get(name, version) or self.latest(name)
    """),
    "test_a_version_is_committed_once": ("", """
        def commit(self, lease, row):
            self.remove(row.name, row.version, keep=False)
            super().commit(lease, row)
    """),
    "test_names_that_differ_by_case_are_one_model": ("", """
        def commit(self, lease, row):
            super().commit(lease, evolve(row, name=row.name.lower()))
    """),
    "test_a_lease_that_ended_commits_nothing": ("", """
        def renew(self, lease):
            with suppress(RegistrationLostError):
                super().renew(lease)
    """),
    "test_a_number_is_given_once": ("", """
        def reserve_next_version(self, lease, name):
            return next_version([row.version for row in self.versions(name=name)])
    """),
    "test_versions_are_ordered_as_pep_440_says": ("", """
        def versions(self, **asked):
            return sorted(super().versions(**asked), key=lambda row: (row.name.lower(), row.version))
    """),
    "test_models_are_ordered_by_name_whatever_its_case": ("", """
        def versions(self, **asked):
            return sorted(super().versions(**asked), key=lambda row: row.name)
    """),
    "test_the_latest_is_the_highest_that_is_no_prerelease": ("", """
        def latest(self, name):
            return (self.versions(name=name) or [None])[-1]
    """),
    "test_a_listing_is_narrowed_by_each_and_by_all": ("", """
        def versions(self, **asked):
            return super().versions(**{**asked, "min_size": None})
    """),
    "test_a_listing_comes_in_pages": ("", """
        def versions(self, *, limit=None, **asked):
            return super().versions(limit=limit and limit + 1, **asked)
    """),
    "test_a_page_goes_on_after_a_version_that_is_gone": ("", """
        def versions(self, *, after=None, **asked):
            return [] if after and self.get(*after) is None else super().versions(after=after, **asked)
    """),
    "test_counts_and_bytes_are_right": ("", """
        def stats(self):
            found = super().stats()
            return evolve(found, versions=found.versions + found.removed_versions)
    """),
    "test_large_blobs_are_found_by_their_size": ("", """
        def blobs_of_size(self, size):
            return super().blobs_of_size(size) + super().blobs_of_size(size + 1)
    """),
    "test_similar_names_are_those_of_visible_models": ("", """
        def similar_names(self, name, limit=3):
            return super().similar_names(name, limit) + [row.name for row in self.versions(removed=True)]
    """),
    "test_what_is_removed_is_hidden_until_it_is_restored": ("", """
        def restore(self, name, version):
            super().restore(name, version)
            return []
    """),
    "test_what_is_not_kept_is_forgotten": ("", """
        def remove(self, name, version, *, keep):
            return super().remove(name, version, keep=True)
    """),
    "test_of_two_removals_the_newest_is_restored": ("", """
        def restore(self, name, version):
            return super().restore(name, version) or self.versions(name=name)
    """),
    "test_restoring_is_all_or_nothing": ("", """
        def restore(self, name, version):
            rows = self.versions(name=name, removed=True)
            return [row for each in rows for row in super(Flawed, self).restore(name, each.version)]
    """),
    "test_purging_forgets_what_was_removed_before": ("", """
        def purge(self, before):
            return super().purge(now() + 1)
    """),
    "test_only_what_nobody_needs_is_collected": ("", """
        def claim(self, lease, digests):
            self.renew(lease)
    """),
    "test_a_shared_blob_goes_with_its_last_version": ("", """
        def remove(self, name, version, *, keep):
            removed = super().remove(name, version, keep=keep)
            with self._connections.writing(durable=False) as db:
                db.execute("DELETE FROM blobs")
            return removed
    """),
    "test_a_registration_that_gives_up_frees_what_it_claimed": ("", """
        def release(self, lease, digests=(), delete=None):
            super().release(lease)
    """),
    "test_any_number_is_collected": ("", """
        def collect(self, digests, delete):
            return super().collect(digests[:500], delete)
    """),
    "test_threads_that_register_lose_nothing": ("", """
        def reserve_next_version(self, lease, name):
            version = next_version([row.version for row in self.versions(name=name)])
            time.sleep(0.02)
            return version
    """),
    "test_of_threads_that_want_one_version_one_gets_it": ("", """
        def commit(self, lease, row):
            with suppress(VersionExistsError):
                super().commit(lease, row)
    """),
    "test_an_alias_names_a_version_until_it_is_moved_or_deleted": ("aliases", """
        def delete(self, name, alias):
            super().delete(name, alias)
            return True
    """),
    "test_an_alias_is_of_one_model": ("aliases", """
        def of_model(self, name):
            return super().of_model("m")
    """),
    "test_an_alias_is_only_set_to_what_is_there": ("aliases", """
        def set(self, name, alias, version):
            with suppress(ModelNotFoundError):
                return super().set(name, alias, version)
    """),
    "test_an_alias_of_a_removed_version_says_so_and_of_a_forgotten_one_is_gone": ("aliases", """
        def get(self, name, alias):
            row = super().get(name, alias)
            return None if row is None or row.removed_at else row
    """),
    "test_each_change_of_an_alias_is_taken_back_in_turn": ("aliases", """
        def undo(self, name, alias):
            return super().rollback(name, alias)
    """),
    "test_only_the_change_that_is_expected_is_taken_back": ("aliases", """
        def undo(self, name, alias, *, expected=None):
            return super().undo(name, alias)
    """),
    "test_an_alias_rolls_back_to_another_version_that_is_there": ("aliases", """
        def rollback(self, name, alias):
            return super().undo(name, alias)
    """),
    "test_an_alias_rolls_back_further_each_time_and_every_time_can_be_taken_back": ("aliases", """
        def rollback(self, name, alias):
            found = super().rollback(name, alias)
            super().undo(name, alias)
            return super().set(name, alias, found.version)
    """),
    "test_another_version_of_the_same_number_is_not_what_an_alias_named": ("aliases", """
        def undo(self, name, alias):
            try:
                return super().undo(name, alias)
            except ModelNotFoundError as error:
                return self.set(name, alias, error.version)
    """),
    "test_a_tag_has_its_last_value_until_it_is_deleted": ("tags", """
        def set(self, name, version, key, value):
            super().set(name, None, key, value)
            super().set(name, version, key, value)
    """),
    "test_a_description_is_as_it_was_last_edited": ("descriptions", """
        def set(self, name, version, text):
            super().set(name, version, text or None)
    """),
    "test_what_is_said_of_a_version_is_there_when_it_is_restored": ("", """
        def remove(self, name, version, *, keep):
            for row in self.versions(name=name):
                for key in self.tags.of_version(row):
                    self.tags.delete(name, row.version, key)
            return super().remove(name, version, keep=keep)
    """),
    "test_what_is_said_of_a_version_goes_with_it": ("tags", """
        def set(self, name, version, key, value):
            super().set(name, version, key, value)
            self.kept[name, version, key] = value

        def of_version(self, row):
            return {key: value for (*of, key), value in self.kept.items() if of == [row.name, row.version]}
    """),
    "test_nothing_is_said_of_what_is_not_there": ("tags", """
        def set(self, name, version, key, value):
            with suppress(ModelNotFoundError):
                super().set(name, version, key, value)
    """),
    "test_lineage_is_known_from_both_ends": ("lineage", """
        def unlink(self, name, version, parent):
            super().unlink(name, version, parent)
            return True
    """),
    "test_a_child_knows_its_parent_when_it_is_gone": ("lineage", """
        def parents(self, row):
            return [each for each in super().parents(row) if self.find(each.digest, each.name, each.version)]
    """),
    "test_every_change_is_an_event": ("history", """
        def events(self, *asked, **more):
            return [event for event in super().events(*asked, **more) if event.action != "described"]
    """),
    "test_what_changes_nothing_is_no_event": ("tags", """
        def set(self, name, version, key, value):
            super().delete(name, version, key)
            super().set(name, version, key, value)
    """),
    "test_the_history_comes_newest_first_in_pages": ("history", """
        def events(self, *asked, **more):
            return super().events(*asked, **more)[::-1]
    """),
    "test_the_history_is_narrowed": ("history", """
        def events(self, name=None, version=None, **more):
            return super().events(name, **more)
    """),
    "test_the_history_outlives_its_model": ("history", """
        def events(self, *asked, **more):
            with self._connections.reading() as db:
                if not db.execute("SELECT 1 FROM versions").fetchone():
                    return []
            return super().events(*asked, **more)
    """),
    "test_threads_that_move_an_alias_leave_one_chain_of_moves": ("history", """
        def events(self, *asked, **more):
            return super().events(*asked, **more)[::2]
    """),
}  # fmt: skip

#: The class that each part of a catalog is derived from.
PARTS = {
    "": "SqliteCatalog",
    "aliases": "SqliteAliases",
    "descriptions": "SqliteDescriptions",
    "history": "SqliteHistory",
    "lineage": "SqliteLineage",
    "tags": "SqliteTags",
}

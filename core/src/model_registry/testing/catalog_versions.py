"""Checks of which versions a catalog says exist: registering, looking, removing, collecting."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from model_registry.catalog import Catalog
from model_registry.clock import now
from model_registry.errors import InvalidNameError, RegistrationLostError, VersionExistsError
from model_registry.testing.catalog_suite import BLOB, CatalogSuite, add, listed, numbered, row

THREADS = 6
EACH = 5
#: As PEP 440 orders them; what it does not know comes first.
ORDERED = ("alpha", "zeta", "1.0.dev1", "1.0a2", "1.0a10", "1.0rc1", "1.0", "1.0.post1", "1.2", "1.10", "1!0.1")


class CatalogVersions(CatalogSuite):
    """A version is there from its commit on, once, until it is removed; nothing else is."""

    # Registering

    def test_what_is_committed_comes_back(self, catalog: Catalog, folder: Path) -> None:
        """As it was, to this instance and to the next."""
        document = '{"schemaVersion":1,"metadata":{"description":"größer 三"}}'
        committed = row("Team/Model", "1.0rc1", digest="0f" * 32, format="onnx", model_type="audio", size=2**40)
        add(catalog, evolve(committed, metadata=document))
        expected = evolve(committed, metadata=document, blobs=())
        for instance in (catalog, self.make_catalog(folder)):
            assert instance.get("team/model", "1.0.0rc1") == expected
            assert instance.latest("TEAM/MODEL") == expected
            assert instance.versions() == [expected]

    def test_what_is_not_there_is_none(self, catalog: Catalog) -> None:
        add(catalog, row())
        assert catalog.get("m", "2.0") is None
        assert catalog.get("n", "1.0") is None
        assert catalog.latest("n") is None
        assert catalog.versions(name="n") == []

    @pytest.mark.parametrize("again", ["1.0", "1.0.0", "v1", "1"])
    def test_a_version_is_committed_once(self, catalog: Catalog, again: str) -> None:
        add(catalog, row())
        with pytest.raises(VersionExistsError) as refusal:
            add(catalog, row("m", again, digest="c" * 64, blobs=(("d" * 64, 1, ""),)))
        assert (refusal.value.model, refusal.value.version, refusal.value.digest) == ("m", "1.0", "a" * 64)
        assert [each.digest for each in catalog.versions()] == ["a" * 64]
        assert dict(catalog.references()) == {BLOB[0]: BLOB[1]}, "a refused version still claims its blobs"

    def test_names_that_differ_by_case_are_one_model(self, catalog: Catalog) -> None:
        add(catalog, row("Model"))
        with pytest.raises(InvalidNameError):
            add(catalog, row("model", "2.0"))
        assert listed(catalog) == [("Model", "1.0")]
        catalog.remove("MODEL", None, keep=False)
        add(catalog, row("model", "2.0"))
        assert listed(catalog) == [("model", "2.0")]

    def test_a_lease_that_ended_commits_nothing(self, catalog: Catalog) -> None:
        lease = catalog.begin("dead")
        alive = catalog.begin("alive")
        assert catalog.reap_leases(lambda owner: owner == "dead") == {alive}
        for act in (
            lambda: catalog.commit(lease, row()),
            lambda: catalog.claim(lease, ["a" * 64]),
            lambda: catalog.reserve_next_version(lease, "m"),
            lambda: catalog.renew(lease),
        ):
            with pytest.raises(RegistrationLostError):
                act()
        assert listed(catalog) == []
        catalog.renew(alive)
        catalog.commit(alive, row())
        with pytest.raises(RegistrationLostError):
            catalog.commit(alive, row("m", "2.0"))  # a commit ends its lease
        assert listed(catalog) == [("m", "1.0")]

    def test_a_number_is_given_once(self, catalog: Catalog) -> None:
        """Whether it is reserved, visible, removed or forgotten."""
        one, other = catalog.begin("me"), catalog.begin("you")
        assert [catalog.reserve_next_version(lease, "m") for lease in (one, other)] == ["1.0.0", "1.0.1"]
        catalog.release(other)
        assert catalog.reserve_next_version(catalog.begin("them"), "M") == "1.0.1"
        catalog.commit(one, row("m", "1.0.5"))
        catalog.remove("m", None, keep=True)
        assert catalog.reserve_next_version(catalog.begin("me"), "M") == "1.0.6"
        catalog.purge(now() + 1)
        assert catalog.reserve_next_version(catalog.begin("me"), "m") == "1.0.7"

    # Looking

    def test_versions_are_ordered_as_pep_440_says(self, catalog: Catalog) -> None:
        add(catalog, *(row("m", version) for version in reversed(ORDERED)))
        assert [version for _, version in listed(catalog)] == list(ORDERED)

    def test_models_are_ordered_by_name_whatever_its_case(self, catalog: Catalog) -> None:
        add(catalog, *(row(name) for name in ("b", "C", "a/b", "A", "a-b")))
        assert [name for name, _ in listed(catalog)] == ["A", "a-b", "a/b", "b", "C"]

    @pytest.mark.parametrize(
        ("versions", "latest"),
        [
            (["1.9", "1.10", "1.2"], "1.10"),
            (["2.0rc1", "1.0"], "1.0"),
            (["2.0.dev1", "2.0a1"], "2.0a1"),
            (["nightly", "2.0a1"], "nightly"),
            (["1.0.post1", "1.0+cuda", "1.0"], "1.0.post1"),
            (["1!0.1", "9"], "1!0.1"),
        ],
        ids=lambda value: value if isinstance(value, str) else None,
    )
    def test_the_latest_is_the_highest_that_is_no_prerelease(
        self, catalog: Catalog, versions: list[str], latest: str
    ) -> None:
        add(catalog, *(row("m", version) for version in versions))
        found = catalog.latest("m")
        assert found is not None
        assert found.version == latest

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ({"name": "b"}, [("B", "1.9"), ("B", "1.10")]),
            ({"model_type": "audio"}, [("B", "1.9"), ("B", "1.10")]),
            ({"format": "onnx"}, [("a", "1.10"), ("B", "1.10")]),
            ({"min_size": 20}, [("a", "1.10"), ("B", "1.10")]),
            ({"model_type": "audio", "format": "onnx"}, [("B", "1.10")]),
            ({"name": "a", "model_type": "audio"}, []),
            ({"format": "of nobody"}, []),
        ],
        ids=str,
    )
    def test_a_listing_is_narrowed_by_each_and_by_all(
        self, catalog: Catalog, asked: dict[str, Any], expected: list[tuple[str, str]]
    ) -> None:
        fill(catalog)
        assert listed(catalog, **asked) == expected

    @pytest.mark.parametrize("size", [1, 2, 3, 100])
    @pytest.mark.parametrize("asked", [{}, {"format": "onnx"}, {"name": "b"}], ids=str)
    def test_a_listing_comes_in_pages(self, catalog: Catalog, size: int, asked: dict[str, str]) -> None:
        fill(catalog)
        pages: list[tuple[str, str]] = []
        while page := listed(catalog, **asked, limit=size, after=pages[-1] if pages else None):
            assert len(page) <= size
            pages += page
        assert pages == listed(catalog, **asked)

    def test_a_page_goes_on_after_a_version_that_is_gone(self, catalog: Catalog) -> None:
        fill(catalog)
        catalog.remove("B", "1.9", keep=False)
        assert listed(catalog, after=("b", "1.9"), limit=1) == [("B", "1.10")]

    def test_counts_and_bytes_are_right(self, catalog: Catalog) -> None:
        fill(catalog)
        catalog.remove("a", "1.9", keep=True)
        stats = catalog.stats()
        assert (stats.models, stats.versions, stats.removed_versions) == (2, 3, 1)
        assert (stats.logical_bytes, stats.removed_bytes, stats.stored_bytes) == (50, 10, BLOB[1])
        assert (stats.by_format, stats.by_type) == ({"bytes": 1, "onnx": 2}, {"audio": 2, "custom": 1})

    def test_similar_names_are_those_of_visible_models(self, catalog: Catalog) -> None:
        add(catalog, row("Digits"), row("digest"), row("other"))
        catalog.remove("digest", None, keep=True)
        assert catalog.similar_names("digitz") == ["Digits"]

    def test_large_blobs_are_found_by_their_size(self, catalog: Catalog) -> None:
        large, other = ("b" * 64, 3 << 30), ("c" * 64, (3 << 30) + 1)
        add(catalog, row("m", "1.0", blobs=((*large, "a"), (*large, "b"), (*other, "c"))))
        assert catalog.blobs_of_size(3 << 30) == [large[0]]
        assert catalog.blobs_of_size((3 << 30) - 1) == []

    # Removing

    def test_what_is_removed_is_hidden_until_it_is_restored(self, catalog: Catalog, folder: Path) -> None:
        add(catalog, row("m", "1.0"), row("m", "2.0"))
        before = catalog.get("m", "1.0")
        (removed,) = catalog.remove("M", "1.0.0", keep=True)
        assert (removed.version, catalog.get("m", "1.0")) == ("1.0", None)
        for instance in (catalog, self.make_catalog(folder)):
            assert listed(instance) == [("m", "2.0")]
            (hidden,) = instance.versions(removed=True)
            assert hidden.removed_at is not None
            assert evolve(hidden, removed_at=None) == before
        (restored,) = catalog.restore("m", "1")
        assert restored.removed_at is None
        assert catalog.versions() == [before, catalog.get("m", "2.0")]
        assert catalog.versions(removed=True) == []

    def test_what_is_not_kept_is_forgotten(self, catalog: Catalog) -> None:
        add(catalog, row("m", "1.0"), row("m", "2.0"))
        assert [each.blobs for each in catalog.remove("m", None, keep=False)] == [(BLOB,)] * 2
        assert (catalog.versions(), catalog.versions(removed=True)) == ([], [])
        assert catalog.restore("m", None) == []
        assert catalog.remove("m", None, keep=True) == []
        assert list(catalog.references()) == []

    def test_of_two_removals_the_newest_is_restored(self, catalog: Catalog) -> None:
        for digest in ("1" * 64, "2" * 64):
            add(catalog, row(digest=digest))
            catalog.remove("m", None, keep=True)
        assert [each.digest for each in catalog.versions(removed=True)] == ["2" * 64]
        assert [each.digest for each in catalog.restore("m", None)] == ["2" * 64]
        assert catalog.restore("m", "1.0") == []

    def test_restoring_is_all_or_nothing(self, catalog: Catalog) -> None:
        add(catalog, row("m", "1.0"), row("m", "2.0"))
        catalog.remove("m", None, keep=True)
        add(catalog, row("m", "2.0", digest="c" * 64))
        with pytest.raises(VersionExistsError):
            catalog.restore("m", None)
        assert listed(catalog) == [("m", "2.0")]
        assert listed(catalog, removed=True) == [("m", "1.0"), ("m", "2.0")]

    def test_purging_forgets_what_was_removed_before(self, catalog: Catalog) -> None:
        add(catalog, row("m", "1.0"), row("m", "2.0"))
        catalog.remove("m", "1.0", keep=True)
        assert catalog.purge(0) == 0
        assert listed(catalog, removed=True) == [("m", "1.0")]
        assert catalog.purge(now() + 1) == 1
        assert (listed(catalog), listed(catalog, removed=True)) == ([("m", "2.0")], [])

    # Collecting

    def test_only_what_nobody_needs_is_collected(self, catalog: Catalog) -> None:
        """Not what a visible or a removed version needs, nor what a lease claims."""
        visible, removed, claimed, garbage = map(numbered, range(4))
        add(catalog, row("m", "1.0", blobs=((visible, 5, "a"),)), row("m", "2.0", blobs=((removed, 6, ""),)))
        catalog.remove("m", "2.0", keep=True)
        lease = catalog.begin("me")
        catalog.claim(lease, [claimed])
        deleted: list[str] = []

        def delete(sha256: str) -> int:
            deleted.append(sha256)
            return 9

        assert catalog.collect([visible, removed, claimed, garbage], delete) == (1, 9)
        assert deleted == [garbage]
        assert sorted(catalog.references()) == [(visible, 5), (removed, 6)]
        catalog.release(lease)
        assert catalog.collect([visible, removed, claimed], delete) == (1, 9)
        assert deleted == [garbage, claimed]

    def test_a_shared_blob_goes_with_its_last_version(self, catalog: Catalog) -> None:
        add(catalog, row("m", "1.0"), row("n", "1.0", blobs=(BLOB, (BLOB[0], BLOB[1], "again"))))
        for name, freed in (("m", 0), ("n", 1)):
            catalog.remove(name, None, keep=False)
            assert catalog.collect([BLOB[0]], lambda sha256: 7) == (freed, 7 * freed)
        assert catalog.stats().stored_bytes == 0

    def test_a_registration_that_gives_up_frees_what_it_claimed(self, catalog: Catalog) -> None:
        """But for what a version or another registration needs."""
        add(catalog, row())
        one, other = catalog.begin("me"), catalog.begin("you")
        catalog.claim(one, [BLOB[0], numbered(1), numbered(2)])
        catalog.claim(other, [numbered(2)])
        deleted: list[str] = []

        def delete(sha256: str) -> int:
            deleted.append(sha256)
            return 1

        catalog.release(one, [BLOB[0], numbered(1), numbered(2)], delete)
        assert deleted == [numbered(1)]

    def test_any_number_is_collected(self, catalog: Catalog) -> None:
        assert catalog.collect([numbered(number) for number in range(1201)], lambda sha256: 1) == (1201, 1201)

    # Many at once

    def test_threads_that_register_lose_nothing(self, catalog: Catalog, folder: Path) -> None:
        """Half of them through another instance; every number is given once."""
        instances = (catalog, self.make_catalog(folder))
        together = threading.Barrier(THREADS)

        def work(number: int) -> list[str]:
            mine, versions = instances[number % 2], []
            together.wait()
            for _ in range(EACH):
                lease = mine.begin(f"thread {number}")
                versions.append(mine.reserve_next_version(lease, "m"))
                mine.claim(lease, [BLOB[0]])
                mine.commit(lease, row("m", versions[-1]))
            return versions

        with ThreadPoolExecutor(THREADS) as pool:
            given = [version for versions in pool.map(work, range(THREADS)) for version in versions]
        assert sorted(given) == sorted({f"1.0.{number}" for number in range(THREADS * EACH)})
        for instance in instances:
            assert sorted(version for _, version in listed(instance)) == sorted(given)

    def test_of_threads_that_want_one_version_one_gets_it(self, catalog: Catalog) -> None:
        together = threading.Barrier(THREADS)

        def work(number: int) -> bool:
            lease = catalog.begin(f"thread {number}")
            together.wait()
            try:
                catalog.commit(lease, row("m", "1.0", digest=numbered(number)))
            except VersionExistsError:
                return False
            return True

        with ThreadPoolExecutor(THREADS) as pool:
            won = list(pool.map(work, range(THREADS)))
        assert sum(won) == 1
        assert [each.digest for each in catalog.versions()] == [numbered(won.index(True))]


def fill(catalog: Catalog) -> None:
    """Two models of two versions."""
    for name in ("a", "B"):
        for number in ("1.10", "1.9"):
            kind = "audio" if name == "B" else "custom"
            size, format = (20, "onnx") if number == "1.10" else (10, "bytes")
            add(catalog, row(name, number, model_type=kind, format=format, size=size))

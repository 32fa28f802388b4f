"""The conformance kit lets what is right pass, and each of its checks fails for a fake with one planted fault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections import defaultdict
from pathlib import Path

import pytest
from kit_faults import (
    CATALOG_FAULTS,
    CATALOG_SUITE,
    PARTS,
    PLUGIN,
    PLUGIN_FAULTS,
    PLUGIN_SUITE,
    STORE_FAULTS,
    STORE_SUITE,
)

from model_registry.testing import BlobStoreConformance, CatalogConformance, PluginConformance, RefusedFile, Sample
from model_registry.testing.processes import reference

#: Notes how each test of a run ended.
CONFTEST = """
import json
from pathlib import Path

reports = []

def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        reports.append((report.nodeid, report.when, report.outcome))

def pytest_sessionfinish():
    Path("reports.json").write_text(json.dumps(reports))
"""


class Runner:
    """Suites in files of their own, run together by one pytest in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.chosen: list[str] = []
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / "site").mkdir()

    def add(self, suite: str, check: str = "") -> None:
        """A suite, of which one check is run, or all."""
        name = f"{check or 'test_right'}.py"
        (self.folder / name).write_text(suite)
        self.chosen.append(f"{name}::TestSuite{f'::{check}' if check else ''}")

    def add_plugin(self, source: str, check: str = "", suffix: str = "") -> None:
        """A plugin that looks installed, and its suite."""
        number = len(self.chosen)
        name, module = f"fake-{number}", f"model_registry_fake_{number}{suffix}"
        (self.folder / "site" / f"{module}.py").write_text(source)
        info = self.folder / "site" / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[model_registry.plugins]\n{name} = {module}:Plugin\n")
        self.add(PLUGIN_SUITE.format(module=module, name=name), check)

    def run(self) -> dict[str, set[tuple[str, str]]]:
        """By file: (when, outcome) of what was run in it."""
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(self.folder / "site"), *filter(None, sys.path)]),
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *self.chosen]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        outcomes = defaultdict(set)
        for node, when, outcome in json.loads((self.folder / "reports.json").read_text()):
            outcomes[node.partition(".py::")[0]].add((when, outcome))
        return outcomes


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[tuple[str, str]]]:
    """How the suites of plugins ended: of one that is right, and of one with each fault."""
    runner = Runner(tmp_path_factory.mktemp("plugins"))
    runner.add_plugin(PLUGIN)
    for check, (right, wrong) in PLUGIN_FAULTS.items():
        if right:
            assert PLUGIN.count(right) == 1, f"the fault of {check} cannot be planted"
        runner.add_plugin(PLUGIN.replace(right, wrong) if right else PLUGIN, check, "" if right else "_else")
    return runner.run()


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[tuple[str, str]]]:
    runner = Runner(tmp_path_factory.mktemp("stores"))
    for check, fault in STORE_FAULTS.items():
        runner.add(STORE_SUITE.format(fault=indented(fault)), check)
    return runner.run()


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[tuple[str, str]]]:
    runner = Runner(tmp_path_factory.mktemp("catalogs"))
    for check, (part, fault) in CATALOG_FAULTS.items():
        runner.add(CATALOG_SUITE.format(base=PARTS[part], part=part, fault=indented(fault)), check)
    return runner.run()


def indented(fault: str) -> str:
    return textwrap.indent(textwrap.dedent(fault), "    ")


def fails(outcomes: set[tuple[str, str]]) -> bool:
    """Whether the check itself failed, and not what was made for it."""
    return {("call", "failed")} <= outcomes <= {("call", "failed"), ("call", "passed")}


def test_a_plugin_that_is_right_passes(plugins: dict[str, set[tuple[str, str]]]) -> None:
    assert plugins["test_right"] == {("call", "passed")}


@pytest.mark.parametrize("check", PLUGIN_FAULTS)
def test_a_plugin_with_a_fault_fails(plugins: dict[str, set[tuple[str, str]]], check: str) -> None:
    assert fails(plugins[check])


@pytest.mark.parametrize("check", STORE_FAULTS)
def test_a_blob_store_with_a_fault_fails(stores: dict[str, set[tuple[str, str]]], check: str) -> None:
    assert fails(stores[check])


@pytest.mark.parametrize("check", CATALOG_FAULTS)
def test_a_catalog_with_a_fault_fails(catalogs: dict[str, set[tuple[str, str]]], check: str) -> None:
    assert fails(catalogs[check])


@pytest.mark.parametrize(
    ("suite", "faults"),
    [
        (PluginConformance, PLUGIN_FAULTS),
        (BlobStoreConformance, STORE_FAULTS),
        (CatalogConformance, CATALOG_FAULTS),
    ],
    ids=["plugins", "stores", "catalogs"],
)
def test_every_check_has_its_fault(suite: type, faults: dict[str, object]) -> None:
    assert {name for name in dir(suite) if name.startswith("test_")} == set(faults)


def test_a_class_that_no_other_process_can_find_is_told() -> None:
    class Local(PluginConformance):
        pass

    with pytest.raises(TypeError, match="Local must stand at the top of a module, where a new process finds it"):
        reference(Local)


def test_what_an_author_may_leave_out_has_a_default() -> None:
    assert Sample("label", lambda folder: 1).equal(1, 1)
    assert RefusedFile("label", lambda folder: folder).format is None
    assert not PluginConformance().samples()
    assert not PluginConformance().refused_files()

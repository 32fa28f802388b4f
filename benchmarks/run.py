"""The benchmarks: ``python benchmarks/run.py [--quick] [--only SUBJECT…] [--write]``.

Every figure is a ratio against plain libraries or floors in the same run, or a count, or a time whose target is a time.
Nothing here is part of the tests. With ``--write``, the table goes to ``docs/benchmarks.md`` and the README, and the
curves to ``docs/images``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import archiving
import browsing
import catalog
import command_line
import comparing
import compressing
import deduplication
import detecting
import growth
import loading
import registering
import small_models
import transformers_onnx
from measuring import FULL, QUICK, Scale, scratch
from plots import plot
from table import ROOT, Row, write

import serving

Subject = Callable[[Path, Scale], Iterator[Row]]


def subjects(images: Path) -> dict[str, tuple[str, Subject]]:
    """What can be measured, by a short name: its title, and what yields its rows.

    :param images: Where the curves are drawn.
    """
    plain = (
        registering,
        loading,
        transformers_onnx,
        detecting,
        small_models,
        deduplication,
        archiving,
        compressing,
        comparing,
        command_line,
        serving,
        browsing,
    )
    return {
        **{module.__name__: (module.TITLE, module.measure) for module in plain},
        "catalog": (catalog.TITLE, lambda folder, scale: _growing_catalog(folder, scale, images)),
        "growth": ("Growth", lambda folder, scale: _growing_models(folder, scale, images)),
    }


def _growing_catalog(folder: Path, scale: Scale, images: Path) -> Iterator[Row]:
    curves: catalog.Curves = {}
    yield from catalog.measure(folder, scale, curves)
    shown = {name: curve for name, curve in curves.items() if not name.endswith("catalog")}
    plot(images / "growth-versions.png", "What is asked most, by the versions there are", "versions", shown)


def _growing_models(folder: Path, scale: Scale, images: Path) -> Iterator[Row]:
    (sizes, by_hand), counts = growth.by_bytes(folder, scale), growth.by_files(folder, scale)
    curves = {"register": sizes, "copy + sha256, fsync": by_hand}
    plot(images / "growth-bytes.png", "Registering one file, by its size", "MiB", curves, linear=True)
    title = "Registering a folder of files of 16 KiB, by their number"
    plot(images / "growth-files.png", title, "files", {"register": counts}, linear=True)
    for work, what, curve in (
        ("registering", "MiB", sizes),
        ("… copying and hashing by hand", "MiB", by_hand),
        ("registering", "files", counts),
    ):
        *_, before, last = sorted(curve)
        bend = (curve[last] / last) / (curve[before] / before)
        yield Row(f"{work}: cost for each of {last:,} {what} ÷ of {before:,}", f"{bend:.2f}")


def measure(subject: Subject, scale: Scale, folder: Path | None) -> Iterator[Row]:
    """The rows of one subject, in a folder of its own."""
    with scratch(folder) as place:
        yield from subject(place, scale)


def main() -> None:
    arguments = _arguments()
    scale = QUICK if arguments.quick else FULL
    found: dict[str, list[Row]] = {}
    with scratch(arguments.folder) as place:
        known = subjects(ROOT / "docs" / "images" if arguments.write else place)
        for name in arguments.only or known:
            title, subject = known[name]
            print(title, flush=True)
            for row in measure(subject, scale, place):
                target = f" (target {row.target}) {row.verdict}" if row.target else ""
                print(f"  {row.what}: {row.figure}{target}", flush=True)
                found.setdefault(title, []).append(row)
    if arguments.write:
        write(found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="everything small, to try it out")
    parser.add_argument("--only", nargs="+", metavar="SUBJECT", choices=sorted(subjects(Path())), default=())
    parser.add_argument("--write", action="store_true", help="into docs/ and README.md")
    parser.add_argument("--folder", type=Path, help="where to measure: on the disk that counts")
    arguments = parser.parse_args()
    if arguments.write and (arguments.quick or arguments.only):
        parser.error("only a whole run is written")
    return arguments


if __name__ == "__main__":
    main()

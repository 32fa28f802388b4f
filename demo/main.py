"""The main job on real data, told step by step: train, register, list, load elsewhere, verify, share, damage, remove,
restore; then a real sentence model, converted with a proof that the numbers agree.

Usage: ``make demo``, or ``python demo/main.py [--keep DIR] [--svg FILE]``. Every claim it prints is checked; the first
that is false ends it with exit code 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import sentences
from damage import flipped_byte, largest_file
from digits import Digits, load_split
from elsewhere import run_elsewhere
from model_registry import IntegrityError, ModelEntry, ModelFormat, ModelRegistry, ModelType
from picture import save as save_picture
from sharing import share
from show import Story, console
from training import measure, train

NAME = "mnist_classifier"
RECIPES = (  # version, how many digits to learn from, epochs, description
    ("1.0.0", 200, 5, "a first try on 200 digits"),
    ("1.1.0", 1347, 5, "all the digits"),
    ("2.0.0", 1347, 30, "all the digits, and patience"),
)


def main() -> None:
    options = _options()
    screen = console(record=options.svg is not None)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="model-registry-demo-") as temporary:
        os.environ["XDG_CACHE_HOME"] = str(Path(temporary) / "cache")  # what a client keeps goes with the rest
        tell(Story(screen), options.keep or Path(temporary) / "models", Path(temporary))
    screen.print(f"\n[bold green]All of it held[/bold green], in {time.perf_counter() - started:.0f} s.")
    if options.keep:
        screen.print(f"The registry is kept in {options.keep}; try: model-registry --registry {options.keep} list")
    if options.svg:
        save_picture(screen, options.svg, "make demo")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The main job of model_registry on real data.")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="make the registry here and keep it (a new folder)")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="also save the console as a picture")
    options = parser.parse_args()
    if options.keep and options.keep.exists():
        parser.error(f"--keep {options.keep}: exists already; the demo begins with an empty registry")
    return options


def tell(story: Story, path: Path, scratch: Path) -> None:
    """The whole story, with the registry at ``path`` and throw-away files in ``scratch``."""
    story.title("model_registry", "A plain folder that keeps models: no server, no pickle, no silent damage.")
    registry = ModelRegistry(path)
    learn, test = load_split()
    train_and_register(story, registry, learn, test)
    list_and_show(story, registry)
    predicted = serve_elsewhere(story, registry, path, test, scratch)
    serve_with_trusted_classes(story, path, test, scratch, predicted)
    verify(story, registry)
    share(story, registry, NAME, test)
    damage(story, registry, path)
    remove_and_restore(story, registry)
    sentences.tell(story, registry, scratch)


def train_and_register(story: Story, registry: ModelRegistry, learn: Digits, test: Digits) -> None:
    with story.step("Train three versions on real handwritten digits, and register each with what was measured"):
        story.say(f"{len(learn):,} digits to learn from, {len(test)} to be tested with, 28 × 28 pixels")
        accuracies = []
        for version, count, epochs, description in RECIPES:
            model = train(learn.first(count), epochs=epochs)
            metrics = measure(model, test)
            started = time.perf_counter()
            entry = registry.register_model(
                name=NAME,
                model=model,
                model_format=ModelFormat.PYTORCH,
                model_type=ModelType.CLASSIFICATION,
                version=version,
                description=f"handwritten digits: {description}",
                training_dataset="UCI handwritten digits, as scikit-learn ships them",
                training_epochs=epochs,
                performance_metrics=metrics,
                tags=["digits", "classification"],
                input_shape=[1, 28, 28],
                output_shape=[10],
            )
            elapsed = (time.perf_counter() - started) * 1000
            story.say(f"[bold]{entry.reference}[/bold]  {description}: registered in {elapsed:.0f} ms")
            accuracies.append(metrics["accuracy"])
        rising = accuracies == sorted(set(accuracies))
        story.claim("the accuracy on unseen digits rises: " + " < ".join(f"{a:.1%}" for a in accuracies), rising)


def list_and_show(story: Story, registry: ModelRegistry) -> None:
    with story.step("List what is there, and look at one"):
        entries = registry.list_models(ModelType.CLASSIFICATION)
        columns = ("model", "version", "accuracy", "loss", "F1", "parameters", "size", "digest")
        story.table(columns, map(_row, entries), numbers=("accuracy", "loss", "F1", "parameters", "size"))
        story.claim("three versions are listed", len(entries) == len(RECIPES))
        latest = _entry(registry)
        story.facts(_facts(latest))
        story.claim("the latest is 2.0.0", latest.version == "2.0.0")


def _entry(registry: ModelRegistry, version: str = "latest") -> ModelEntry:
    entry = registry.get_model_info(NAME, version)
    if entry is None:
        sys.exit(f"{NAME}:{version} should be in the registry, and is not")
    return entry


def _row(entry: ModelEntry) -> tuple[str, ...]:
    metrics = entry.metadata.performance_metrics
    return (
        entry.name,
        entry.version,
        f"{metrics['accuracy']:.1%}",
        f"{metrics['loss']:.3f}",
        f"{metrics['f1_score']:.3f}",
        f"{entry.metadata.parameters_count:,}",
        f"{entry.size / 1e6:.2f} MB",
        entry.digest[:12],
    )


def _facts(entry: ModelEntry) -> list[tuple[str, str]]:
    data = entry.metadata
    return [
        ("model", entry.reference),
        ("digest", f"sha256:{entry.digest}"),
        ("description", str(data.description)),
        ("trained on", f"{data.training_dataset}, {data.training_epochs} epochs"),
        ("input, output", f"{list(data.input_shape or [])} → {list(data.output_shape or [])}"),
        ("files", ", ".join(f"{file.path} ({file.size:,} bytes)" for file in entry.files)),
    ]


def serve_elsewhere(story: Story, registry: ModelRegistry, path: Path, test: Digits, scratch: Path) -> list[int]:
    """What the process read, digit by digit."""
    with story.step("Load the latest in a new process that has only the model's class, and read digits"):
        answer = run_elsewhere("with_the_class.py", path, test, scratch, modules=["classifier"])
        predicted: list[int] = answer["predicted"]
        mistakes = [i for i, digit in enumerate(predicted) if digit != test.labels[i]]
        chosen = [0, 1, *mistakes, 2][:3]
        story.digits(test.images[chosen], [f"reads {predicted[i]}, is {test.labels[i]}" for i in chosen])
        story.claim("that process has none of the code that trained the model", not answer["has_training_code"])
        own = answer["is_the_class"] and answer["version"] == "2.0.0"
        story.claim("it got an instance of its own class, from version 2.0.0", own)
        registered = _entry(registry).metadata.performance_metrics["accuracy"]
        measured = 1 - len(mistakes) / len(test)
        same = round(measured, 4) == registered
        story.claim(f"it reads {measured:.1%} of {len(test)} unseen digits, as was registered", same)
    return predicted


def serve_with_trusted_classes(story: Story, path: Path, test: Digits, scratch: Path, expected: list[int]) -> None:
    with story.step("Load it where the class has another home: nothing is imported on the word of a file"):
        answer = run_elsewhere("with_trusted_classes.py", path, test, scratch, modules=[])
        story.message(answer["refusal"], "load_model(…) says")
        story.claim("without permission it is refused, with the ways out", "trusted_classes" in answer["refusal"])
        same = answer["predicted"] == expected
        story.claim("with trusted_classes=[MNISTClassifier] it loads, and reads the same digits", same)


def verify(story: Story, registry: ModelRegistry) -> None:
    with story.step("Verify every byte of the registry"):
        report = registry.validate_registry(deep=True)
        story.claim(
            f"{report['valid_models']} of {report['total_models']} versions are valid, {len(report['errors'])} errors",
            report["valid_models"] == report["total_models"] == len(RECIPES) and not report["errors"],
        )


def damage(story: Story, registry: ModelRegistry, path: Path) -> None:
    with story.step("Flip one bit of one byte on the disk"):
        entry = _entry(registry, "2.0.0")
        file = largest_file(entry)
        with flipped_byte(path / "blobs" / "sha256" / file.sha256) as offset:
            story.say(f"one bit of byte {offset:,} of {file.path} in {entry.reference}")
            refusal = _refusal(registry, "2.0.0")
            story.message(refusal, "load_model(…) says")
            story.claim("loading refuses it", bool(refusal))
            errors = registry.validate_registry()["errors"]
            story.message("\n".join(map(str, errors)), "validate_registry() says")
            named = any(file.path in str(error) and entry.reference in str(error) for error in errors)
            story.claim("validation names the version and the file", named)
            story.claim("the other versions still load", not _refusal(registry, "1.0.0") + _refusal(registry, "1.1.0"))
        story.claim("with the bit put back, it loads again", not _refusal(registry, "2.0.0"))


def _refusal(registry: ModelRegistry, version: str) -> str:
    """What the registry says when it refuses to load a version because of its bytes; "" when it loads."""
    try:
        registry.load_model(NAME, version)
    except IntegrityError as error:
        return str(error)
    return ""


def remove_and_restore(story: Story, registry: ModelRegistry) -> None:
    with story.step("Remove a version, and think better of it"):
        story.claim("2.0.0 is removed", registry.remove_model(NAME, "2.0.0"))
        story.claim("the latest is 1.1.0 now", _entry(registry).version == "1.1.0")
        registry.restore_model(NAME, "2.0.0")
        story.claim("2.0.0 is restored, and is the latest again", _entry(registry).version == "2.0.0")
        story.claim("it loads", not _refusal(registry, "2.0.0"))


if __name__ == "__main__":
    main()

"""Take a picture of the page of a model: real digits, some attempts at reading them, and a real browser."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from digits import load_split
from model_registry import ModelEntry, ModelFormat, ModelRegistry
from sharing import served
from training import measure, train

#: What was tried: for how many epochs, from which version on, and what is said of it.
ATTEMPTS = [(1, "a first try"), (2, "twice as long"), (4, "four epochs"), (8, "eight epochs"), (16, "sixteen epochs")]
WIDTH, HEIGHT = 1280, 1060


def fill(registry: ModelRegistry) -> None:
    """Register every attempt, each derived from the one before it."""
    learn, test = load_split()
    before: list[ModelEntry] = []
    for epochs, said in ATTEMPTS:
        model = train(learn, epochs=epochs)
        entry = registry.register_model(
            "digits",
            model,
            ModelFormat.PYTORCH,
            description=said,
            author="Ada",
            tags=["vision"],
            performance_metrics=measure(model, test),
            input_shape=[1, 28, 28],
            parent=before[-1:],
        )
        before.append(entry)
    registry.set_alias("digits", "champion", "1.0.2")
    registry.set_alias("digits", "champion", "1.0.4")
    registry.set_tag("digits", "stage", "production")
    registry.describe("digits", "Reads handwritten digits of 28 × 28 pixels.")


def take(address: str, target: Path) -> None:
    """Have a browser show the model's page, and save what it shows as PNG."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playing:
        browser = playing.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, locale="en-US")
        page.goto(f"{address}/ui/models/digits")
        page.screenshot(path=target)
        browser.close()


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        registry = ModelRegistry(Path(folder) / "models")
        with registry.acting_as("ada"):  # not the user of this machine
            fill(registry)
        with served(Path(folder) / "models") as url:
            take(url, Path(sys.argv[1]))

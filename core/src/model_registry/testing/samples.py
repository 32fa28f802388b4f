"""What an author gives the kit: models that must come back, and files that must be refused."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen


@frozen
class Sample:
    """A model that the plugin must store and give back.

    A new process takes its samples from ``samples()`` of the same class, so nothing here has to be pickled: lambdas and
    classes of the test module are welcome. ``make`` must give equal models whenever and wherever it is called.

    :param label: What it is called in the names of the tests; unique in the class.
    :param make: Makes the model, or a file or folder inside the empty folder that it gets, and gives it or its path.
    :param equal: ``equal(loaded, made)``: whether what was loaded is what ``make`` gives.
    :param format: The format to register it in; None if the plugin must recognise it.
    :param options: Keywords of ``register_model``.
    :param load_options: Keywords of ``load_model``, such as ``allow_code=True``.
    :param metadata: Fields of ``ModelMetadata`` that the plugin must find out by itself, with their values.
    :param deterministic: False for a model that its framework itself writes differently every time.
    :param unchecked: Members that are sound whatever their bytes, such as plain text: cut short, nobody can tell.
    """

    label: str
    make: Callable[[Path], Any]
    equal: Callable[[Any, Any], bool] = operator.eq
    format: str | None = None
    options: Mapping[str, Any] = field(factory=dict)
    load_options: Mapping[str, Any] = field(factory=dict)
    metadata: Mapping[str, Any] = field(factory=dict)
    deterministic: bool = True
    unchecked: Collection[str] = ()


@frozen
class RefusedFile:
    """A file or folder that must not become a version: broken, or asking for more than data.

    :param label: What it is called in the names of the tests; unique in the class.
    :param make: Makes it inside the folder that it gets, and gives its path. A payload shall leave a file in that
        folder, which is the current one when the file is registered: that is how the kit sees that it ran.
    :param format: The format to register it in; None to leave it to detection.
    """

    label: str
    make: Callable[[Path], Path]
    format: str | None = None

"""Whether two models compute the same: values to run them on, and comparing what they give.

Arrays are those of NumPy, which bring their arithmetic with them: nothing is imported here.
"""

from __future__ import annotations

from model_registry.parity.agreement import Agreement as Agreement
from model_registry.parity.values import cases as cases
from model_registry.parity.values import narrowed as narrowed

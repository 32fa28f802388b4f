"""How slow a client may be."""

from __future__ import annotations

from attrs import frozen


@frozen
class Pace:
    """Whoever is slower is given up: a trickle would hold a connection, and what belongs to it, for ever.

    :param seconds: In which something must come; None for any time.
    :param rate: Bytes a second that must come, on average over those seconds; 0 for any number. Of what is taken from
        here less is seen, so that it is measured in another way: :class:`~model_registry_server.listening.lag.Lag`.
    """

    seconds: float | None = 30.0
    rate: float = 0.0

    @property
    def least(self) -> int:
        """Bytes that must come within the seconds."""
        return max(1, int((self.seconds or 0) * self.rate))


#: Without further knowledge: something within half a minute.
USUAL = Pace()

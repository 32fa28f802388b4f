"""Points in time, as the state keeps them: whole microseconds since 1970, in UTC."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
#: The last one that there is in every time zone.
LAST = datetime(9999, 12, 31, tzinfo=timezone.utc)


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(timezone.utc)


def aware(moment: datetime) -> datetime:
    """The same moment; one that names no zone is one in UTC."""
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment


def microseconds(moment: datetime) -> int:
    """An aware ``datetime`` as the state keeps it, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    """The way back; instead of a moment after the last one, that."""
    return _EPOCH + min(microseconds * _MICROSECOND, LAST - _EPOCH)

"""What ``[plugins.server]`` in ``registry.toml`` may say."""

from __future__ import annotations

from attrs import frozen

from model_registry_server.transfer.pace import Pace

#: Bytes of a megabyte.
MEGABYTE = 1_000_000


@frozen
class ServerOptions:
    """Options of the plugin. Megabytes are 1,000,000 bytes.

    :param host: The address to listen at. Any but a loopback address demands tokens.
    :param port: The port to listen at.
    :param hosts: Names by which clients may call the server, such as ``"models.example.com"``; loopback names always
        may. A pattern ``"*.example.com"`` stands for all names below it.
    :param proxies: Addresses of proxies that say in ``X-Forwarded-For`` who asks; only they are believed.
    :param auth: ``"auto"``: tokens are demanded unless only this machine can reach the server and no token was ever
        made; ``"required"``: always.
    :param workers: How many jobs, such as conversions, may run at once, each in a process of its own.
    :param worker_idle_seconds: How long such a process waits for more work before it ends.
    :param max_upload_mb: The largest upload; 0 for any.
    :param quota_mb: What all files of the registry may take together; 0 for any. Uploads beyond are refused.
    :param upload_hours: How long an upload that nobody continues is kept.
    :param body_timeout: Seconds in which the next bytes of a body must come.
    :param body_rate: Bytes a second that must at least, on average over ``body_timeout``; 0 for any number. Answers
        must be taken at this rate, too: a client may be behind by ``body_timeout`` at this rate and 2 MiB.
    :param rate_limit: Requests a minute for each token, or each address without one; 0 for any number.
    :param max_connections: How many connections may be open at once.
    :param hub_hosts: Hosts that models may be fetched from, as ``hosts``.
    :param hub_private: They may have private addresses, such as a mirror in this network.
    :param webhook_hosts: Hosts that webhooks may call.
    :param webhook_private: Webhooks may call private addresses, such as those of this network.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    hosts: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    auth: str = "auto"
    workers: int = 2
    worker_idle_seconds: float = 60.0
    max_upload_mb: float = 0.0
    quota_mb: float = 0.0
    upload_hours: float = 24.0
    body_timeout: float = 30.0
    body_rate: float = 1000.0
    rate_limit: int = 6000
    max_connections: int = 20000
    hub_hosts: tuple[str, ...] = ("huggingface.co", "*.huggingface.co", "*.hf.co")
    hub_private: bool = False
    webhook_hosts: tuple[str, ...] = ()
    webhook_private: bool = False

    @property
    def pace(self) -> Pace:
        """How slowly a client may send a body, or take an answer."""
        return Pace(self.body_timeout, self.body_rate)


_POSITIVE = ("workers", "worker_idle_seconds", "upload_hours", "body_timeout", "max_connections")
_NOT_NEGATIVE = ("max_upload_mb", "quota_mb", "body_rate", "rate_limit")


def mistakes_in(options: ServerOptions) -> list[str]:
    """What makes no sense, a line each."""
    said = {name: getattr(options, name) for name in (*_POSITIVE, *_NOT_NEGATIVE)}
    mistakes = [f"{name} = {said[name]}: it is more than 0" for name in _POSITIVE if not said[name] > 0]
    mistakes += [f"{name} = {said[name]}: it is 0 or more" for name in _NOT_NEGATIVE if not said[name] >= 0]
    if not 0 <= options.port <= 65535:
        mistakes.append(f"port = {options.port}: it is from 0 to 65535")
    if options.auth not in ("auto", "required"):
        mistakes.append(f"auth = {options.auth!r}: it is 'auto' or 'required'")
    return mistakes

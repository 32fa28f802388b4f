"""What ``[plugins.server]`` in ``registry.toml`` may say."""

from __future__ import annotations

import math

from attrs import field, frozen
from attrs.validators import ge, gt, in_, le, lt

from model_registry_server.option_checks import are_hosts, are_networks
from model_registry_server.transfer.pace import Pace

#: Bytes of a megabyte.
MEGABYTE = 1_000_000

#: Processes that work for one server at once, at most.
MOST_WORKERS = 64

_FINITE = lt(math.inf)


@frozen
class ServerOptions:
    """Options of the plugin. Megabytes are 1,000,000 bytes.

    :param host: The address to listen at. Any but a loopback address demands tokens.
    :param port: The port to listen at.
    :param hosts: Names by which clients may call the server, such as ``"models.example.com"``; loopback names always
        may. A pattern ``"*.example.com"`` stands for all names below it.
    :param proxies: Addresses of proxies that say in ``X-Forwarded-For`` who asks, or their networks, such as
        ``"10.0.0.0/24"``; only they are believed.
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
    :param max_connections: How many connections may be open at once, three quarters of them from one address, unless it
        is one of ``proxies``.
    :param hub_hosts: Hosts that models may be fetched from, as ``hosts``.
    :param hub_private: They may have private addresses, such as a mirror in this network.
    :param webhook_hosts: Hosts that webhooks may call.
    :param webhook_private: Webhooks may call private addresses, such as those of this network.
    :raises ValueError: for a value that makes no sense.
    """

    host: str = "127.0.0.1"
    port: int = field(default=8000, validator=[ge(0), le(65535)])
    hosts: tuple[str, ...] = field(default=(), validator=are_hosts)
    proxies: tuple[str, ...] = field(default=(), validator=are_networks)
    auth: str = field(default="auto", validator=in_(("auto", "required")))
    workers: int = field(default=2, validator=[ge(1), le(MOST_WORKERS)])
    worker_idle_seconds: float = field(default=60.0, validator=[gt(0), _FINITE])
    max_upload_mb: float = field(default=0.0, validator=[ge(0), _FINITE])
    quota_mb: float = field(default=0.0, validator=[ge(0), _FINITE])
    upload_hours: float = field(default=24.0, validator=[gt(0), _FINITE])
    body_timeout: float = field(default=30.0, validator=[gt(0), _FINITE])
    body_rate: float = field(default=1000.0, validator=[ge(0), _FINITE])
    rate_limit: int = field(default=6000, validator=ge(0))
    max_connections: int = field(default=20000, validator=gt(0))
    hub_hosts: tuple[str, ...] = field(default=("huggingface.co", "*.huggingface.co", "*.hf.co"), validator=are_hosts)
    hub_private: bool = False
    webhook_hosts: tuple[str, ...] = field(default=(), validator=are_hosts)
    webhook_private: bool = False

    @property
    def pace(self) -> Pace:
        """How slowly a client may send a body, or take an answer."""
        return Pace(self.body_timeout, self.body_rate)

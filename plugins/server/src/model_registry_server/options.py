"""What ``[plugins.server]`` in ``registry.toml`` may say."""

from __future__ import annotations

from attrs import frozen

#: Bytes of a megabyte.
MEGABYTE = 1_000_000


@frozen
class ServerOptions:
    """Options of the plugin. Megabytes are 1,000,000 bytes.

    :param host: The address to listen at. Any but a loopback address demands tokens.
    :param port: The port to listen at.
    :param hosts: Names by which clients may call the server, such as ``"models.example.com"``; loopback names always
        may. A pattern ``"*.example.com"`` stands for all names below it.
    :param auth: ``"auto"``: tokens are demanded unless only this machine can reach the server and no token was ever
        made; ``"required"``: always.
    :param workers: How many jobs, such as conversions, may run at once, each in a process of its own.
    :param worker_idle_seconds: How long such a process waits for more work before it ends.
    :param max_upload_mb: The largest upload; 0 for any.
    :param quota_mb: What all files of the registry may take together; 0 for any. Uploads beyond are refused.
    :param upload_hours: How long an upload that nobody continues is kept.
    :param body_timeout: Seconds in which the next bytes of a body must come.
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
    auth: str = "auto"
    workers: int = 2
    worker_idle_seconds: float = 60.0
    max_upload_mb: float = 0.0
    quota_mb: float = 0.0
    upload_hours: float = 24.0
    body_timeout: float = 30.0
    rate_limit: int = 6000
    max_connections: int = 20000
    hub_hosts: tuple[str, ...] = ("huggingface.co", "*.huggingface.co", "*.hf.co")
    hub_private: bool = False
    webhook_hosts: tuple[str, ...] = ()
    webhook_private: bool = False

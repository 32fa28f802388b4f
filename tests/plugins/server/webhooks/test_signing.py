"""A receiver takes what its server signed, as it was signed, and for a few minutes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_registry import InvalidOptionError
from model_registry_server.webhooks.signing import InvalidSignatureError, key_of, new_secret, sign, verify

NOW = 1_700_000_000
SECRETS = st.binary(min_size=24, max_size=64).map(lambda key: f"whsec_{base64.b64encode(key).decode()}")
IDS = st.text("0123456789abcdef", min_size=1, max_size=32)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def check(secret: str, headers: dict[str, str], body: bytes, now: float = NOW, tolerance: float = 300) -> None:
    verify(secret, headers, body, tolerance, clock=lambda: now)


@given(SECRETS, IDS, st.integers(0, 10**11), st.binary(max_size=200))
def test_what_was_signed_is_taken(secret: str, id: str, timestamp: int, body: bytes) -> None:
    check(secret, sign(secret, id, timestamp, body), body, timestamp)


@given(SECRETS, SECRETS, IDS, st.binary(max_size=200))
def test_another_secret_is_refused(secret: str, other: str, id: str, body: bytes) -> None:
    if secret != other:
        with pytest.raises(InvalidSignatureError, match="not that of the delivery"):
            check(other, sign(secret, id, NOW, body), body)


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_another_body_is_refused(body: bytes, other: bytes) -> None:
    if body != other:
        with pytest.raises(InvalidSignatureError):
            check(SECRET, sign(SECRET, "1", NOW, body), other)


@given(IDS, IDS, st.integers(-300, 300))
def test_another_id_or_time_is_refused(id: str, other: str, shift: int) -> None:
    headers = sign(SECRET, id, NOW, b"{}")
    if id != other:
        with pytest.raises(InvalidSignatureError):
            check(SECRET, {**headers, "webhook-id": other}, b"{}")
    if shift:
        with pytest.raises(InvalidSignatureError):
            check(SECRET, {**headers, "webhook-timestamp": str(NOW + shift)}, b"{}")


@given(st.text(max_size=80))
def test_no_other_signature_is_taken(text: str) -> None:
    headers = sign(SECRET, "1", NOW, b"{}")
    if headers["webhook-signature"] not in text.split(" "):
        with pytest.raises(InvalidSignatureError):
            check(SECRET, {**headers, "webhook-signature": text}, b"{}")


@given(st.text(max_size=20), st.text(max_size=20))
def test_headers_of_any_content_are_refused_and_never_crash(id: str, timestamp: str) -> None:
    headers = {**sign(SECRET, "1", NOW, b"{}"), "webhook-id": id, "webhook-timestamp": timestamp}
    if (id, timestamp) != ("1", str(NOW)):
        with pytest.raises(InvalidSignatureError):
            check(SECRET, headers, b"{}")


def test_the_beginning_of_a_body_cannot_be_taken_for_a_part_of_the_id() -> None:
    headers = sign(SECRET, "a", 1, f"{NOW}.body".encode())
    with pytest.raises(InvalidSignatureError):
        check(SECRET, {**headers, "webhook-id": "a.1", "webhook-timestamp": str(NOW)}, b"body")


def test_old_and_future_deliveries_are_refused() -> None:
    headers = sign(SECRET, "1", NOW, b"{}")
    check(SECRET, headers, b"{}", NOW + 300)
    check(SECRET, headers, b"{}", NOW - 300)
    check(SECRET, headers, b"{}", NOW + 900, tolerance=1000)
    for now in (NOW + 301, NOW - 301):
        with pytest.raises(InvalidSignatureError, match="not sent within 300 s"):
            check(SECRET, headers, b"{}", now)


def test_without_a_clock_it_is_now_that_counts() -> None:
    with pytest.raises(InvalidSignatureError, match="not sent within"):
        verify(SECRET, sign(SECRET, "1", NOW, b"{}"), b"{}")


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_every_header_is_needed(missing: str) -> None:
    headers = sign(SECRET, "1", NOW, b"{}")
    del headers[missing]
    with pytest.raises(InvalidSignatureError):
        check(SECRET, headers, b"{}")


def test_headers_come_in_any_case_and_with_signatures_of_other_secrets() -> None:
    headers = {name.title(): value for name, value in sign(SECRET, "1", NOW, b"{}").items()}
    headers["Webhook-Signature"] = f"v1,b3RoZXI= v1a,x {headers['Webhook-Signature']}"
    check(SECRET, headers, b"{}")


def test_it_is_the_signature_of_standard_webhooks() -> None:
    # As their specification describes it, computed by hand.
    id, timestamp, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    digest = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    assert sign(SECRET, id, timestamp, body)["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    # The example that their libraries are tested with.
    assert base64.b64encode(digest).decode() == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_new_secrets_are_good_and_all_different() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert {len(key_of(secret)) for secret in secrets} == {32}


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "secret", SECRET[6:], f"{SECRET}ü", "whsec_" + "A" * 400]
)
def test_what_is_no_secret_is_refused(secret: str) -> None:
    with pytest.raises(InvalidOptionError, match="no secret of a webhook"):
        key_of(secret)


def test_a_receiver_needs_no_server() -> None:
    code = (
        "import sys, model_registry_server.webhooks.signing; print({'fastapi', 'httpx', 'uvicorn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"

"""What a failed connection to an API server means."""

from __future__ import annotations

import base64
import datetime as dt
import os

import aiohttp
import msgspec

from services.common.errors import FailedPreconditionError, PodyardError, UnavailableError
from services.k8s_resource.adapters.credentials import SessionMaterial


class FailedAttemptError(Exception):
    """One attempt failed in a way that another may not. `unprocessed`: certainly not begun."""

    def __init__(
        self, error: PodyardError, retry_after: float | None = None, *, unprocessed: bool = False
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry_after = retry_after
        self.unprocessed = unprocessed


def failure_of(server: str, error: Exception, inactivity: float) -> Exception:
    """The failure of a request before its answer came; a domain error if it will not pass.

    `inactivity` is the limit that was set, in seconds.
    """
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError)):
        return FailedPreconditionError(
            f"no secure connection to {server}: {error}; check certificate-authority-data and "
            "tls-server-name in the kubeconfig",
            reason="CLUSTER_TLS",
        )
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
        return FailedAttemptError(
            UnavailableError(
                f"cannot connect to the API server {server}: {_why(error)}; check that it runs "
                "and that the kubeconfig's address is right",
                reason="CLUSTER_UNREACHABLE",
            ),
            unprocessed=True,
        )
    return FailedAttemptError(broken(server, error, inactivity))


def broken(server: str, error: BaseException, inactivity: float) -> UnavailableError:
    """The error of a connection that broke, or on which nothing came for `inactivity` seconds."""
    if isinstance(error, TimeoutError):
        return UnavailableError(f"{server} sent nothing for {inactivity:g} s", reason="INACTIVE")
    return UnavailableError(
        f"the connection to {server} broke: {_why(error)}", reason="CLUSTER_UNREACHABLE"
    )


def refused(material: SessionMaterial, message: str) -> FailedPreconditionError:
    """The error of a 401: Podyard's own credentials, not the caller's, are not accepted."""
    expiry = token_expiry(material.authorization)
    expired = expiry is not None and expiry <= dt.datetime.now(dt.UTC)
    if expiry is not None and expired:
        why = f"the token expired at {expiry:%Y-%m-%d %H:%M:%S} UTC"
    elif material.authorization:
        why = "the token is not, or not any more, one of this cluster's"
    else:
        why = "a client certificate may have expired, or there is none"
    return FailedPreconditionError(
        f"the API server does not accept Podyard's credentials for this cluster ({message}): {why}; "
        f"they are those of {material.source}, and not the caller's: renew them there, they are "
        "used from the next request on",
        reason="CLUSTER_CREDENTIALS_REFUSED",
        metadata={
            "credentials": material.source,
            **({"expired": expiry.isoformat()} if expiry is not None and expired else {}),
        },
    )


def token_expiry(authorization: str) -> dt.datetime | None:
    """When a JSON web token in an Authorization header expires, as it says itself."""
    parts = authorization.rpartition(" ")[2].split(".")
    if len(parts) != 3:
        return None
    try:
        claims = msgspec.json.decode(
            base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)), type=_Claims
        )
        return dt.datetime.fromtimestamp(claims.exp, dt.UTC) if claims.exp is not None else None
    except (ValueError, OverflowError, OSError, msgspec.MsgspecError):
        return None


class _Claims(msgspec.Struct):
    exp: float | None = None


def _why(error: BaseException) -> str:
    """A failure of a connection in words that mean something without knowing aiohttp."""
    if isinstance(error, aiohttp.ClientPayloadError):
        return "it ended in the middle of an answer"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server closed it"
    if isinstance(error, TimeoutError):
        return "no connection in time"
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
        return os.strerror(cause.errno)
    return str(error) or type(error).__name__

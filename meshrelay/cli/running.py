"""Asking the relay that runs on this folder, through its local interface.

Not here: what to do when none runs; commands then work from the folder themselves.
"""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

from meshrelay import folder
from meshrelay.errors import PeerFault, PeerUnreachable, Refusal

_PATH = "/api/v1/local/"
_QUICK, _PATIENT = 5.0, 900.0


def ask(data: Path, what: str, document: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """Return the answer of the relay that runs on the folder `data`, or None when none runs.

    With a `document` something is asked to be done, and that may take long. Raises Refusal, PeerUnreachable or
    PeerFault, as what was asked does.
    """
    relay = folder.running(data)
    if relay is None:
        return None
    host, _, port = relay.desk.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=_QUICK if document is None else _PATIENT)
    headers = {"Authorization": f"Bearer {relay.token}", "Content-Type": "application/json"}
    try:
        if document is None:
            connection.request("GET", _PATH + what, headers=headers)
        else:
            connection.request("POST", _PATH + what, json.dumps(document), headers)
        answer = connection.getresponse()
        status, found = answer.status, json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Refusal(
            f"the relay that runs here (process {relay.pid}) does not answer",
            hint="wait a moment and try again, or stop that process and start it anew",
        ) from error
    finally:
        connection.close()
    if status == http.client.OK and isinstance(found, dict):
        return found
    raise _trouble(status, found if isinstance(found, dict) else {})


def _trouble(status: int, found: dict[str, Any]) -> Exception:
    message = str(found.get("error", f"the relay answers {status}"))
    if status == http.client.GATEWAY_TIMEOUT:
        return PeerUnreachable(message)
    if status == http.client.BAD_GATEWAY:
        return PeerFault(message)
    return Refusal(message, hint=str(found.get("hint", "see that both are of the same version")))

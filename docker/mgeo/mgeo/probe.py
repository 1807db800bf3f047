"""`python3 -m mgeo.probe [path]`: the image's HEALTHCHECK, standard library only. Exit 0 when the path answers 200."""

from __future__ import annotations

import http.client
import os
import sys


def main() -> int:
    path = sys.argv[1] if len(sys.argv) > 1 else "/healthz"
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("MGEO_PORT") or 8000), timeout=3)
    try:
        connection.request("GET", path)
        return 0 if connection.getresponse().status == 200 else 1
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main())

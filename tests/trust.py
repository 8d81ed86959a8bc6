"""What clients of tests trust: give it to httpx as `verify`.

httpx reads the certificates of all authorities for each client that it is not given to, also for
`httpx.get` and for URLs without TLS, which takes longer than most answers.
"""

import ssl

TRUST = ssl.create_default_context()

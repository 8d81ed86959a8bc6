"""The processes of a running service: `serve` starts and watches them, `jobs` is one of them."""

"""The processes of a running service. `serve` starts and watches them; `jobs` runs one of them."""

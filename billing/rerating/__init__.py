"""Rating many calls again in the background: the queue of requests, and the worker."""

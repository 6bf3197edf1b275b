"""A checkout that fails or dawdles as often as its published version was told to.

ERROR_PERCENT, LATENCY_MS, SLOW_PERCENT, SLOW_MS and SMOKE_ANSWER come from the function's configuration, which a published version keeps
for ever: to make a bad version, change them and publish.
"""

import logging
import os
import random
import time

ERROR_PERCENT = float(os.environ.get("ERROR_PERCENT", "0"))
LATENCY_MS = float(os.environ.get("LATENCY_MS", "0"))
SLOW_PERCENT = float(os.environ.get("SLOW_PERCENT", "0"))
SLOW_MS = float(os.environ.get("SLOW_MS", "0"))
SMOKE_ANSWER = os.environ.get("SMOKE_ANSWER")
VERSION = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "unknown")


class PaymentFailed(Exception):
    """What a customer sees as an error, and Lambda counts as one."""


def handler(event, context):
    is_slow = random.uniform(0, 100) < SLOW_PERCENT
    time.sleep((SLOW_MS if is_slow else LATENCY_MS) / 1000)
    order = event.get("order", "none") if isinstance(event, dict) else "none"
    # What a smoke test meets may differ from what users meet: that is why releases are watched.
    if SMOKE_ANSWER and order == "smoke":
        return {"status": SMOKE_ANSWER, "order": order, "version": VERSION}
    if random.uniform(0, 100) < ERROR_PERCENT:
        problem = f"version {VERSION} could not reach the payment provider"
        logging.error("ERROR %s", problem)
        raise PaymentFailed(problem)
    return {"status": "paid", "order": order, "version": VERSION}

#!/usr/bin/env python3
"""Draws visitors.csv: visitors of a shop, some of whom order. The seed is fixed, so the file is always the same.

    python3 draw.py > visitors.csv
"""

import random

random.seed(7)
print("visitor,arm,ordered,revenue,payment_failed,seconds,paid_by")
for number in range(6_000):
    arm = random.choice(["control", "short"])
    is_short = arm == "short"
    ordered = random.random() < (0.135 if is_short else 0.105)
    failed = random.random() < 0.012
    revenue = f"{random.lognormvariate(3.6, 0.7):.2f}" if ordered else ""
    seconds = f"{random.lognormvariate(4.6 if is_short else 5.0, 0.6):.0f}" if ordered else ""
    paid_by = random.choices(["card", "wallet", "invoice"], [60, 25 if is_short else 22, 18])[0] if ordered else ""
    print(f"v{number:05},{arm},{int(ordered)},{revenue},{int(failed)},{seconds},{paid_by}")

#!/usr/bin/env python3
"""Draws visitors.csv: visitors of a shop, some of whom order. The seed is fixed, so the file is always the same.

    python3 draw.py > visitors.csv
"""

import random

random.seed(7)
print("visitor,arm,ordered,revenue,payment_failed,seconds,left_at")
for number in range(9_000):
    arm = random.choice(["control", "short"])
    is_short = arm == "short"
    ordered = random.random() < (0.135 if is_short else 0.105)
    failed = random.random() < 0.012
    revenue = f"{random.lognormvariate(3.6, 0.7):.2f}" if ordered else ""
    seconds = random.lognormvariate(4.6 if is_short else 4.7, 0.9)
    left_at = "nowhere" if ordered else random.choices(["catalogue", "cart", "payment"], [60, 25, 15 if is_short else 20])[0]
    print(f"v{number:05},{arm},{int(ordered)},{revenue},{int(failed)},{seconds:.1f},{left_at}")

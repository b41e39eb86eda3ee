"""Bookinfo's ratings-v2: `mongo_client.py HOST PORT`.

Inserts ratings, reads each of them back and compares, prints `ready`; then reads one again every 200 ms over the open
connections until a line comes in, prints `resting`, reads one with each further line, and stays connected until its
standard input ends. Fails if a value that it reads differs from the one written.
"""

import os
import sys
import threading

from pymongo import MongoClient

RATINGS = [{"_id": number, "rating": number % 5 + 1, "review": "★" * 500} for number in range(40)]

host, port = sys.argv[1:]
client = MongoClient(
    host,
    int(port),
    directConnection=True,
    serverSelectionTimeoutMS=20_000,
    heartbeatFrequencyMS=600_000,  # the driver's heartbeats would continue while the client rests
)
# A collection of its own: another client may have written the same ratings.
ratings = client.test[f"ratings-{os.getpid()}"]


def check(expected):
    found = ratings.find_one({"_id": expected["_id"]})
    if found != expected:
        sys.exit(f"wrote {expected!r}, read {found!r}")


ratings.insert_many(RATINGS)
for rating in RATINGS:
    check(rating)
print("ready", flush=True)

stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
while not stop.wait(0.2):
    check(RATINGS[0])
print("resting", flush=True)
for _ in sys.stdin:
    check(RATINGS[0])
client.close()

"""A server with MongoDB's wire protocol that stores inserted documents, as far as the demo needs it.

Prints `listening on 127.0.0.1:PORT`.
"""

import threading

from bson import Int64
from mockupdb import MockupDB

HELLO = {
    "isWritablePrimary": True,
    "ismaster": True,
    "helloOk": True,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "maxBsonObjectSize": 16 * 1024 * 1024,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "logicalSessionTimeoutMinutes": 30,
    "readOnly": False,
}

collections = {}


def matches(document, query):
    return all(document.get(key) == value for key, value in query.items())


def reply(request):
    command = request.command_name
    if command in ("hello", "ismaster", "isMaster"):
        return request.replies(HELLO)
    if command == "insert":
        documents = request.doc["documents"]
        collections.setdefault(request.doc[command], []).extend(documents)
        return request.replies(ok=1, n=len(documents))
    if command == "find":
        name = request.doc[command]
        found = [each for each in collections.get(name, []) if matches(each, request.doc["filter"])]
        cursor = {"id": Int64(0), "ns": f"{request.doc['$db']}.{name}", "firstBatch": found}
        return request.replies(ok=1, cursor=cursor)
    return request.replies(ok=1)


server = MockupDB(request_timeout=int(1e6))
server.autoresponds(reply)
print(f"listening on 127.0.0.1:{server.run()}", flush=True)
threading.Event().wait()

"""Needs Python 3.8 and nothing else. Usage: client.py http://localhost:8081"""
import json, sys, time, urllib.request
from urllib.error import HTTPError
from urllib.parse import quote

base = sys.argv[1]

def call(method, path, body=None, media_type="application/json", **headers):
    """Status, headers and body. Repeats 503 after Retry-After, five times at most."""
    headers = {"Content-Type": media_type, **{name.replace("_", "-"): text for name, text in headers.items()}}
    for attempt in range(6):
        request = urllib.request.Request(base + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except HTTPError as error:
            if error.code != 503 or attempt == 5:
                return error.code, error.headers, error.read()
            time.sleep(min(int(error.headers.get("Retry-After", 1)), 30))

def put(name, user, **headers):
    return call("PUT", "/users/" + quote(name, safe=""), json.dumps(user).encode(), **headers)[0]

def increment(name):
    """Changes a user so that no other client's change is lost."""
    for _ in range(100):
        _, headers, body = call("GET", "/users/" + quote(name, safe=""))
        user = json.loads(body)
        if put(name, {**user, "age": user["age"] + 1}, If_Match=headers["ETag"]) == 200:
            return  # After 412 another client was faster: read again.
    raise SystemExit("gave up")

assert put("Python", {"age": 0, "occupation": "Counter"}) == 200
print(call("GET", "/users/Python")[2].decode(), end="")
for _ in range(5):
    increment("Counter")
lines = [{"name": "Python 1", "age": 1, "occupation": "Batch"}, {"delete": "Python"}]
body = "".join(json.dumps(line) + "\n" for line in lines).encode()
print(call("POST", "/users/batch", body, "application/x-ndjson")[2].decode(), end="")

"""Writers that remember what they were answered, so that it can be asked for afterwards."""

import http.client
import json
import threading
import time

from stack import ANSWER_SECONDS_MAX, call, eventually, mysql

WRITERS = 8
NAMES_OF_A_WRITER = 25
PAUSE_AFTER_FAILURE_S = 0.05


class Load:
    """Writes to one service from several connections until it is told to stop.

    Each writer has names of its own and counts up in them, so a name must end at the last count that was
    acknowledged, or at one that was tried after it.
    """

    def __init__(self, service, label):
        self.service = service
        self.label = label
        self.acknowledged = {}
        self.tried = {}
        self.answers = 0
        self.failures = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._writers = [threading.Thread(target=self._write, args=(number,)) for number in range(WRITERS)]

    def __enter__(self):
        for writer in self._writers:
            writer.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends it; each writer finishes its request."""
        self._over.set()
        for writer in self._writers:
            writer.join()

    def wait_for(self, answers, seconds_max=120):
        """Until so many more writes were acknowledged."""
        wanted = self.answers + answers
        eventually(f"{answers} writes of {self.label}", lambda: self.answers >= wanted, seconds_max)

    def _write(self, number):
        count = 0
        connection = None
        while not self._over.is_set():
            count += 1
            name = f"{self.label}-{number}-{count % NAMES_OF_A_WRITER}"
            body = json.dumps({"name": name, "age": count % 151, "occupation": str(count)})
            self.tried[name] = count
            try:
                if connection is None:
                    connection = http.client.HTTPConnection(
                        "127.0.0.1", self.service.port, timeout=ANSWER_SECONDS_MAX
                    )
                connection.request("POST", self.service.write_path, body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                acknowledged = answer.status == 200
            except (OSError, http.client.HTTPException):
                acknowledged = False
                connection.close()
                connection = None
            with self._lock:
                if acknowledged:
                    self.acknowledged[name] = count
                    self.answers += 1
                else:
                    self.failures += 1
            if not acknowledged:
                time.sleep(PAUSE_AFTER_FAILURE_S)
        if connection is not None:
            connection.close()

    def lost_in_database(self):
        """The names whose row is older than what was acknowledged, or newer than what was tried."""
        rows = dict(mysql(f"SELECT name, occupation FROM users WHERE deleted_at IS NULL AND name LIKE '{self.label}-%'"))
        return self._wrong(lambda name: int(rows.get(name, 0)))

    def lost_to_readers(self, service):
        """The same of what a service answers its readers."""

        def read(name):
            status, _, body = call(service, "GET", f"/users/{name}")
            assert status in (200, 404), f"GET {name}: {status} {body}"
            return int(json.loads(body)["occupation"]) if status == 200 else 0

        return self._wrong(read)

    def _wrong(self, count_of):
        found = {name: count_of(name) for name in self.acknowledged}
        return {
            name: (acknowledged, found[name], self.tried[name])
            for name, acknowledged in self.acknowledged.items()
            if not acknowledged <= found[name] <= self.tried[name]
        }

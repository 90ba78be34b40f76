"""The composed stack, as its clients and operators use it: docker, docker compose, HTTP."""

import http.client
import json
import os
import socket
import subprocess
import time

COMPOSE_FILE = "docker/compose.yaml"
COMMAND_SECONDS_MAX = 300
BUILD_SECONDS_MAX = 2400
READY_SECONDS_MAX = 180
ANSWER_SECONDS_MAX = 15


class Service:
    """One of the two services: its name in compose.yaml, its image, its calls."""

    def __init__(self, name, port_variable, reads):
        self.name = name
        self.image = f"{name}-svc"
        self.port_variable = port_variable
        self.port = free_port()
        self.write_path = f"/{name}"
        self.read_path = reads


def free_port():
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


WRITE_THROUGH = Service("write-through", "WRITE_THROUGH_PORT", "/read-through")
WRITE_BEHIND = Service("write-behind", "WRITE_BEHIND_PORT", "/read-behind")
SERVICES = [WRITE_THROUGH, WRITE_BEHIND]
PROMETHEUS_PORT = free_port()

os.environ.update({service.port_variable: str(service.port) for service in SERVICES})
os.environ["PROMETHEUS_PORT"] = str(PROMETHEUS_PORT)


def run(*command, seconds_max=COMMAND_SECONDS_MAX, check=True):
    """The output of a command; its end is waited for."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds_max, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def docker(*arguments, **options):
    """The output of docker, without the line end."""
    return run("docker", *arguments, **options).stdout.strip()


def compose(*arguments, profiles=(), **options):
    """The output of docker compose on the real file."""
    chosen = [word for profile in profiles for word in ("--profile", profile)]
    return run("docker", "compose", "-f", COMPOSE_FILE, *chosen, *arguments, **options).stdout.strip()


def container(name):
    """The id of a service's container, stopped or not."""
    found = compose("ps", "--all", "--quiet", name, profiles=["write-through", "write-behind", "monitoring"])
    assert len(found.split()) == 1, f"containers of {name}: {found!r}"
    return found


def inspect(what, template):
    """A figure of a container or an image, by a Go template; JSON."""
    return json.loads(docker("inspect", "--format", "{{json %s}}" % template, what))


def call(service_or_port, method, path, body=None, seconds_max=ANSWER_SECONDS_MAX):
    """One request: (status, headers, body as text)."""
    port = getattr(service_or_port, "port", service_or_port)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds_max)
    try:
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        headers = {} if text is None else {"Content-Type": "application/json"}
        connection.request(method, path, text, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def eventually(what, condition, seconds_max=READY_SECONDS_MAX):
    """Waits until the condition holds; its value."""
    deadline = time.monotonic() + seconds_max
    last = None
    while time.monotonic() < deadline:
        try:
            last = condition()
            if last:
                return last
        except (OSError, http.client.HTTPException, AssertionError, ValueError) as error:
            last = error
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds_max} s: {what} ({last})")


def wait_until_ready(service):
    """Until it answers that it is ready, and Docker by its health check that it is healthy."""
    eventually(f"{service.name} is ready", lambda: call(service, "GET", "/readyz")[0] == 200)
    name = container(service.name)
    eventually(f"{service.name} is healthy", lambda: inspect(name, ".State.Health.Status") == "healthy")


def secret(name):
    """A password of docker/secrets."""
    with open(f"docker/secrets/{name}", encoding="utf-8") as file:
        return file.read().strip()


def mysql(sql):
    """What a statement answers, each row as its columns; asked by MySQL's own client, as root."""
    lines = docker(
        "exec", "-e", f"MYSQL_PWD={secret('mysql_root_password')}", container("mysql"),
        "mysql", "--user=root", "--default-character-set=utf8mb4", "--batch", "--skip-column-names", "users",
        "--execute", sql,
    )
    return [line.split("\t") for line in lines.splitlines()]


def redis(*words):
    """What Redis answers to a command."""
    return docker("exec", container("redis"), "redis-cli", *words)

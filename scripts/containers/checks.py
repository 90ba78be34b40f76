"""What must be true of the images and of the composed stack, checked from outside.

Run by scripts/test-containers, which has the images' base images at hand.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

import packages
from load import Load
from stack import (
    BUILD_SECONDS_MAX,
    COMPOSE_FILE,
    PROMETHEUS_PORT,
    SERVICES,
    WRITE_BEHIND,
    WRITE_THROUGH,
    Service,
    call,
    compose,
    container,
    docker,
    eventually,
    inspect,
    mysql,
    redis,
    run,
    secret,
    wait_until_ready,
)

IMAGE_BYTES_MAX = 30_000_000
USER = "65532"
# Its default.
SHUTDOWN_DEADLINE_S = 25
# What the engine makes to mount a secret.
MOUNT_POINTS = ["A /run", "A /run/secrets", "A /run/secrets/database_url"]
BOTH = ["write-through", "write-behind"]
JOHN = {"name": "John Doe", "age": 30, "occupation": "Engineer"}
PROBLEM = "application/problem+json"

checks = []


def check(function):
    """Adds a check; they run in this order."""
    checks.append(function)
    return function


def equal(found, expected, what):
    """Fails, showing both."""
    assert found == expected, f"{what}: {found!r}, not {expected!r}"


@check
def one_command_brings_everything_up():
    """docker compose up -d --build, which builds both images by their Dockerfiles."""
    compose("up", "-d", "--build", seconds_max=BUILD_SECONDS_MAX)
    for service in SERVICES:
        wait_until_ready(service)
    running = sorted(compose("ps", "--services", "--status", "running").split())
    equal(running, ["mysql", "redis", "write-behind", "write-through"], "what runs")


@check
def the_servers_are_the_versions_that_compose_names():
    """MySQL 9 and Redis 8, with the durability that redis.conf asks for."""
    assert mysql("SELECT VERSION()")[0][0].startswith("9."), mysql("SELECT VERSION()")
    version = next(line for line in redis("INFO", "server").splitlines() if line.startswith("redis_version:"))
    assert version.startswith("redis_version:8."), version
    for name, value in [("appendonly", "yes"), ("appendfsync", "always"), ("maxmemory-policy", "noeviction")]:
        equal(redis("CONFIG", "GET", name).split(), [name, value], "Redis")
    for service in SERVICES:
        status, _, body = call(service, "GET", "/readyz")
        equal(status, 200, body)
        print(f"  {service.name}: {body}")


@check
def the_images_are_small_and_labelled():
    """Size, labels and the version of the binary."""
    for service in SERVICES:
        image = inspect(container(service.name), ".Config.Image")
        size = inspect(image, ".Size")
        print(f"  {image}: {size / 1e6:.1f} MB")
        assert size <= IMAGE_BYTES_MAX, f"{image} has {size} bytes"
        labels = inspect(image, ".Config.Labels")
        said = docker("run", "--rm", image, "--version")
        version = labels["org.opencontainers.image.version"]
        revision = labels["org.opencontainers.image.revision"]
        assert version and revision, labels
        equal(said, f"{service.image} {version} ({revision})", "--version and labels")
        equal(labels["org.opencontainers.image.title"], service.image, "title")


@check
def they_run_as_nobody_on_a_root_that_cannot_be_written():
    """User, capabilities, read-only root; and nothing was written to it."""
    for server in ["redis", "mysql"]:
        equal(inspect(container(server), ".HostConfig.PortBindings"), {}, f"published ports of {server}")
    for service in SERVICES:
        name = container(service.name)
        equal(docker("top", name, "-eo", "pid,uid").splitlines()[1].split()[1], USER, "uid of the process")
        equal(inspect(name, ".HostConfig.ReadonlyRootfs"), True, "read-only root")
        equal(inspect(name, ".HostConfig.CapDrop"), ["ALL"], "dropped capabilities")
        assert inspect(name, ".Config.StopTimeout") > SHUTDOWN_DEADLINE_S, "it is killed before it has drained"
        written = {line for line in docker("diff", name).splitlines() if line not in MOUNT_POINTS}
        equal(written, set(), "written to the root")
        for bindings in inspect(name, ".NetworkSettings.Ports").values():
            assert {binding["HostIp"] for binding in bindings} == {"127.0.0.1"}, bindings


@check
def the_classic_calls_answer():
    """Writes, reads and deletes of each service, rightly and wrongly, and what MySQL has of them."""
    for service in SERVICES:
        user = JOHN | {"name": f"{service.name} é 😀"}
        path = f"/users/{service.name}%20%C3%A9%20%F0%9F%98%80"
        status, headers, body = call(service, "POST", service.write_path, user)
        equal((status, json.loads(body)), (200, {"message": "Data write successful!"}), "write")
        equal(headers["Durability"], "persisted" if service is WRITE_THROUGH else "journaled", "Durability")
        status, _, body = call(service, "POST", service.read_path, {"name": user["name"]})
        equal((status, json.loads(body)), (200, user), "read")
        for other in SERVICES:
            status, headers, body = call(other, "GET", path)
            equal((status, json.loads(body)), (200, user), f"read by {other.name}")
            assert headers["Cache-Status"], headers
        call(WRITE_BEHIND, "POST", "/flush?timeout_s=30")
        found = mysql(f"SELECT age, occupation FROM users WHERE name = '{user['name']}' AND deleted_at IS NULL")
        equal(found, [["30", "Engineer"]], "row")
        equal(call(service, "DELETE", path)[0], 204, "delete")
        equal(call(service, "GET", path)[0], 404, "read of what was deleted")
        equal(call(service, "DELETE", path)[0], 404, "second delete")
        for method, wrong_path, body, expected in [
            ("POST", service.write_path, "{", 400),
            ("POST", service.write_path, user | {"age": 151}, 422),
            ("GET", service.write_path, None, 405),
            ("GET", "/nothing", None, 404),
        ]:
            status, headers, _ = call(service, method, wrong_path, body)
            equal((status, headers["Content-Type"]), (expected, PROBLEM), f"{method} {wrong_path}")


def nothing_is_lost(*loads):
    """Everything acknowledged is in MySQL after a flush, and both services give it to readers."""
    eventually("a flush", lambda: call(WRITE_BEHIND, "POST", "/flush?timeout_s=10")[0] == 200)
    for load in loads:
        assert load.acknowledged, f"{load.label}: nothing was acknowledged"
        equal(load.lost_in_database(), {}, f"{load.label}: lost in the database (acknowledged, found, tried)")
        for service in SERVICES:
            equal(load.lost_to_readers(service), {}, f"{load.label}: lost to readers of {service.name}")
        print(f"  {load.label}: {load.answers} acknowledged, {load.failures} refused, 0 lost")


def disturb(what, disturbance):
    """Does it to the stack while both services are written to."""
    loads = [Load(service, f"{what}-{service.name}") for service in SERVICES]
    with loads[0], loads[1]:
        for load in loads:
            load.wait_for(200)
        disturbance()
        for service in SERVICES:
            wait_until_ready(service)
        for load in loads:
            load.wait_for(200)
    nothing_is_lost(*loads)


@check
def a_restart_of_any_container_under_load_loses_nothing():
    """docker restart, which is SIGTERM and a new start."""
    for name in ["write-through", "write-behind", "redis", "mysql"]:
        disturb(f"restart-{name}", lambda: docker("restart", container(name)))


@check
def a_kill_of_any_container_under_load_loses_nothing():
    """SIGKILL of the process, after which the engine starts it again by itself."""

    def kill(name):
        began = inspect(container(name), ".State.StartedAt")
        # With docker kill, it would count as stopped on purpose.
        process = inspect(container(name), ".State.Pid")
        shell = ["run", "--rm", "--pid=host", "--user=0", "--entrypoint", "bash", image_of_mysql(), "-c"]
        docker(*shell, f"kill -9 {process}")
        eventually(f"{name} runs again", lambda: inspect(container(name), ".State.StartedAt") > began)

    for name in ["write-through", "write-behind", "redis", "mysql"]:
        disturb(f"kill-{name}", lambda: kill(name))


@check
def a_stop_drains():
    """What waited for the database when the stop began is there when it has ended."""
    name = container(WRITE_BEHIND.name)
    docker("pause", container("mysql"))
    try:
        with Load(WRITE_BEHIND, "stop") as load:
            load.wait_for(2000)
    finally:
        # The stop begins while the database does not answer.
        stop = subprocess.Popen(["docker", "stop", name], stdout=subprocess.DEVNULL)
        eventually("it has been told to stop", lambda: not accepts(WRITE_BEHIND))
        docker("unpause", container("mysql"))
    equal(stop.wait(60), 0, "docker stop")
    equal(inspect(name, ".State.ExitCode"), 0, "exit code")
    equal(load.lost_in_database(), {}, "not drained (acknowledged, found, tried)")
    print(f"  {load.answers} acknowledged while the database did not answer, all drained")
    docker("start", name)
    wait_until_ready(WRITE_BEHIND)
    nothing_is_lost(load)


@check
def down_drains_before_it_takes_the_servers_down():
    """docker compose down with a backlog, upon which MySQL has it all though no service has run again."""
    docker("pause", container("mysql"))
    try:
        with Load(WRITE_BEHIND, "backlog") as load:
            load.wait_for(2000)
    finally:
        down = subprocess.Popen(["docker", "compose", "-f", COMPOSE_FILE, "down"], stderr=subprocess.DEVNULL)
        eventually("it has been told to stop", lambda: not accepts(WRITE_BEHIND))
        docker("unpause", container("mysql"))
    equal(down.wait(120), 0, "docker compose down")
    compose("up", "-d", "redis", "mysql")
    eventually("MySQL answers", lambda: mysql("SELECT 1") == [["1"]])
    equal(load.lost_in_database(), {}, "not drained (acknowledged, found, tried)")
    print(f"  {load.answers} acknowledged while the database did not answer, all drained")
    compose("up", "-d")
    for service in SERVICES:
        wait_until_ready(service)


@check
def down_and_up_lose_nothing():
    """docker compose down while a journal waits for a database that is away, and up again."""
    docker("stop", container("mysql"))
    with Load(WRITE_BEHIND, "down") as load:
        load.wait_for(2000)
        compose("down")
    equal(compose("ps", "--all", "--quiet"), "", "containers after down")
    compose("up", "-d")
    for service in SERVICES:
        wait_until_ready(service)
    nothing_is_lost(load)


@check
def the_static_binary_speaks_tls():
    """To MySQL, whose certificate it refuses unless it is told not to look: MySQL has signed it itself."""
    password = secret("mysql_password")
    for options, expected in [("", 1), ("&verify_ca=false&verify_identity=false", 0)]:
        url = f"mysql://write_cache:{password}@mysql:3306/users?require_ssl=true{options}"
        done = run(
            "docker", "run", "--rm", "--network", f"{os.environ['COMPOSE_PROJECT_NAME']}_default",
            "-e", f"DATABASE_URL={url}", image_of(WRITE_THROUGH), "migrate", check=False,
        )
        equal(done.returncode, expected, done.stderr)
        assert expected == 0 or "certificate" in done.stderr, done.stderr
        assert password not in done.stderr, done.stderr


@check
def each_service_runs_alone():
    """The profiles."""
    for service in SERVICES:
        compose("down")
        compose("up", "-d", profiles=[service.name])
        wait_until_ready(service)
        running = sorted(compose("ps", "--services", "--status", "running", profiles=BOTH).split())
        equal(running, sorted(["mysql", "redis", service.name]), "what runs")
        equal(call(service, "POST", service.write_path, JOHN)[0], 200, "write")
        compose("down", profiles=BOTH)


@check
def prometheus_sees_both_services():
    """Every query of the dashboard and every alert has its figures. Grafana itself is not started here."""
    compose("up", "-d", "write-through", "write-behind", "prometheus", profiles=["monitoring"])
    for service in SERVICES:
        wait_until_ready(service)
    eventually("Prometheus is ready", lambda: call(PROMETHEUS_PORT, "GET", "/-/ready")[0] == 200)
    urls = [f"http://127.0.0.1:{port}" for port in [PROMETHEUS_PORT, WRITE_THROUGH.port, WRITE_BEHIND.port]]
    print(run("scripts/check-monitoring", "--prometheus", urls[0], "--load", *urls[1:]).stdout.strip())
    compose("down", profiles=["monitoring"])


@check
def an_image_alone_keeps_its_data_in_a_volume():
    """docker run as docs/deployment.md shows it: embedded parts, read-only root, data in a named volume."""
    for service in SERVICES:
        alone = Service(service.name, service.port_variable, service.read_path)
        volume = docker("volume", "create")
        name = ""
        try:
            for attempt in ["first", "second"]:
                name = docker(
                    "run", "-d", "--read-only", "--cap-drop", "ALL", "-v", f"{volume}:/data",
                    "-p", f"127.0.0.1:{alone.port}:{inspect_port(service)}", image_of(service),
                )
                eventually("it is ready", lambda: call(alone, "GET", "/readyz")[0] == 200)
                if attempt == "first":
                    equal(call(alone, "POST", service.write_path, JOHN)[0], 200, "write")
                status, _, body = call(alone, "GET", "/users/John%20Doe")
                equal((status, json.loads(body)), (200, JOHN), f"{attempt} start")
                docker("stop", "-t", "40", name)
                equal(inspect(name, ".State.ExitCode"), 0, "exit code")
                docker("rm", "--force", name)
        finally:
            run("docker", "rm", "--force", name, check=False)
            docker("volume", "rm", "--force", volume)


@check
def a_container_with_wrong_settings_says_so_and_ends():
    """Exit code 64 and the name of the setting, from the environment and from a mounted file."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with open(f"{folder}/settings.toml", "w", encoding="utf-8") as file:
            file.write('cache_url = "redis://secret@"\nnonsense = 1\n')
        for options, arguments, expected in [
            (["-e", "DATABASE_URL=postgres://u:secret@h/d"], [], "DATABASE_URL"),
            (["-e", "DATABASE_URL_FILE=/run/secrets/none"], [], "DATABASE_URL_FILE"),
            (["-v", f"{folder}:/etc/write-cache:ro"], ["--config", "/etc/write-cache/settings.toml"], "nonsense"),
        ]:
            done = run("docker", "run", "--rm", *options, image_of(WRITE_BEHIND), *arguments, check=False)
            equal(done.returncode, 64, f"{options} {done.stderr}")
            assert expected in done.stderr and "secret@" not in done.stderr, done.stderr


@check
def the_packages_install_upgrade_and_leave():
    """The Debian packages of the images' binaries, on a machine of their own with systemd."""
    with tempfile.TemporaryDirectory() as folder:
        binaries = packages.binaries_of([(image_of(service), service.image) for service in SERVICES], folder)
        packages.the_packages_keep_their_promises(binaries, folder)


def accepts(service):
    """Whether it takes connections."""
    try:
        with socket.create_connection(("127.0.0.1", service.port), timeout=1):
            return call(service, "GET", "/healthz")[0] == 200
    except OSError:
        return False
    except http.client.HTTPException:
        return False


def image_of_mysql():
    """As compose.yaml names it."""
    return inspect(container("mysql"), ".Config.Image")


def image_of(service):
    """As compose.yaml builds it."""
    return f"{service.image}:{os.environ['IMAGE_TAG']}"


def inspect_port(service):
    """The port that the image exposes."""
    (port,) = inspect(image_of(service), ".Config.ExposedPorts")
    return port.split("/")[0]


def main():
    """Runs the checks, or those that the arguments name, and says how many held."""
    known = [function.__name__ for function in checks]
    for name in sys.argv[1:]:
        if name not in known:
            print(f"there is no check {name}; there are: {' '.join(known)}", file=sys.stderr)
            return 2
    # The first brings up what the others look at.
    chosen = [function for function in checks if not sys.argv[1:] or function.__name__ in [known[0], *sys.argv[1:]]]
    failed = 0
    for function in chosen:
        began = time.monotonic()
        print(f"container check {function.__name__}", flush=True)
        try:
            function()
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print(f"  FAILED: {type(error).__name__}: {error}")
            print(compose("logs", "--tail", "20", profiles=["monitoring"], check=False))
        print(f"  {time.monotonic() - began:.1f} s", flush=True)
    print(f"containers: {len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

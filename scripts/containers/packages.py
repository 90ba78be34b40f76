"""The Debian packages, as an administrator uses them: in a container whose process 1 is systemd."""

import json
import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from load import Load
from stack import call, docker, eventually, free_port, run

# Made by scripts/containers/images.sh, from Debian's packages.
MACHINE_IMAGE = "write-cache-test/machine"
START_SECONDS_MAX = 60
# systemd's figure of how far a unit is open: from 0, all closed, to 100.
EXPOSURE_MAX = 20
BAD_SETTINGS = 64
JOHN = {"name": "John Doe", "age": 30, "occupation": "Engineer"}
JOHN_PATH = "/users/John%20Doe"


class Machine:
    """A container that has booted Debian, and its two services at ports of this machine."""

    def __init__(self, folder):
        self.services = [
            SimpleNamespace(name=name, binary=f"{name}-svc", inner=inner, port=free_port(), write_path=f"/{name}", read_path=read)
            for name, inner, read in [("write-through", 8080, "/read-through"), ("write-behind", 8081, "/read-behind")]
        ]
        ports = [word for one in self.services for word in ("-p", f"127.0.0.1:{one.port}:{one.inner}")]
        # systemd makes control groups, mounts and namespaces of its own. Not --privileged, which wants every capability
        # of the machine, and not every machine has them all.
        self.name = docker(
            "run", "-d", "--cap-add", "SYS_ADMIN", "--cap-add", "SYS_PTRACE", "--security-opt", "seccomp=unconfined",
            "--security-opt", "apparmor=unconfined", "--cgroupns=private", "--env", "container=docker",
            "--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp", *ports,
            "-v", f"{folder}:/packages:ro", MACHINE_IMAGE, "/sbin/init",
        )
        eventually("systemd runs", self._is_up, START_SECONDS_MAX)

    def _is_up(self):
        return self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")

    def run(self, *command, **options):
        """A command in it."""
        return run("docker", "exec", self.name, *command, **options)

    def says(self, *command):
        """What a command in it prints."""
        return self.run(*command).stdout.strip()

    def shows(self, service, name):
        """A property of the service's unit."""
        return self.says("systemctl", "show", "--value", "-p", name, f"{service.binary}.service")

    def remove(self):
        """Ends it."""
        run("docker", "rm", "--force", "--volumes", self.name, check=False)

    def wait_until_active(self, service, not_pid="0"):
        """Until its process is another one, and it is ready; the new process."""

        def is_new():
            pid = self.shows(service, "MainPID")
            is_ready = self.run(service.binary, "healthcheck", "--ready", check=False).returncode == 0
            return pid if pid not in ("0", not_pid) and is_ready else None

        return eventually(f"{service.binary} serves", is_new, START_SECONDS_MAX)


@contextmanager
def machine(folder):
    """A machine, and its end; its journal is shown if what was done there fails."""
    made = Machine(folder)
    try:
        yield made
    except Exception:
        print(made.run("journalctl", "--no-pager", "-n", "40", check=False).stdout)
        raise
    finally:
        made.remove()


def equal(found, expected, what):
    """Fails, showing both."""
    assert found == expected, f"{what}: {found!r}, not {expected!r}"


def build(binaries, folder):
    """Both packages as scripts/package makes them, and as their next revision; the files of each."""
    # Compressed as fast as can be, since they are not kept.
    os.environ.update(DPKG_DEB_COMPRESSOR_TYPE="gzip", DPKG_DEB_COMPRESSOR_LEVEL="1")
    first, second = Path(folder) / "1", Path(folder) / "2"
    run("scripts/package", "--binaries", str(binaries), "--output", str(first))
    equal(len(list(first.glob("*.tar.gz"))), 2, "tarballs")
    second.mkdir()
    for package in first.glob("*.deb"):
        tree = Path(folder) / package.stem
        run("dpkg-deb", "--raw-extract", str(package), str(tree))
        control = tree / "DEBIAN/control"
        control.write_text(re.sub(r"(?m)^(Version: .*-)1$", r"\g<1>2", control.read_text()))
        run("dpkg-deb", "--root-owner-group", "--build", str(tree), str(second))
    if shutil.which("lintian"):
        files = [str(file) for file in first.glob("*.deb")]
        equal(run("lintian", "--allow-root", "--fail-on", "error,warning", *files).stdout, "", "lintian")
    else:
        print("  lintian is not installed and has looked at nothing")
    return [[f"/packages/{one.name}/{file.name}" for file in sorted(one.glob("*.deb"))] for one in (first, second)]


def the_packages_keep_their_promises(binaries, folder):
    """Installs, uses, breaks, upgrades, removes and purges both packages."""
    first, second = build(binaries, folder)
    with machine(folder) as host:
        host.run("dpkg", "-i", *first)
        for service in host.services:
            is_installed(host, service)
            opens_its_port(host, service)
            equal(call(service, "POST", service.write_path, JOHN)[0], 200, "write")
            survives_a_kill(host, service)
            refuses_bad_settings(host, service)
        survive_an_upgrade(host, second)
        for service in host.services:
            is_removed_and_comes_back(host, service, second)
            is_purged(host, service)
        equal(host.run("test", "-e", "/etc/write-cache", check=False).returncode, 1, "the folder of settings after purge")


def is_installed(host, service):
    """Enabled, running as its user, closed, with its files where they belong."""
    pid, user, unit = host.wait_until_active(service), f"_{service.name}", f"{service.binary}.service"
    equal(host.says("systemctl", "is-enabled", unit), "enabled", unit)
    equal(host.says("ps", "-o", "user:32=", "-p", pid), user, "user of the process")
    equal(host.says("stat", "-c", "%a %U %G", f"/var/lib/{service.name}"), f"750 {user} {user}", "data")
    equal(host.says("stat", "-c", "%a %U %G", settings_file(service)), f"640 root {user}", "settings")
    assert host.says("ls", f"/var/lib/{service.name}/users.db"), "the database"
    # It says what it does not know; of other units, too.
    said = [line for line in host.run("systemd-analyze", "verify", unit).stderr.splitlines() if service.binary in line]
    equal(said, [], "systemd-analyze verify")
    said = host.says("systemd-analyze", "security", "--no-pager", f"--threshold={EXPOSURE_MAX}", unit)
    print(f"  {service.binary}: {re.sub('[^ -~]', '', said.splitlines()[-1]).strip()}")
    equal(host.shows(service, "LimitNOFILE"), "65536", "open files")
    names = host.says("cat", f"/proc/{pid}/root/etc/nsswitch.conf")
    assert "\nhosts: files dns" in names, names
    page = host.says("man", "-P", "cat", service.binary)
    assert "SETTINGS" in page and "inspect NAME" in page, page
    completions = f"/usr/share/bash-completion/completions/{service.binary}"
    assert service.binary in host.says("bash", "-c", f". {completions} && complete -p {service.binary}"), "completions"


def settings_file(service):
    """Its conffile."""
    return f"/etc/write-cache/{service.name}.toml"


def opens_its_port(host, service):
    """A changed setting, after which it can be called from outside."""
    host.run("sed", "-i", f's/^#listen = .*/listen = "0.0.0.0:{service.inner}"/', settings_file(service))
    pid = host.shows(service, "MainPID")
    host.run("systemctl", "restart", service.binary)
    eventually("it answers", lambda: host.shows(service, "MainPID") != pid and call(service, "GET", "/readyz")[0] == 200)


def has_john(service):
    """The record that was written first."""
    status, _, body = call(service, "GET", JOHN_PATH)
    equal((status, json.loads(body)), (200, JOHN), f"read of {service.name}")


def survives_a_kill(host, service):
    """SIGKILL under load: systemd starts it again, with all that was acknowledged."""
    pid = host.shows(service, "MainPID")
    with Load(service, f"kill-{service.name}") as load:
        load.wait_for(100)
        host.run("systemctl", "kill", "-s", "KILL", service.binary)
        eventually("it serves again", lambda: host.shows(service, "MainPID") not in ("0", pid) and load.failures)
        load.wait_for(100)
    equal(load.lost_to_readers(service), {}, "lost (acknowledged, found, tried)")
    has_john(service)
    # As the service's user, a subcommand finds the service's database, which the service has open.
    inspected = host.run(
        "runuser", "-u", f"_{service.name}", "--", service.binary, "--config", settings_file(service),
        "inspect", "--json", "John Doe", check=False,
    )
    equal(json.loads(inspected.stdout)["database"]["state"], "in use", "inspect")


def refuses_bad_settings(host, service):
    """Exit code 64, without a retry; and it runs again with good ones."""
    host.run("cp", "-p", settings_file(service), "/root/settings")
    host.run("sh", "-c", f"echo 'nonsense = 1' >>{settings_file(service)}")
    host.run("systemctl", "restart", service.binary, check=False)
    eventually("it has failed", lambda: host.shows(service, "ActiveState") == "failed")
    equal(host.shows(service, "ExecMainStatus"), str(BAD_SETTINGS), "exit code")
    equal(host.shows(service, "NRestarts"), "0", "restarts")
    host.run("cp", "-p", "/root/settings", settings_file(service))
    host.run("systemctl", "start", service.binary)
    eventually("it answers", lambda: call(service, "GET", "/readyz")[0] == 200)


def survive_an_upgrade(host, packages):
    """Under load: a changed settings file stays, and the service is another process afterwards."""
    before = {service.name: host.shows(service, "MainPID") for service in host.services}
    loads = [Load(service, f"upgrade-{service.name}") for service in host.services]
    with loads[0], loads[1]:
        for load in loads:
            load.wait_for(100)
        host.run("dpkg", "-i", *packages)
        for load in loads:
            load.wait_for(100)
    for service, load in zip(host.services, loads):
        assert host.shows(service, "MainPID") not in ("0", before[service.name]), "it was not restarted"
        equal(host.says("dpkg-query", "-W", "-f", "${Version}", service.binary).rpartition("-")[2], "2", "revision")
        equal(load.lost_to_readers(service), {}, "lost (acknowledged, found, tried)")
        has_john(service)
        print(f"  {load.label}: {load.answers} acknowledged, {load.failures} refused, 0 lost")


def is_removed_and_comes_back(host, service, packages):
    """Removal keeps settings and data, with which the next installation goes on."""
    (package,) = (file for file in packages if f"/{service.binary}_" in file)
    host.run("dpkg", "-r", service.binary)
    equal(host.run("pgrep", "-x", service.binary[:15], check=False).returncode, 1, "a process after removal")
    host.run("test", "-e", settings_file(service))
    host.run("test", "-e", f"/var/lib/{service.name}/users.db")
    host.run("systemctl", "daemon-reload")
    host.run("dpkg", "-i", package)
    eventually("it answers", lambda: call(service, "GET", "/readyz")[0] == 200)
    has_john(service)


def is_purged(host, service):
    """Purging removes all but the user."""
    host.run("dpkg", "-P", service.binary)
    for path in (settings_file(service), f"/var/lib/{service.name}", f"/usr/bin/{service.binary}"):
        equal(host.run("test", "-e", path, check=False).returncode, 1, f"{path} after purge")
    links = host.says("find", "/etc/systemd", "/var/lib/systemd", "-name", f"{service.binary}*")
    equal(links, "", "links of the unit after purge")
    host.run("id", f"_{service.name}")


def binaries_of(images, folder):
    """The folder with the binaries that are in the images, which are not built again."""
    target = Path(folder) / "binaries"
    target.mkdir()
    for image, binary in images:
        made = docker("create", image)
        try:
            docker("cp", f"{made}:/{binary}", str(target / binary))
        finally:
            docker("rm", made)
    return target

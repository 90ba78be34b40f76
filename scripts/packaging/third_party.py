"""The crates that a service's binary contains, with their licences and notices, on standard output.

Takes the name of the package. Their sources are where cargo has them; it fetches those that are missing.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

NOTICES = re.compile(r"(licen[cs]e|copying|notice|copyright|authors)", re.IGNORECASE)


def cargo(*arguments):
    """What cargo prints."""
    return subprocess.run(["cargo", *arguments], check=True, capture_output=True, text=True).stdout


def notices(manifest):
    """The texts beside a crate's manifest."""
    files = sorted(file for file in Path(manifest).parent.iterdir() if file.is_file() and NOTICES.match(file.name))
    return [file.read_text(encoding="utf-8", errors="replace").strip() for file in files]


def main():
    """Prints each crate with its licence, then each text once, with the crates that have it."""
    lines = cargo("tree", "--locked", "-p", sys.argv[1], "-e", "normal", "--prefix", "none", "--format", "{p}")
    used = {tuple(line.split()[:2]) for line in lines.splitlines() if line and "(/" not in line}
    crates = [
        crate
        for crate in json.loads(cargo("metadata", "--locked", "--format-version", "1"))["packages"]
        if (crate["name"], f"v{crate['version']}") in used
    ]
    print(f"{sys.argv[1]} contains these crates:\n")
    owners = {}
    for crate in sorted(crates, key=lambda crate: crate["name"]):
        title = f"{crate['name']} {crate['version']}"
        print(f"{title}: {crate['license']}, {crate['repository'] or 'crates.io'}")
        for text in notices(crate["manifest_path"]):
            owners.setdefault(text, []).append(title)
    for text, titles in owners.items():
        print(f"\n{'-' * 78}\n{', '.join(dict.fromkeys(titles))}\n\n{text}")


if __name__ == "__main__":
    main()

"""The guides of `docs/frameworks`: what each tells to install and to run, the files that it shows, and what Clew then shows."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "frameworks"
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
# Guides that want other versions of the same packages have a Python environment of their own.
ENVIRONMENTS = {"llama-index": "llama-index", "crewai": "crewai"}
CHECKED = "Checked on "
ENDPOINT = "http://127.0.0.1:4318"
SDK = "../clew/crates/sdk"


@dataclass
class Guide:
    """One way of one page."""

    page: str
    heading: str
    installs: list
    commands: list
    files: dict
    shown: str
    by_hand: bool

    @property
    def name(self):
        return self.page + (f": {self.heading}" if self.heading else "")


def guides():
    pages = [path for path in sorted(FOLDER.glob("*.md")) if path.name != "README.md"]
    for path in [*pages, FOLDER.parent / "sdk.md"]:
        yield from ways(path)


def ways(path):
    """The page, or those of its sections that tell what to run; files that are shown before the first section are everyone's."""
    text = path.read_text()
    opening, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    for section in [f"\n{opening}", *sections]:
        heading, _, body = section.partition("\n")
        commands = blocks("bash", body)
        if commands:
            lines = [line for block in commands for line in block.replace("\\\n", "").splitlines()]
            yield Guide(
                page=path.stem, heading=heading, installs=[line for line in lines if installs(line)],
                commands=[line for line in lines if not installs(line)], files=files(opening) | files(body),
                shown="\n".join(blocks("text", body)), by_hand=CHECKED in text,
            )


def blocks(language, text):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def files(text):
    """A file is a block whose line before it names it."""
    return dict(re.findall(r"`([\w./]+)`:\n\n```\w+\n(.*?)```", text, re.DOTALL))


def installs(line):
    return line.startswith(("pip install ", "npm install ", "go mod init ", "go get "))


def prepare(guide, folder):
    """Writes the guide's files, installs what it wants unless that is done, and answers the PATH to run it with."""
    for name, text in guide.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text.replace(f'"{SDK}"', f'"{ROOT / "crates" / "sdk"}"'))
    tools = {line.split()[0] for line in guide.installs}
    if "npm" in tools:
        (folder / "node_modules").symlink_to(packages_of_node(guide))
    if "go" in tools:
        for line in guide.installs:
            run(line.split(), folder)
    search = os.environ["PATH"]
    return f"{environment_of_python(guide)}/bin:{search}" if "pip" in tools else search


def environment_of_python(guide):
    """An environment that holds what all guides of it want, so that most share one."""
    name = ENVIRONMENTS.get(guide.page, "python")
    wanted = {
        each for other in guides() if ENVIRONMENTS.get(other.page, "python") == name
        for line in other.installs for each in re.findall(r"[^\s'\"]+==[^\s'\"]+", line)
    }
    folder = TARGET / f"frameworks-{name}"

    def make():
        run([sys.executable, "-m", "venv", "--clear", folder], ROOT)
        run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", *sorted(wanted)], ROOT)

    return kept(folder, sorted(wanted), make)


def packages_of_node(guide):
    folder = TARGET / f"frameworks-node-{re.sub('[^a-z0-9]+', '-', guide.name.lower())}"

    def make():
        folder.mkdir(parents=True)
        (folder / "package.json").write_text('{"private": true}')
        for each in guide.installs:
            run([*each.split(), "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder)

    return kept(folder, guide.installs, make) / "node_modules"


def kept(folder, wanted, make):
    """The folder, made anew unless it holds what is wanted."""
    stamp = folder / "wanted.txt"
    if not stamp.exists() or stamp.read_text().splitlines() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        make()
        stamp.write_text("\n".join(wanted))
    return folder


def run(command, folder, environment=None, seconds=600):
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout

"""A large description that others wrote: GitHub's REST API, from npm's `@octokit/openapi`.

    python bench/github.py

Checks it, serves it as a mock from two workers, asks every operation once, and holds each body against the schema that the
description gives for it.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from memory import family, proportional

from apifold.description import Description, Operation, ParsedFiles, Sources, load
from apifold.schema.checker import Schemas
from apifold.schema.generate import generate

PACKAGE = "@octokit/openapi@23.0.2"
PORT = 29872
BIN = Path(sys.executable).parent


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = fetch(Path(folder))
        seconds, ended = timed([BIN / "apifold", "check", "--implementation", "mock", file])
        print(f"| `apifold check` | {seconds:.2f} s, exit code {ended} |")
        description = load(file, Sources(file.parent, False, ParsedFiles()))
        print(f"| size, operations | {file.stat().st_size / 1e6:.1f} MB, {len(description.operations)} |")
        ask(file, description, Path(folder))


def fetch(folder: Path) -> Path:
    packed = subprocess.run(
        ["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, capture_output=True, text=True
    )
    with tarfile.open(folder / packed.stdout.strip()) as archive:
        content = archive.extractfile("package/generated/api.github.com.json").read()
    (folder / "apis").mkdir()
    (folder / "apis" / "github.json").write_bytes(content)
    return folder / "apis" / "github.json"


def timed(line: list) -> tuple[float, int]:
    began = time.perf_counter()
    ended = subprocess.run(line, capture_output=True, check=False).returncode
    return time.perf_counter() - began, ended


def ask(file: Path, description: Description, folder: Path) -> None:
    line = [
        BIN / "apifold",
        "mock",
        file,
        "--listen",
        f"127.0.0.1:{PORT}",
        "--workers",
        "2",
        "--no-access-log",
        "--state",
        folder / "state",
    ]
    began = time.perf_counter()
    process = subprocess.Popen(line, stderr=subprocess.DEVNULL)
    try:
        while not answers():
            time.sleep(0.01)
        print(f"| start to first answer, 2 workers | {time.perf_counter() - began:.2f} s |")
        memory = [proportional(pid) for pid in family(process.pid)]
        print(f"| memory (PSS): arbiter, workers | {', '.join(f'{one / 1e6:.0f} MB' for one in memory)} |")
        good, bad = hold(description)
        print(f"| operations whose answer fits its schema | {good} of {good + len(bad)} |")
        for title, why in bad[:10]:
            print(f"| not so | {title}: {why} |")
    finally:
        process.terminate()
        process.wait(20)


def hold(description: Description) -> tuple[int, list[tuple[str, str]]]:
    schemas = Schemas(description.document, "response", close=False)
    requests = Schemas(description.document, "request", close=False)
    good, bad = 0, []
    with closing(http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)) as connection:
        for operation in description.operations:
            path, body, headers = request_for(operation, description, requests)
            connection.request(operation.method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            described = operation.answers.get(str(answer.status))
            media = next(
                (one for name, one in (described.content if described else {}).items() if "json" in name), None
            )
            if described is None or answer.status >= 400:
                bad.append((operation.title, f"{answer.status} {content[:200]!r}"))
            elif (
                media
                and "schema" in media
                and not schemas.checker(media["schema"]).accepts(json.loads(content or b"null"))
            ):
                bad.append((operation.title, "does not fit"))
            else:
                good += 1
    return good, bad


def request_for(operation: Operation, description: Description, requests: Schemas):
    def value(schema):
        return generate(
            schema, description.resolve, lambda part, found: requests.checker(part).accepts(found), "request"
        )

    texts = {one.name: text(value(one.schema)) for one in operation.parameters if one.where == "path"}
    path = re.sub(r"\{([^{}]+)\}", lambda found: texts[found.group(1)], description.template_base + operation.path)
    query = "&".join(
        f"{one.name}={text(value(one.schema))}" for one in operation.parameters if one.where == "query" and one.required
    )
    headers = {
        one.name: text(value(one.schema)) for one in operation.parameters if one.where == "header" and one.required
    }
    body = None
    for media, described in (operation.body.content if operation.body and operation.body.required else {}).items():
        headers["Content-Type"] = media
        body = json.dumps(value(described["schema"])).encode() if "json" in media else b"text"
        break
    return path + (f"?{query}" if query else ""), body, headers


def text(value) -> str:
    found = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return quote(found, safe="")


def answers() -> bool:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", PORT, timeout=2)) as connection:
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == 200
    except OSError:
        return False


if __name__ == "__main__":
    main()

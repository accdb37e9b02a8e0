"""Fetch the bundles of the pages again, from npm, by their pinned versions."""

from __future__ import annotations

import gzip
import subprocess
import tarfile
import tempfile
from pathlib import Path

ASSETS = Path(__file__).parent.parent / "src" / "apifold" / "reference" / "assets"

BUNDLES = {
    "swagger-ui-dist@5.35.0": {
        "package/swagger-ui-bundle.js": "swagger-ui-bundle.js.gz",
        "package/swagger-ui.css": "swagger-ui.css.gz",
        "package/LICENSE": "LICENSE.swagger-ui",
        "package/NOTICE": "NOTICE.swagger-ui",
    },
    "redoc@2.5.4": {
        "package/bundles/redoc.standalone.js": "redoc.standalone.js.gz",
        "package/bundles/redoc.standalone.js.LICENSE.txt": "LICENSE.redoc-bundled",
        "package/LICENSE": "LICENSE.redoc",
    },
}

REPLACED = {b"https://cdn.redoc.ly/redoc/logo-mini.svg": b"data:,"}
"""What a bundle would fetch from elsewhere, and what stands there instead: pages load nothing but their own."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for package, wanted in BUNDLES.items():
            packed = subprocess.run(  # a fixed command
                ["npm", "pack", "--silent", package],  # whichever npm there is
                cwd=folder,
                check=True,
                capture_output=True,
                text=True,
            ).stdout.strip()
            with tarfile.open(Path(folder) / packed) as archive:
                for name, target in wanted.items():
                    member = archive.extractfile(name)
                    assert member is not None, name
                    content = member.read()
                    for address, instead in REPLACED.items():
                        content = content.replace(address, instead)
                    (ASSETS / target).write_bytes(
                        gzip.compress(content, 9, mtime=0) if target.endswith(".gz") else content
                    )
                    print(f"{package} {name}: {len(content)} bytes")


if __name__ == "__main__":
    main()

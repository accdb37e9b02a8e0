"""Fetch the bundles of the pages again, from npm, by their pinned versions."""

from __future__ import annotations

import base64
import gzip
import hashlib
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

INTEGRITY = {
    "swagger-ui-dist@5.35.0": (
        "sha512-U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ=="
    ),
    "redoc@2.5.4": ("sha512-M6jWhG1qoBnH6TFmzJnstyCZ87HmOY/UzDm78mHiYihEdlV/YcS9ogOo1NlElnJMeLsyxHFe2yFc4sNjHTrABQ=="),
}
"""What `npm view PACKAGE dist.integrity` said when a version was chosen; another archive is refused."""

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
            check(package, (Path(folder) / packed).read_bytes())
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


def check(package: str, archive: bytes) -> None:
    """Refuse an archive that is not the one that was chosen (W3C Subresource Integrity, 3.1)."""
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if found != INTEGRITY[package]:
        raise SystemExit(
            f"{package} is not what it was: its digest is {found}; compare both before INTEGRITY is changed"
        )


if __name__ == "__main__":
    main()

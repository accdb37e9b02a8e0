"""Archives from strangers: what is taken out of them, and what is not; and packages, which come in them."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apifold import Fault, Invalid, TooLarge
from apifold_services.platform.core.archives import MAX_DEPTH, MAX_ENTRIES, Archive
from apifold_services.platform.core.packages import opened

MOST = 1_000_000
TAR_MODES = ("w", "w:gz", "w:bz2", "w:xz")
DEVICES = (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)


def tarred(*members, mode="w:gz", form=tarfile.PAX_FORMAT):
    """A tar of members: names and contents, or what `member` makes."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode, format=form) as archive:
        for one in members:
            header, content = one if isinstance(one[0], tarfile.TarInfo) else member(*one)
            archive.addfile(header, io.BytesIO(content))
    return made.getvalue()


def member(name, content=b"", **more):
    header = tarfile.TarInfo(name)
    header.size = len(content)
    for key, value in more.items():
        setattr(header, key, value)
    return header, content


def zipped(*members, compression=zipfile.ZIP_DEFLATED):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, content, *mode in members:
            entry = zipfile.ZipInfo(name)
            entry.compress_type = compression
            if mode:
                entry.external_attr = mode[0] << 16
            archive.writestr(entry, content)
    return made.getvalue()


def unpacked(content, folder, most=MOST):
    """What came out of an archive: contents by name."""
    inside = folder / "inside"
    inside.mkdir()
    try:
        Archive(content, most).unpack(inside)
    finally:
        assert [one.name for one in folder.iterdir()] == ["inside"]
        assert not any(one.is_symlink() for one in inside.rglob("*"))
    return {str(one.relative_to(inside)): one.read_bytes() for one in inside.rglob("*") if one.is_file()}


FILES = [("a.txt", b"1"), ("b/c/d.bin", bytes(range(256)) * 300), ("b/empty", b""), ("ü ✓ (1).txt", b"x")]


@pytest.mark.parametrize(
    "content",
    [
        *(
            tarred(*FILES, mode=mode, form=form)
            for mode in TAR_MODES
            for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)
        ),
        *(zipped(*FILES, compression=one) for one in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)),
    ],
)
def test_files_come_out_as_they_went_in(tmp_path, content):
    assert Archive(content, MOST).is_one
    assert unpacked(content, tmp_path) == dict(FILES)


@pytest.mark.parametrize(
    "content",
    [tarred(), zipped(), tarred(member("./", type=tarfile.DIRTYPE)), zipped(("a/", b""))],
    ids=["tar", "zip", "a folder in a tar", "a folder in a zip"],
)
def test_nothing_comes_out_of_an_empty_one(tmp_path, content):
    assert unpacked(content, tmp_path) == {}


def test_names_are_read_as_paths(tmp_path):
    content = tarred(("./a", b"1"), ("b//c", b"2"), ("./b/./d", b"3"), ("n" * 150 + "/" + "m" * 150, b"4"))
    expected = {"a": b"1", "b/c": b"2", "b/d": b"3", f"{'n' * 150}/{'m' * 150}": b"4"}
    assert unpacked(content, tmp_path) == expected


def test_of_the_permissions_only_that_to_run_stays(tmp_path):
    modes = {"plain": 0o644, "run": 0o755, "all": 0o7777, "none": 0o000}
    for number, content in enumerate(
        (
            tarred(*(member(name, b"x", mode=mode) for name, mode in modes.items())),
            zipped(*((name, b"x", stat.S_IFREG | mode) for name, mode in modes.items())),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        unpacked(content, folder)
        told = {one.name: stat.S_IMODE(one.stat().st_mode) for one in (folder / "inside").iterdir()}
        assert told == {"plain": 0o644, "run": 0o755, "all": 0o755, "none": 0o644}


OUTSIDE = ("/etc/x", "../x", "a/../../x", "a/..", "..", "//x", "a\\b", "..\\x", "C:\\x", "")


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("make", [tarred, zipped])
def test_what_lies_outside_is_refused(tmp_path, make, name):
    with pytest.raises(Invalid, match=r"does not lie inside of it|can't be"):
        unpacked(make(("first", b"1"), (name, b"x")), tmp_path)


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x"])
def test_folders_outside_are_refused(tmp_path, name):
    with pytest.raises(Invalid, match="does not lie inside of it"):
        unpacked(tarred(member(name, type=tarfile.DIRTYPE)), tmp_path)


LINKS = {
    "a symlink": tarred(member("a", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
    "a symlink inside": tarred(("b", b"1"), member("a", type=tarfile.SYMTYPE, linkname="b")),
    "a symlink and a file through it": tarred(member("a", type=tarfile.SYMTYPE, linkname="/tmp"), ("a/b", b"1")),
    "a hard link": tarred(("b", b"1"), member("a", type=tarfile.LNKTYPE, linkname="b")),
    "a hard link outside": tarred(member("a", type=tarfile.LNKTYPE, linkname="/etc/passwd")),
    **{f"a device {kind}": tarred(member("a", type=kind)) for kind in DEVICES},
    "a symlink in a zip": zipped(("a", b"/etc/passwd", stat.S_IFLNK | 0o777)),
    "a device in a zip": zipped(("a", b"", stat.S_IFCHR | 0o644)),
    "a socket in a zip": zipped(("a", b"", stat.S_IFSOCK | 0o644)),
}


@pytest.mark.parametrize("content", LINKS.values(), ids=LINKS)
def test_links_and_devices_are_refused(tmp_path, content):
    with pytest.raises(Invalid, match="'a', which is a link or a device"):
        unpacked(content, tmp_path)


TWICE = {
    "a name": [("a", b"1"), ("a", b"2")],
    "a name, otherwise": [("a", b"1"), ("./a", b"2")],
    "a file that is a folder": [("a", b"1"), ("a/b", b"2")],
    "a folder that is a file": [("a/b", b"1"), ("a", b"2")],
    "a name that is too long": [("n" * 300, b"1")],
}


@pytest.mark.parametrize("make", [tarred, zipped])
@pytest.mark.parametrize("members", TWICE.values(), ids=TWICE)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_can_not_be_written_is_refused_without_telling_where(tmp_path, make, members):
    with pytest.raises(Invalid, match="can't be written") as caught:
        unpacked(make(*members), tmp_path)
    assert str(tmp_path) not in caught.value.detail


@pytest.mark.parametrize("content", [tarred(("x", bytes(MOST))), zipped(("x", bytes(MOST)))], ids=["tar", "zip"])
def test_only_so_much_comes_out(tmp_path, content):
    assert len(content) < 5000
    assert unpacked(content, tmp_path)["x"] == bytes(MOST)
    with pytest.raises(TooLarge, match=f"More than {MOST - 1} bytes"):
        Archive(content, MOST - 1).unpack(tmp_path)


def test_many_files_come_to_as_much_as_one(tmp_path):
    for make in (tarred, zipped):
        with pytest.raises(TooLarge):
            Archive(make(*((f"{make.__name__}{number}", bytes(1000)) for number in range(11))), 10_000).unpack(tmp_path)


def test_only_so_many_come_out(tmp_path):
    folder, file = member("a", type=tarfile.DIRTYPE)[0], member("b")[0]
    enough = folder.tobuf() * (MAX_ENTRIES - 1) + file.tobuf()
    assert unpacked(gzip.compress(enough + bytes(1024), 1), tmp_path) == {"b": b""}
    with pytest.raises(TooLarge, match=f"more than {MAX_ENTRIES}"):
        Archive(gzip.compress(folder.tobuf() + enough + bytes(1024), 1), MOST).unpack(tmp_path)


@pytest.mark.parametrize("make", [tarred, zipped])
def test_only_so_deep(tmp_path, make):
    deepest = "a/" * (MAX_DEPTH - 1) + "x"
    assert unpacked(make((deepest, b"1")), tmp_path) == {deepest: b"1"}
    for depth in (MAX_DEPTH, 1000, 1900):
        with pytest.raises(Invalid, match="deeper"):
            Archive(make(("a/" * depth + "x", b"1")), MOST).unpack(tmp_path)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
@pytest.mark.parametrize("size", [2 << 20, 8 << 30, -512])
def test_a_name_without_end_is_not_read(tmp_path, kind, size):
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, size
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT) + bytes(3 << 20))
    with pytest.raises(Invalid, match="can't be read"):
        unpacked(made.getvalue(), tmp_path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zips_are_compressed_as_usual(tmp_path, compression):
    with pytest.raises(Invalid, match="not compressed as zips usually are"):
        unpacked(zipped(("a", bytes(1000)), compression=compression), tmp_path)


def test_what_is_locked_is_not_read(tmp_path):
    content = bytearray(zipped(("a", b"x" * 100)))
    for magic, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + place] |= 1
    with pytest.raises(Invalid, match="can't be read"):
        unpacked(bytes(content), tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"text", b"PK", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", bytes(1024), b"ustar" * 99]
)
def test_what_is_no_archive_is_refused(tmp_path, content):
    with pytest.raises(Invalid):
        unpacked(content, tmp_path)


SEEDS = [
    *(tarred(*FILES, mode=mode, form=form) for mode in TAR_MODES for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)),
    *(zipped(*FILES, compression=one) for one in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)),
]


@st.composite
def broken(draw):
    """An archive that something happened to on its way."""
    content = bytearray(draw(st.sampled_from(SEEDS)))
    for place, byte in draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=6)):
        content[place] = byte
    return bytes(content[: draw(st.integers(0, len(content)) | st.just(len(content)))])


@settings(max_examples=300)
@given(content=broken())
def test_a_broken_archive_is_refused_and_nothing_else(tmp_path_factory, content):
    try:
        unpacked(content, tmp_path_factory.mktemp("broken"))
    except Fault as fault:
        assert isinstance(fault, Invalid | TooLarge)
        assert fault.detail.isprintable()


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)


@settings(max_examples=150)
@given(
    files=st.dictionaries(names | st.sampled_from(OUTSIDE).filter(bool), st.binary(max_size=50), max_size=4),
    make=st.sampled_from([tarred, zipped]),
)
def test_whatever_it_is_called_it_lies_inside(tmp_path_factory, files, make):
    folder = tmp_path_factory.mktemp("named")
    try:
        unpacked(make(*files.items()), folder)
    except Invalid:
        assert not (folder / "x").exists()
    else:
        found = [one.read_bytes() for one in (folder / "inside").rglob("*") if one.is_file()]
        assert len(found) <= len(files)
        assert set(found) <= set(files.values())


# --- packages


def test_a_package_is_there_until_nobody_needs_it(tmp_path):
    content = tarred(("camp.yaml", b"a: 1"), ("web/app.py", b"2"))
    with opened(content, MOST, 100) as package:
        folder = package.folder
        assert package.plan == {"a": 1}
        assert (folder / "web/app.py").read_bytes() == b"2"
    assert not folder.exists()
    with opened(content, MOST, 100) as package:
        package.keep(tmp_path / "new" / "place")
    assert not package.folder.exists()
    assert (tmp_path / "new" / "place" / "camp.yaml").read_text() == "a: 1"


def test_nothing_is_left_of_a_package_that_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for content, most in ((tarred(("a", b"1")), MOST), (tarred(("camp.yaml", b"a: b: c")), MOST), (b"x", MOST)):
        with pytest.raises(Invalid), opened(content, most, 100):
            pass
    with pytest.raises(TooLarge), opened(tarred(("camp.yaml", b"a" * 101)), MOST, 100):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_archive_may_grow_by_so_much(tmp_path):
    with opened(tarred(("camp.yaml", b"a: 1"), ("x", bytes(19_000))), 1000, 100) as package:
        assert (package.folder / "x").stat().st_size == 19_000
    with pytest.raises(TooLarge), opened(tarred(("camp.yaml", b"a: 1"), ("x", bytes(20_000))), 1000, 100):
        pass


def test_what_is_said_of_a_file_with_a_name_that_is_no_text_can_be_told():
    content = tarred(("camp.yaml", b"a: 1"), ("bad\udcff", b"1"), ("camp.mf", b""), form=tarfile.GNU_FORMAT)
    with pytest.raises(Invalid, match="no digest of") as caught, opened(content, MOST, 100):
        pass
    assert caught.value.detail.encode()

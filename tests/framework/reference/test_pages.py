"""Pages as text: nothing hostile gets through, nothing comes from elsewhere, every link keeps its prefix."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apifold.reference.pages import ASSETS, CONTENT_SECURITY_POLICY, CatalogueEntry, asset, catalogue, redoc, swagger_ui
from tests.framework.reference.markup import Markup

HOSTILE = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            '"><script>alert(1)</script>',
            "' onload='alert(1)",
            "</title><img src=x onerror=alert(1)>",
            "<!--",
            "&lt;",
            "]]>",
        ]
    ),
)


def entry(name="hosts", **changes):
    given = {
        "name": name,
        "title": "Hosts",
        "version": "2",
        "status": "CURRENT",
        "base": f"/{name}",
        "description": "All of them",
        "operations": 2,
        "ui": f"/{name}/ui",
        "document": f"/{name}/openapi.json",
    }
    return CatalogueEntry(**{**given, **changes})


def assert_harmless(page):
    markup = Markup(page)
    assert markup.handlers == []
    scripts = [attributes for name, attributes in markup.elements if name == "script"]
    assert all(script.get("src") for script in scripts)
    assert "<script>" not in page
    assert not any("://" in link or link.startswith("//") for link in markup.values("src"))
    return markup


@given(HOSTILE, HOSTILE, HOSTILE)
def test_the_catalogue_shows_hostile_texts_as_texts(title, description, problem):
    plain = assert_harmless(catalogue([entry()], "APIs", "", ["x"]))
    markup = assert_harmless(
        catalogue(
            [entry(title=title, description=description, version=description, successor=title, problem=problem)],
            title,
            "",
            [problem],
        )
    )
    assert markup.names <= plain.names | {"section"}


@given(HOSTILE, HOSTILE, HOSTILE)
def test_the_uis_show_hostile_titles_as_texts(title, document, status):
    for page in (swagger_ui(title, document, "", status), redoc(title, document, "", status)):
        markup = assert_harmless(page)
        assert markup.names <= {
            "html",
            "head",
            "meta",
            "title",
            "link",
            "body",
            "header",
            "a",
            "strong",
            "span",
            "noscript",
            "p",
            "div",
            "script",
        }


def test_a_document_address_reaches_the_script_unchanged():
    address = "/a&b/open'api\".json"
    assert Markup(swagger_ui("T", address, "")).values("data-document") == [address]


@pytest.mark.parametrize("root", ["", "/proxy", "/a/b"])
def test_every_link_keeps_the_public_prefix(root):
    pages = [
        catalogue([entry(), entry("old", successor="hosts")], "APIs", root),
        swagger_ui("T", f"{root}/hosts/openapi.json", root),
        redoc("T", f"{root}/hosts/openapi.json", root),
    ]
    for page in pages:
        markup = Markup(page)
        links = [link for link in markup.values("href") + markup.values("src") if link != "data:,"]
        assert links
        assert all(link.startswith(f"{root}/") and not link.startswith("//") for link in links)


def test_the_catalogue_tells_what_each_api_is():
    text = Markup(
        catalogue(
            [entry(), entry("old", title="Old", status="DEPRECATED", operations=1, successor="hosts")], "APIs", "/p"
        )
    ).text
    for told in (
        "2 APIs served here",
        "CURRENT",
        "DEPRECATED",
        "/p/hosts",
        "2 operations",
        "1 operation",
        "Its successor is Hosts 2.",
    ):
        assert told in text


def test_a_successor_that_is_not_served_is_named_without_a_link():
    page = catalogue([entry(successor="next")], "APIs", "")
    assert "Its successor is next." in Markup(page).text
    assert "/next/ui" not in page


def test_files_that_are_not_served_are_shown_with_their_errors():
    text = Markup(catalogue([entry(problem="hosts.yaml:3: bad")], "APIs", "", ["new.yaml:1: worse"])).text
    assert "The last good version is served.\nhosts.yaml:3: bad" in text
    assert "Not served, because of errors" in text
    assert "new.yaml:1: worse" in text
    assert "Not served" not in catalogue([entry()], "APIs", "")


def test_pages_have_landmarks_a_language_and_a_title():
    for page in (catalogue([entry()], "APIs", ""), swagger_ui("T", "/d", "")):
        markup = Markup(page)
        assert ("html", {"lang": "en"}) in markup.elements
        assert "title" in markup.names
        assert "main" in markup.names or "main" in markup.values("role")


def test_a_ui_shows_the_status_and_what_can_be_read_without_scripts():
    markup = Markup(swagger_ui("Hosts", "/hosts/openapi.json", "", "DEPRECATED"))
    assert "DEPRECATED" in markup.text
    assert "/hosts/openapi.json" in markup.values("href")


def test_the_policy_lets_no_script_stand_in_a_page():
    directives = dict(part.strip().split(" ", 1) for part in CONTENT_SECURITY_POLICY.split(";"))
    assert directives["script-src"] == "'self'"
    assert directives["default-src"] == directives["base-uri"] == "'none'"


@pytest.mark.parametrize("name", ASSETS)
def test_every_asset_is_there_for_clients_with_and_without_gzip(name):
    packed, media, encoding = asset(name, "br, gzip")
    plain, _, none = asset(name)
    assert none == ""
    assert media == ASSETS[name]
    assert (gzip.decompress(packed) if encoding else packed) == plain


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        ("", ""),
        ("gzip", "gzip"),
        ("*", "gzip"),
        ("br;q=1, gzip;q=0.5", "gzip"),
        ("GZIP", "gzip"),
        ("gzip;q=0", ""),
        ("gzip;q=0, *", ""),
        ("identity", ""),
        ("x-gzipped", ""),
    ],
)
def test_an_asset_comes_compressed_to_those_who_take_it(header, encoding):
    assert asset("redoc.standalone.js", header)[2] == encoding


@given(
    st.one_of(
        st.text(), st.sampled_from(["../pages.py", "README.md", "/etc/passwd", "apifold.css/", "swagger-ui.css.gz", ""])
    )
)
def test_no_other_name_leads_to_a_file(name):
    if name not in ASSETS:
        with pytest.raises(KeyError):
            asset(name)


def test_own_scripts_and_styles_fetch_nothing_from_elsewhere():
    for name in ("apifold-ui.js", "apifold.css"):
        assert b"//" not in asset(name)[0].replace(b"// ", b"")
    assert b"cdn." not in asset("redoc.standalone.js")[0]

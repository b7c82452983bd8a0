"""Fetches the source of a package that has no wheel, and reads what it needs to be built.

No code of the package runs here: its archive is searched for one file, which is read as text. The
arguments are the index's address, the package's name, what is said of its versions, the directory for
the source, and the file for what was read.
"""

import hashlib
import html.parser
import json
import os
import platform
import sys
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile

from pip._vendor.packaging.requirements import InvalidRequirement, Requirement
from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet
from pip._vendor.packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename

try:
    import tomllib
except ImportError:
    from pip._vendor import tomli as tomllib

PAGE = "application/vnd.pypi.simple.v1+html, text/html;q=0.9"
MOST = 1 << 20
# What builds a package that does not say.
USUAL = ["setuptools>=40.8.0", "wheel"]


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.links = []

    def handle_starttag(self, tag, attributes):
        if tag == "a":
            self.links.append(dict(attributes))


def fail(words):
    sys.exit("ERROR: " + words)


def get(address, accept):
    request = urllib.request.Request(address, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def sources(page, address, name):
    """Every source on a page that this interpreter may use: version, file, address, whether it was withdrawn."""
    parser = Page()
    parser.feed(page.decode("utf-8", "replace"))
    for link in parser.links:
        target = urllib.parse.urljoin(address, link.get("href") or "")
        file = urllib.parse.unquote(urllib.parse.urlsplit(target).path.rsplit("/", 1)[-1])
        try:
            found, version = parse_sdist_filename(file)
            wanted = SpecifierSet(link.get("data-requires-python") or "")
        except (InvalidSdistFilename, InvalidSpecifier):
            continue
        if found == name and wanted.contains(platform.python_version()):
            yield version, file, target, "data-yanked" in link


def choose(found, versions):
    exact = any(one.operator in ("==", "===") for one in versions)
    found = [one for one in found if exact or not one[3]]
    accepted = set(versions.filter({one[0] for one in found}))
    return max((one for one in found if one[0] in accepted), key=lambda one: (one[0], one[1].endswith(".gz")), default=None)


def project(path):
    """The text of the source's pyproject.toml, if it has one."""
    if path.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if is_project(entry.filename) and entry.file_size <= MOST:
                    return archive.read(entry).decode()
        return None
    with tarfile.open(path, "r:gz") as archive:
        for entry in archive:
            if is_project(entry.name) and entry.isfile() and entry.size <= MOST:
                return archive.extractfile(entry).read().decode()
    return None


def is_project(name):
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return len(parts) == 2 and parts[1] == "pyproject.toml"


def needed(path):
    """What has to be there when it is built, one entry for each name."""
    text = project(path)
    system = {} if text is None else tomllib.loads(text).get("build-system", {})
    wanted = {}
    for entry in system.get("requires", USUAL):
        requirement = Requirement(entry)
        if requirement.url:
            fail("the source is built with %s, which is no package of the index" % entry)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        extras, versions = wanted.setdefault(canonicalize_name(requirement.name), (set(), set()))
        extras.update(requirement.extras)
        versions.update(str(one) for one in requirement.specifier)
    if "setuptools" in wanted:
        # Older ones ask for it only when they run.
        wanted.setdefault("wheel", (set(), set()))
    return [write(name, *rest) for name, rest in sorted(wanted.items())]


def write(name, extras, versions):
    return name + ("[%s]" % ",".join(sorted(extras)) if extras else "") + ",".join(sorted(versions))


def main(index, name, versions, directory, document):
    absent = "No matching distribution found for " + name + versions
    address = index + name + "/"
    try:
        page = get(address, PAGE)
    except urllib.error.HTTPError:
        fail(absent)
    chosen = choose(list(sources(page, address, name)), SpecifierSet(versions))
    if chosen is None:
        fail(absent)
    _, file, target, _ = chosen
    content = get(target, "*/*")
    promised = urllib.parse.urlsplit(target).fragment
    if promised.startswith("sha256=") and hashlib.sha256(content).hexdigest() != promised[7:]:
        fail("%s is not what the index gives the SHA-256 of" % file)
    os.mkdir(directory)
    path = os.path.join(directory, file)
    with open(path, "wb") as out:
        out.write(content)
    try:
        requires = needed(path)
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError) as error:
        fail("%s cannot be read: %s" % (file, error))
    except (ValueError, TypeError, AttributeError, InvalidRequirement) as error:
        fail("what %s is built with cannot be read: %s" % (file, error))
    with open(document, "w", encoding="utf-8") as out:
        json.dump(requires, out)


if __name__ == "__main__":
    main(*sys.argv[1:])

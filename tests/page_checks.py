"""What every page of a report must be: whole links, alternative texts, a title of its own, and nothing from elsewhere."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote

LOADS = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src", "video": "src", "object": "data"}
VOID = {"img", "meta", "link", "br", "hr", "input", "col", "wbr", "source"}


class Page(HTMLParser):
    """Tags with their attributes, ids, and the text of title and h1."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.open, self.told = [], [], [], {"title": "", "h1": "", "style": ""}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        for tag in set(self.told) & set(self.open):
            self.told[tag] += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def faults(root):
    """Everything that is wrong with the pages below a folder, one line each."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(root.rglob("*.html"))}
    found = [f"no pages in {root}"] if not pages else []
    for path, page in pages.items():
        found += [f"{path.relative_to(root)}: {fault}" for fault in _faults(path, page, pages)]
    titles = [page.told["title"] for page in pages.values()]
    return found + [f"title {title!r} twice" for title in {*titles} if titles.count(title) > 1]


def _faults(path, page, pages):
    html, views = page.all("html"), [m for m in page.all("meta") if m.get("name") == "viewport"]
    if not html or html[0].get("lang") != "en":
        yield "has no language"
    if not views or "width=device-width" not in views[0].get("content", ""):
        yield "has no viewport"
    if not page.told["title"].strip() or not page.told["h1"].strip() or len(page.all("h1")) != 1:
        yield "has not one title and one heading"
    if twice := {name for name in page.ids if page.ids.count(name) > 1}:
        yield f"has ids twice: {twice}"
    for img in page.all("img"):
        if not img.get("alt", "").strip():
            yield "has a picture without a text"
    for tag, attrs in page.tags:
        loaded = attrs.get(LOADS.get(tag), "") or ""
        if re.match(r"(https?:)?//", loaded) or "@import" in page.told["style"] or "url(http" in page.told["style"]:
            yield f"asks another host: {loaded}"
        for target in filter(None, {loaded, attrs.get("href", "") if tag == "a" else ""}):
            if problem := _broken(path, target, pages):
                yield problem


def _broken(path, target, pages):
    if re.match(r"(https?|mailto|data):", target):
        return ""
    name, _, anchor = unquote(target).partition("#")
    there = (path.parent / name).resolve() if name else path
    if not there.is_file():
        return f"links to {target}, which is not there"
    if anchor and anchor not in next((page.ids for other, page in pages.items() if other.resolve() == there.resolve()), []):
        return f"links to {target}, which has no such place"
    return ""

"""Opens pages in headless Chromium, and looks at what became of them."""

import html.parser
import os
import shutil
import signal
import subprocess

NAMES = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]
MISSING = "no Chromium here: tools/dev setup installs one (chromium-headless-shell)"
VOID = {"meta", "link", "input", "br", "img", "hr"}


def executable():
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Element:
    def __init__(self, tag, attributes, parent):
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children, self.words = [], []

    @property
    def classes(self):
        return (self.attributes.get("class") or "").split()

    @property
    def text(self):
        return "".join(self.words) + "".join(child.text for child in self.children)

    @property
    def visible(self):
        """Whether neither it nor what it stands in is hidden, or in a part that is closed."""
        node = self
        while node:
            if "hidden" in node.attributes:
                return False
            if node.tag == "details" and "open" not in node.attributes and node is not self:
                return False
            node = node.parent
        return True

    def all(self, tag=None, style=None):
        for child in self.children:
            if (tag is None or child.tag == tag) and (style is None or style in child.classes):
                yield child
            yield from child.all(tag, style)

    def by_id(self, name):
        return next((node for node in self.all() if node.attributes.get("id") == name), None)


class Tree(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.root = self.at = Element("", {}, None)
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        node = Element(tag, dict(attributes), self.at)
        self.at.children.append(node)
        if tag not in VOID:
            self.at = node

    def handle_endtag(self, tag):
        node = self.at
        while node.parent and node.tag != tag:
            node = node.parent
        if node.parent:
            self.at = node.parent

    def handle_data(self, data):
        self.at.words.append(data)


def look(page, fragment="", flags=()):
    """The page once its scripts have run, as a tree, and what they said on the console."""
    profile = page.parent / "profile"
    process = subprocess.Popen([executable(), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
                                "--enable-logging=stderr", "--v=0", "--virtual-time-budget=5000", *flags, "--dump-dom",
                                page.as_uri() + fragment],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
                               env={**os.environ, "HOME": str(page.parent)})
    try:
        written, said = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # it is many processes
        process.communicate()
        raise
    if process.returncode != 0 or "<html" not in written:
        raise AssertionError(f"{executable()} ended with {process.returncode}\n{said[-2000:]}")
    return Tree(written).root, [line for line in said.splitlines() if "CONSOLE" in line]

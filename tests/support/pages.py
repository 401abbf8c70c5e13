"""An HTML page parsed for tests: its links, ids, images and text."""

from html.parser import HTMLParser

SCRIPT = "<script>alert('z')</script>"


class Page(HTMLParser):
    """Visible text of each cell, addresses and element names of a page."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.elements, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href", "srcset", "data", "action")]

    def handle_data(self, data):
        if self.elements and self.elements[-1] != "style":
            self.words.append(data)

    @property
    def visible(self):
        return "".join(self.words)

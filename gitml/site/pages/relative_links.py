"""What relative links and pictures of notes and documents lead to."""

from __future__ import annotations

import posixpath
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field

from gitml.site import previews
from gitml.site.previews import File, Picture
from gitml.site.source import Document, SiteSource
from gitml.site.text import urls
from gitml.site.text.markdown import LinkTarget


def normal_path(path: str, folder: str = "") -> str:
    """Return a path without dots from a root; empty if it leads out of it.

    Args:
        path: As it is written, relative to the folder or, with a slash first, to the root.
        folder: Where the text with the path is, from the root.
    """
    joined = posixpath.normpath(posixpath.join("/", folder, path)) if path else "/"
    upwards = posixpath.normpath(posixpath.join(folder, path)).startswith("..")
    return "" if upwards and not path.startswith("/") else joined.lstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactLinks:
    """The links of a run's note, relative to the run's artifacts.

    Attributes:
        files: The artifacts as the run's page shows them.
        root: From the page to the site's root; empty for a page without previews.
    """

    files: Sequence[File]
    root: str

    def __call__(self, path: str) -> LinkTarget | None:
        """Return the picture, or where on the page the file is."""
        name = normal_path(path)
        for number, file in enumerate(self.files):
            if file.path == name:
                return self._target(file, number)
        return None

    def _target(self, file: File, number: int) -> LinkTarget:
        if file.picture:
            address = f"{self.root}{file.picture.address}"
            return LinkTarget(address=address, picture=address)
        anchor = f"#file-{number}" if self.root else ""
        return LinkTarget(address=anchor, picture=file.drawing)


@dataclass(slots=True, kw_only=True)
class DocumentLinks:
    """The links of a document, relative to its file in the repository.

    Attributes:
        source: What the site shows.
        document: The document.
        root: From its page to the site's root.
        pictures: Those that it shows, to be copied into the site.
    """

    source: SiteSource
    document: Document
    root: str = "../"
    pictures: list[Picture] = field(default_factory=list)

    def __call__(self, path: str) -> LinkTarget | None:
        """Return a page of the site, a picture, or a file's page on the forge."""
        name = normal_path(path, posixpath.dirname(self.document.path))
        if not name or not self.document.path:
            return None
        for documents, page in (
            (self.source.reports, urls.report_page), (self.source.pages, urls.extra_page),
        ):  # fmt: skip
            for document in documents:
                if document.path == name:
                    return LinkTarget(address=f"{self.root}{page(document.name)}")
        return self._file(name)

    def _file(self, name: str) -> LinkTarget | None:
        data = self.source.code_file(name, previews.PICTURE_BYTES)
        if data is None:
            return None
        link, kind = self.source.code_link(name), previews.picture_type(data)
        if kind:
            picture = Picture(address=urls.media(data, kind), data=data)
            self.pictures.append(picture)
            address = f"{self.root}{picture.address}"
            return LinkTarget(address=link or address, picture=address)
        if name.endswith(".svg") and len(data) <= previews.TEXT_BYTES:
            drawing = f"data:image/svg+xml;base64,{b64encode(data).decode('ascii')}"
            return LinkTarget(address=link, picture=drawing)
        return LinkTarget(address=link)

"""The dashboard: a folder of static pages made from what the repository holds.

It knows nothing of git or DVC: :class:`~gitml.site.source.Content` is all it reads.
"""

from gitml.site.build import build
from gitml.site.options import BuildReport, SiteOptions
from gitml.site.serve import serve
from gitml.site.source import Content

__all__ = ["BuildReport", "Content", "SiteOptions", "build", "serve"]

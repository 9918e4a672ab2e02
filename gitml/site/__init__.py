"""The dashboard: a folder of static pages made from what the repository holds.

It knows nothing of git or DVC: :class:`~gitml.site.content.Content` is all it reads.
"""

from gitml.site.build import build
from gitml.site.content import Content
from gitml.site.options import BuildReport, SiteOptions
from gitml.site.serve import serve

__all__ = ["BuildReport", "Content", "SiteOptions", "build", "serve"]

"""The dashboard: a folder of static pages made from what the repository holds.

It knows nothing of git or DVC: :class:`~gitml.site.source.SiteSource` is all it reads.
"""

from gitml.site.build import build
from gitml.site.options import BuildReport, SiteOptions
from gitml.site.serve import serve
from gitml.site.source import SiteSource

__all__ = ["BuildReport", "SiteOptions", "SiteSource", "build", "serve"]

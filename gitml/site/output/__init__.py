"""Write a site: templates, bundled scripts, worker processes, the byte budget, the folder."""

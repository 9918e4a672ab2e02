"""Write the texts of pages: numbers, Markdown, addresses, commands to copy. Pure."""

"""Reports as files: JSON for machines, Markdown and HTML for people."""

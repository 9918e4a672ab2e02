"""The filter language and the gate language: scanned, parsed, judged. Pure."""

"""The report of a study: one HTML file that needs no network.

`figures` makes the pictures, as data for plotly.js; `page` puts them, the tables and the words into `page.html.j2`,
together with plotly.js itself.
"""

from tuning.report.page import write_report

__all__ = ["write_report"]

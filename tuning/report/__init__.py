"""The report of a study: one HTML file that needs no network.

`page` says what stands where, `findings` what a study has found, `figures` makes the pictures, as data; `shell` puts
them into a template together with our own style and scripts: `scales.js` and `charts.js` draw, `page.js` is the table,
what is pointed at, and downloads. `compare` is the page of several studies, and `groups` what is compared there;
`live` serves the report while a search runs; `dashboard` serves optuna-dashboard, which is somebody else's, over our
studies; `server` is what the two share.
"""

from tuning.report.compare import write_comparison
from tuning.report.page import write_report

__all__ = ["write_comparison", "write_report"]

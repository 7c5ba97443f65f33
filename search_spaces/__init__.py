"""The bundled search spaces: one module a problem, each with its data, its model and its objective."""

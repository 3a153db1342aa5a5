//! Terminal, CSV, JSON, SVG and PNG.

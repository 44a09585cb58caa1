//! Units of systemd as text: rendered from plain settings, with a header that shows an edit.

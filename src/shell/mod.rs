//! Lines and the editor: where words come from and what an outcome does.

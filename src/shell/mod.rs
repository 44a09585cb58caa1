//! Lines and the editor: where words come from and what an outcome does.

mod complete;
mod editor;
mod highlight;
mod hint;
mod history;
mod prompt;
mod shield;

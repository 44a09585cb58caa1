//! Who was called, with what.

//! `org profile …`

pub mod check;
pub mod list;
pub mod new;
pub mod show;

//! The verbs of `tsm` with real children, through the real program.

mod control;
mod events;
mod kill;
mod list;
mod logs;
mod yard;

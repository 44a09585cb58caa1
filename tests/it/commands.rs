//! The verbs of `tsm` with real children, through the real program.

mod control;
mod diagnosis;
mod doctor;
mod events;
mod jobs;
mod kill;
mod list;
mod logs;
mod nginx;
mod renewal;
mod stacks;

//! Faults, each against the real program with real children.
//!
//! | fault | shown by |
//! |---|---|
//! | worker, guard or both killed at any moment; idle, line-by-line and flooding child | `kills` |
//! | the command killed at every change that it makes | `halves` |
//! | stop: deaf children, strays in every place, fork bombs, stop while starting, restart while stopping | `stops` |
//! | crash loops; code, signal, core, out of memory told apart | `crashes` |
//! | starts of one name and of many at the same time | `names` |
//! | full disk, read-only disk, removed folders, damaged files | `disks` |
//! | clocks, stopped processes, limits, reused pids, strange output | `surroundings` |
//! | rotation under load with a follower | `rotation` |
//! | upgrade, older and newer supervisors | `upgrades` |
//! | many processes, with coming and going | `many` |
//!
//! With `SOAK=1` the loops are as long as their claims: 200 random kills for each child, 1 000 processes for ten minutes.

mod crashes;
mod disks;
mod field;
mod halves;
mod kills;
mod many;
mod names;
mod rotation;
mod stops;
mod surroundings;
mod upgrades;

/// The first number in the gate, the second when there is time.
fn scale(quick: usize, soak: usize) -> usize {
    if std::env::var_os("SOAK").is_some() { soak } else { quick }
}

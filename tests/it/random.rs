//! The random numbers of tests that differ from run to run.
//!
//! The first number of each is printed by a test that fails: `TETRA_TEST_RANDOM=0x… cargo test NAME` runs it again with the
//! same numbers.

use std::hash::{BuildHasher, RandomState};

/// Gives the first number back.
const VARIABLE: &str = "TETRA_TEST_RANDOM";

/// A xorshift generator.
pub(crate) struct Rng(u64);

impl Rng {
    /// New numbers, or those of an earlier run.
    #[allow(clippy::print_stdout, reason = "it is captured, and shown by a test that fails")]
    pub(crate) fn new() -> Self {
        let given = std::env::var(VARIABLE).ok();
        let first = given.map_or_else(|| RandomState::new().hash_one(1), |text| parsed(&text)) | 1;
        println!("{VARIABLE}={first:#x}");
        Self(first)
    }

    /// The numbers of a seed, the same in every run.
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number below a limit.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn parsed(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or_else(|_| panic!("{VARIABLE}={text}: not 0x…"))
}

#[test]
fn the_first_number_decides_all_others() {
    let numbers = |first| {
        let mut rng = Rng(parsed(first));
        (0..5).map(|_| rng.below(1000)).collect::<Vec<_>>()
    };
    assert_eq!(numbers("0x2a"), numbers("2a"));
    assert_ne!(numbers("0x2a"), numbers("0x2b"));
}

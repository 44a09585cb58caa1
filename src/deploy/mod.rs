//! Deploys as values: the states of one on a host, its record and journal there, releases, and what a deployer and a host say.
//!
//! ```text
//! announced        a rollout, for the prompts of the machine that it began on
//! error            why one cannot go on
//! machine          the states and what leads from one to the next; pure
//! record           a deploy as a host keeps it
//! carried          what goes with a release and is in none: env files and secrets
//! kept             the files that these replaced, until the deploy has ended
//! files            where: lock, journal, records
//! release          what is deployed: a manifest, contents by their hash, and how a host keeps them
//! wire             what a deployer asks, and a host answers
//! ```

pub mod announced;
pub mod carried;
pub mod error;
pub mod files;
mod kept;
pub mod machine;
pub mod record;
pub mod release;
pub mod wire;

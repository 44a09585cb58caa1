//! `tsm ports` and its verbs.

pub mod assign;
pub mod carry;
pub mod contest;
pub mod look;
pub mod scan;

use crate::base::fault::Fault;
use crate::command::Cx;
use crate::tsm::store::{Process, Store};

/// All processes, as they are; nothing is changed.
fn processes(cx: &Cx) -> Result<Vec<Process>, Fault> {
    Ok(Store::open(cx.paths).all()?)
}

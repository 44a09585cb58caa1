//! The limit on the memory of a life.

use super::Worker;
use crate::supervise::cgroup::Cgroup;
use crate::supervise::limits::MemoryMethod;
use crate::supervise::memory_cgroup::MemoryCgroup;

impl Worker {
    /// Decides what limits the memory of the life that begins.
    pub(super) fn limit_memory(&mut self) {
        let most = self.record.meta.run.limits.memory_max;
        self.current.memory_cgroup = if most > 0 { MemoryCgroup::create(&self.record.dir, most) } else { None };
        self.record.meta.run_state.memory_method = match self.current.memory_cgroup {
            _ if most == 0 => MemoryMethod::Nothing,
            Some(_) => MemoryMethod::Group,
            None => MemoryMethod::Data,
        };
        if most == 0
            && !self.current.is_first_start
            && let Some(old) = MemoryCgroup::of_directory(&self.record.dir)
        {
            old.remove_limit();
        }
    }

    /// Puts a child that waits at the gate into the group that limits its memory; where that is refused, it limits itself.
    pub(super) fn move_to_cgroup(&mut self, pid: u32) {
        let Some(group) = &self.current.memory_cgroup else { return };
        if group.add_process(pid).is_err() {
            group.remove();
            self.current.memory_cgroup = None;
            self.record.meta.run_state.memory_method = MemoryMethod::Data;
        } else if let Some(cgroup) = Cgroup::of_child(pid) {
            // Of version 2 it is the group for everything else, too.
            if let Some(before) = self.current.cgroup.replace(cgroup) {
                before.remove();
            }
        }
    }
}

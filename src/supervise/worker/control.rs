//! Commands that a worker receives through its FIFO.

use super::Worker;
use crate::supervise::clock::MonotonicTime;
use crate::supervise::machine::{LifecycleEvent, Phase};
use crate::supervise::meta::StopOrigin;
use crate::supervise::proc;
use crate::supervise::protocol::{ControlCommand, RECORD_SIZE};

impl Worker {
    pub(super) fn read_control(&mut self) {
        let mut records = [0; 16 * RECORD_SIZE];
        let Ok(length) = rustix::io::read(&self.pipes.control, &mut records) else { return };
        let (orders, _) = records[..length].as_chunks::<RECORD_SIZE>();
        for (order, origin) in orders.iter().filter_map(ControlCommand::decode) {
            match order {
                ControlCommand::Stop => self.stop_for(origin, LifecycleEvent::Stop),
                ControlCommand::Restart => self.stop_for(origin, LifecycleEvent::Restart),
                ControlCommand::AutoRestart if matches!(self.machine.phase, Phase::Running | Phase::Scheduled) => {
                    self.stop_for(origin, LifecycleEvent::Restart);
                }
                ControlCommand::AutoRestart => {}
                ControlCommand::Kill => self.stop_for(origin, LifecycleEvent::Kill),
                ControlCommand::Signal(number) => {
                    if let Some(child) = &self.current.child {
                        // A number that is not a signal is refused by the kernel, and the child does not notice.
                        let sent = proc::signal(&child.pidfd, number, proc::SignalTarget::Process);
                        self.current.last_signal = sent.ok().map(|()| (number, MonotonicTime::now()));
                    }
                }
                ControlCommand::Reopen => {
                    self.pipes.open_logs();
                    self.save();
                }
                ControlCommand::Rotate => {
                    for stream in &mut self.pipes.streams {
                        // Nothing is taken from the FIFO meanwhile. A log that cannot be moved goes on.
                        let _ = stream.rotate();
                    }
                }
                ControlCommand::Upgrade => self.upgrade_requested = true,
            }
        }
    }

    /// Ends the life that goes on, if one does; the first who asked for its end is its cause.
    pub(super) fn stop_for(&mut self, origin: StopOrigin, event: LifecycleEvent) {
        if self.current.child.is_some() || self.current.hook.is_some() {
            self.record.meta.run_state.ended_by.get_or_insert(origin);
        }
        self.step(event);
    }
}

//! What a worker is told through its FIFO.

use super::clock::Moment;
use super::machine::{Event, Phase};
use super::meta::Origin;
use super::proc;
use super::wire::{Order, RECORD};
use super::worker::Worker;

impl Worker {
    pub(super) fn take_orders(&mut self) {
        let mut records = [0; 16 * RECORD];
        let Ok(length) = rustix::io::read(&self.orders, &mut records) else { return };
        let (orders, _) = records[..length].as_chunks::<RECORD>();
        for (order, origin) in orders.iter().filter_map(Order::decode) {
            match order {
                Order::Stop => self.end_for(origin, Event::Stop),
                Order::Restart => self.end_for(origin, Event::Restart),
                Order::Renew if matches!(self.machine.phase, Phase::Up | Phase::Scheduled) => {
                    self.end_for(origin, Event::Restart);
                }
                Order::Renew => {}
                Order::Kill => self.end_for(origin, Event::Kill),
                Order::Signal(number) => {
                    if let Some(child) = &self.child {
                        // A number that is no signal is refused by the kernel, and the child does not notice.
                        let sent = proc::signal(&child.pidfd, number, proc::Reach::Process);
                        self.signalled = sent.ok().map(|()| (number, Moment::now()));
                    }
                }
                Order::Reopen => {
                    self.open_logs();
                    self.save();
                }
                Order::Rotate => {
                    for stream in &mut self.streams {
                        // Nothing is taken from the FIFO meanwhile. A log that cannot be moved goes on.
                        let _ = stream.rotate();
                    }
                }
                Order::Upgrade => self.upgrade_wanted = true,
            }
        }
    }

    /// Ends the life that goes on, if one does; the first who asked for its end is its cause.
    fn end_for(&mut self, origin: Origin, event: Event) {
        if self.child.is_some() || self.hook.is_some() {
            self.meta.life.ended_by.get_or_insert(origin);
        }
        self.step(event);
    }
}

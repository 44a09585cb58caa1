//! What goes over the connection to a host: contents that it does not have, and what goes with the release.

use super::halt::Halt;
use super::member::{Member, Reach};
use super::saying::Say;
use super::verdict::without_host;
use crate::base::fault::{Fault, FaultKind};
use crate::deploy::carried::CarriedFile;
use crate::deploy::machine::State;
use crate::deploy::release::{MissingBlob, Payload};
use crate::deploy::wire::{Ask, MAX_PUT, Said};

impl Member {
    /// Sends what is missing, and has the release built.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask), and if what is sent cannot be read.
    pub(super) fn stage(
        &mut self,
        reach: &Reach,
        missing: &[MissingBlob],
        payload: &Payload,
        say: Say,
    ) -> Result<(), Fault> {
        for blob in missing {
            self.send(reach.halt, blob, payload, say)?;
        }
        for file in reach.carried {
            self.carry(file, say)?;
        }
        let stage = reach.only.map_or(Ask::Stage, |only| Ask::StageOnly { service: only.to_string() });
        match self.ask(&stage, &[], say)? {
            Said::Changes(changes) => self.changes = changes,
            _ => return Err(self.unexpected()),
        }
        Ok(())
    }

    fn send(&mut self, halt: &Halt, missing: &MissingBlob, payload: &Payload, say: Say) -> Result<(), Fault> {
        let Some(blob) = payload.blobs.get(&missing.hash) else { return Err(self.unexpected()) };
        let is_same = missing.received > 0 && blob.prefix_hash(missing.received)? == missing.prefix;
        let mut offset = if is_same { missing.received } else { 0 };
        let mut was_damaged = false;
        loop {
            let bytes = blob.read(offset, usize::try_from(MAX_PUT).unwrap_or(usize::MAX))?;
            let length = bytes.len() as u64;
            let put = Ask::Put { sha256: missing.hash.clone(), size: missing.size, offset, length };
            match self.ask(&put, &bytes, say) {
                // The host has removed all of it.
                Err(fault) if fault.kind == FaultKind::Preflight && !was_damaged => {
                    let why = fault.to_string();
                    say.state(&format!("sending again: {}", without_host(self.host.name.as_str(), &why)));
                    (offset, was_damaged) = (0, true);
                    continue;
                }
                put => put.map(drop)?,
            }
            offset += length;
            if offset >= missing.size {
                return Ok(());
            }
            say.state(&format!("{} {} %", State::Staging, offset.saturating_mul(100) / missing.size.max(1)));
            self.check(halt)?;
        }
    }

    fn carry(&mut self, file: &CarriedFile, say: Say) -> Result<(), Fault> {
        let CarriedFile { what, form, bytes, .. } = file;
        let (sha256, length) = (file.digest(), bytes.len() as u64);
        self.ask(&Ask::Carry { what: what.clone(), form: *form, sha256, length }, bytes, say).map(drop)
    }
}

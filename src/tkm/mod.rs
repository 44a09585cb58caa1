//! Keys, pins and hosts.
//!
//! ```text
//! store            $TETRA_DIR/tkm: state, hosts, pins; one lock for every change
//! key, keygen      public keys and fingerprints; made by the operator's ssh-keygen
//! host, route      names and addresses; the way to a host, as ~/.ssh/config says
//! pins, host_key   the host keys that are expected, and what speaks for one
//! ssh              one call of ssh: every option said, its log apart from what the host says, the answer framed
//! login            what a login is made with, and whose it is
//! own_keys, own_config  which of the operator's own keys a host is offered; what ~/.ssh/config says of them
//! log              what ssh itself wrote of a call
//! sharing, control several calls over one connection, by a control socket of ssh
//! authorized_keys  that file as text, edited in place
//! remote           that file on a host: read, and replaced if nothing else changed it
//! agent            what keys of staging and prod are bound to on their hosts
//! line             the line of a key on a host: what it allows, and between which marks it is
//! access           a key let in on a host: added, verified on a fresh connection, put back if that fails
//! bootstrap        the first key of a host
//! host_user        a user made on a host for the keys of an environment, and what that user may do as root
//! rotate           a key replaced on its hosts, step by step
//! certificate, authority  what a key of an environment signs; such a key let in on hosts
//! revoke, krl      a key taken away from its hosts; the list of revoked keys, here and on hosts that read it
//! examine, sync    the lines of a host beside what the store says, and ours brought to it
//! audit            what was done, each line with the hash of the one before
//! import           hosts that are written down elsewhere: [`imported`] is what was found, [`inventory`] reads Ansible's files
//! check            what is worth a look, without a connection
//! client_hosts     the hosts of ~/.ssh/config
//! client_config    ~/.ssh/config: one Include, and the file that it includes
//! ```
//!
//! # What must not happen
//!
//! * A host without a pin, or with another key than the pinned one, is sent nothing. No option says otherwise.
//! * No outcome is read from ssh's exit code, which is 255 for everything.
//! * A line of `authorized_keys` that is not between our marks is never changed, unless it is of a revoked key, and the file
//!   never without a login with another key on a connection of its own afterwards.
//! * Nothing private is in the arguments of a program, in the record, or in what commands report.
//!
//! # How more is added
//!
//! * What works on a host takes a [`Connection`](ssh::Connection) and a [`Login`](login::Login), sends a script to
//!   [`Connection::run`](ssh::Connection::run) and reads the framed answer; exit codes come from [`TkmError`](error::TkmError).
//! * What changes `authorized_keys` goes through [`remote::read_keys`], [`authorized_keys::ManagedBlock`] and
//!   [`remote::write_keys`], which refuses if the file changed in between.
//! * A change of the store: [`Store::lock`](store::Store::lock), read, write, [`audit::record`].
//! * A change in several steps is a pure function from what was written down and what came of the last step to the next step;
//!   the runner writes the step down before it takes it.

pub mod access;
mod advice;
pub mod agent;
pub mod audit;
pub mod authority;
pub mod authorized_keys;
pub mod bootstrap;
pub mod certificate;
pub mod check;
pub mod client_config;
mod client_hosts;
mod control;
pub mod error;
pub mod examine;
pub mod host;
pub mod host_key;
pub mod host_user;
pub mod import;
pub mod imported;
pub mod inventory;
pub mod key;
pub mod keygen;
pub mod krl;
pub mod lasting;
pub mod line;
mod log;
pub mod login;
pub mod many;
mod own_config;
pub mod own_keys;
pub mod pins;
pub mod remote;
pub mod revoke;
pub mod rotate;
pub mod route;
mod sharing;
pub mod ssh;
pub mod state;
pub mod store;
pub mod sync;

//! `tkm`: keys, pins, hosts.

pub mod audit;
pub mod bootstrap;
pub mod ca_init;
pub mod ca_list;
pub mod ca_revoke;
pub mod ca_sign;
pub mod config;
mod context;
pub mod deploy_env;
pub mod deploy_list;
pub mod generate;
pub mod host_add;
pub mod host_import;
pub mod host_list;
pub mod host_rekey;
pub mod host_rm;
pub mod host_show;
pub mod init;
mod initialize;
mod line_limits;
pub mod list;
pub mod log;
mod passphrase;
mod remote;
pub mod remote_audit;
pub mod remote_diff;
pub mod remote_list;
pub mod remote_sync;
pub mod revoke;
pub mod rotate;
pub mod ssh;
pub mod status;
pub(crate) mod target;
pub mod test;

pub(super) use bootstrap::install;
pub(super) use context::{find_store, key_of};

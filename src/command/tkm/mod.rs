//! `tkm`: keys, pins, hosts.

pub mod audit;
pub mod bootstrap;
pub mod config;
mod context;
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
pub mod revoke;
pub mod rotate;
pub mod ssh;
pub mod status;
pub(crate) mod target;
pub mod test;

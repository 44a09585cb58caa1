//! `org`: one file that is edited by hand, and the environments made from it.

pub mod apply;
mod context;
pub mod deploy;
pub mod diff;
pub mod env_edit;
pub mod env_list;
pub mod env_show;
pub mod env_validate;
pub mod explain;
pub mod history;
pub mod history_prune;
pub mod history_verify;
pub mod init;
pub mod list;
pub mod profile;
pub mod promote;
pub mod rollback;
pub mod status;
pub mod use_cmd;

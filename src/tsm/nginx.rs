//! A site of nginx for a process: a reverse proxy from a domain to its port.
//!
//! A site that tetra wrote carries the checksum of its own text, so that one edited by hand is noticed. Putting it into place ends
//! with the real `nginx -t`; if nginx rejects it, everything is as it was.

mod install;
mod site;

pub use install::{InstallResult, Nginx, NginxError, OverwriteEdited, SiteStatus};
pub use site::{InvalidSite, Site, SiteCertificate};

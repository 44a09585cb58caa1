//! The text of a site.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::name::ProcessName;

/// A reverse proxy from a domain to the port of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The process.
    pub process: ProcessName,
    /// The ports of the process and of its other instances, on the loopback.
    pub ports: Vec<u16>,
    /// The domains, as nginx writes them; `_` for every one.
    pub domains: Vec<String>,
    /// Where nginx listens for plain HTTP.
    pub listen: u16,
    /// With a certificate it also listens on 443, and plain HTTP is sent there.
    pub certificate: Option<SiteCertificate>,
    /// Whether it listens on IPv6 too.
    pub ipv6: bool,
}

/// A certificate with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteCertificate {
    /// The certificate, with its chain.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A word that must not stand in a site.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSite {
    /// It is not a domain.
    #[error("invalid domain `{}`", .0.escape_debug())]
    Domain(String),
    /// The path could mean something else to nginx.
    #[error("invalid path `{}`: expected an absolute path without blanks, quotes, `;`, `{{`, `}}` and `$`", .0.display())]
    Path(PathBuf),
}

impl UserFacingError for InvalidSite {
    fn kind(&self) -> FaultKind {
        FaultKind::Usage
    }
}

impl Site {
    /// The site, if nothing in it could be mistaken for another directive.
    ///
    /// # Errors
    ///
    /// Fails for words that are no domains and for odd paths.
    pub fn checked(self) -> Result<Self, InvalidSite> {
        let is_domain = |text: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*');
            !text.is_empty() && text.len() <= 253 && text.chars().all(plain)
        };
        if let Some(bad) = self.domains.iter().find(|domain| !is_domain(domain)) {
            return Err(InvalidSite::Domain(bad.clone()));
        }
        let is_plain = |path: &Path| {
            let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"\"'\\;{}$#".contains(c);
            path.is_absolute() && path.to_str().is_some_and(|path| path.chars().all(plain))
        };
        let paths = self.certificate.iter().flat_map(|it| [&it.certificate, &it.key]);
        let bad = paths.into_iter().find(|path| !is_plain(path)).cloned();
        bad.map_or(Ok(self), |bad| Err(InvalidSite::Path(bad)))
    }

    /// The name of its file.
    #[must_use]
    pub fn file_name(process: &ProcessName) -> String {
        format!("tetra-{process}.conf")
    }

    /// The whole text, with its checksum in the first line.
    #[must_use]
    pub fn text(&self) -> String {
        let body = self.to_string();
        format!(
            "# tetra {:016x}: written for {}; `tsm nginx install` writes it anew\n{body}",
            checksum(&body),
            self.process
        )
    }

    fn listening(&self, port: u16, how: &str) -> String {
        let six = if self.ipv6 { format!("    listen [::]:{port}{how};\n") } else { String::new() };
        format!("    listen {port}{how};\n{six}")
    }
}

/// The text below the first line.
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id: String =
            self.process.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let domains = self.domains.join(" ");
        let servers: String = self.ports.iter().map(|port| format!("    server 127.0.0.1:{port};\n")).collect();
        writeln!(f, "upstream tetra_{id} {{\n{servers}    keepalive 16;\n}}\n")?;
        writeln!(f, "map $http_upgrade $tetra_{id}_connection {{\n    default upgrade;\n    '' '';\n}}\n")?;
        if let Some(SiteCertificate { certificate, key }) = &self.certificate {
            write!(f, "server {{\n{}    server_name {domains};\n\n", self.listening(self.listen, ""))?;
            writeln!(f, "    location /.well-known/acme-challenge/ {{\n        root /var/www/html;\n    }}\n")?;
            writeln!(f, "    location / {{\n        return 301 https://$host$request_uri;\n    }}\n}}\n")?;
            write!(f, "server {{\n{}    server_name {domains};\n\n", self.listening(443, " ssl http2"))?;
            writeln!(f, "    ssl_certificate {};\n    ssl_certificate_key {};", certificate.display(), key.display())?;
            writeln!(f, "    ssl_protocols TLSv1.2 TLSv1.3;")?;
            writeln!(f, "    add_header Strict-Transport-Security \"max-age=31536000\" always;")?;
        } else {
            write!(f, "server {{\n{}    server_name {domains};\n\n", self.listening(self.listen, ""))?;
        }
        writeln!(f, "    add_header X-Content-Type-Options nosniff always;")?;
        writeln!(f, "    add_header X-Frame-Options SAMEORIGIN always;")?;
        writeln!(f, "    add_header Referrer-Policy strict-origin-when-cross-origin always;\n")?;
        writeln!(f, "    location / {{\n        proxy_pass http://tetra_{id};\n        proxy_http_version 1.1;")?;
        for (header, value) in [
            ("Host", "$host"),
            ("X-Real-IP", "$remote_addr"),
            ("X-Forwarded-For", "$proxy_add_x_forwarded_for"),
            ("X-Forwarded-Proto", "$scheme"),
            ("Upgrade", "$http_upgrade"),
        ] {
            writeln!(f, "        proxy_set_header {header} {value};")?;
        }
        writeln!(f, "        proxy_set_header Connection $tetra_{id}_connection;")?;
        writeln!(f, "        proxy_read_timeout 300s;\n    }}\n}}")
    }
}

/// What the first line of a site says about the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SiteOrigin {
    /// As tetra wrote it.
    Ours,
    /// Written by tetra and edited since.
    Edited,
    /// Not written by tetra.
    Unmanaged,
}

/// Whether a text is as it was written.
pub(super) fn origin(text: &str) -> SiteOrigin {
    let Some((first, body)) = text.split_once('\n') else { return SiteOrigin::Unmanaged };
    let sum = first.strip_prefix("# tetra ").and_then(|rest| rest.split(':').next());
    match sum.and_then(|sum| u64::from_str_radix(sum, 16).ok()) {
        None => SiteOrigin::Unmanaged,
        Some(sum) if sum == checksum(body) => SiteOrigin::Ours,
        Some(_) => SiteOrigin::Edited,
    }
}

/// The ports to which a site leads.
pub(super) fn ports_of(text: &str) -> Vec<u16> {
    let servers = text.split("server 127.0.0.1:").skip(1);
    servers.filter_map(|rest| rest.split(';').next()?.parse().ok()).collect()
}

/// FNV-1a: tells an edited text from one that was not, and protects against no attack.
fn checksum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(domain: &str) -> Site {
        let process = "my-api-4000".parse().expect("a name");
        let domains = vec![domain.to_owned()];
        Site { process, ports: vec![4000, 4001], domains, listen: 80, certificate: None, ipv6: true }
    }

    #[test]
    fn a_site_knows_whether_it_was_edited() {
        let text = site("example.org").text();
        assert_eq!((origin(&text), ports_of(&text)), (SiteOrigin::Ours, vec![4000, 4001]));
        assert_eq!(origin(&text.replace("300s", "60s")), SiteOrigin::Edited);
        assert_eq!(origin("server {}\n"), SiteOrigin::Unmanaged);
    }

    #[test]
    fn what_could_be_another_directive_is_refused() {
        for domain in ["", "a b", "x;", "x{", "a\n", "$host", "\u{e4}.org"] {
            assert!(site(domain).checked().is_err(), "{domain:?}");
        }
        for domain in ["_", "example.org", "*.example.org", "my-host"] {
            assert!(site(domain).checked().is_ok(), "{domain}");
        }
        let with = |path: &str| {
            let certificate = SiteCertificate { certificate: "/a.pem".into(), key: path.into() };
            Site { certificate: Some(certificate), ..site("_") }.checked().is_ok()
        };
        assert!(with("/etc/ssl/b.key") && !with("b.key") && !with("/a;b") && !with("/a b"));
    }
}

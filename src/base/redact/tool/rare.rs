//! The same for programs that are met less often.

use super::{NONE, Tool};

pub(super) const RARE: [Tool; 44] = [
    Tool {
        names: &[
            "mcrypt",
            "udp2raw",
            "tinyvpn",
            "sc",
            "coap-client",
            "coap-server",
            "vt",
            "dns2tcpc",
            "dns2tcpd",
            "cryptcat",
            "outguess",
            "logdna-agent",
            "airdecap-ng",
        ],
        separate: &["-k"],
        ..NONE
    },
    Tool { names: &["edge"], separate: &["-k"], attached: &["-k"], ..NONE },
    Tool { names: &["ccrypt", "ccencrypt", "ccdecrypt"], separate: &["-K"], ..NONE },
    // `-o user=NAME%PASSWORD`
    Tool { names: &["mount", "mount.cifs", "mount.smb3"], pair: Some((&["-o"], '%')), ..NONE },
    Tool {
        names: &["pkcs11-tool", "pkcs15-tool", "pkcs15-init", "softhsm2-util", "yubihsm-shell"],
        separate: &["-p", "--pin", "--so-pin", "--new-pin", "--puk"],
        ..NONE
    },
    Tool { names: &["yubico-piv-tool"], separate: &["-P", "-N", "-k"], attached: &["-P", "-N", "-k"], ..NONE },
    Tool {
        names: &["ykman"],
        after: &["piv", "oath", "fido", "openpgp"],
        separate: &["-P", "-p", "-n", "-m", "--pin", "--new-pin", "--puk"],
        nth: &[("add", 2)],
        ..NONE
    },
    // `keyctl add user NAME SECRET @u`
    Tool { names: &["keyctl"], nth: &[("add", 3), ("update", 2)], ..NONE },
    // `enc ALGORITHM KEY`, `key ID KEY`
    Tool {
        names: &["ip"],
        after: &["xfrm", "macsec"],
        nth: &[("enc", 2), ("auth", 2), ("auth-trunc", 2), ("aead", 2), ("key", 2)],
        ..NONE
    },
    Tool { names: &["iwconfig"], separate: &["key", "enc", "encryption"], ..NONE },
    Tool { names: &["pppd"], separate: &["password"], ..NONE },
    Tool { names: &["nsupdate", "dig", "delv"], separate: &["-y"], ..NONE },
    Tool { names: &["iscsiadm"], separate: &["-v", "--value"], ..NONE },
    Tool { names: &["etcdctl"], after: &["add", "passwd"], pair: Some((&[""], ':')), ..NONE },
    // `radtest NAME PASSWORD HOST PORT SECRET`
    Tool { names: &["radtest"], nth: &[("radtest", 2)], last: true, ..NONE },
    Tool { names: &["radclient", "oathtool", "authtest", "apprise"], last: true, ..NONE },
    Tool {
        names: &["bitcoin-cli", "litecoin-cli", "dogecoin-cli"],
        separate: &["walletpassphrase", "walletpassphrasechange", "encryptwallet", "importprivkey"],
        ends: &["walletpassphrasechange"],
        ..NONE
    },
    Tool { names: &["electrum"], separate: &["-W", "restore"], ..NONE },
    Tool { names: &["transmission-remote"], pair: Some((&["-n", "--auth"], ':')), ..NONE },
    Tool { names: &["transmission-daemon"], separate: &["-v"], ..NONE },
    Tool { names: &["deluge-console"], after: &["connect"], last: true, ..NONE },
    Tool {
        names: &["ss-server", "ss-local", "ss-redir", "ss-tunnel", "ss-manager", "ssserver", "sslocal"],
        separate: &["-k"],
        attached: &["-k"],
        ..NONE
    },
    Tool { names: &["irssi"], separate: &["-w"], ..NONE },
    Tool { names: &["squidclient"], separate: &["-w", "-W"], ..NONE },
    Tool {
        names: &["flyctl", "influx", "glab", "tea", "k3s", "rke2", "frpc", "anaconda", "gotify"],
        separate: &["-t"],
        ..NONE
    },
    Tool { names: &["netbird", "choco"], separate: &["-k"], ..NONE },
    Tool { names: &["microk8s"], after: &["join"], last: true, ..NONE },
    Tool {
        names: &["kadmin", "kadmin.local", "ldapvi", "dsconf", "ipa-client-install", "ipa-replica-install"],
        separate: &["-w"],
        attached: &["-w"],
        ..NONE
    },
    Tool { names: &["ipa-server-install"], separate: &["-a", "-p"], ..NONE },
    Tool { names: &["b2"], after: &["authorize-account", "authorize"], last: true, ..NONE },
    // `connect to NAME user USER using PASSWORD`
    Tool { names: &["db2"], separate: &["using"], ..NONE },
    Tool { names: &["doveadm"], ends: &["test", "login"], ..NONE },
    Tool {
        names: &[
            "mydumper",
            "myloader",
            "xtrabackup",
            "innobackupex",
            "mariabackup",
            "mariadb-backup",
            "mariadb-check",
            "mariadb-import",
            "mariadb-show",
            "mariadb-upgrade",
            "mysql_upgrade",
            "mytop",
        ],
        separate: &["-p"],
        attached: &["-p"],
        ..NONE
    },
    Tool {
        names: &["snmptable", "snmpstatus", "snmpdf", "snmpdelta", "snmpnetstat", "snmpusm", "snmpbulk", "check_snmp"],
        separate: &["-A", "-X", "-C"],
        ..NONE
    },
    Tool { names: &["net-snmp-create-v3-user"], separate: &["-A", "-X"], ..NONE },
    Tool { names: &["check_http", "check_curl"], pair: Some((&["-a", "-b"], ':')), ..NONE },
    Tool { names: &["ssmtp"], separate: &["-ap"], attached: &["-ap"], ..NONE },
    Tool { names: &["credhub"], separate: &["-w", "-p", "-v"], ..NONE },
    Tool { names: &["uaac"], separate: &["-s"], ..NONE },
    Tool { names: &["drone", "woodpecker-cli"], separate: &["--data", "--value"], ..NONE },
    Tool { names: &["vmrun"], separate: &["-gp", "-vp"], ..NONE },
    Tool { names: &["swift"], separate: &["-K"], ..NONE },
    Tool { names: &["gpg-preset-passphrase"], separate: &["-P"], ..NONE },
    Tool {
        names: &["tpm2_create", "tpm2_createprimary", "tpm2_load", "tpm2_unseal", "tpm2_changeauth", "mosquitto_ctrl"],
        separate: &["-p", "-P"],
        ..NONE
    },
];

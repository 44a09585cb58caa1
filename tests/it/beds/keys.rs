//! A user for keys of prod, made on a machine with its own users and sudo.

use super::Bed;

#[test]
fn a_user_is_made_who_may_run_the_agent_as_root_and_nothing_else() {
    let Some(bed) = Bed::start("tkm-users") else { return };
    // Root's own key is the way in that there is; an administrator with sudo has it too.
    bed.root("mkdir -p /run/sshd && ssh-keygen -A && ssh-keygen -q -t ed25519 -N '' -f /root/own").ok();
    bed.root(
        "mkdir -m 700 -p ~/.ssh ~ann/.ssh && cp /root/own.pub ~/.ssh/authorized_keys && cp /root/own.pub ~ann/.ssh/authorized_keys",
    )
    .ok();
    bed.root("chown -R ann: ~ann/.ssh && /usr/sbin/sshd").ok();
    let add = "tkm host add NAME root@127.0.0.1 --env prod --yes --fingerprint \
               $(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d ' ' -f 2)";
    bed.root(&format!("tkm init && {}", add.replace("NAME", "prod"))).ok();
    bed.root("tkm generate prod --no-passphrase --yes").ok();
    let refused = bed.root("tkm bootstrap prod --create-user root --sudo --identity /root/own --yes");
    assert_eq!(refused.output.code, 2, "{:?}", refused.output);
    let made = bed.root("tkm bootstrap prod --create-user tetra-deploy --sudo --identity /root/own --yes");
    assert!(made.output.code == 0 && made.output.out.contains("for tetra-deploy"), "{:?}", made.output);
    // Whose everything is: the user's keys are the user's own, the program and the line of sudo are root's.
    bed.root("test \"$(stat -c %U:%a ~tetra-deploy/.ssh/authorized_keys)\" = tetra-deploy:600").ok();
    bed.root("test \"$(stat -c %U:%a /etc/sudoers.d/tetra-tetra-deploy)\" = root:440").ok();
    bed.root(
        "test \"$(stat -c %U:%a /usr/local/lib/tetra/tetra-*)\" = root:755 && ! ls -A /etc/sudoers.d | grep -F .tetra",
    )
    .ok();
    bed.root("tkm test prod && tkm ssh prod --yes -- ping | grep -F prod").ok();
    bed.root("tkm host show prod | grep -F 'root with /root/own'").ok();
    bed.root("grep -F tetra-deploy@127.0.0.1 ~/tetra/tkm/hosts.toml").ok();
    // The agent of this environment, and nothing else: not another one, not with other words.
    let as_user = |line: &str| bed.root(&format!("runuser -u tetra-deploy -- {line}")).output;
    let program = bed.root("ls /usr/local/lib/tetra/tetra-*").ok().trim().to_owned();
    assert_eq!(as_user(&format!("sudo -n -l {program} agent prod")).code, 0);
    for line in [format!("{program} agent staging"), format!("{program} list"), "/bin/true".to_owned(), "su".to_owned()]
    {
        assert_ne!(as_user(&format!("sudo -n -l {line}")).code, 0, "{line}");
    }
    // Again, by one who is not root and has sudo; the key is replaced by a login of the new user.
    bed.root("tkm bootstrap prod --as ann --create-user tetra-deploy --sudo --identity /root/own --yes").ok();
    bed.root("tkm rotate prod --now --no-passphrase --yes && tkm test prod").ok();
    // Without sudo nothing is made.
    bed.root("rm /etc/sudoers.d/ann").ok();
    let refused = bed.root("tkm bootstrap prod --as ann --create-user other --identity /root/own --yes");
    assert!(refused.output.code == 13 && refused.output.err.contains("sudo"), "{:?}", refused.output);
    assert_ne!(bed.root("id other").output.code, 0);
    // A line that visudo does not take is not moved in, nor one that it cannot look at.
    bed.root("mv /usr/sbin/visudo /usr/sbin/visudo.real").ok();
    for (line, why) in
        [("true", "does not exist there"), ("ln -s /bin/false /usr/sbin/visudo", "visudo refuses the line")]
    {
        bed.root(line).ok();
        let refused = bed.root("tkm bootstrap prod --as root --create-user third --sudo --identity /root/own --yes");
        assert!(refused.output.code == 13 && refused.output.err.contains(why), "{:?}", refused.output);
        bed.root("test ! -e /etc/sudoers.d/tetra-third && ! ls -A /etc/sudoers.d | grep -F .tetra").ok();
    }
}

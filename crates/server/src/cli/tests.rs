use super::*;
use clap::CommandFactory;

#[test]
fn definitions_are_consistent() {
    Cli::command().debug_assert();
}

fn check(line: &str, right: bool) {
    let outcome = Cli::try_parse_from(line.split(' '));
    assert_eq!(outcome.is_ok(), right, "{line}: {:?}", outcome.err().map(|e| e.to_string()));
}

#[test]
fn what_scripts_depend_on() {
    check("mailward serve", true);
    check("mailward serve --config a.toml", true);
    check("mailward --config a.toml serve", true);
    check("mailward serve --alone", true);
    check("mailward audit --json", true);
    check("mailward audit sandbox --json", true);
    check("mailward audit nothing", false);
    check("mailward alarms --json", true);
    check("mailward account add a@example.test --password-stdin --config a.toml", true);
    check("mailward account list --json", true);
    check("mailward account app-password add a@example.test phone", true);
    check("mailward account forward a@example.test", true);
    check("mailward account forward a@example.test --to b@example.net --to c@example.net --no-keep", true);
    check("mailward account forward a@example.test --no-keep", false);
    check("mailward account forward a@example.test --to b@example.net --off", false);
    check("mailward account vacation a@example.test --text-file - --subject Away --until 2026-12-31", true);
    check("mailward account vacation a@example.test --until 2026-12-31", false);
    check("mailward account vacation a@example.test --off", true);
    check("mailward domain catch-all example.test a@example.test", true);
    check("mailward domain catch-all example.test --none", true);
    check("mailward domain catch-all example.test", false);
    check("mailward domain catch-all example.test a@example.test --none", false);
    check("mailward alias add b@example.test", false);
    check("mailward alias add b@example.test a@example.test --send-as", true);
    check("mailward queue list --json", true);
    check("mailward queue holds --json", true);
    check("mailward quarantine list", true);
    check("mailward undelete restore a@example.test 3 4", true);
    check("mailward undelete restore a@example.test", false);
    check("mailward undelete restore a@example.test --since 2d --mailbox INBOX", true);
    check("mailward undelete restore a@example.test 3 --since 2d", false);
    check("mailward import a@example.test /m --format mbox --mbox-quoting mboxo --below Old --json", true);
    check("mailward import a@example.test", false);
    check("mailward export a@example.test /m --mailbox INBOX --mailbox Sent", true);
    check("mailward backup /b --keep 30 --with-key", true);
    check("mailward backup /b --verify --backup 2026-11-25T12-00-00Z", true);
    check("mailward restore /b --list --json", true);
    check("mailward restore /b --account a@example.test --mailbox Work --merge", true);
    check("mailward restore /b --merge", false);
    check("mailward rollback", true);
    check("mailward rollback --to 2 --yes", true);
    check("mailward sieve put a@example.test main - --activate", true);
    check("mailward sieve put a@example.test main", false);
    check("mailward sieve list a@example.test --json", true);
    check("mailward sieve check a.sieve", true);
    check("mailward config check", true);
    check("mailward config show", true);
    check("mailward completion bash", true);
    check("mailward man", true);
    check("mailward", false);
}

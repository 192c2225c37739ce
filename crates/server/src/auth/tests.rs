use super::*;
use base::Timestamp;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// A directory in memory.
#[derive(Default)]
struct Fake {
    accounts: Mutex<HashMap<String, Login>>,
    broken: AtomicBool,
}

impl Fake {
    fn set(&self, name: &str, epoch: u64, active: bool, credentials: &Credentials) {
        let account = AccountId(u64::from(name.as_bytes()[0]));
        let login = Login { account, epoch, active, credentials: credentials.to_bytes() };
        self.accounts.lock().insert(name.into(), login);
    }
}

impl Logins for Fake {
    fn login(&self, name: &str) -> Result<Option<Login>, String> {
        match self.broken.load(Ordering::Relaxed) {
            true => Err("broken".into()),
            false => {
                let (accounts, name) = (self.accounts.lock(), written_alike(name));
                let is_it = |known: &&String| **known == name || known.split_once('@').unwrap().0 == name;
                let mut found = accounts.keys().filter(is_it);
                let only = found.next().filter(|_| found.next().is_none());
                Ok(only.and_then(|name| accounts.get(name)).cloned())
            }
        }
    }

    fn domains(&self) -> Result<Vec<String>, String> {
        Ok(["a.test", "example.test", "z.test"].map(String::from).into())
    }

    fn epoch(&self, account: AccountId) -> Result<Option<u64>, String> {
        let accounts = self.accounts.lock();
        Ok(accounts.values().find(|login| login.account == account && login.active).map(|login| login.epoch))
    }
}

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";

fn cheap() -> Cost {
    Cost::new(64, 1, 1).unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text)
}

fn peer(text: &str) -> IpAddr {
    text.parse().unwrap()
}

const REMEMBER: Duration = Duration::from_secs(600);

fn settings() -> Settings {
    Settings { cost: cheap(), policy: Policy::default(), remember: REMEMBER, secret: [7; 32] }
}

/// An authenticator that knows alice (`secret`) and bob (suspended, `secret`).
fn scene() -> (Arc<Fake>, Authenticator, Instant) {
    let fake = Arc::new(Fake::default());
    let credentials = Credentials::new(&secret("secret"), &cheap(), true);
    fake.set(ALICE, 1, true, &credentials);
    fake.set(BOB, 1, false, &credentials);
    let pool = HashPool::new(1, 100).unwrap();
    (fake.clone(), Authenticator::new(fake, pool, settings()), Instant::now())
}

fn delay(result: Result<LoggedIn, Refusal>) -> Duration {
    match result {
        Err(Refusal::Wrong { delay }) => delay,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn right_wrong_unknown_and_suspended() {
    let (_, auth, now) = scene();
    let here = peer("192.0.2.1");
    let ok = auth.check_password(ALICE, &secret("secret"), here, now).await.unwrap();
    assert_eq!(ok, LoggedIn { account: AccountId(97), epoch: 1, app_password: None });
    for (n, (name, password)) in
        [(ALICE, "Secret"), (BOB, "secret"), ("ghost@example.test", "secret"), ("ghost", "")]
            .into_iter()
            .enumerate()
    {
        let from = peer(&format!("192.0.2.{}", 10 + n));
        let delay = delay(auth.check_password(name, &secret(password), from, now).await);
        assert_eq!(delay, Duration::from_millis(250), "{name}");
    }
    let long = secret(&"x".repeat(MAX_PASSWORD + 1));
    delay(auth.check_password(ALICE, &long, peer("192.0.2.20"), now).await);
}

#[tokio::test]
async fn passwords_match_in_their_prepared_form() {
    let (fake, auth, now) = scene();
    let made = auth.make_credentials(secret("£a\u{308}"), false).await.unwrap();
    assert!(made.scram_keys().is_none());
    fake.set(ALICE, 2, true, &made);
    assert!(auth.check_password(ALICE, &secret("£ä"), peer("::1"), now).await.is_ok());
}

#[tokio::test]
async fn a_directory_that_fails_is_no_wrong_password() {
    let (fake, auth, now) = scene();
    fake.broken.store(true, Ordering::Relaxed);
    let refusal = auth.check_password(ALICE, &secret("secret"), peer("::1"), now).await.unwrap_err();
    assert_eq!(refusal, Refusal::Unavailable("broken".into()));
}

#[tokio::test]
async fn remembered_log_ins_end_with_time_and_with_the_epoch() {
    let (fake, auth, now) = scene();
    let log_in = |at| auth.check_password(ALICE, &SECRET, LOCAL, at);
    let remembered = |at| {
        let key = auth.keyed(&[&97u64.to_be_bytes(), &1u64.to_be_bytes(), b"secret"]);
        auth.cache.lock().holds(&key, at)
    };
    log_in(now).await.unwrap();
    assert!(remembered(now) && remembered(now + REMEMBER - Duration::from_secs(1)));
    assert!(!remembered(now + REMEMBER));

    // A password that changed counts at once, whatever is remembered.
    fake.set(ALICE, 2, true, &Credentials::new(&secret("other"), &cheap(), true));
    delay(log_in(now).await);
    assert!(remembered(now));
    auth.changed(AccountId(97), 2);
    assert!(!remembered(now));
}

static LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
static SECRET: std::sync::LazyLock<Secret> = std::sync::LazyLock::new(|| secret("secret"));

#[tokio::test]
async fn connections_of_one_client_share_a_hash() {
    let (fake, _, now) = scene();
    // One place to hash and one to wait: ten hashes would not fit.
    let auth = Authenticator::new(fake, HashPool::new(1, 1).unwrap(), settings());
    let password = secret("secret");
    let one = || auth.check_password(ALICE, &password, peer("::1"), now);
    let (a, b, c, d, e, f) = tokio::join!(one(), one(), one(), one(), one(), one());
    assert!([a, b, c, d, e, f].iter().all(Result::is_ok));

    // A wrong password does likewise, and a name that nobody has: or it could be told from the others.
    for name in [ALICE, BOB, "ghost@example.test", "ghost"] {
        let wrong = secret("wrong");
        let one = || auth.check_password(name, &wrong, peer("::1"), now);
        let (a, b, c, d, e) = tokio::join!(one(), one(), one(), one(), one());
        for outcome in [a, b, c, d, e] {
            delay(outcome);
        }
    }
}

#[tokio::test]
async fn a_full_queue_is_a_temporary_failure() {
    let pool = HashPool::new(1, 1).unwrap();
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let (started, start) = std::sync::mpsc::channel::<()>();
    let blocked = pool.run(move || {
        let _ = started.send(());
        let _ = wait.recv();
        1
    });
    let mut blocked = Box::pin(blocked);
    assert!(futures_poll(blocked.as_mut()).is_none());
    start.recv().unwrap();
    let mut queued = Box::pin(pool.run(|| 2));
    assert!(futures_poll(queued.as_mut()).is_none());
    assert_eq!(pool.run(|| 3).await, Err(Busy));
    release.send(()).unwrap();
    assert_eq!((blocked.await, queued.await), (Ok(1), Ok(2)));
    // A job that panics does not take its thread along.
    assert_eq!(pool.run(|| if true { panic!("on purpose") } else { 0 }).await, Err(Busy));
    assert_eq!(pool.run(|| 4).await, Ok(4));
}

/// Polls once.
fn futures_poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.poll(&mut context) {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test]
async fn guessers_wait_longer_and_are_banned_and_nobody_else_is() {
    let (_, auth, mut now) = scene();
    let (bad, elsewhere) = (peer("2001:db8::1"), peer("2001:db8:0:1::1"));
    let mut waits = Vec::new();
    for n in 0..30 {
        let neighbour = peer(&format!("2001:db8::{n:x}"));
        let password = secret(&format!("guess {n}"));
        waits.push(delay(auth.check_password(ALICE, &password, neighbour, now).await));
    }
    assert!(
        waits.is_sorted() && waits[0] == Duration::from_millis(250) && waits[29] == Duration::from_secs(5)
    );
    let banned = auth.check_password(ALICE, &SECRET, bad, now).await;
    assert_eq!(banned, Err(Refusal::Banned));
    assert!(matches!(auth.scram_keys(ALICE, bad, now), Err(Refusal::Banned)));
    // The owner, from anywhere else, does not even wait.
    assert!(auth.check_password(ALICE, &SECRET, elsewhere, now).await.is_ok());

    now += Policy::default().ban;
    assert!(auth.check_password(ALICE, &SECRET, bad, now).await.is_ok());
}

#[test]
fn an_old_password_tried_for_ever_bans_nobody() {
    let mut failures = Failures::new(Policy::default());
    let (block, now) = (Block::of(LOCAL), Instant::now());
    for _ in 0..1000 {
        failures.failed(block, ALICE, Some([1; 32]), now);
    }
    assert!(!failures.is_banned(block, now));
    // Of a SCRAM proof nobody knows whether it is the same again.
    for _ in 0..30 {
        failures.failed(block, ALICE, None, now);
    }
    assert!(failures.is_banned(block, now));
}

#[test]
fn failures_are_forgiven() {
    let policy = Policy { ban_after: None, ..Policy::default() };
    let (block, now) = (Block::of(LOCAL), Instant::now());
    let mut failures = Failures::new(policy);
    let mut fail =
        |name: &str, at| failures.failed(block, name, None, now + Duration::from_secs(at)).as_millis();
    assert_eq!((fail(ALICE, 0), fail(ALICE, 0), fail(BOB, 0), fail(BOB, 0)), (250, 500, 300, 500));
    assert_eq!(fail("x", 0), 500);
    assert_eq!(fail(ALICE, 60), 500);
    assert_eq!(fail(ALICE, 3600), 250);
    for _ in 0..100 {
        fail(ALICE, 3600);
    }
    assert_eq!(fail(ALICE, 3600), 5000);
    // Success starts anew with the account, not with the block.
    failures.succeeded(block, ALICE);
    assert_eq!(failures.failed(block, BOB, None, now + Duration::from_secs(3600)).as_millis(), 5000);
}

#[test]
fn tables_stay_bounded_and_forget_bans_last() {
    let mut failures = Failures::new(Policy { ban_after: Some(2), ..Policy::default() });
    let now = Instant::now();
    let block = |n: u32| Block::of(IpAddr::V4(n.into()));
    failures.failed(block(0), "x", None, now);
    failures.failed(block(0), "x", None, now);
    for n in 1..120_000 {
        failures.failed(block(n), "x", None, now + Duration::from_millis(n.into()));
    }
    assert!(failures.len() <= 100_000);
    assert!(failures.is_banned(block(0), now + Duration::from_secs(120)));
}

#[test]
fn scram_verifiers_and_fakes() {
    let (fake, auth, now) = scene();
    let keys = |name: &str| auth.scram_keys(name, LOCAL, now).unwrap().0;
    let real = keys(ALICE);
    assert_eq!((real.iterations, real.salt.len()), (10_000, 16));
    // Suspended: the salt stays as it was, the keys are nobody's.
    assert_eq!(keys(BOB).salt, real.salt);
    assert_ne!(keys(BOB).stored_key, real.stored_key);

    let ghost = keys("ghost@example.test");
    assert_eq!((ghost.iterations, ghost.salt.len()), (real.iterations, real.salt.len()));
    for other in ["ghost@example.test", "Ghost@Example.test", "\"ghost\"@example.test"] {
        assert_eq!(keys(other).salt, ghost.salt);
    }
    assert_ne!(keys("ghost2@example.test").salt, ghost.salt);

    // A password that was set without a verifier: as if there were none.
    let without = Credentials::new(&Secret::new("another"), &cheap(), false);
    fake.set(ALICE, 2, true, &without);
    assert_ne!(keys(ALICE).salt, real.salt);
}

/// Whoever asks for a name in all its forms sees the same of one that exists and of one that doesn't: the bare name
/// has the salt of just one whole name.
#[test]
fn the_forms_of_a_name_tell_nothing() {
    let (fake, auth, now) = scene();
    let credentials = || Credentials::new(&secret("secret"), &cheap(), true);
    fake.set("carol@a.test", 1, true, &credentials());
    fake.set("dora@a.test", 1, true, &credentials());
    fake.set("dora@z.test", 1, true, &credentials());
    let salt = |name: &str| auth.scram_keys(name, LOCAL, now).unwrap().0.salt;
    let ghosts = (0..20).map(|n| format!("ghost{n}"));
    for name in ["alice", "bob", "carol", "dora"].map(String::from).into_iter().chain(ghosts) {
        let whole = fake.domains().unwrap().into_iter().map(|domain| format!("{name}@{domain}"));
        let same: Vec<String> = whole.filter(|whole| salt(whole) == salt(&name)).collect();
        assert_eq!(same.len(), 1, "{name}: {same:?}");
        let quoted = same[0].replacen(&name, &format!("\"{name}\""), 1).to_uppercase();
        assert_eq!(salt(&quoted), salt(&name), "{quoted}");
    }
    // A name that two have is nobody's.
    assert_eq!(auth.scram_keys("dora", LOCAL, now).unwrap().1, ScramTicket(None));
}

#[test]
fn a_scram_log_in_is_of_the_epoch_its_keys_were_of() {
    let (fake, auth, now) = scene();
    let ticket = |name: &str| auth.scram_keys(name, LOCAL, now).unwrap().1;
    let old = ticket(ALICE);
    assert_eq!(auth.scram_done(old, ALICE, LOCAL, now).unwrap().account, AccountId(97));
    delay(auth.scram_done(ticket("ghost"), "ghost", LOCAL, now));
    delay(auth.scram_done(ticket(BOB), BOB, LOCAL, now));
    fake.set(ALICE, 2, true, &Credentials::default());
    delay(auth.scram_done(old, ALICE, LOCAL, now));
    assert!(auth.scram_failed(ALICE, LOCAL, now) > Duration::ZERO);
}

#[tokio::test]
async fn app_passwords() {
    let (fake, auth, now) = scene();
    let mut credentials = Credentials::new(&secret("secret"), &cheap(), true);
    let phone = credentials.add_app_password("phone\n", Timestamp(5)).unwrap();
    let laptop = credentials.add_app_password("laptop", Timestamp(6)).unwrap();
    assert_eq!((phone.expose().len(), &*credentials.app_passwords()[0].label), (29, "phone"));
    fake.set(ALICE, 2, true, &Credentials::from_bytes(&credentials.to_bytes()).unwrap());
    let used = async |password: &Secret| {
        auth.check_password(ALICE, password, LOCAL, now).await.map(|found| found.app_password)
    };
    assert_eq!(used(&phone).await, Ok(Some(1)));
    assert_eq!(used(&laptop).await, Ok(Some(2)));
    let typed = phone.expose_str().unwrap().replace('-', "").to_uppercase();
    assert_eq!(used(&secret(&typed)).await, Ok(Some(1)));
    assert_eq!(used(&SECRET).await, Ok(None));

    assert!(credentials.revoke_app_password(1) && !credentials.revoke_app_password(1));
    fake.set(ALICE, 3, true, &credentials);
    assert!(used(&phone).await.is_err() && used(&laptop).await.is_ok());

    while credentials.add_app_password("x", Timestamp(7)).is_ok() {}
    assert_eq!(credentials.app_passwords().len(), credentials::MOST_APP_PASSWORDS);
}

#[tokio::test]
async fn a_change_closes_sessions_at_once() {
    let (fake, auth, now) = scene();
    let logged_in = auth.check_password(ALICE, &SECRET, LOCAL, now).await.unwrap();
    let mut one = auth.register(logged_in).unwrap();
    let two = auth.register(logged_in).unwrap();
    assert!(!one.is_revoked());

    fake.set(ALICE, 2, true, &Credentials::new(&SECRET, &cheap(), false));
    // Between the change and its announcement an old log-in gets in no more.
    assert!(auth.register(logged_in).is_none());
    auth.changed(AccountId(97), 2);
    one.revoked().await;
    assert!(two.is_revoked() && auth.register(logged_in).is_none());

    let new = auth.register(LoggedIn { epoch: 2, ..logged_in }).unwrap();
    assert!(!new.is_revoked());
    fake.set(ALICE, 3, false, &Credentials::default());
    auth.changed(AccountId(97), 3);
    assert!(new.is_revoked());
    drop((one, two, new));
    assert_eq!(auth.sessions.accounts(), 0);
}

#[test]
fn hashes() {
    // From RFC 9106's reference implementation, by argon2-cffi.
    let salt = b"somesaltsomesalt";
    let expected =
        "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Gpj7qOY5RCXJvcMzqcdQqvgR3wcPX7SleI4c9NtXk6E";
    assert_eq!(
        hashing::hash(&Cost::new(64, 2, 1).unwrap(), &secret("password"), salt).as_deref(),
        Some(expected)
    );
    assert!(hashing::verify(expected, &secret("password")));
    assert!(!hashing::verify(expected, &secret("Password")));
    for bad in ["", "$argon2id$", "$2b$10$abc", "plain"] {
        assert!(!hashing::verify(bad, &secret("")));
    }
    let dummy = hashing::unmatched(&cheap(), [1; 16], [2; 32]);
    assert!(!hashing::verify(&dummy, &secret("")));
    assert!(dummy.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
    assert!(Cost::new(1, 1, 1).is_none());
}

#[test]
fn secrets_do_not_show() {
    let mut credentials = Credentials::new(&SECRET, &cheap(), true);
    credentials.add_app_password("phone", Timestamp(1)).unwrap();
    assert_eq!(format!("{credentials:?}"), "Credentials(hidden)");
    assert_eq!(
        format!("{:?}", credentials.app_passwords()[0]),
        "AppPassword { id: 1, label: \"phone\", .. }"
    );
    assert!(Credentials::from_bytes(b"{\"password\":null,\"new\":1}").is_err());
}

//! Argon2id (RFC 9106), on threads of its own.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use base::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tokio::sync::oneshot;

/// What a hash costs.
#[derive(Clone, Debug)]
pub struct Cost(Params);

impl Cost {
    /// So much memory in KiB, passes over it, and lanes; `None` for what Argon2 doesn't allow.
    pub fn new(memory: u32, passes: u32, lanes: u32) -> Option<Self> {
        Params::new(memory, passes, lanes, None).ok().map(Cost)
    }
}

impl Default for Cost {
    /// 19 MiB, 2 passes, 1 lane: what OWASP's password storage guide gives as the least.
    fn default() -> Self {
        Cost(Params::DEFAULT)
    }
}

/// Hashes a password into a PHC string. `None` only for passwords of gigabytes.
pub fn hash(cost: &Cost, password: &Secret, salt: &[u8; 16]) -> Option<String> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost.0.clone());
    argon2.hash_password_with_salt(password.expose(), salt).ok().map(|hash| hash.to_string())
}

/// Whether a password is that of a PHC string. The string says what it costs.
pub fn verify(hash: &str, password: &Secret) -> bool {
    let parsed = PasswordHash::new(hash);
    parsed.is_ok_and(|hash| Argon2::default().verify_password(password.expose(), &hash).is_ok())
}

/// A PHC string that no password is known for, as costly to check as a real one.
pub fn unmatched(cost: &Cost, salt: [u8; 16], hash: [u8; 32]) -> String {
    let (memory, passes, lanes) = (cost.0.m_cost(), cost.0.t_cost(), cost.0.p_cost());
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}")
}

/// There is too much to do already: a temporary failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Busy;

type Job = Box<dyn FnOnce() + Send>;

/// A few threads that hash, and a bounded queue before them: however many log in at once, the memory and the
/// processors that hashing takes are bounded. The threads end when the pool is dropped.
pub struct HashPool {
    jobs: SyncSender<Job>,
}

impl HashPool {
    /// Starts `threads` threads; up to `queue` jobs wait.
    pub fn new(threads: usize, queue: usize) -> std::io::Result<Self> {
        let (jobs, receiver) = sync_channel::<Job>(queue);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..threads.max(1) {
            let receiver = receiver.clone();
            std::thread::Builder::new().name("hash".into()).spawn(move || work(&receiver))?;
        }
        Ok(HashPool { jobs })
    }

    /// Runs a job on the pool. One that nobody waits for any more when its turn comes is left out.
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let (send, receive) = oneshot::channel();
        let job = move || {
            if !send.is_closed() {
                let _ = send.send(job());
            }
        };
        self.jobs.try_send(Box::new(job)).map_err(|_| Busy)?;
        receive.await.map_err(|_| Busy)
    }
}

fn work(receiver: &Mutex<Receiver<Job>>) {
    loop {
        let job = receiver.lock().recv();
        let Ok(job) = job else { return };
        // A job that panics answers as if there were no room; the thread lives on.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

//! The log in a file, turned over by size and by age.
//!
//! A thread of its own writes: whoever logs never waits for a disk. Lines that come while too many wait are lost and
//! counted, and so are those that the disk does not take. `mailward.log` becomes `mailward.log.1` and so on; of these so
//! many are kept, and no more. Where that can't be done the file at hand grows on, and it is tried again.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime};
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait.
const WAITING: usize = 4096;

/// Octets of a line; the rest is cut.
const MOST_LINE: usize = 16 * 1024;

/// How long after a file could not be turned over that is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// For the owner, and for the group that may read logs.
const MODE: u32 = 0o640;

/// Where the log goes, and when it is turned over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The file.
    pub path: PathBuf,
    /// Octets after which it is turned over.
    pub octets: u64,
    /// The time after which it is.
    pub age: Duration,
    /// Files that are kept beside it.
    pub keep: usize,
}

/// Hands lines to the thread that writes them.
#[derive(Clone)]
pub struct LogFile {
    orders: SyncSender<Order>,
    lost: Arc<AtomicU64>,
}

enum Order {
    Line(Vec<u8>),
    Reopen,
    Flush(SyncSender<()>),
}

impl LogFile {
    /// Opens the file, and starts the thread.
    pub fn open(settings: Settings) -> io::Result<LogFile> {
        let turner = Turner::open(settings)?;
        let (orders, waiting) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = lost.clone();
        std::thread::Builder::new()
            .name("log".into())
            .spawn(move || write_all(turner, &waiting, &counted))?;
        Ok(LogFile { orders, lost })
    }

    /// Has the file opened anew: another program may have moved it away.
    pub fn reopen(&self) {
        // Where that many lines wait it is opened anew with the next signal.
        let _ = self.orders.try_send(Order::Reopen);
    }

    /// Waits, at most this long, until what was logged so far is written.
    pub fn flush(&self, most: Duration) {
        let (done, written) = sync_channel(1);
        if self.orders.try_send(Order::Flush(done)).is_ok() {
            let _ = written.recv_timeout(most);
        }
    }
}

impl MakeWriter<'_> for LogFile {
    type Writer = LogFile;

    fn make_writer(&self) -> LogFile {
        self.clone()
    }
}

/// A line comes in one piece.
impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut kept = line.get(..MOST_LINE).unwrap_or(line).to_vec();
        if kept.len() < line.len() {
            kept.push(b'\n');
        }
        if self.orders.try_send(Order::Line(kept)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(mut turner: Turner, orders: &Receiver<Order>, lost: &AtomicU64) {
    while let Ok(order) = orders.recv() {
        match order {
            Order::Line(line) => {
                let count = lost.swap(0, Ordering::Relaxed);
                let told = match count {
                    0 => Ok(()),
                    _ => turner.write(format!("{count} lines of the log were lost\n").as_bytes()),
                };
                if told.and_then(|()| turner.write(&line)).is_err() {
                    lost.fetch_add(count + 1, Ordering::Relaxed);
                }
            }
            // The old one stays in use.
            Order::Reopen => drop(turner.reopen()),
            Order::Flush(done) => drop(done.try_send(())),
        }
    }
}

/// The file, and what of it is written.
struct Turner {
    settings: Settings,
    file: File,
    octets: u64,
    since: SystemTime,
    /// Since it could not be turned over: when that is tried again.
    again: Option<Instant>,
}

impl Turner {
    fn open(settings: Settings) -> io::Result<Self> {
        let file = open(&settings.path)?;
        let about = file.metadata()?;
        // Not every file system knows when a file was made.
        let since = about.created().unwrap_or_else(|_| SystemTime::now());
        Ok(Turner { octets: about.len(), since, file, settings, again: None })
    }

    fn reopen(&mut self) -> io::Result<()> {
        *self = Turner::open(self.settings.clone())?;
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let is_full = self.octets > 0 && self.octets + line.len() as u64 > self.settings.octets;
        let is_old = self.since.elapsed().is_ok_and(|age| age >= self.settings.age);
        let is_due = is_full || is_old && self.octets > 0;
        if is_due && self.again.is_none_or(|time| time <= Instant::now()) {
            self.try_to_turn_over()?;
        }
        self.append(line)
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)?;
        self.octets += line.len() as u64;
        Ok(())
    }

    /// Says once, in the log itself, why it can't.
    fn try_to_turn_over(&mut self) -> io::Result<()> {
        let Err(error) = self.turn_over() else { return Ok(()) };
        match self.again.replace(Instant::now() + TRY_AGAIN) {
            Some(_) => Ok(()),
            None => {
                self.append(format!("the log can't be turned over and goes on here: {error}\n").as_bytes())
            }
        }
    }

    /// Begins a new file. That is opened before anything is moved: where it can't be, all stays as it is.
    fn turn_over(&mut self) -> io::Result<()> {
        let Settings { path, keep, .. } = &self.settings;
        let passing = beside(path, "new");
        let file = open(&passing)?;
        file.set_len(0)?;
        if *keep > 0 {
            move_up(path, *keep)?;
        }
        fs::rename(&passing, path)?;
        *self = Turner {
            file,
            octets: 0,
            since: SystemTime::now(),
            again: None,
            settings: self.settings.clone(),
        };
        Ok(())
    }
}

/// Moves each file one number up, as far as the first number that is free: tried many times, too, it loses none but the last.
fn move_up(path: &Path, keep: usize) -> io::Result<()> {
    let numbered = |number: usize| beside(path, &number.to_string());
    let free = (1..keep).find(|number| !numbered(*number).exists()).unwrap_or(keep);
    for number in (1..free).rev() {
        moved(&numbered(number), &numbered(number + 1))?;
    }
    moved(path, &numbered(1))
}

fn moved(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{suffix}"));
    name.into()
}

fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create(true).mode(MODE).open(path)?;
    file.set_permissions(Permissions::from_mode(MODE))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(10);

    fn settings(folder: &Path, octets: u64, keep: usize) -> Settings {
        Settings { path: folder.join("log"), octets, age: Duration::from_secs(3600), keep }
    }

    fn text(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).unwrap_or_default()
    }

    fn write(log: &LogFile, lines: &[&str]) {
        lines.iter().for_each(|line| log.make_writer().write_all(line.as_bytes()).unwrap());
        log.flush(WAIT);
    }

    #[test]
    fn is_turned_over_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let log = LogFile::open(settings(folder.path(), 10, 2)).unwrap();
        write(&log, &["one 45\n", "two 45\n", "three\n", "four 5\n", "a longer one than fits\n"]);
        let names = ["log", "log.1", "log.2", "log.3"];
        let found = names.map(|name| text(folder.path(), name));
        assert_eq!(found, ["a longer one than fits\n", "four 5\n", "three\n", ""]);
        let mode = fs::metadata(folder.path().join("log")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }

    #[test]
    fn old_files_are_turned_over() {
        let folder = tempfile::tempdir().unwrap();
        let age = Duration::ZERO;
        let log = LogFile::open(Settings { age, ..settings(folder.path(), 1000, 1) }).unwrap();
        write(&log, &["one\n", "two\n"]);
        assert_eq!(
            (text(folder.path(), "log"), text(folder.path(), "log.1")),
            ("two\n".into(), "one\n".into())
        );
    }

    #[test]
    fn is_found_again_where_it_was_moved_away() {
        let folder = tempfile::tempdir().unwrap();
        let log = LogFile::open(settings(folder.path(), 1000, 1)).unwrap();
        write(&log, &["one\n"]);
        fs::rename(folder.path().join("log"), folder.path().join("away")).unwrap();
        write(&log, &["two\n"]);
        log.reopen();
        write(&log, &["three\n"]);
        assert_eq!(
            (text(folder.path(), "away"), text(folder.path(), "log")),
            ("one\ntwo\n".into(), "three\n".into())
        );
    }

    /// A folder stands where the new file should: nothing is moved or lost, it is said once, and it goes on later.
    #[test]
    fn what_can_not_be_turned_over_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("log.1"), "old\n").unwrap();
        fs::create_dir(folder.path().join("log.new")).unwrap();
        let mut turner = Turner::open(settings(folder.path(), 8, 2)).unwrap();
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            turner.write(line.as_bytes()).unwrap();
        }
        let log = text(folder.path(), "log");
        let lines: Vec<_> =
            log.lines().filter(|line| !line.starts_with("the log can't be turned over")).collect();
        assert_eq!((lines, log.lines().count()), (vec!["one", "two", "three", "four"], 5));
        assert_eq!(text(folder.path(), "log.1"), "old\n");
        fs::remove_dir(folder.path().join("log.new")).unwrap();
        turner.again = Some(Instant::now());
        turner.write(b"five\n").unwrap();
        assert_eq!(
            ["log", "log.1", "log.2"].map(|name| text(folder.path(), name)),
            ["five\n".into(), log, "old\n".into()]
        );
    }

    /// Logging never waits, and what is lost is told.
    #[test]
    fn lines_that_can_not_wait_are_counted() {
        let (orders, waiting) = sync_channel(2);
        let lost = Arc::new(AtomicU64::new(0));
        let log = LogFile { orders, lost: lost.clone() };
        for _ in 0..5 {
            log.make_writer().write_all(b"line\n").unwrap();
        }
        drop(log);
        let folder = tempfile::tempdir().unwrap();
        write_all(Turner::open(settings(folder.path(), 1000, 1)).unwrap(), &waiting, &lost);
        assert_eq!(text(folder.path(), "log"), "3 lines of the log were lost\nline\nline\n");
    }
}

//! The line between keeper and server: a pair of sockets, the server's end its standard input. The keeper sends listening
//! sockets, as descriptors (unix(7), SCM_RIGHTS) beside their addresses; the server says once that it is ready.

use crate::sockets::Sockets;
use rustix::cmsg_space;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};

/// Sockets that are handed over at once; the kernel takes 253.
const MOST_SOCKETS: usize = 200;

/// Octets of a message: an address takes less than 64.
const MOST_OCTETS: usize = 64 * MOST_SOCKETS;

/// One end.
#[derive(Debug)]
pub struct Line(OwnedFd);

impl From<OwnedFd> for Line {
    fn from(end: OwnedFd) -> Self {
        Line(end)
    }
}

impl Line {
    /// The keeper's end, and the server's.
    pub fn pair() -> io::Result<(Line, OwnedFd)> {
        let (flags, kind) = (SocketFlags::CLOEXEC, SocketType::SEQPACKET);
        let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, kind, flags, None)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        Ok((Line(ours), theirs))
    }

    /// The server's end.
    pub fn of_standard_input() -> io::Result<Line> {
        io::stdin().as_fd().try_clone_to_owned().map(Line)
    }

    /// Hands sockets over; the sender keeps them, too.
    pub fn hand(&self, sockets: &Sockets) -> io::Result<()> {
        let sockets = sockets.all();
        if sockets.len() > MOST_SOCKETS {
            return Err(io::Error::other(format!("more than {MOST_SOCKETS} addresses to listen on")));
        }
        let text = serde_json::to_vec(&sockets.iter().map(|(address, _)| address).collect::<Vec<_>>())?;
        let descriptors: Vec<_> = sockets.iter().map(|(_, socket)| socket.as_fd()).collect();
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_SOCKETS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(&descriptors));
        }
        rustix::net::sendmsg(&self.0, &[IoSlice::new(&text)], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Waits for sockets; `None` when the keeper is gone.
    pub fn receive(&self) -> io::Result<Option<Sockets>> {
        let mut text = vec![0; MOST_OCTETS];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_SOCKETS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = rustix::io::retry_on_intr(|| {
            rustix::net::recvmsg(&self.0, &mut [IoSliceMut::new(&mut text)], &mut control, flags)
        })?;
        if received.bytes == 0 {
            return Ok(None);
        }
        let whole = !received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
        let rights = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        let sockets: Vec<TcpListener> = rights.flatten().map(TcpListener::from).collect();
        let addresses: Vec<SocketAddr> = serde_json::from_slice(text.get(..received.bytes).unwrap_or(&[]))?;
        if !whole || addresses.len() != sockets.len() {
            return Err(io::Error::other("the keeper's sockets did not arrive whole"));
        }
        Ok(Some(addresses.into_iter().zip(sockets).collect()))
    }

    /// Tells the keeper that the server serves.
    pub fn say_ready(&self) -> io::Result<()> {
        rustix::net::send(&self.0, b"ready", SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Waits until the server serves, or is gone: whether it said that it does.
    pub async fn ready(&self) -> io::Result<bool> {
        let line =
            tokio::net::UnixStream::from_std(std::os::unix::net::UnixStream::from(self.0.try_clone()?))?;
        let mut word = [0; 16];
        loop {
            line.readable().await?;
            match line.try_read(&mut word) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Ok(read? > 0),
            }
        }
    }
}

use super::*;
use std::net::{TcpListener, TcpStream};

#[test]
fn waits_double_and_begin_afresh() {
    let mut waits = Waits::default();
    let of = |seconds| Duration::from_secs(seconds);
    let crashes = [(0, 1), (5, 2), (0, 4), (0, 8), (0, 16), (0, 32), (0, 60), (599, 60), (600, 1), (0, 2)];
    for (served, expected) in crashes {
        assert_eq!(waits.after(of(served)), of(expected), "served {served} s");
    }
}

/// Sockets handed over listen on, also when the keeper's are closed; no sockets are a message, too, and the line's end
/// is seen.
#[test]
fn a_line_hands_sockets_over() {
    let (keeper, server) = Line::pair().unwrap();
    let server = Line::from(server);
    let listeners = ["127.0.0.1:0", "127.0.0.2:0"].map(|address| TcpListener::bind(address).unwrap());
    let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    let sockets: Sockets = addresses.into_iter().zip(listeners).collect();
    keeper.hand(&sockets).unwrap();
    drop(sockets);
    let received = server.receive().unwrap().unwrap();
    for ((named, listener), address) in received.all().iter().zip(addresses) {
        assert_eq!((*named, listener.local_addr().unwrap()), (address, address));
        TcpStream::connect(address).unwrap();
    }
    keeper.hand(&Sockets::default()).unwrap();
    assert!(server.receive().unwrap().unwrap().all().is_empty());
    drop(keeper);
    assert!(server.receive().unwrap().is_none());
}

/// A server that ends before it took its sockets is gone like any other, though the kernel tells of a reset
/// (unix(7)): no error of the keeper's.
#[tokio::test]
async fn a_server_that_took_nothing_is_not_ready() {
    let (keeper, server) = Line::pair().unwrap();
    keeper.hand(&Sockets::default()).unwrap();
    drop(server);
    assert!(!keeper.ready().await.unwrap_or(false));
}

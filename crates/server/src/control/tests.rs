use super::*;

/// Says back which account was asked for.
struct Echo;

impl Admin for Echo {
    fn handle(&self, request: Request) -> BoxFuture<'_, Response> {
        Box::pin(async move {
            match request {
                Request::AccountSuspend { address } => Response::Done(address),
                Request::AccountAdd { password, .. } => Response::AppPassword(password),
                other => Response::Failed(format!("{other:?}")),
            }
        })
    }

    fn transfer(&self, _: String, _: Doubles, _: std::os::unix::net::UnixStream) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A server in a directory of its own, for as long as `test` runs.
async fn with_server(name: &str, test: impl FnOnce(PathBuf) + Send + 'static) {
    let directory = std::env::temp_dir().join(format!("mailward-control-{}-{name}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join("control.sock");
    let control = Control::bind(&path).unwrap();
    let server = tokio::spawn(control.serve(Arc::new(Echo)));
    let used = path.clone();
    tokio::task::spawn_blocking(move || test(used)).await.unwrap();
    server.abort();
    let _ = server.await;
    assert!(!path.exists(), "the socket is gone with the server");
    assert!(matches!(ask(&path, &Request::DomainList), Err(NoAnswer::NotRunning(_))));
    fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered() {
    with_server("answers", |path| {
        let address = "a@example.test".to_owned();
        let response = ask(&path, &Request::AccountSuspend { address: address.clone() }).unwrap();
        assert_eq!(response, Response::Done(address.clone()));
        let password = Password(Secret::new("pässword"));
        let request = Request::AccountAdd { address, password: password.clone() };
        assert!(!format!("{request:?}").contains("pässword"));
        assert_eq!(ask(&path, &request).unwrap(), Response::AppPassword(password));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Control::bind(&path).is_err(), "a second server on the same data");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_gets_an_error_and_no_growth() {
    with_server("nonsense", |path| {
        let talk = |octets: &[u8]| {
            let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
            // The server may close before it has taken everything.
            let _ = stream.write_all(octets);
            let mut answer = String::new();
            let _ = BufReader::new(stream).read_line(&mut answer);
            answer
        };
        assert!(talk(b"{}\n").contains("failed"));
        assert!(talk(b"\xff\xfe\n").contains("failed"));
        assert!(talk(&[b'['; 200_000]).len() < 1000);
    })
    .await;
}

//! A Redis server of the test's own, on a port of its own.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// It ends with the test, also where that panics.
pub(crate) struct Server {
    child: Child,
    port: u16,
    folder: PathBuf,
    arguments: Vec<String>,
}

impl Server {
    /// `None`, and a line that says so, where there is none on this machine.
    pub(crate) fn start() -> Option<Self> {
        Self::with(&[])
    }

    pub(crate) fn with(arguments: &[&str]) -> Option<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        if Command::new("redis-server").arg("--version").output().is_err() {
            println!("skipped: redis-server is not installed");
            return None;
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("mta-sts-redis-{}-{number}", process::id()));
        fs::create_dir(&folder).expect("a folder");
        let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        // Another program may take the port before the server does.
        for _ in 0..10 {
            let port = free_port();
            let child = spawn(port, &folder, &arguments);
            let mut server =
                Self { child, port, folder: folder.clone(), arguments: arguments.clone() };
            if server.is_up() {
                return Some(server);
            }
            server.stop();
            fs::create_dir_all(&folder).expect("a folder");
        }
        panic!("redis-server does not start");
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// A connection behind the store's back.
    pub(crate) fn connection(&self) -> redis::Connection {
        let client = redis::Client::open(self.url()).expect("a URL");
        client.get_connection().expect("it is up")
    }

    /// Kills it: what it has not on its disk is gone.
    pub(crate) fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, on the same port and what is on its disk.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.port, &self.folder, &self.arguments);
        assert!(self.is_up(), "it starts again");
    }

    /// It goes on to take connections, and answers none, until it is told to go on.
    pub(crate) fn hang(&self, hangs: bool) {
        let signal = if hangs { "-STOP" } else { "-CONT" };
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(status.expect("a signal").success());
    }

    fn is_up(&mut self) -> bool {
        let client = redis::Client::open(self.url()).expect("a URL");
        for _ in 0..400 {
            // Whoever answers, with a password or not, must be this server.
            if !matches!(self.child.try_wait(), Ok(None)) {
                return false;
            }
            if let Ok(mut connection) = client.get_connection_with_timeout(Duration::from_secs(1))
                && self.socket().exists()
            {
                // It may want a password, and it may be reading what is on its disk still.
                let answer = redis::cmd("PING").query::<String>(&mut connection);
                if !answer.is_err_and(|error| error.code() == Some("LOADING")) {
                    return true;
                }
            }
            thread::sleep(Duration::from_millis(25));
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
    listener.local_addr().expect("it is bound").port()
}

fn spawn(port: u16, folder: &PathBuf, arguments: &[String]) -> Child {
    // No configuration file is read: a system-wide one is another server's.
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--daemonize", "no"])
        .args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"])
        .arg("--dir")
        .arg(folder)
        .arg("--unixsocket")
        .arg(folder.join("socket"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}

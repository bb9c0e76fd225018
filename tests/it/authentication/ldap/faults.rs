//! Directories that are down, slow, broken or somebody else.

use std::{
    io::{Read, Write},
    net::{IpAddr, TcpListener},
};

use offshoot::auth::{Accounts, AuthError, LiveRules, Offered};

use super::{Logins, by_search, by_search_at, config};
use crate::harness::{DIRECTORY_PASSWORD, PASSWORD, Slapd};

/// Nobody of the directory is let in or refused, and accounts of this server go on.
async fn cannot_be_asked(settings: &str) {
    let logins = Logins::with(settings).await;
    for password in [DIRECTORY_PASSWORD, "wrong"] {
        let refusal = logins.refusal("ada", password).await;
        assert!(matches!(&refusal, AuthError::Unavailable(source) if source == "corp"), "{settings}: {refusal}");
    }
    assert_eq!(logins.check("local", PASSWORD).await.unwrap().name, "local");
    // The same where the directory is asked first.
    let local = "[[auth.source]]\nkind = 'local'\n";
    let logins = Logins::with(&format!("{}{local}", settings.replace(local, ""))).await;
    assert_eq!(logins.check("local", PASSWORD).await.unwrap().name, "local");
    assert!(matches!(logins.refusal("local", "wrong").await, AuthError::Credentials));
}

/// A listener that does this with each connection; returns its address.
fn listener(with: impl Fn(std::net::TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("ldap://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().flatten().for_each(with));
    address
}

#[tokio::test]
async fn a_directory_that_is_down_or_slow_or_closes_in_the_middle_refuses_no_password() {
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    cannot_be_asked(&by_search_at(&format!("ldap://{dead}"), "")).await;
    // They are kept open by those who have gone to sleep over them.
    let silent = listener(std::mem::forget);
    cannot_be_asked(&by_search_at(&silent, "timeout_seconds = 1")).await;
    cannot_be_asked(&by_search_at(&silent, "timeout_seconds = 1\nstarttls = true")).await;
    cannot_be_asked(&by_search_at(&silent.replace("ldap:", "ldaps:"), "timeout_seconds = 1")).await;
    let closing = listener(|mut connection| drop(connection.read(&mut [0; 16])));
    cannot_be_asked(&by_search_at(&closing, "timeout_seconds = 1")).await;
    cannot_be_asked(&by_search_at(&closing, "timeout_seconds = 1\nstarttls = true")).await;
    for answer in
        [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"0\x0c\x02\x01\x01a\x07\x0a\x01\x00\x04\x00\x04", b"0\x03\x02\x01\x01", b"0\x80"]
    {
        let other = listener(move |mut connection| {
            let _ = connection.read(&mut [0; 512]);
            let _ = connection.write_all(answer);
            std::mem::forget(connection);
        });
        cannot_be_asked(&by_search_at(&other, "timeout_seconds = 1")).await;
    }
}

#[tokio::test]
async fn a_directory_that_is_not_the_one_or_does_not_take_the_bind_account_refuses_no_password() {
    let (directory, other) = (Slapd::shared(), Slapd::start());
    let ca = other.ca();
    cannot_be_asked(&by_search_at(&directory.encrypted_url(), &format!("ca = '{}'", ca.display()))).await;
    cannot_be_asked(&by_search(directory, &format!("starttls = true\nca = '{}'", ca.display()))).await;
    // No authority of the machine has signed the certificate, and it is not for this name.
    cannot_be_asked(&by_search_at(&directory.encrypted_url(), "")).await;
    let by_name = directory.encrypted_url().replace("127.0.0.1", "localhost");
    cannot_be_asked(&by_search_at(&by_name, &format!("ca = '{}'", directory.ca().display()))).await;
    let settings = by_search(directory, "");
    cannot_be_asked(&settings.replace(DIRECTORY_PASSWORD, "wrong")).await;
    cannot_be_asked(&settings.replace("cn=reader,", "cn=nobody,")).await;
    cannot_be_asked(&settings.replace("search_base = '", "search_base = 'ou=nowhere,")).await;
    let with_file = settings.replace(&format!("bind_password = '{DIRECTORY_PASSWORD}'"), "bind_password_file = '/nowhere'");
    cannot_be_asked(&with_file).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{DIRECTORY_PASSWORD}\n")).unwrap();
    let config = config(&with_file.replace("/nowhere", file.path().to_str().unwrap()));
    assert!(config.private_places().contains(&file.path().to_owned()));
    assert!(!config.printed().contains(DIRECTORY_PASSWORD));
    assert_eq!(Logins::with(&with_file.replace("/nowhere", file.path().to_str().unwrap())).await.account("ada").await.name, "ada@corp");
    // An authority that is none stops the server at its start.
    std::fs::write(file.path(), "no certificate").unwrap();
    let settings = by_search_at(&directory.encrypted_url(), &format!("ca = '{}'", file.path().display()));
    let data = tempfile::tempdir().unwrap();
    let store = offshoot::store::Store::open(data.path()).await.unwrap();
    let rules = LiveRules::open(store.clone()).await.unwrap();
    let fault = Accounts::new(store, rules, &super::config(&settings).auth).err().unwrap();
    assert!(fault.starts_with("auth.source \"corp\": ca: ") && fault.ends_with("there is no certificate in PEM form"), "{fault}");
}

#[tokio::test]
async fn the_connection_of_the_bind_account_is_kept_and_made_again_when_it_breaks() {
    let mut directory = Slapd::start();
    let logins = Logins::with(&by_search(&directory, "")).await;
    let binds = |directory: &Slapd| directory.log().matches("BIND dn=\"cn=reader,dc=example,dc=org\" method").count();
    for _ in 0..3 {
        logins.account("ada").await;
    }
    assert_eq!(binds(&directory), 1, "{}", directory.log());
    directory.stop();
    assert!(matches!(logins.refusal("ada", DIRECTORY_PASSWORD).await, AuthError::Unavailable(_)));
    directory.start_again();
    // The kept connection is one to the directory of before.
    for _ in 0..3 {
        logins.account("ada").await;
    }
    assert_eq!(binds(&directory), 1, "{}", directory.log());
    directory.stop();
    directory.start_again();
    logins.account("ada").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_that_asks_a_slow_directory_too_often_is_told_so_and_others_wait_their_turn() {
    let (come, has_come) = std::sync::mpsc::channel();
    let silent = listener(move |connection| come.send(connection).unwrap());
    let logins = Logins::with(&by_search_at(&silent, "timeout_seconds = 60")).await;
    let ask = |last: u8| {
        let accounts = logins.accounts.clone();
        let address = IpAddr::from([10, 0, 0, last]);
        async move { accounts.check("ada", Offered::password("x"), address).await }
    };
    // The first that is answered is the one too many.
    let mut many: tokio::task::JoinSet<_> = (0..65).map(|_| ask(1)).collect();
    assert!(matches!(many.join_next().await.unwrap().unwrap(), Err(AuthError::TooMany)));
    let other = tokio::spawn(ask(2));
    // Eight of the first address, and the other one.
    let connections: Vec<_> = (0..9).map(|_| has_come.recv_timeout(crate::harness::PATIENCE).unwrap()).collect();
    assert!(has_come.try_recv().is_err());
    drop(connections);
    assert!(matches!(other.await.unwrap(), Err(AuthError::Unavailable(_))));
}

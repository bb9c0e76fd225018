//! Directories that know people by `NAME@DOMAIN`, as Active Directory does: what to bind as is no distinguished name then.

use bytes::BytesMut;
use ldap3::asn1::{PL, StructureTag, TagClass, parse_tag, write::encode_into};
use offshoot::auth::AuthError;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::Logins;
use crate::harness::{DIRECTORY_PASSWORD, Slapd};

/// Starts what knows such names in front of OpenLDAP's server, which does not; returns its address. All but the name of a bind is passed on as
/// it is.
async fn with_principal_names(directory: &Slapd) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ldap://{}", listener.local_addr().unwrap());
    let behind = directory.url().replace("ldap://", "");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (mut answers, questions) = TcpStream::connect(&behind).await.unwrap().into_split();
            let (asked, mut answered) = client.into_split();
            tokio::spawn(async move {
                tokio::select! {
                    () = pass_on(asked, questions) => {}
                    _ = copy(&mut answers, &mut answered) => {}
                }
            });
        }
    });
    address
}

async fn pass_on(mut asked: OwnedReadHalf, mut questions: OwnedWriteHalf) {
    let mut bytes = BytesMut::new();
    while let Ok(1..) = asked.read_buf(&mut bytes).await {
        while let Ok((rest, message)) = parse_tag(&bytes) {
            let length = bytes.len() - rest.len();
            let mut question = BytesMut::new();
            encode_into(&mut question, renamed(message)).unwrap();
            let _ = bytes.split_to(length);
            if questions.write_all(&question).await.is_err() {
                return;
            }
        }
    }
}

/// The message with the distinguished name in the place of the other one, if it is a bind (RFC 4511, section 4.2).
fn renamed(mut message: StructureTag) -> StructureTag {
    if let PL::C(parts) = &mut message.payload
        && let StructureTag { class: TagClass::Application, id: 0, payload: PL::C(bind) } = &mut parts[1]
        && let PL::P(name) = &mut bind[1].payload
        && let Some(user) = String::from_utf8_lossy(name).strip_suffix("@example.org")
    {
        *name = format!("uid={},ou=people,dc=example,dc=org", ldap3::dn_escape(user)).into_bytes();
    }
    message
}

#[tokio::test]
async fn people_bind_by_their_principal_name_and_find_their_own_entry() {
    let address = with_principal_names(Slapd::shared()).await;
    let settings = |template: &str, further: &str| {
        format!(
            "[[auth.source]]\nkind = 'ldap'\nname = 'corp'\nurl = '{address}'\nuser_dn = '{template}'\n\
             search_base = 'dc=example,dc=org'\n{further}\n"
        )
    };
    let roles = "[auth.source.roles]\n'r users' = ['POWER_USER']\ncore = ['ADMINISTRATOR']";
    let logins = Logins::with(&settings("{name}@example.org", roles)).await;
    let account = logins.account("ada").await;
    assert_eq!((account.name.as_str(), account.display_name.as_str()), ("ada", "Ada Lovelace"));
    assert_eq!(account.roles, ["ADMINISTRATOR", "POWER_USER"]);
    assert_eq!(logins.account("ADA").await, account);
    assert_eq!(logins.account("bob").await.roles, ["POWER_USER"]);
    for (name, password) in [
        ("ada", "wrong"),
        ("ada", ""),
        ("", DIRECTORY_PASSWORD),
        ("nobody", DIRECTORY_PASSWORD),
        ("eve", DIRECTORY_PASSWORD),
        // Two entries have it.
        ("twin", DIRECTORY_PASSWORD),
        ("ada@example.org", DIRECTORY_PASSWORD),
        ("*", DIRECTORY_PASSWORD),
        ("ada)(uid=*", DIRECTORY_PASSWORD),
        ("uid=ada,ou=people,dc=example,dc=org", DIRECTORY_PASSWORD),
    ] {
        assert!(matches!(logins.refusal(name, password).await, AuthError::Credentials), "{name} {password}");
    }
    assert!(matches!(logins.refusal("locked", DIRECTORY_PASSWORD).await, AuthError::Locked));
    assert!(matches!(logins.refusal("reset", DIRECTORY_PASSWORD).await, AuthError::PasswordExpired));
    // Another domain is nobody's here.
    let logins = Logins::with(&settings("{name}@example.com", "")).await;
    assert!(matches!(logins.refusal("ada", DIRECTORY_PASSWORD).await, AuthError::Credentials));
    // Whoever the filter finds is somebody else than who has bound, and nobody gets their account.
    let logins = Logins::with(&settings("{name}@example.org", "user_filter = '(&(uid=eve)(!(cn={name})))'")).await;
    assert!(matches!(logins.refusal("ada", DIRECTORY_PASSWORD).await, AuthError::Credentials));
}

//! Every route of every dialect, with credentials that are not good.

use futures_util::{StreamExt, stream};
use offshoot::api::{
    mlserver, revodeployr,
    rock::{self, access::Privilege},
};
use reqwest::Method;
use revodeployr::call::{Methods, Requirement};
use serde_json::json;

use super::{
    Pair, admin,
    credentials::{self, Bad, TRUSTING, from_elsewhere},
    oidc::issuer::Issuer,
    refresh, revoke, statuses,
};
use crate::harness::{Client, PASSWORD, Rock, Server, read};

/// The routes of Microsoft R Server's API where one gets tokens: what they take is in what is sent. All others want a token.
const ENTRANCES: [&str; 4] = ["/login", "/login/refreshToken", "/user/login", "/user/login/refreshToken"];

/// Who answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Rock,
    RevoDeployR,
    MlServer,
    Metrics,
}

/// One method of one route.
struct Door {
    dialect: Dialect,
    method: Method,
    path: String,
    /// Whether some calls of it need no credentials.
    is_open: bool,
}

/// All doors, by the tables from which the server makes its routes.
fn doors() -> Vec<Door> {
    let door = |dialect, method: &Method, path: &str, is_open| Door {
        dialect,
        method: method.clone(),
        path: path.replace(['{', '}'], ""),
        is_open,
    };
    let with_head = |method: &Method| if *method == Method::GET { vec![Method::GET, Method::HEAD] } else { vec![method.clone()] };
    let mut doors = Vec::new();
    for route in &rock::routes::ROUTES {
        let path = route.path.replace("{id}", "00000000-0000-4000-8000-000000000001");
        let is_open = route.access == Privilege::Public;
        doors.extend(with_head(&route.method).iter().map(|method| door(Dialect::Rock, method, &path, is_open)));
    }
    for route in &revodeployr::routes::ROUTES {
        let methods = match route.call.methods {
            Methods::Read => [Method::GET, Method::HEAD, Method::POST].as_slice(),
            Methods::Change => &[Method::POST],
            // The address of a published file is its own proof, and whoever has it need not be anybody.
            Methods::File => continue,
        };
        let is_open = !matches!(route.call.access, Requirement::Login(_));
        doors.extend(methods.iter().map(|method| door(Dialect::RevoDeployR, method, route.call.path, is_open)));
    }
    for route in &mlserver::routes::ROUTES {
        let is_open = ENTRANCES.contains(&route.path);
        doors.extend(with_head(&route.method).iter().map(|method| door(Dialect::MlServer, method, route.path, is_open)));
    }
    doors.extend(with_head(&Method::GET).iter().map(|method| door(Dialect::Metrics, method, "/metrics", false)));
    doors
}

impl Door {
    /// The status with bad credentials; `None` if the door is open to all, and these are as good as none there.
    fn expected(&self, bad: &Bad) -> Option<u16> {
        let is_nothing = matches!(bad.proof, credentials::Proof::Nothing);
        match self.dialect {
            // An empty body is no login, whoever sends it.
            Dialect::MlServer if self.is_open => Some(400),
            Dialect::Rock if self.is_open && is_nothing => None,
            // It takes no password in a header.
            Dialect::RevoDeployR if self.is_open && (is_nothing || bad.is_password()) => None,
            Dialect::RevoDeployR if bad.is_password() => Some(401),
            // These two say it in any case.
            Dialect::RevoDeployR | Dialect::Metrics if bad.is_disabled => Some(403),
            _ => Some(401),
        }
    }

    fn request(&self, client: &Client, others: &Rock) -> reqwest::RequestBuilder {
        match self.dialect {
            Dialect::RevoDeployR => client.request(self.method.clone(), &self.path),
            _ => others.request(self.method.clone(), &self.path),
        }
    }
}

#[tokio::test]
async fn no_route_takes_credentials_that_are_not_good() {
    let issuer = Issuer::start().await;
    let server = Server::start(&format!("sessions.pool = 0\n{TRUSTING}{}", issuer.settings("x")));
    let (doors, all) = (doors(), credentials::all(&server, &issuer).await);
    let (client, others) = (Client::new(&server), Rock::nobody(&server));
    let tries = all.iter().flat_map(|bad| doors.iter().map(move |door| (bad, door)));
    let tried = tries.filter_map(|(bad, door)| Some((bad, door, door.expected(bad)?))).map(async |(bad, door, expected)| {
        let reply = read(bad.put(door.request(&client, &others))).await;
        assert_eq!(reply.status, expected, "{}: {} {}: {}", bad.what, door.method, door.path, reply.text());
    });
    // A few at once, so that the server need not wait for the client.
    let count = stream::iter(tried).buffer_unordered(4).count().await;
    assert!(count > all.len() * doors.len() * 9 / 10, "{count} of {} by {}", all.len(), doors.len());
    // What would have let somebody in has left nothing behind, and has not ended what is good.
    assert_eq!(server.session_folders(), 0);
    assert_eq!(statuses(&server, &admin(&server).await.access).await, [200; 3]);
}

#[tokio::test]
async fn no_login_takes_what_is_no_password_or_no_refresh_token() {
    let server = Server::start(&format!("sessions.pool = 0\n{TRUSTING}"));
    server.account("ada", &["POWER_USER"]).await;
    let [first, good, revoked] = [admin(&server).await, admin(&server).await, admin(&server).await];
    assert_eq!(revoke(&server, &revoked).await.status, 200);
    let digest = offshoot::auth::password::digest;
    for (name, password) in [
        ("admin", "wrong"),
        ("admin", &digest("wrong")),
        ("nobody", PASSWORD),
        ("nobody", &digest(PASSWORD)),
        ("ada", &PASSWORD.to_uppercase()),
        ("ada", &format!("{PASSWORD} ")),
        ("ada", &PASSWORD[..PASSWORD.len() - 1]),
        ("ADA", PASSWORD),
        ("ada\0", PASSWORD),
        ("admin", &good.access),
        ("admin", "offshoot_x"),
        ("' OR 1=1 --", PASSWORD),
    ] {
        let login = Client::new(&server).request(Method::POST, "/r/user/login").form(&[("username", name), ("password", password)]);
        let reply = read(from_elsewhere(login)).await;
        assert_eq!(reply.status, 401, "{name} {password}: {}", reply.text());
        assert!(!reply.headers.contains_key("set-cookie"), "{name} {password}");
        for path in ["/login", "/user/login"] {
            let login = Rock::nobody(&server).request(Method::POST, path).json(&json!({ "username": name, "password": password }));
            let reply = read(from_elsewhere(login)).await;
            assert_eq!(reply.status, 401, "{path}: {name} {password}: {}", reply.text());
        }
    }
    let second = Pair::of(&refresh(&server, &first).await);
    for (what, refresh_token) in [
        ("a used one", first.refresh.as_str()),
        ("one whose chain has ended by that", second.refresh.as_str()),
        ("one of a revoked chain", revoked.refresh.as_str()),
        ("an access token", good.access.as_str()),
        ("another's", "x"),
        ("none", ""),
    ] {
        let pair = Pair { access: String::new(), refresh: refresh_token.to_owned() };
        assert_eq!(refresh(&server, &pair).await.status, 401, "{what}");
        assert!([400, 401].contains(&revoke(&server, &pair).await.status.as_u16()), "{what}");
    }
    assert_eq!(statuses(&server, &good.access).await, [200; 3]);
}

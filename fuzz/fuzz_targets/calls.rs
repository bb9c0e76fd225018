//! Any request for a call of a dialect is carried out or refused: the real router, store and sessions, with what stands in
//! for R. No answer says that the server has failed.
#![no_main]

mod stand_in;

use std::{cell::RefCell, fs, net::Ipv4Addr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{Method, StatusCode, header},
};
use futures_util::{FutureExt, StreamExt};
use libfuzzer_sys::fuzz_target;
use offshoot::{
    api::{self, revodeployr, rock},
    app::App,
    auth::{NewAccount, Principal, permissions::role},
    config::Config,
    store::{Access, scripts::ScriptChange},
    telemetry::Recent,
};
use tower::ServiceExt;
use uuid::Uuid;

/// The parameters of the dialects, as a fuzzer would hardly guess them.
const PARAMETERS: [&str; 32] = [
    "name", "id", "descr", "session", "wait", "temp", "robjects", "path", "inputs", "files", "async", "username", "subject", "start",
    "saveworkspace", "save", "s", "rscript", "rm", "ref", "preload", "password", "overwrite", "objects", "manager", "limit", "length",
    "format", "filter", "code", "autosave", "file",
];
/// A script of the server's.
const SCRIPT: &str = "script";
/// What a body may be.
const TYPES: [&str; 6] = [
    "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "application/x-rscript", "application/x-rdata", "text/plain",
    "application/json",
];
/// What a client may take.
const ACCEPTED: [&str; 4] = ["*/*", "application/json", "application/octet-stream", "text/event-stream"];
/// After so many requests what belongs to the login is thrown away, or it would fill the disk.
const REQUESTS: u32 = 500;

thread_local! {
    static SERVER: RefCell<Option<(tokio::runtime::Runtime, Server)>> = const { RefCell::new(None) };
}

/// The route, what is unusual about the request, what stands then for the parts of its path that vary, the parameters with their values,
/// the type of the body, what the client takes, and a body.
type Input<'a> = (u8, Unusual, &'a str, Vec<(u8, u8, &'a str)>, u8, u8, &'a [u8]);

/// What is unusual about a request: any of these, in the bits of a number.
type Unusual = u8;
/// It names anything for a session in its path.
const ELSEWHERE: Unusual = 1;
/// It has none of the parameters that most calls require.
const WITHOUT_PARAMETERS: Unusual = 2;
/// Its sender has not logged in.
const WITHOUT_LOGIN: Unusual = 4;

fuzz_target!(init: stand_in::be_other_process(), |input: Input| {
    SERVER.with_borrow_mut(|server| {
        let (runtime, server) = server.get_or_insert_with(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let server = runtime.block_on(Server::start());
            (runtime, server)
        });
        runtime.block_on(server.call(&input));
    });
});

struct Server {
    app: Arc<App>,
    router: Router,
    calls: Vec<(Method, &'static str)>,
    cookie: String,
    session: Uuid,
    object: Uuid,
    requests: u32,
}

impl Server {
    async fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("offshoot-fuzz-{}", Uuid::new_v4()));
        fs::create_dir_all(folder.join("r/bin")).unwrap();
        std::os::unix::fs::symlink("/bin/true", folder.join("r/bin/R")).unwrap();
        let mut config = Config { data: folder.join("data"), ..Config::default() };
        config.r.home = folder.join("r");
        config.r.worker = std::env::current_exe().unwrap();
        config.r.environment.insert(stand_in::ZYGOTE.to_owned(), "1".to_owned());
        config.sessions.users = String::new();
        config.rock.security = false;
        let app = App::start(config, Recent::default()).await.unwrap();
        let account = NewAccount {
            name: "somebody".to_owned(),
            display_name: "Somebody".to_owned(),
            password: "a password".to_owned(),
            enabled: true,
            roles: vec![role::ADMINISTRATOR.to_owned(), role::POWER_USER.to_owned()],
            boundary: None,
        };
        app.accounts().add(account).await.unwrap();
        let script = ScriptChange { code: Some("1".to_owned()), access: Some(Access::Anonymous), ..ScriptChange::default() };
        app.store().script_put(SCRIPT, &script).await.unwrap();
        let of_revodeployr = revodeployr::routes::ROUTES.iter().flat_map(|route| {
            let path = route.call.path;
            [Method::GET, Method::POST].into_iter().filter(|method| route.call.methods.allows(method)).map(move |method| (method, path))
        });
        let of_rock = rock::routes::ROUTES.iter().map(|route| (route.method.clone(), route.path));
        let calls = of_revodeployr.chain(of_rock).collect();
        let router = api::router(&app);
        Self { app, router, calls, cookie: String::new(), session: Uuid::nil(), object: Uuid::nil(), requests: 0 }
    }

    /// Sees to it that there are a login, a session and an object, whatever the last request has done.
    async fn prepare(&mut self) {
        let address = Ipv4Addr::LOCALHOST.into();
        self.requests += 1;
        let mut login = self.app.login_of(&self.cookie);
        if self.requests % REQUESTS == 0
            && let Some(old) = login.take()
        {
            self.app.login_end(&old).await;
        }
        let login = match login {
            Some(login) => login,
            None => {
                (self.cookie, _) = self.app.login_begin("somebody", "Somebody", false, address).await.unwrap();
                self.app.login_of(&self.cookie).unwrap()
            }
        };
        let principal = Principal::of_login(&self.app.rules().now(), login, address);
        self.object = self.app.object_list(&principal).await.unwrap().first().map_or(Uuid::nil(), |object| object.id);
        let _ = self.app.runtime_start().await;
        if self.app.session(self.session, &principal).is_err() {
            self.session = self.app.session_open(&principal).await.unwrap().id;
        }
    }

    async fn call(&mut self, input: &Input<'_>) {
        self.prepare().await;
        let response = self.router.clone().oneshot(self.request(input)).await.unwrap();
        let (method, path) = &self.calls[usize::from(input.0) % self.calls.len()];
        eprintln!("STATUS {method} {path} {}", response.status().as_u16());
        assert_ne!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{method} {path}");
        // Some answers never end, as the console that is followed.
        let _ = response.into_body().into_data_stream().next().now_or_never();
    }

    fn request(&self, input: &Input<'_>) -> Request {
        let &(route, unusual, part, ref parameters, content, accepted, bytes) = input;
        // As few requests as can be are unusual in a way, because most of these are refused early.
        let is = |what: Unusual| unusual >> 4 == 0xf && unusual & what != 0;
        let (method, path) = &self.calls[usize::from(route) % self.calls.len()];
        let varied = if is(ELSEWHERE) { encoded(part) } else { self.session.to_string() };
        let mut path: String = path.split('/').skip(1).map(|part| format!("/{}", if part.starts_with('{') { &varied } else { part })).collect();
        let mut parameters = Vec::from_iter(parameters.iter().map(|&(name, kind, text)| {
            let name = PARAMETERS[usize::from(name) % PARAMETERS.len()];
            let value = match kind % 4 {
                0 => format!("FILE-{}", self.object),
                1 => format!("CBNRY-{}", self.object),
                _ => text.to_owned(),
            };
            (name, value)
        }));
        if !is(WITHOUT_PARAMETERS) {
            let [session, object, name] = [format!("LIVE-{}", self.session), format!("FILE-{}", self.object), SCRIPT.to_owned()];
            for (required, value) in
                [("session", &session), ("id", &object), ("name", &name), ("rscript", &name), ("code", &name), ("descr", &name)]
            {
                if parameters.iter().all(|(name, _)| *name != required) {
                    parameters.push((required, value.clone()));
                }
            }
        }
        let content = TYPES[usize::from(content) % TYPES.len()];
        let mut body = Vec::new();
        if content.starts_with("multipart") {
            for (name, value) in &parameters {
                body.extend(format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
            }
            body.extend(b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n");
            body.extend(bytes);
            body.extend(b"\r\n--b--\r\n");
        } else {
            let form = Vec::from_iter(parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value)))).join("&");
            if content.ends_with("urlencoded") && *method == Method::POST {
                body = form.into_bytes();
            } else {
                path = format!("{path}?{form}");
                body.extend(bytes);
            }
        }
        let accepted = ACCEPTED[usize::from(accepted) % ACCEPTED.len()];
        let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, content).header(header::ACCEPT, accepted);
        let request = if is(WITHOUT_LOGIN) { request } else { request.header(header::COOKIE, format!("JSESSIONID={}", self.cookie)) };
        request.body(Body::from(body)).unwrap()
    }
}

/// A text as part of a URL.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

//! A real provider, the npm package oidc-provider, and a browser for its forms.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout, Stdio},
};

use reqwest::{Method, Url, header};

use crate::harness::{Reply, Server, http, node, read};

/// A provider that runs as long as the test.
pub struct Provider {
    child: Child,
    output: BufReader<ChildStdout>,
    pub address: String,
}

impl Provider {
    /// Starts it, where it is installed.
    pub fn start() -> Option<Self> {
        let groups = r#"{"ada": ["ops"], "bob": ["readers"], "program": ["ops"]}"#;
        let mut command = node("authentication/provider/provider.mjs")?;
        command.arg(groups).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let address = line(&mut output);
        Some(Self { child, output, address })
    }

    /// A server for which it works.
    pub fn server(&mut self) -> Server {
        let server = Server::start(&format!(
            "[[auth.issuer]]\nname = 'provider'\nissuer = '{}'\naudience = ['https://r.example.org/api']\nroles_claim = 'groups'\n\
             roles = {{ ops = ['ADMINISTRATOR', 'POWER_USER'], readers = ['BASIC_USER'] }}\n\
             client_id = 'offshoot'\nclient_secret = 'a secret of the tests'\n",
            self.address
        ));
        writeln!(self.child.stdin.as_mut().unwrap(), "{}/oidc/provider/callback", server.address).unwrap();
        assert_eq!(line(&mut self.output), "ready");
        server
    }
}

fn line(output: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    line.trim().to_owned()
}

impl Drop for Provider {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A browser: it keeps cookies, and goes where it is led.
pub struct Browser {
    http: reqwest::Client,
    /// By server, and then by name.
    cookies: HashMap<String, HashMap<String, String>>,
    pub at: Url,
}

impl Browser {
    pub fn new(server: &Server) -> Self {
        let http = http().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, cookies: HashMap::new(), at: server.address.parse().unwrap() }
    }

    /// One request, without going on.
    pub async fn send(&mut self, method: Method, address: &str, form: &[(&str, &str)]) -> Reply {
        self.at = self.at.join(address).unwrap();
        let cookies = self.cookies.entry(self.at.authority().to_owned()).or_default();
        let sent: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.http.request(method.clone(), self.at.clone()).header(header::COOKIE, sent.join("; "));
        if method == Method::POST {
            request = request.form(form);
        }
        let reply = read(request).await;
        for cookie in reply.headers.get_all(header::SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            match value {
                "" => drop(cookies.remove(name)),
                value => drop(cookies.insert(name.to_owned(), value.to_owned())),
            }
        }
        reply
    }

    /// Goes to an address, and on from there until there is a page to read or the next place is at `stop`.
    pub async fn go(&mut self, address: &str, stop: &str) -> Reply {
        let reply = self.send(Method::GET, address, &[]).await;
        self.follow(reply, stop).await
    }

    async fn follow(&mut self, mut reply: Reply, stop: &str) -> Reply {
        while reply.status.is_redirection() {
            let next = reply.headers[header::LOCATION].to_str().unwrap().to_owned();
            if self.at.join(&next).unwrap().path() == stop {
                break;
            }
            reply = self.send(Method::GET, &next, &[]).await;
        }
        reply
    }

    /// Fills in the forms of the provider, as this user. Returns the address that it sends the browser back to.
    pub async fn log_in(&mut self, address: &str, user: &str) -> String {
        const CALLBACK: &str = "/oidc/provider/callback";
        let mut reply = self.go(address, CALLBACK).await;
        for form in [[("prompt", "login"), ("login", user), ("password", "any")].as_slice(), &[("prompt", "consent")]] {
            assert!(reply.status == 200 && self.at.path().starts_with("/interaction/"), "{} {}", self.at, reply.text());
            let here = self.at.to_string();
            let sent = self.send(Method::POST, &here, form).await;
            reply = self.follow(sent, CALLBACK).await;
        }
        reply.headers[header::LOCATION].to_str().unwrap().to_owned()
    }
}

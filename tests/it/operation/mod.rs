//! Things that operators of a server care about: certificates, proxies, logs, measurements, limits on clients.

mod activation;
mod clients;
mod doctor;
mod gate;
mod logins;
mod logs;
mod measures;
mod origin;
mod tls;

//! Measurements of the whole server. Other parts of the server measure themselves.

use metrics::gauge;

use super::App;
use crate::session::Purpose;

impl App {
    /// Records the present state, when somebody asks for the measurements.
    pub fn measure(&self) {
        let mut sessions = self.sessions.all();
        sessions.retain(|session| session.tombstone().is_none());
        let all = sessions.len();
        sessions.retain(|session| session.purpose != Purpose::Ahead);
        gauge!("offshoot_sessions", "state" => "prepared").set(count(all - sessions.len()));
        let busy = sessions.iter().filter(|session| session.is_busy()).count();
        gauge!("offshoot_sessions", "state" => "busy").set(count(busy));
        gauge!("offshoot_sessions", "state" => "idle").set(count(sessions.len() - busy));
        gauge!("offshoot_sessions_max").set(count(self.config.sessions.max));
        gauge!("offshoot_operations_waiting").set(count(sessions.iter().map(|session| session.waiting()).sum()));
        gauge!("offshoot_pool_ready").set(count(self.sessions.ready()));
        gauge!("offshoot_pool_size").set(count(self.config.sessions.pool));
        gauge!("offshoot_zygote_up").set(if self.sessions.zygote_pid() > 0 { 1.0 } else { 0.0 });
        gauge!("offshoot_logins").set(count(self.logins.len()));
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn count(number: usize) -> f64 {
    number as f64
}

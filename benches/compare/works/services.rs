//! Calls of a web service whose model has been fitted beforehand.

use anyhow::Result;

use super::{Contestant, Suite, load::throughput};
use crate::report::{Shown, Unit};

impl Suite<'_> {
    /// Measures a small service on one connection and on several, and then one with a large object beside its model.
    pub(super) fn services(&mut self) {
        let work = "consume a service: glm of mtcars, two numbers in, one out";
        self.time(Shown::Summary, work, |contestant| contestant.publish(0), |contestant| contestant.session.consume(0));
        let window = self.scale.window;
        for (connections, noun, shown) in [(1, "connection", Shown::Report), (8, "connections", Shown::Summary)] {
            let work = format!("consume a service, {connections} {noun}");
            self.measure(&[(shown, &work, Unit::PerSecond)], |contestant| {
                contestant.publish(0)?;
                Ok(vec![throughput(contestant.backend.as_ref(), connections, window, |session| session.consume(0))?])
            });
        }
        let megabytes = self.scale.file / 1_000_000;
        let work = format!("consume a service whose image is {megabytes} MB");
        self.time(Shown::Summary, &work, |contestant| contestant.publish(megabytes), |contestant| contestant.session.consume(megabytes));
        self.forget("ballast");
    }
}

impl Contestant {
    /// Publishes the service with an object of this size, unless an earlier work has, and calls it once.
    fn publish(&mut self, megabytes: usize) -> Result<()> {
        if !self.published.contains(&megabytes) {
            self.backend.publish(megabytes)?;
            self.session.consume(megabytes)?;
            self.published.push(megabytes);
        }
        Ok(())
    }
}

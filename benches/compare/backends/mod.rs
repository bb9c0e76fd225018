//! The back ends. Each has a file that says how it is started and how it does the works.
//!
//! If a back end cannot do a work, it refuses with [`Unsupported`], and the report gives the reason.

mod hello;
mod mlserver;
mod offshoot;
mod plumber;
mod revodeployr;
mod rock;
mod rscript;
mod rserve;
mod service;
mod subprocess;

use std::path::Path;

use anyhow::Result;

use self::{
    hello::{Asks, Hello},
    offshoot::{Api, Offshoot},
};
use super::data::{Form, Object, Sent};

/// A back end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The product, through OBiBa Rock's API.
    OffshootRock,
    /// The product, through its `RevoDeployR` API.
    OffshootRevoDeployR,
    /// The product, through Microsoft R Server's API.
    OffshootRServer,
    /// `Rscript -e`, once for each request.
    Rscript,
    /// `R --no-echo` over pipes, one for each session.
    Subprocess,
    /// Rserve, over its binary protocol.
    Rserve,
    /// plumber, over HTTP.
    Plumber,
    /// No R at all: the cost of HTTP itself.
    Hello,
    /// No R, but a process for each session that echoes its input: the cost of a session that does nothing.
    HelloProcess,
}

impl Kind {
    /// All back ends, the baseline first.
    pub const ALL: [Self; 9] = [
        Self::OffshootRock,
        Self::OffshootRevoDeployR,
        Self::OffshootRServer,
        Self::Rscript,
        Self::Subprocess,
        Self::Rserve,
        Self::Plumber,
        Self::Hello,
        Self::HelloProcess,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::OffshootRock => "Offshoot (Rock)",
            Self::OffshootRevoDeployR => "Offshoot (RevoDeployR)",
            Self::OffshootRServer => "Offshoot (R Server)",
            Self::Rscript => "Rscript per request",
            Self::Subprocess => "R over pipes",
            Self::Rserve => "Rserve",
            Self::Plumber => "plumber",
            Self::Hello => "axum without R",
            Self::HelloProcess => "axum and `cat`, without R",
        }
    }

    /// Whether it uses R.
    pub fn has_r(self) -> bool {
        !matches!(self, Self::Hello | Self::HelloProcess)
    }

    /// Starts it, and waits until it is ready to answer.
    pub fn start(self, folder: &Path, settings: Settings) -> Result<Box<dyn Backend>> {
        let folder = tempfile::Builder::new().prefix("peer-").tempdir_in(folder)?.keep();
        // Sessions of Offshoot have users of their own, who need to pass through the folder.
        std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
        Ok(match self {
            Self::OffshootRock => Box::new(Offshoot::start(&folder, Api::Rock, settings)?),
            Self::OffshootRevoDeployR => Box::new(Offshoot::start(&folder, Api::RevoDeployR, settings)?),
            Self::OffshootRServer => Box::new(Offshoot::start(&folder, Api::RServer, settings)?),
            Self::Rscript => Box::new(rscript::Rscript::new(folder)),
            Self::Subprocess => Box::new(subprocess::Subprocess::new(folder)),
            Self::Rserve => Box::new(rserve::Rserve::start(&folder, settings)?),
            Self::Plumber => Box::new(plumber::Plumber::start(&folder)?),
            Self::Hello => Box::new(Hello::start(Asks::Nobody)?),
            Self::HelloProcess => Box::new(Hello::start(Asks::Cat)?),
        })
    }
}

/// How a back end is started. Everything else has its defaults.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Whether sessions are prepared beforehand, if the back end can do this.
    pub pool: bool,
    /// Data that is loaded before the first session, in MiB, if the back end can do this.
    pub preload_mib: usize,
}

impl Settings {
    pub const USUAL: Self = Self { pool: true, preload_mib: 0 };
}

/// A running back end. It ends when this value is dropped.
pub trait Backend: Sync {
    /// Opens a session, or the nearest equivalent.
    fn open(&self) -> Result<Box<dyn Session>>;

    /// Makes a service ready for [`Session::consume`], which finds a fitted model when it is called and, if `megabytes` is not 0, an object of
    /// that size beside it.
    fn publish(&self, _megabytes: usize) -> Result<()> {
        refuse("has no services")
    }

    /// The processes of its sessions, including those that are kept ready.
    fn sessions(&self) -> Vec<u32> {
        Vec::new()
    }
}

/// A session. It is closed when this value is dropped.
pub trait Session: Send {
    /// Evaluates `1+1`, or runs the script that does it, and checks the answer.
    fn answer(&mut self) -> Result<()>;

    /// Evaluates code for its effects, on one line.
    fn run(&mut self, _code: &str) -> Result<()> {
        refuse("has no sessions")
    }

    /// Keeps a core busy for some time.
    fn compute(&mut self) -> Result<()> {
        self.run(COMPUTE)
    }

    /// Gets an object that [`Session::run`] has made, or makes it again if the back end keeps nothing.
    fn fetch(&mut self, object: &Object, form: Form) -> Result<Vec<u8>>;

    /// Makes R serialize an object into its own memory: the least that sending it as RDS costs.
    fn serialize(&mut self, _object: &Object) -> Result<()> {
        refuse("is not R by itself")
    }

    /// Sends data to R.
    fn send(&mut self, _sent: &Sent, _form: Form) -> Result<()> {
        refuse("has no way to take data")
    }

    /// A plot of some points, as PNG.
    fn plot(&mut self) -> Result<Vec<u8>>;

    /// Fits a linear model to the data frame `model`, which [`MODEL_DATA`] has made. Returns the coefficients of its summary as JSON.
    fn model(&mut self) -> Result<Vec<u8>>;

    /// Runs a script of the administrator's by its name, without a session, and checks the answer.
    fn script(&mut self) -> Result<()> {
        refuse("has no scripts")
    }

    /// Calls the service that [`Backend::publish`] has made with an object of this size: two numbers in, one out. Checks the answer. The
    /// session itself takes no part in it, only its connection does.
    fn consume(&mut self, _megabytes: usize) -> Result<()> {
        refuse("has no services")
    }

    /// Puts a file into the session's folder.
    fn upload(&mut self, _bytes: &[u8]) -> Result<()> {
        refuse("the client's files are its own")
    }

    /// Gets the file that was uploaded last.
    fn download(&mut self) -> Result<Vec<u8>> {
        refuse("the client's files are its own")
    }
}

/// A back end cannot do a work.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unsupported(&'static str);

fn refuse<T>(why: &'static str) -> Result<T> {
    Err(Unsupported(why).into())
}

/// R code that makes the data of [`Session::model`]: 10,000 rows of a response and nine predictors.
pub const MODEL_DATA: &str = "set.seed(1); model <- as.data.frame(matrix(rnorm(1e5), ncol = 10)); names(model)[1] <- 'y'";
/// The coefficients of the model's summary, a matrix of 10 x 4.
const MODEL: &str = "summary(lm(y ~ ., model))[['coefficients']]";
/// The code of [`Session::compute`], which runs for a fifth of a second.
const COMPUTE: &str = "until <- proc.time()[[3]] + 0.2; while (proc.time()[[3]] < until) sqrt(1)";
/// The plot of [`Session::plot`].
const PLOT: &str = "plot(sin(1:100), type = 'b', main = 'A plot')";

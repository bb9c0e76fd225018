//! Web services: R code that its author publishes, and that others call without a session of their own.
//!
//! A call opens a session, loads the image of the service, runs its code and answers. The session ends with the answer, so that nothing of
//! one call is seen by the next. If a version is called often, the first part is done before the call comes (`prepared`).

use std::{
    collections::{HashMap, HashSet},
    io::Read,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use uuid::Uuid;

use super::{
    App, Failure,
    contents::blocking,
    evaluation::Encoding,
    files::{Area, FileError},
    runs::{InputForm, PlotFiles, Reporting, Run, RunResult},
    sessions::{Author, Ephemeral},
};
use crate::{
    auth::{Permission, Principal, ServiceRight, permissions},
    session::{Admission, Session},
    store::images::StoredImage,
};
pub use crate::{
    store::services::{Definition, DefinitionChange, Service},
    wire::plain::{Kind, Parameter},
};

/// How many versions of services are remembered, so that calls need not ask the store.
const REMEMBERED: usize = 1_000;
/// Longest name of a service, a version, an operation or a parameter, in bytes.
const NAME: usize = 255;

/// A version of a service, with all that a call needs.
#[derive(Debug)]
pub struct Callable {
    /// The version.
    pub service: Service,
    /// The image of the session that it runs in.
    image: Option<Arc<StoredImage>>,
}

impl Callable {
    pub(super) fn image(&self) -> Option<&StoredImage> {
        self.image.as_deref()
    }
}

/// Versions of services that were called.
#[derive(Debug, Default)]
pub(super) struct Catalog(Mutex<HashMap<(String, String), Arc<Callable>>>);

impl Catalog {
    /// Forgets all, because the store has changed.
    pub(super) fn forget(&self) {
        self.known().clear();
    }

    fn find(&self, name: &str, version: &str) -> Option<Arc<Callable>> {
        self.known().get(&(name.to_owned(), version.to_owned())).cloned()
    }

    fn remember(&self, callable: Arc<Callable>) {
        let mut known = self.known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert((callable.service.name.clone(), callable.service.version.clone()), callable);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(String, String), Arc<Callable>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of a call of a service.
#[derive(Debug)]
pub struct Consumed {
    /// What the code has done, or the code before it if that has failed.
    pub outcome: RunResult,
    /// The files that the service gives, by name; those that the code has not written are missing.
    pub files: Vec<(String, Bytes)>,
    /// Ends with the answer.
    pub(super) session: Ephemeral,
}

impl App {
    /// Publishes a version of a service. Without a version, it gets one of its own, which only its author sees.
    ///
    /// # Errors
    /// [`Failure::Exists`] if there is this version, [`Failure::Forbidden`] if the name is somebody else's, and others
    pub async fn service_publish(
        &self,
        principal: &Principal,
        name: &str,
        version: Option<&str>,
        change: DefinitionChange,
    ) -> Result<Service, Failure> {
        self.service_require(principal, ServiceRight::Publish)?;
        check_name("service", name)?;
        version.map_or(Ok(()), |version| check_name("version", version))?;
        let mut definition = Definition::default();
        change.apply(&mut definition);
        check_definition(&definition)?;
        let author = principal.account().unwrap_or_default().to_owned();
        let service = Service {
            name: name.to_owned(),
            version: version.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned),
            owner: author.clone(),
            author,
            private: version.is_none(),
            definition,
            image: None,
            created: 0,
            changed: 0,
        };
        Ok(self.store.service_publish(&service, &self.config.services).await?)
    }

    /// Changes a version of a service. Callers get the old one or the new one, and never something in between.
    ///
    /// # Errors
    /// [`Failure::Unknown`], [`Failure::Forbidden`] if it is somebody else's, and others
    pub async fn service_update(
        &self,
        principal: &Principal,
        name: &str,
        version: &str,
        change: DefinitionChange,
    ) -> Result<Service, Failure> {
        self.service_to_change(principal, name, version).await?;
        let mut changed = Definition::default();
        change.clone().apply(&mut changed);
        check_definition(&changed)?;
        self.store.service_update(name, version, change, &self.config.services).await?;
        self.catalog.forget();
        self.preparations.give_up(name, version);
        self.service(principal, name, version).await.map(|callable| callable.service.clone())
    }

    /// Removes a version of a service. Calls that run go on.
    ///
    /// # Errors
    /// [`Failure::Unknown`], [`Failure::Forbidden`] if it is somebody else's
    pub async fn service_remove(&self, principal: &Principal, name: &str, version: &str) -> Result<(), Failure> {
        self.service_to_change(principal, name, version).await?;
        self.store.service_remove(name, Some(version)).await?;
        self.catalog.forget();
        self.preparations.give_up(name, version);
        Ok(())
    }

    /// The versions of all services, or of one, that the principal may see, in the order in which they were published.
    ///
    /// # Errors
    /// [`Failure::Forbidden`], [`Failure::Store`]
    pub async fn service_list(&self, principal: &Principal, name: Option<&str>) -> Result<Vec<Service>, Failure> {
        self.service_require(principal, ServiceRight::Call)?;
        let mut services = self.store.service_list(name).await?;
        services.retain(|service| may_see(principal, service));
        Ok(services)
    }

    /// A version of a service that the principal may see.
    ///
    /// # Errors
    /// [`Failure::Unknown`], [`Failure::Forbidden`]
    pub async fn service(&self, principal: &Principal, name: &str, version: &str) -> Result<Arc<Callable>, Failure> {
        self.service_require(principal, ServiceRight::Call)?;
        let found = match self.catalog.find(name, version) {
            Some(callable) => Some(callable),
            None => self.service_read(name, version).await?,
        };
        let unknown = || Failure::Unknown(format!("There is no service {name:?} with the version {version:?}."));
        found.filter(|callable| may_see(principal, &callable.service)).ok_or_else(unknown)
    }

    /// Reads a version of a service from the store, and remembers it.
    async fn service_read(&self, name: &str, version: &str) -> Result<Option<Arc<Callable>>, Failure> {
        let Some(service) = self.store.service(name, version).await? else { return Ok(None) };
        let image = match &service.image {
            Some(image) => Some(self.image(image).await?),
            None => None,
        };
        let callable = Arc::new(Callable { service, image });
        self.catalog.remember(Arc::clone(&callable));
        Ok(Some(callable))
    }

    /// Whether the principal may change a version of a service, or remove it.
    #[must_use]
    pub fn service_may_change(&self, principal: &Principal, service: &Service) -> bool {
        let right = permissions::service_right(&self.rules.now(), principal, self.config.services.roles);
        right == Some(ServiceRight::Own) || right == Some(ServiceRight::Publish) && service.owner == principal.name()
    }

    async fn service_to_change(&self, principal: &Principal, name: &str, version: &str) -> Result<(), Failure> {
        let callable = self.service(principal, name, version).await?;
        if self.service_may_change(principal, &callable.service) {
            Ok(())
        } else {
            Err(Failure::Forbidden(format!("The service {name:?} is somebody else's.")))
        }
    }

    pub(super) fn service_require(&self, principal: &Principal, right: ServiceRight) -> Result<(), Failure> {
        let rules = self.rules.now();
        if permissions::service_right(&rules, principal, self.config.services.roles) >= Some(right) {
            return Ok(());
        }
        Err(Failure::Forbidden(match right {
            ServiceRight::Call => "This account may not use services: it has none of their roles.".to_owned(),
            _ if !permissions::allows(&rules, principal, Permission::Code) => {
                "This account may not publish services: it lacks the role POWER_USER, by which it could run code of its own.".to_owned()
            }
            _ => "This account may not publish services: it has not the role SERVICE_CONTRIBUTOR.".to_owned(),
        }))
    }

    /// Calls a service, with inputs in JSON by name.
    ///
    /// # Errors
    /// [`Failure::Invalid`] for inputs that are not as they are declared, and others
    pub async fn service_consume(
        self: &Arc<Self>,
        principal: &Principal,
        callable: &Arc<Callable>,
        inputs: &str,
    ) -> Result<Consumed, Failure> {
        let call = async |callable: &Arc<Callable>| {
            let definition = &callable.service.definition;
            if let Some(session) = self.prepared_take(principal, callable).await? {
                return self.service_run(session, definition, inputs).await;
            }
            let session = self.session_open_ephemeral(principal, None, Author::Another).await?;
            self.service_call(session, definition, callable.image(), inputs).await
        };
        match call(callable).await {
            Err(Failure::Store(error)) => {
                // The version may have been changed or removed since it was read, and the contents of its image with it.
                self.catalog.forget();
                let now = self.service(principal, &callable.service.name, &callable.service.version).await?;
                if now.service.image == callable.service.image { Err(error.into()) } else { call(&now).await }
            }
            called => called,
        }
    }

    /// Calls a service of this definition and image in a session that was opened for it.
    pub(super) async fn service_call(
        &self,
        ephemeral: Ephemeral,
        definition: &Definition,
        image: Option<&StoredImage>,
        inputs: &str,
    ) -> Result<Consumed, Failure> {
        match self.service_begin(&ephemeral.session, definition, image).await? {
            Some(outcome) => Ok(Consumed { outcome, files: Vec::new(), session: ephemeral }),
            None => self.service_run(ephemeral, definition, inputs).await,
        }
    }

    /// Brings a new session to where the inputs of a call are needed. If the code before each call fails, its outcome is returned.
    pub(super) async fn service_begin(
        &self,
        session: &Arc<Session>,
        definition: &Definition,
        image: Option<&StoredImage>,
    ) -> Result<Option<RunResult>, Failure> {
        if let Some(image) = image {
            let turn = session.turn(Admission::Queued)?;
            self.image_bring(session, &turn, image).await?;
        }
        if definition.init_code.is_empty() {
            return Ok(None);
        }
        let outcome = self.execute(session, self.service_code(&definition.init_code)).await?;
        Ok(Some(outcome).filter(|outcome| !outcome.has_completed()))
    }

    /// Runs the code of a service in a session that is ready for it.
    async fn service_run(&self, ephemeral: Ephemeral, definition: &Definition, inputs: &str) -> Result<Consumed, Failure> {
        let session = &ephemeral.session;
        let consuming = Run {
            inputs,
            form: InputForm::Plain(Some(definition.inputs.clone())),
            objects: definition.outputs.iter().map(|output| output.name.clone()).collect(),
            kinds: definition.outputs.iter().map(|output| output.kind).collect(),
            encoding: Encoding::PlainMembers,
            print: true,
            ..self.service_code(&definition.code)
        };
        let outcome = self.execute(session, consuming).await?;
        let files = self.service_files(session, &definition.files).await?;
        Ok(Consumed { outcome, files, session: ephemeral })
    }

    /// A run of code of a service.
    fn service_code<'a>(&self, code: &'a str) -> Run<'a> {
        let plots = PlotFiles { size: [self.config.services.plot_pixels; 2], publish: false };
        Run { code, plots, reporting: Reporting::Console, ..Run::default() }
    }

    /// The files that a service gives.
    async fn service_files(&self, session: &Arc<Session>, names: &[String]) -> Result<Vec<(String, Bytes)>, Failure> {
        let mut left = self.config.services.files_mib << 20;
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            let file = match self.file_open(session, Area::Work, name).await {
                Ok(file) => file,
                Err(FileError::System(error)) => return Err(error.into()),
                Err(_) => continue,
            };
            let content = blocking(move || {
                let mut content = Vec::new();
                file.take(left + 1).read_to_end(&mut content)?;
                Ok(content)
            });
            let content = content.await?;
            let too_large = || {
                Failure::Invalid(format!(
                    "The files of the service are larger than {} MiB (services.files_mib).",
                    self.config.services.files_mib
                ))
            };
            left = left.checked_sub(content.len() as u64).ok_or_else(too_large)?;
            files.push((name.clone(), content.into()));
        }
        Ok(files)
    }
}

/// A version that was given no name is seen by its author only.
fn may_see(principal: &Principal, service: &Service) -> bool {
    !service.private || service.author == principal.name()
}

/// A name that stands in paths.
fn check_name(what: &str, name: &str) -> Result<(), Failure> {
    let is_fine = |letter: char| letter.is_alphanumeric() || "-_.~ +@:".contains(letter);
    if name.is_empty() || name.len() > NAME || matches!(name, "." | "..") || !name.chars().all(is_fine) || name.trim() != name {
        return Err(Failure::Invalid(format!("The name of a {what} has 1 to {NAME} letters, digits and -_.~+@: or blanks between them.")));
    }
    Ok(())
}

/// Checks the names of a service, and those in its definition.
///
/// # Errors
/// [`Failure::Invalid`]
pub fn check(service: &Service) -> Result<(), Failure> {
    check_name("service", &service.name)?;
    check_name("version", &service.version)?;
    check_definition(&service.definition)
}

fn check_definition(definition: &Definition) -> Result<(), Failure> {
    if !definition.operation.is_empty() {
        check_name("operation", &definition.operation)?;
    }
    for (what, parameters) in [("input", &definition.inputs), ("output", &definition.outputs)] {
        let mut known = HashSet::new();
        for Parameter { name, .. } in parameters {
            if name.is_empty() || name.len() > NAME || name.contains('\0') {
                return Err(Failure::Invalid(format!("The name of an {what} has 1 to {NAME} bytes.")));
            }
            if !known.insert(name) {
                return Err(Failure::Invalid(format!("There are two {what}s {name:?}.")));
            }
        }
    }
    Ok(())
}
